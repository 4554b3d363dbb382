/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nido.h"
#include "testkit/kit.h"

enum { MOST_CALLS_AFTER = 1000000 };
enum sweep_column { BEFORE, PARKED, AT_REST, WOKEN };

/* What a task does; by the number of its slot. */
struct task_state {
    size_t row;                /* of the point that it entered last */
    size_t wait;               /* the row of its wait */
    struct nidoi_task *waiter; /* the task, while it is in a cancellable wait; else NULL */
    bool rested;               /* the loop was idle since the wait began */
};

struct moment {
    size_t row;
    int column;
};

struct sweep {
    struct nidoi_table table;
    const nido_test_options *options;
    bool recording;
    struct moment *moments; /* recorded, in order */
    size_t count, room;
    size_t moment; /* of this run, so far */
    size_t target; /* the moment of the cancel; SIZE_MAX: none */
    uint32_t points;
    uint64_t calls_after; /* since the cancel */
    bool cancelled, moot;
    struct task_state *tasks;
    size_t slots;
};

/* ---- Moments ---- */

static struct task_state *sweep_task(struct sweep *sweep, const struct nidoi_task *task)
{
    uint32_t number = nidoi_slot_number(task);

    if (number >= sweep->slots) {
        size_t grown = 2 * (size_t)number + 16;

        sweep->tasks = nidoi_kit_memory(sweep->tasks, grown * sizeof *sweep->tasks);
        memset(sweep->tasks + sweep->slots, 0, (grown - sweep->slots) * sizeof *sweep->tasks);
        sweep->slots = grown;
    }
    return &sweep->tasks[number];
}

static void sweep_cancel(struct sweep *sweep, struct nidoi_task *task)
{
    struct nidoi_task *root = nidoi_kit_hooks()->loop()->root;
    nido_scope *scope = root ? &root->base : task->scope;

    if (sweep->options->flags & NIDO_TEST_INNERMOST) scope = task->scope;
    sweep->cancelled = true;
    sweep->moot = nido_scope_cancel(scope, -EINTR, "cancelled by a sweep") != 0;
}

static void sweep_note(struct sweep *sweep, size_t row, int column)
{
    if (sweep->count == sweep->room) {
        sweep->room = sweep->room ? 2 * sweep->room : 64;
        sweep->moments = nidoi_kit_memory(sweep->moments, sweep->room * sizeof *sweep->moments);
    }
    sweep->moments[sweep->count++] = (struct moment){row, column};
}

/* A cancel may come now. */
static void sweep_moment(struct sweep *sweep, struct nidoi_task *task, size_t row, int column)
{
    if (sweep->recording) sweep_note(sweep, row, column);
    if (sweep->moment++ == sweep->target) sweep_cancel(sweep, task);
}

/* A run that ignores its cancel cannot be ended. */
static void sweep_check_end(struct sweep *sweep)
{
    if (!sweep->cancelled || ++sweep->calls_after < MOST_CALLS_AFTER) return;
    fputs("nido: a million calls after its cancel the run has not ended\n", stderr);
    abort();
}

static void sweep_entered(void *ctx, struct nidoi_task *task)
{
    struct sweep *sweep = ctx;
    size_t row = 0;

    sweep->points++;
    if (sweep->recording) row = nidoi_table_row(&sweep->table, sweep->points, nidoi_where_now());
    sweep_task(sweep, task)->row = row;
    sweep_moment(sweep, task, row, BEFORE);
    sweep_check_end(sweep);
}

/* A point may park more than once, and some waits are no points. */
static size_t sweep_wait_row(struct sweep *sweep, const struct task_state *state,
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
    row = &sweep->table.rows[state->row];
    if (row->cells[PARKED].state == NIDOI_CELL_NONE) return state->row;
    return nidoi_table_row(&sweep->table, 0, row->where);
}

static void sweep_parked(void *ctx, struct nidoi_task *task)
{
    struct sweep *sweep = ctx;
    struct task_state *state = sweep_task(sweep, task);

    state->wait = sweep_wait_row(sweep, state, task->waiter);
    state->waiter = task->waiter->kind->undo ? task : NULL;
    state->rested = false;
    if (sweep->recording) sweep->table.rows[state->wait].cells[PARKED].state = NIDOI_CELL_MOOT;
    sweep_moment(sweep, task, state->wait, PARKED);
}

static void sweep_resumes(void *ctx, struct nidoi_task *task)
{
    struct sweep *sweep = ctx;
    struct task_state *state = sweep_task(sweep, task);

    if (!state->waiter) return;
    state->waiter = NULL;
    sweep_moment(sweep, task, state->wait, WOKEN);
}

