/* SPDX-License-Identifier: MIT */
#include "testkit/reports.h"

#include <errno.h>
#include <stdlib.h>

#include "nido.h"
#include "testkit/kit.h"

enum report_column { SPURIOUS, EARLY, LATE, COLUMNS };

struct report_sweep {
    struct nidoi_table table;
    const nido_test_options *options;
    struct nidoi_faults faults;
    struct nidoi_where where;
    uint64_t steps;  /* of this run, so far */
    uint64_t target; /* the step at which the reports come; 0: none */
    enum report_column column;
    bool answered; /* of a poll(2): this step comes after the call */
    bool done;
};

/* No report can come while the loop registers a descriptor, so that is no step. */
static bool tap_is_step(enum nidoi_tap tap)
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

/* The first numbers are enough for a test. */
static void reports_send_all(struct nidoi_reactor *reactor)
{
    enum { MOST = 128 };

    for (int fd = 0; fd < MOST; fd++) nidoi_kit_hooks()->nudge(reactor, fd);
}

/* The next wait finds nothing yet. */
static void reports_hold_back(struct report_sweep *reports)
{
    struct nidoi_fault *wait = &reports->faults.of[wait_tap()];

    *wait = (struct nidoi_fault){.count = wait->count, .at = wait->count + 1, .result = -EINTR};
}

/* An early report comes before the call, or after it: callers count reports. After poll(2) none can
 * come, because the watch follows without a turn between. */
static void reports_poll_early(struct report_sweep *reports, struct nidoi_loop *loop,
                               enum nidoi_tap tap)
{
    if (tap != NIDOI_TAP_poll || !reports->answered) nidoi_kit_hooks()->poll(&loop->reactor, 0);
}

static void reports_step(void *ctx, enum nidoi_tap tap)
{
    struct nidoi_loop *loop = nidoi_kit_hooks()->loop();
    struct report_sweep *reports = ctx;

    if (!loop || !tap_is_step(tap)) return;
    if (tap == NIDOI_TAP_poll) reports->answered = !reports->answered;
    if (++reports->steps != reports->target) return;
    reports->done = true;
    reports->where = nidoi_where_now();
    if (reports->column == SPURIOUS) reports_send_all(&loop->reactor);
    if (reports->column == EARLY) reports_poll_early(reports, loop, tap);
    if (reports->column == LATE) reports_hold_back(reports);
}

static void reports_prepare(void *ctx)
{
    struct report_sweep *reports = ctx;

    reports->faults.of[wait_tap()] = (struct nidoi_fault){0};
    reports->where = (struct nidoi_where){0};
    reports->steps = 0;
    reports->answered = true;
    reports->done = false;
}

static void reports_run_case(struct report_sweep *reports, nido_fn *fn, void *arg, size_t row)
{
    int tries = nidoi_kit_tries(reports->options);
    bool loose = tries > 1;
    struct nidoi_outcome outcome;

    nidoi_table_announce(&reports->table, row, (int)reports->column);
    do {
        reports_prepare(reports);
        nidoi_kit_run(fn, arg, reports->options, true, &outcome);
    } while (!reports->done && !outcome.broken[0] && --tries > 0);
    if (!reports->done && !outcome.broken[0] && loose) {
        nidoi_table_leave_out(&reports->table, row, (int)reports->column);
        return;
    }
    if (!reports->done)
        nidoi_outcome_add(&outcome, "the run differed this time and did not come to this place");
    reports->table.rows[row].where = reports->where;
    nidoi_table_enter(&reports->table, row, (int)reports->column, &outcome);
}

static void reports_run_cases(struct report_sweep *reports, nido_fn *fn, void *arg)
{
    uint64_t count = reports->steps;

    for (uint64_t target = 1; target <= count; target++) {
        size_t row = nidoi_table_row(&reports->table, (uint32_t)target, (struct nidoi_where){0});

        reports->target = target;
        for (int column = 0; column < COLUMNS; column++) {
            reports->column = (enum report_column)column;
            reports_run_case(reports, fn, arg, row);
        }
    }
}

int nidoi_sweep_reports(nido_fn *fn, void *arg, const nido_test_options *options)
{
    nido_test_options complete;
    struct report_sweep reports = {
        .table = {.what = "reports", .unit = "steps", .columns = {"spurious", "early", "late"}}};
    int broken = 1;

    if (!fn || !nidoi_kit_options_valid(options)) return -EINVAL;
    if (nidoi_kit_hooks()->loop()) return -EBUSY;
    nidoi_kit_options_fill(options, &complete);
    reports.options = &complete;
    reports.faults.step = reports_step;
    reports.faults.ctx = &reports;
    nidoi_taps_begin(&reports.faults);
    if (nidoi_sweep_begin(fn, arg, &complete, reports_prepare, &reports)) {
        reports_run_cases(&reports, fn, arg);
        broken = nidoi_table_finish(&reports.table, fn, &complete);
    }
    nidoi_taps_end(&reports.faults);
    free(reports.table.rows);
    return broken;
}
