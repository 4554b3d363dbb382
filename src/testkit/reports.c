#include "testkit/reports.h"

#include <errno.h>
#include <stdlib.h>

#include "nido.h"
#include "testkit/kit.h"

enum column { SPURIOUS, EARLY, LATE, COLUMNS };

struct reports {
    struct nidoi_table table;
    const nido_test_options *options;
    struct nidoi_faults orders;
    struct nidoi_where where;
    uint64_t steps;  /* of this run, so far */
    uint64_t target; /* at which the reports come; 0: they do not */
    enum column column;
    bool answered; /* the latest poll(2): the step after it */
    bool done;
};

/* The loop cannot hear of anything while it registers a descriptor, so that is no step. */
static bool is_step(enum nidoi_tap tap)
{
    return nidoi_tap_is_partial(tap) || tap == NIDOI_TAP_recvfrom || tap == NIDOI_TAP_sendto ||
           tap == NIDOI_TAP_recvmsg || tap == NIDOI_TAP_sendmsg || tap == NIDOI_TAP_accept ||
           tap == NIDOI_TAP_connect || tap == NIDOI_TAP_poll || tap == NIDOI_TAP_getsockopt;
}

static enum nidoi_tap wait_tap(void)
{
    enum nidoi_tap tap = nidoi_tap_find("epoll_wait");

    return tap == NIDOI_TAPS ? nidoi_tap_find("kevent_wait") : tap;
}

/* All watches are in slots: counting the slots' chunks would need to know their size. */
static void report_all(struct nidoi_reactor *reactor)
{
    enum { MOST = 128 };

    for (int fd = 0; fd < MOST; fd++) nidoi_kit_hooks()->nudge(reactor, fd);
}

/* The next look at the kernel finds nothing yet. */
static void hold_back(struct reports *reports)
{
    struct nidoi_fault *wait = &reports->orders.of[wait_tap()];

    *wait = (struct nidoi_fault){.count = wait->count, .strike = wait->count + 1, .result = -EINTR};
}

/* A report that came early is heard before the call; or after it, by a caller who counts reports. Who
 * asks poll(2) does not: nothing is heard between its answer and the watch. */
static void hear_early(struct reports *reports, struct nidoi_loop *loop, enum nidoi_tap tap)
{
    if (tap != NIDOI_TAP_poll || !reports->answered) nidoi_kit_hooks()->poll(&loop->reactor, 0);
}

static void step(void *ctx, enum nidoi_tap tap)
{
    struct nidoi_loop *loop = nidoi_kit_hooks()->loop();
    struct reports *reports = ctx;

    if (!loop || !is_step(tap)) return;
    if (tap == NIDOI_TAP_poll) reports->answered = !reports->answered;
    if (++reports->steps != reports->target) return;
    reports->done = true;
    reports->where = nidoi_where_now();
    if (reports->column == SPURIOUS) report_all(&loop->reactor);
    if (reports->column == EARLY) hear_early(reports, loop, tap);
    if (reports->column == LATE) hold_back(reports);
}

static void prepare(void *ctx)
{
    struct reports *reports = ctx;

    reports->orders.of[wait_tap()] = (struct nidoi_fault){0};
    reports->where = (struct nidoi_where){0};
    reports->steps = 0;
    reports->answered = true;
    reports->done = false;
}

static void strike(struct reports *reports, nido_fn *fn, void *arg, size_t row)
{
    int tries = nidoi_kit_tries(reports->options);
    bool loose = tries > 1;
    struct nidoi_outcome outcome;

    nidoi_table_announce(&reports->table, row, (int)reports->column);
    do {
        prepare(reports);
        nidoi_kit_run(fn, arg, reports->options, true, &outcome);
    } while (!reports->done && !outcome.broken[0] && --tries > 0);
    if (!reports->done && !outcome.broken[0] && loose) {
        nidoi_table_leave_out(&reports->table, row, (int)reports->column);
        return;
    }
    if (!reports->done)
        nidoi_blame(&outcome, "it took another way this time and did not come here");
    reports->table.rows[row].where = reports->where;
    nidoi_table_enter(&reports->table, row, (int)reports->column, &outcome);
}

static void strike_each(struct reports *reports, nido_fn *fn, void *arg)
{
    uint64_t count = reports->steps;

    for (uint64_t target = 1; target <= count; target++) {
        size_t row = nidoi_table_row(&reports->table, (uint32_t)target, (struct nidoi_where){0});

        reports->target = target;
        for (int column = 0; column < COLUMNS; column++) {
            reports->column = (enum column)column;
            strike(reports, fn, arg, row);
        }
    }
}

int nidoi_sweep_reports(nido_fn *fn, void *arg, const nido_test_options *options)
{
    nido_test_options settled;
    struct reports reports = {
        .table = {.what = "reports", .unit = "steps", .columns = {"spurious", "early", "late"}}};
    int broken = 1;

    if (!fn || !nidoi_kit_options_valid(options)) return -EINVAL;
    if (nidoi_kit_hooks()->loop()) return -EBUSY;
    nidoi_kit_finish(options, &settled);
    reports.options = &settled;
    reports.orders.step = step;
    reports.orders.ctx = &reports;
    nidoi_taps_begin(&reports.orders);
    if (nidoi_sweep_begin(fn, arg, &settled, prepare, &reports)) {
        strike_each(&reports, fn, arg);
        broken = nidoi_table_finish(&reports.table, fn, &settled);
    }
    nidoi_taps_end(&reports.orders);
    free(reports.table.rows);
    return broken;
}
