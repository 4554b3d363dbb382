/* testkit/kit.h: what the files of the test kit know of each other, from the ground up.
 *
 *     kit.c     the way to the library, and the kit's own memory
 *     taps.c    the kit's one pair of tables for memory and system calls: counts, disturbs
 *     watch.c   the kit's one watcher: counts entries, passes on what it is told to one listener
 *     disturb.c nido_test_disturb and nido_test_count: taps set by hand
 *     where.c   which call of the library is under way, and who made it
 *     run.c     one run, and what it has left behind
 *     sweep.c   runs with a cancel at each point          \
 *     faults.c  runs with a failure at each call           > table.c prints what came of them
 *     reports.c runs with a report at each step            |
 *     point.c   is this call a cancellation point?        /
 *
 * 1. The kit reaches the library through nidoi_kit_hooks alone, and the public headers; it sees the
 * library's structs, but calls none of its hidden functions.
 * 2. Its own memory comes from malloc, so that it neither counts nor fails.
 * 3. Watching and tapping may be nested; they end in reverse order. */
#ifndef NIDOI_KIT_H
#define NIDOI_KIT_H

#include <signal.h>

#include "coro/run/testing.h"
#include "nido/test.h"

/* Aborts if the library is of another build. */
const struct nidoi_test_hooks *nidoi_kit_hooks(void);

/* malloc and realloc, which abort without memory. */
void *nidoi_kit_memory(void *old, size_t size);

/* ---- Watching ---- */

struct nidoi_seen {
    uint64_t entered;  /* cancellation points, by all tasks of this thread's runs */
    unsigned orphaned; /* tasks that ended with something held */
    char orphan[96];   /* the first of them */
    size_t timers;     /* set at the end of the last run */
    unsigned
        expected; /* jobs and the like out at the end of the last run, but for those abandoned */
    bool armed;   /* a task went on though its alarm was still set */
};

extern _Thread_local struct nidoi_seen nidoi_seen;

/* Until the matching end, runs of this thread are watched; the listener (NULL: none) is told too. */
void nidoi_watch_begin(const struct nidoi_watcher *listener, void *ctx);
void nidoi_watch_end(const struct nidoi_watcher *listener);

/* loop->external_wait_ns of watched runs. */
void nidoi_watch_patience(int64_t ns);

/* ---- Tapping ---- */

#define NIDOI_TAP_NUMBER(result, name, parameters, arguments) NIDOI_TAP_##name,
enum nidoi_tap { NIDOI_SYSCALLS(NIDOI_TAP_NUMBER) NIDOI_TAP_memory, NIDOI_TAPS };
#undef NIDOI_TAP_NUMBER

struct nidoi_fault {
    uint64_t count;  /* calls so far */
    uint64_t strike; /* which one goes wrong; 0: none */
    int result;      /* < 0: its answer; > 0: the most bytes it moves */
    bool done;       /* it has */
};

/* One order a kind. */
struct nidoi_faults {
    struct nidoi_fault of[NIDOI_TAPS];
    void (*struck)(void *ctx);                   /* an order is carried out; may be NULL */
    void (*step)(void *ctx, enum nidoi_tap tap); /* before and after a call; may be NULL */
    void *ctx;
};

/* What the tables handed out and have not got back, by all threads. */
struct nidoi_balance {
    int64_t blocks, maps;
};

/* Until the matching end these orders hold for the calls of this thread, beside those given
 * before. */
void nidoi_taps_begin(struct nidoi_faults *orders);
void nidoi_taps_end(struct nidoi_faults *orders);

struct nidoi_balance nidoi_taps_balance(void);

/* "read", "memory". */
const char *nidoi_tap_name(enum nidoi_tap tap);
/* NIDOI_TAPS: none of that name. */
enum nidoi_tap nidoi_tap_find(const char *name);
/* The call moves bytes of a stream, any number of them. */
bool nidoi_tap_is_partial(enum nidoi_tap tap);

/* Descriptors whose calls were cut short may have more to give, though no edge will say so: one
 * comes. */
void nidoi_taps_nudge(struct nidoi_loop *loop);

/* Orders given by nido_test_disturb and nido_test_count are in force. */
bool nidoi_taps_by_hand(void);

/* ---- Where ---- */

struct nidoi_where {
    const char *call; /* "nido_read", or NULL: not known */
    void *place;      /* who called it, or NULL */
};

struct nidoi_where nidoi_where_now(void);

/* ---- Runs ---- */

struct nidoi_outcome {
    int rc;
    char broken[400]; /* what is wrong; "": nothing */
};

/* Adds a reason why a run is broken. */
void nidoi_blame(struct nidoi_outcome *out, const char *format, ...) NIDO_PRINTF(2, 3);

/* How many runs a strike may take to find its place. */
int nidoi_kit_tries(const nido_test_options *options);

bool nidoi_kit_options_valid(const nido_test_options *options);

/* Reads the options, or the defaults for NULL, into *out; draws a seed if one is wanted. */
void nidoi_kit_finish(const nido_test_options *options, nido_test_options *out);

/* One run, judged. `quiet`: failures of the root are not printed. */
void nidoi_kit_run(nido_fn *fn, void *arg, const nido_test_options *options, bool quiet,
                   struct nidoi_outcome *out);

/* A line that says how to repeat the order, if it was shuffled. */
void nidoi_kit_print_seed(const nido_test_options *options);

/* ---- Tables ---- */

enum { NIDOI_COLUMNS = 4 };

struct nidoi_row {
    uint32_t number; /* 0: belongs to the row above, or to none */
    struct nidoi_where where;
    char note[64];
    struct nidoi_cell {
        enum {
            NIDOI_CELL_NONE,
            NIDOI_CELL_OUTCOME,
            NIDOI_CELL_BROKEN,
            NIDOI_CELL_MOOT,
            NIDOI_CELL_LEFT_OUT
        } state;
        int rc;
    } cells[NIDOI_COLUMNS];
};

struct nidoi_table {
    const char *what; /* "cancels", "failing allocations" */
    const char *unit; /* of rows that have a number: "points", "calls" */
    const char *columns[NIDOI_COLUMNS];
    struct nidoi_row *rows;
    size_t count, room;
    unsigned strikes, broken, left_out;
    char first[800];         /* what broke first, and where */
    struct sigaction before; /* for SIGABRT, while strikes are announced */
    bool announcing;
};

/* A new row, all cells none. Its index. */
size_t nidoi_table_row(struct nidoi_table *table, uint32_t number, struct nidoi_where where);
/* What is to be said if the run that comes next ends the process. */
void nidoi_table_announce(struct nidoi_table *table, size_t row, int column);
/* What came of one strike. */
void nidoi_table_enter(struct nidoi_table *table, size_t row, int column,
                       const struct nidoi_outcome *outcome);
/* One that did not find its place. */
void nidoi_table_leave_out(struct nidoi_table *table, size_t row, int column);
/* Prints; how many broke. The rows are the caller's to free. */
int nidoi_table_finish(struct nidoi_table *table, nido_fn *fn, const nido_test_options *options);

/* ---- The frame of every sweep ---- */

/* Runs undisturbed twice: once for whatever is made once a process, once to be judged; `prepare`
 * is called before each. False: broken already, and said so. */
bool nidoi_sweep_begin(nido_fn *fn, void *arg, const nido_test_options *options,
                       void (*prepare)(void *ctx), void *ctx);

#endif
