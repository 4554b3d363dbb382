#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nido.h"
#include "testkit/kit.h"

enum { MOST_CALLS_AFTER = 1000000 };
enum column { BEFORE, PARKED, AT_REST, WOKEN };

/* What a task does, by its slot's number. */
struct place {
    size_t row;                /* of the point it entered last */
    size_t wait;               /* of the wait that it is in */
    struct nidoi_task *waiter; /* it, in a wait that a cancel may end; else NULL */
    bool rested;               /* nobody was ready since that began */
};

struct strike {
    size_t row;
    int column;
};

struct sweep {
    struct nidoi_table table;
    const nido_test_options *options;
    bool recording;
    struct strike *strikes; /* all moments, in the order in which they come */
    size_t count, room;
    size_t moment; /* of this run, so far */
    size_t target; /* at which it is struck; SIZE_MAX: none */
    uint32_t points;
    uint64_t calls_after; /* since it was struck */
    bool struck, moot;
    struct place *places;
    size_t slots;
};

/* ---- Moments ---- */

static struct place *place_of(struct sweep *sweep, const struct nidoi_task *task)
{
    uint32_t number = nidoi_slot_number(task);

    if (number >= sweep->slots) {
        size_t grown = 2 * (size_t)number + 16;

        sweep->places = nidoi_kit_memory(sweep->places, grown * sizeof *sweep->places);
        memset(sweep->places + sweep->slots, 0, (grown - sweep->slots) * sizeof *sweep->places);
        sweep->slots = grown;
    }
    return &sweep->places[number];
}

static void strike(struct sweep *sweep, struct nidoi_task *task)
{
    struct nidoi_task *root = nidoi_kit_hooks()->loop()->root;
    nido_scope *scope = root ? &root->base : task->scope;

    if (sweep->options->flags & NIDO_TEST_INNERMOST) scope = task->scope;
    sweep->struck = true;
    sweep->moot = nido_scope_cancel(scope, -EINTR, "struck by a sweep") != 0;
}

static void note(struct sweep *sweep, size_t row, int column)
{
    if (sweep->count == sweep->room) {
        sweep->room = sweep->room ? 2 * sweep->room : 64;
        sweep->strikes = nidoi_kit_memory(sweep->strikes, sweep->room * sizeof *sweep->strikes);
    }
    sweep->strikes[sweep->count++] = (struct strike){row, column};
}

/* A cancel may come now. */
static void moment(struct sweep *sweep, struct nidoi_task *task, size_t row, int column)
{
    if (sweep->recording) note(sweep, row, column);
    if (sweep->moment++ == sweep->target) strike(sweep, task);
}

/* Nothing can end a run that does not care. */
static void check_end(struct sweep *sweep)
{
    if (!sweep->struck || ++sweep->calls_after < MOST_CALLS_AFTER) return;
    fputs("nido: a million calls after it was struck the run still goes on\n", stderr);
    abort();
}

static void entered(void *ctx, struct nidoi_task *task)
{
    struct sweep *sweep = ctx;
    size_t row = 0;

    sweep->points++;
    if (sweep->recording) row = nidoi_table_row(&sweep->table, sweep->points, nidoi_where_now());
    place_of(sweep, task)->row = row;
    moment(sweep, task, row, BEFORE);
    check_end(sweep);
}

/* A point may park more than once, and there are waits that are no point. */
static size_t row_of_wait(struct sweep *sweep, const struct place *place,
                          const struct nidoi_waiter *waiter)
{
    const struct nidoi_row *row;
    size_t wait;

    if (!sweep->recording) return 0;
    if (!waiter->kind->undo) {
        wait = nidoi_table_row(&sweep->table, 0, (struct nidoi_where){0});
        snprintf(sweep->table.rows[wait].note, sizeof sweep->table.rows[wait].note,
                 "waits for %s: no cancel ends it", waiter->kind->name);
        return wait;
    }
    row = &sweep->table.rows[place->row];
    if (row->cells[PARKED].state == NIDOI_CELL_NONE) return place->row;
    return nidoi_table_row(&sweep->table, 0, row->where);
}

static void parked(void *ctx, struct nidoi_task *task)
{
    struct sweep *sweep = ctx;
    struct place *place = place_of(sweep, task);

    place->wait = row_of_wait(sweep, place, task->waiter);
    place->waiter = task->waiter->kind->undo ? task : NULL;
    place->rested = false;
    if (sweep->recording) sweep->table.rows[place->wait].cells[PARKED].state = NIDOI_CELL_MOOT;
    moment(sweep, task, place->wait, PARKED);
}

static void resumes(void *ctx, struct nidoi_task *task)
{
    struct sweep *sweep = ctx;
    struct place *place = place_of(sweep, task);

    if (!place->waiter) return;
    place->waiter = NULL;
    moment(sweep, task, place->wait, WOKEN);
}

