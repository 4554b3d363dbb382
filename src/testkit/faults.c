/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nido.h"
#include "testkit/kit.h"

enum fault_column { FAILS, SHORT };

struct fault_sweep {
    struct nidoi_table table;
    const nido_test_options *options;
    struct nidoi_faults faults;
    struct nidoi_where where;
    uint32_t numbers; /* of rows */
};

/* An error that the system could return; 0: no fault. Those calls cannot fail in a way that a
 * program could handle (releasing memory, asking for the kind of a descriptor), or are the loop's
 * own. */
static int fault_code(enum nidoi_tap tap)
{
    static const int codes[NIDOI_TAPS] = {
        [NIDOI_TAP_read] = -EIO,
        [NIDOI_TAP_readv] = -EIO,
        [NIDOI_TAP_write] = -EIO,
        [NIDOI_TAP_writev] = -EIO,
        [NIDOI_TAP_recv] = -ECONNRESET,
        [NIDOI_TAP_send] = -ECONNRESET,
        [NIDOI_TAP_recvfrom] = -ENOMEM,
        [NIDOI_TAP_sendto] = -ENOBUFS,
        [NIDOI_TAP_recvmsg] = -ENOMEM,
        [NIDOI_TAP_sendmsg] = -ENOBUFS,
        [NIDOI_TAP_sendfile] = -EIO,
        [NIDOI_TAP_accept] = -EMFILE,
        [NIDOI_TAP_connect] = -ECONNREFUSED,
        [NIDOI_TAP_bind] = -EADDRINUSE,
        [NIDOI_TAP_listen] = -EADDRINUSE,
        [NIDOI_TAP_socket] = -EMFILE,
        [NIDOI_TAP_socketpair] = -EMFILE,
        [NIDOI_TAP_getsockopt] = -ENOBUFS,
        [NIDOI_TAP_setsockopt] = -ENOMEM,
        [NIDOI_TAP_shutdown] = -ENOTCONN,
        [NIDOI_TAP_splice] = -EIO,
        [NIDOI_TAP_pipe] = -EMFILE,
        [NIDOI_TAP_close] = -EIO,
        [NIDOI_TAP_map] = -ENOMEM,
        [NIDOI_TAP_protect_none] = -ENOMEM,
        [NIDOI_TAP_memory] = -ENOMEM,
    };

    static const struct {
        const char *name;
        int code;
    } of_backends[] = {{"epoll_create", -EMFILE}, {"eventfd", -EMFILE}};

    for (size_t i = 0; i < sizeof of_backends / sizeof *of_backends; i++)
        if (!strcmp(nidoi_tap_name(tap), of_backends[i].name)) return of_backends[i].code;
    return codes[tap];
}

static void fault_injected(void *ctx)
{
    struct fault_sweep *sweep = ctx;

    sweep->where = nidoi_where_now();
}

static void faults_prepare(void *ctx)
{
    struct fault_sweep *sweep = ctx;

    memset(sweep->faults.of, 0, sizeof sweep->faults.of);
    sweep->where = (struct nidoi_where){0};
}

/* ---- Runs ---- */

static size_t faults_new_row(struct fault_sweep *sweep, enum nidoi_tap tap, uint64_t nth)
{
    size_t row = nidoi_table_row(&sweep->table, ++sweep->numbers, (struct nidoi_where){0});

    snprintf(sweep->table.rows[row].note, sizeof sweep->table.rows[row].note, "%s %llu",
             tap == NIDOI_TAP_memory ? "allocation" : nidoi_tap_name(tap), (unsigned long long)nth);
    return row;
}

/* True: the fault happened, or the run is broken without it. */
static bool faults_run(struct fault_sweep *sweep, nido_fn *fn, void *arg,
                       const struct nidoi_fault *given, enum nidoi_tap tap,
                       struct nidoi_outcome *outcome)
{
    struct nidoi_fault *fault = &sweep->faults.of[tap];