/* A task that parked a while ago may hold what others wait for by now, unlike one that has just
 * parked. */
static void sweep_idle(void *ctx)
{
    struct sweep *sweep = ctx;

    for (size_t i = 0; i < sweep->slots; i++) {
        struct task_state *state = &sweep->tasks[i];

        if (!state->waiter || state->rested || !state->waiter->waiter) continue;
        state->rested = true;
        sweep_moment(sweep, state->waiter, state->wait, AT_REST);
    }
}

static const struct nidoi_watcher listener = {
    .entered = sweep_entered, .parked = sweep_parked, .resumes = sweep_resumes, .idle = sweep_idle};

/* ---- Runs ---- */

static void sweep_prepare(void *ctx)
{
    struct sweep *sweep = ctx;

    sweep->table.count = 0;
    sweep->count = sweep->moment = sweep->points = 0;
    sweep->calls_after = 0;
    sweep->cancelled = sweep->moot = false;
    if (sweep->slots) memset(sweep->tasks, 0, sweep->slots * sizeof *sweep->tasks);
}

static void sweep_print_broken(nido_fn *fn, const nido_test_options *options, const char *what)
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
    sweep_print_broken(fn, options, outcome.broken);
    return false;
}

static void sweep_check(const struct sweep *sweep, struct nidoi_outcome *outcome)
{
    if (outcome->broken[0]) return;
    if (!sweep->cancelled)
        nidoi_outcome_add(outcome, "the run differed this time and did not come to this place");
    else if (outcome->rc == -EPROTO)
        nidoi_outcome_add(
            outcome,
            "the cancel became -EPROTO: a function dropped it, or returned -ECANCELED without one");
}

static void sweep_run(struct sweep *sweep, nido_fn *fn, void *arg, size_t target,
                      struct nidoi_outcome *outcome)
{
    const struct moment *moment = &sweep->moments[target];
    size_t rows = sweep->table.count;

    sweep_prepare(sweep);
    sweep->table.count = rows;
    sweep->target = target;
    nidoi_table_announce(&sweep->table, moment->row, moment->column);
    nidoi_kit_run(fn, arg, sweep->options, true, outcome);
}

static void sweep_run_case(struct sweep *sweep, nido_fn *fn, void *arg, size_t target)
{
    const struct moment *moment = &sweep->moments[target];
    int tries = nidoi_kit_tries(sweep->options);
    bool loose = tries > 1;
    struct nidoi_outcome outcome;

    do sweep_run(sweep, fn, arg, target, &outcome);
    while (!sweep->cancelled && !outcome.broken[0] && --tries > 0);
    if (!sweep->cancelled && !outcome.broken[0] && loose) {
        nidoi_table_leave_out(&sweep->table, moment->row, moment->column);
        return;
    }
    sweep_check(sweep, &outcome);
    nidoi_table_enter(&sweep->table, moment->row, moment->column, &outcome);
    if (sweep->moot && !outcome.broken[0])
        sweep->table.rows[moment->row].cells[moment->column].state = NIDOI_CELL_MOOT;
}

static void sweep_run_cases(struct sweep *sweep, nido_fn *fn, void *arg)
{
    size_t count = sweep->count;

    for (size_t i = 0; i < count; i++) sweep_run_case(sweep, fn, arg, i);
}

int nido_sweep(nido_fn *fn, void *arg, const nido_test_options *options)
{
    nido_test_options complete;
    struct sweep sweep = {.table = {.what = "cancels of the run",
                                    .unit = "points",
                                    .columns = {"before", "parked", "at rest", "woken"}},
                          .recording = true,
                          .target = SIZE_MAX};
    int broken = 1;

    if (!fn || !nidoi_kit_options_valid(options)) return -EINVAL;
    if (nidoi_kit_hooks()->loop()) return -EBUSY;
    nidoi_kit_options_fill(options, &complete);
    sweep.options = &complete;
    if (complete.flags & NIDO_TEST_INNERMOST) sweep.table.what = "cancels of the innermost scope";
    nidoi_watch_begin(&listener, &sweep);
    if (nidoi_sweep_begin(fn, arg, &complete, sweep_prepare, &sweep)) {
        sweep.recording = false;
        sweep_run_cases(&sweep, fn, arg);
        broken = nidoi_table_finish(&sweep.table, fn, &complete);
    }
    nidoi_watch_end(&listener);
    free(sweep.table.rows);
    free(sweep.moments);
    free(sweep.tasks);
    return broken;
}
