#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nido.h"
#include "testkit/kit.h"

enum column { FAILS, SHORT };

struct faults {
    struct nidoi_table table;
    const nido_test_options *options;
    struct nidoi_faults orders;
    struct nidoi_where where;
    uint32_t numbers; /* of rows */
};

/* What a system may answer. Calls that are not here cannot fail in a way that anybody could do
 * something about (giving memory back, asking what a descriptor is), or are the loop's own. */
static int plausible(enum nidoi_tap tap)
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

static void struck(void *ctx)
{
    struct faults *faults = ctx;

    faults->where = nidoi_where_now();
}

static void prepare(void *ctx)
{
    struct faults *faults = ctx;

    memset(faults->orders.of, 0, sizeof faults->orders.of);
    faults->where = (struct nidoi_where){0};
}

/* ---- Runs ---- */

static size_t new_row(struct faults *faults, enum nidoi_tap tap, uint64_t nth)
{
    size_t row = nidoi_table_row(&faults->table, ++faults->numbers, (struct nidoi_where){0});

    snprintf(faults->table.rows[row].note, sizeof faults->table.rows[row].note, "%s %llu",
             tap == NIDOI_TAP_memory ? "allocation" : nidoi_tap_name(tap), (unsigned long long)nth);
    return row;
}

/* True: the order was carried out, or something broke without it. */
static bool run_struck(struct faults *faults, nido_fn *fn, void *arg,
                       const struct nidoi_fault *given, enum nidoi_tap tap,
                       struct nidoi_outcome *outcome)
{
    struct nidoi_fault *order = &faults->orders.of[tap];

    prepare(faults);
    *order = *given;
    nidoi_kit_run(fn, arg, faults->options, true, outcome);
    if (!order->done) return outcome->broken[0] != '\0';
    if (!outcome->broken[0] && outcome->rc == -EPROTO)
        nidoi_blame(outcome, "it became -EPROTO: a cancel was made up");
    return true;
}

static void strike(struct faults *faults, nido_fn *fn, void *arg, enum nidoi_tap tap, uint64_t nth,
                   size_t row, enum column column)
{
    struct nidoi_fault order = {.strike = nth, .result = column == SHORT ? 1 : plausible(tap)};
    int tries = nidoi_kit_tries(faults->options);
    bool loose = tries > 1, done;
    struct nidoi_outcome outcome;

    nidoi_table_announce(&faults->table, row, column);
    do done = run_struck(faults, fn, arg, &order, tap, &outcome);
    while (!done && --tries > 0);
    if (!done && loose) {
        nidoi_table_leave_out(&faults->table, row, column);
        return;
    }
    if (!done) nidoi_blame(&outcome, "it took another way this time and did not come here");
    faults->table.rows[row].where = faults->where;
    nidoi_table_enter(&faults->table, row, column, &outcome);
}

static void strike_each(struct faults *faults, nido_fn *fn, void *arg, enum nidoi_tap tap,
                        uint64_t count)
{
    for (uint64_t nth = 1; nth <= count; nth++) {
        size_t row = new_row(faults, tap, nth);

        strike(faults, fn, arg, tap, nth, row, FAILS);
        if (nidoi_tap_is_partial(tap)) strike(faults, fn, arg, tap, nth, row, SHORT);
    }
}

/* `first` to `last`: kinds of calls. */
static int sweep(nido_fn *fn, void *arg, const nido_test_options *options, struct faults *faults,
                 int first, int last)
{
    nido_test_options settled;
    struct nidoi_faults counted;
    int broken = 1;

    if (!fn || !nidoi_kit_options_valid(options)) return -EINVAL;
    if (nidoi_kit_hooks()->loop()) return -EBUSY;
    nidoi_kit_finish(options, &settled);
    faults->options = &settled;
    faults->orders.struck = struck;
    faults->orders.ctx = faults;
    nidoi_taps_begin(&faults->orders);
    if (nidoi_sweep_begin(fn, arg, &settled, prepare, faults)) {
        counted = faults->orders;
        for (int tap = first; tap <= last; tap++)
            if (plausible((enum nidoi_tap)tap))
                strike_each(faults, fn, arg, (enum nidoi_tap)tap, counted.of[tap].count);
        broken = nidoi_table_finish(&faults->table, fn, &settled);
    }
    nidoi_taps_end(&faults->orders);
    free(faults->table.rows);
    return broken;
}

int nido_sweep_memory(nido_fn *fn, void *arg, const nido_test_options *options)
{
    struct faults faults = {
        .table = {.what = "memory", .unit = "allocations", .columns = {"fails"}}};

    return sweep(fn, arg, options, &faults, NIDOI_TAP_memory, NIDOI_TAP_memory);
}

int nido_sweep_calls(nido_fn *fn, void *arg, const nido_test_options *options)
{
    struct faults faults = {
        .table = {.what = "system calls", .unit = "calls", .columns = {"fails", "short"}}};

    return sweep(fn, arg, options, &faults, 0, NIDOI_TAP_memory - 1);
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