/* Who parked a while ago may by now be in others' way, unlike who has only just parked. */
static void idle(void *ctx)
{
    struct sweep *sweep = ctx;

    for (size_t i = 0; i < sweep->slots; i++) {
        struct place *place = &sweep->places[i];

        if (!place->waiter || place->rested || !place->waiter->waiter) continue;
        place->rested = true;
        moment(sweep, place->waiter, place->wait, AT_REST);
    }
}

static const struct nidoi_watcher listener = {
    .entered = entered, .parked = parked, .resumes = resumes, .idle = idle};

/* ---- Runs ---- */

static void prepare(void *ctx)
{
    struct sweep *sweep = ctx;

    sweep->table.count = 0;
    sweep->count = sweep->moment = sweep->points = 0;
    sweep->calls_after = 0;
    sweep->struck = sweep->moot = false;
    if (sweep->slots) memset(sweep->places, 0, sweep->slots * sizeof *sweep->places);
}

static void say_broken(nido_fn *fn, const nido_test_options *options, const char *what)
{
    struct nidoi_place place;

    fprintf(options->out, "nido: sweep of %s: broken before anything was disturbed: %s\n",
            options->name ? options->name : nidoi_kit_hooks()->place(&place, (void *)(uintptr_t)fn),
            what);
    nidoi_kit_print_seed(options);
}

bool nidoi_sweep_begin(nido_fn *fn, void *arg, const nido_test_options *options,
                       void (*prepare_run)(void *ctx), void *ctx)
{
    struct nidoi_outcome outcome;

    for (int i = 0; i < 2; i++) {
        prepare_run(ctx);
        nidoi_kit_run(fn, arg, options, true, &outcome);
    }
    if (!outcome.broken[0]) return true;
    say_broken(fn, options, outcome.broken);
    return false;
}

static void judge(const struct sweep *sweep, struct nidoi_outcome *outcome)
{
    if (outcome->broken[0]) return;
    if (!sweep->struck)
        nidoi_blame(outcome, "it took another way this time and did not come here");
    else if (outcome->rc == -EPROTO)
        nidoi_blame(outcome, "the cancel became -EPROTO: somebody dropped it, or made one up");
}

static void run_struck(struct sweep *sweep, nido_fn *fn, void *arg, size_t target,
                       struct nidoi_outcome *outcome)
{
    const struct strike *strike = &sweep->strikes[target];
    size_t rows = sweep->table.count;

    prepare(sweep);
    sweep->table.count = rows;
    sweep->target = target;
    nidoi_table_announce(&sweep->table, strike->row, strike->column);
    nidoi_kit_run(fn, arg, sweep->options, true, outcome);
}

static void strike_one(struct sweep *sweep, nido_fn *fn, void *arg, size_t target)
{
    const struct strike *strike = &sweep->strikes[target];
    int tries = nidoi_kit_tries(sweep->options);
    bool loose = tries > 1;
    struct nidoi_outcome outcome;

    do run_struck(sweep, fn, arg, target, &outcome);
    while (!sweep->struck && !outcome.broken[0] && --tries > 0);
    if (!sweep->struck && !outcome.broken[0] && loose) {
        nidoi_table_leave_out(&sweep->table, strike->row, strike->column);
        return;
    }
    judge(sweep, &outcome);
    nidoi_table_enter(&sweep->table, strike->row, strike->column, &outcome);
    if (sweep->moot && !outcome.broken[0])
        sweep->table.rows[strike->row].cells[strike->column].state = NIDOI_CELL_MOOT;
}

static void strike_each(struct sweep *sweep, nido_fn *fn, void *arg)
{
    size_t count = sweep->count;

    for (size_t i = 0; i < count; i++) strike_one(sweep, fn, arg, i);
}

int nido_sweep(nido_fn *fn, void *arg, const nido_test_options *options)
{
    nido_test_options settled;
    struct sweep sweep = {.table = {.what = "cancels of the run",
                                    .unit = "points",
                                    .columns = {"before", "parked", "at rest", "woken"}},
                          .recording = true,
                          .target = SIZE_MAX};
    int broken = 1;

    if (!fn || !nidoi_kit_options_valid(options)) return -EINVAL;
    if (nidoi_kit_hooks()->loop()) return -EBUSY;
    nidoi_kit_finish(options, &settled);
    sweep.options = &settled;
    if (settled.flags & NIDO_TEST_INNERMOST) sweep.table.what = "cancels of the innermost scope";
    nidoi_watch_begin(&listener, &sweep);
    if (nidoi_sweep_begin(fn, arg, &settled, prepare, &sweep)) {
        sweep.recording = false;
        strike_each(&sweep, fn, arg);
        broken = nidoi_table_finish(&sweep.table, fn, &settled);
    }
    nidoi_watch_end(&listener);
    free(sweep.table.rows);
    free(sweep.strikes);
    free(sweep.places);
    return broken;
}