    faults_prepare(sweep);
    *fault = *given;
    nidoi_kit_run(fn, arg, sweep->options, true, outcome);
    if (!fault->done) return outcome->broken[0] != '\0';
    if (!outcome->broken[0] && outcome->rc == -EPROTO)
        nidoi_outcome_add(outcome,
                          "it became -EPROTO: a function returned -ECANCELED without a cancel");
    return true;
}

static void faults_run_case(struct fault_sweep *sweep, nido_fn *fn, void *arg, enum nidoi_tap tap,
                            uint64_t nth, size_t row, enum fault_column column)
{
    struct nidoi_fault fault = {.at = nth, .result = column == SHORT ? 1 : fault_code(tap)};
    int tries = nidoi_kit_tries(sweep->options);
    bool loose = tries > 1, done;
    struct nidoi_outcome outcome;

    nidoi_table_announce(&sweep->table, row, column);
    do done = faults_run(sweep, fn, arg, &fault, tap, &outcome);
    while (!done && --tries > 0);
    if (!done && loose) {
        nidoi_table_leave_out(&sweep->table, row, column);
        return;
    }
    if (!done)
        nidoi_outcome_add(&outcome, "the run differed this time and did not come to this place");
    sweep->table.rows[row].where = sweep->where;
    nidoi_table_enter(&sweep->table, row, column, &outcome);
}

static void faults_run_cases(struct fault_sweep *sweep, nido_fn *fn, void *arg, enum nidoi_tap tap,
                             uint64_t count)
{
    for (uint64_t nth = 1; nth <= count; nth++) {
        size_t row = faults_new_row(sweep, tap, nth);

        faults_run_case(sweep, fn, arg, tap, nth, row, FAILS);
        if (nidoi_tap_is_partial(tap)) faults_run_case(sweep, fn, arg, tap, nth, row, SHORT);
    }
}

/* `first` to `last`: kinds of calls. */
static int faults_sweep(nido_fn *fn, void *arg, const nido_test_options *options,
                        struct fault_sweep *sweep, int first, int last)
{
    nido_test_options complete;
    struct nidoi_faults counted;
    int broken = 1;

    if (!fn || !nidoi_kit_options_valid(options)) return -EINVAL;
    if (nidoi_kit_hooks()->loop()) return -EBUSY;
    nidoi_kit_options_fill(options, &complete);
    sweep->options = &complete;
    sweep->faults.injected = fault_injected;
    sweep->faults.ctx = sweep;
    nidoi_taps_begin(&sweep->faults);
    if (nidoi_sweep_begin(fn, arg, &complete, faults_prepare, sweep)) {
        counted = sweep->faults;
        for (int tap = first; tap <= last; tap++)
            if (fault_code((enum nidoi_tap)tap))
                faults_run_cases(sweep, fn, arg, (enum nidoi_tap)tap, counted.of[tap].count);
        broken = nidoi_table_finish(&sweep->table, fn, &complete);
    }
    nidoi_taps_end(&sweep->faults);
    free(sweep->table.rows);
    return broken;
}

int nido_sweep_memory(nido_fn *fn, void *arg, const nido_test_options *options)
{
    struct fault_sweep sweep = {
        .table = {.what = "memory", .unit = "allocations", .columns = {"fails"}}};

    return faults_sweep(fn, arg, options, &sweep, NIDOI_TAP_memory, NIDOI_TAP_memory);
}

int nido_sweep_calls(nido_fn *fn, void *arg, const nido_test_options *options)
{
    struct fault_sweep sweep = {
        .table = {.what = "system calls", .unit = "calls", .columns = {"fails", "short"}}};

    return faults_sweep(fn, arg, options, &sweep, 0, NIDOI_TAP_memory - 1);
}

int nido_sweep_all(const char *name, nido_fn *fn, void *arg)
{
    nido_test_options options;
    int cancels, memory, calls;

    nido_test_options_init(&options);
    options.name = name;
    cancels = nido_sweep(fn, arg, &options);
    memory = cancels < 0 ? 0 : nido_sweep_memory(fn, arg, &options);
    calls = cancels < 0 ? 0 : nido_sweep_calls(fn, arg, &options);
    return cancels < 0 ? cancels : cancels + memory + calls;
}
