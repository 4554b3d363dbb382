/* SPDX-License-Identifier: MIT */
/* testkit/kit.h: what the files of the test kit know of each other, from the ground up.
 *
 *     kit.c     the way to the library, and the kit's own memory
 *     taps.c    the one pair of tables for memory and system calls: counts calls, makes them fail
 *     watch.c   the one watcher: counts, and passes the events on to one listener
 *     disturb.c nido_test_disturb and nido_test_count: faults set by the program
 *     where.c   which call of the library is under way, and its caller
 *     run.c     one run, and what it has left behind
 *     table.c   the results of a sweep
 *     sweep.c   runs with a cancel at each point
 *     faults.c  runs with a failure of each call
 *     reports.c runs with a report at each step
 *     point.c   is this call a cancellation point?
 *
 * A sweep consists of cases: a case is one run with one cancel, failure or report at one place.
 *
 * 1. The kit uses the library by nidoi_kit_hooks and the public headers only; it reads the
 * library's structs, but calls none of its hidden functions.
 * 2. Its own memory comes from malloc, so that it is not counted and does not fail.
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

struct nidoi_observed {
    uint64_t entered;  /* cancellation points, by all tasks of this thread's runs */
    unsigned orphaned; /* tasks that ended with something held */
    char orphan[96];   /* the first of them */
    size_t timers;     /* set at the end of the last run */
    unsigned expected; /* jobs and children that had not ended at the end of the last run, without
                          abandoned ones */
    bool armed;        /* a task was resumed though its alarm was still set */
};

extern _Thread_local struct nidoi_observed nidoi_observed;

/* Until the matching end, runs of this thread are watched; the listener (NULL: none) gets the
 * events too. */
void nidoi_watch_begin(const struct nidoi_watcher *listener, void *ctx);
void nidoi_watch_end(const struct nidoi_watcher *listener);

/* loop->external_wait_ns of watched runs. */
void nidoi_watch_external_wait(int64_t ns);

/* ---- Tapping ---- */

#define NIDOI_TAP_NUMBER(result, name, parameters, arguments) NIDOI_TAP_##name,
enum nidoi_tap { NIDOI_SYSCALLS(NIDOI_TAP_NUMBER) NIDOI_TAP_memory, NIDOI_TAPS };
#undef NIDOI_TAP_NUMBER

struct nidoi_fault {
    uint64_t count; /* calls so far */
    uint64_t at;    /* the number of the call that goes wrong; 0: none */
    int result;     /* < 0: its result; > 0: the most bytes it moves */
    bool done;      /* that call was made */
};

/* One fault for each kind of call. */
struct nidoi_faults {
    struct nidoi_fault of[NIDOI_TAPS];
    void (*injected)(void *ctx);                 /* a fault happens now; may be NULL */
    void (*step)(void *ctx, enum nidoi_tap tap); /* before and after a call; may be NULL */
    void *ctx;
};

/* What was allocated by the tables and not released yet, by all threads. */
struct nidoi_balance {
    int64_t blocks, maps;
};

/* Until the matching end these faults hold for the calls of this thread, beside earlier ones. */
void nidoi_taps_begin(struct nidoi_faults *faults);
void nidoi_taps_end(struct nidoi_faults *faults);

struct nidoi_balance nidoi_taps_balance(void);

/* "read", "memory". */
const char *nidoi_tap_name(enum nidoi_tap tap);
/* NIDOI_TAPS: none of that name. */
enum nidoi_tap nidoi_tap_find(const char *name);
/* The call moves bytes of a stream, any number of them. */
bool nidoi_tap_is_partial(enum nidoi_tap tap);

/* Reports an edge of the descriptors whose calls were cut short: they may have more bytes, and the
 * kernel does not report an edge for these. */
void nidoi_taps_nudge(struct nidoi_loop *loop);

/* True: nido_test_disturb or nido_test_count were called since the last nido_test_forget. */
bool nidoi_disturbed(void);

/* ---- Where ---- */

struct nidoi_where {
    const char *call; /* "nido_read", or NULL: not known */
    void *place;      /* its caller, or NULL */
};

struct nidoi_where nidoi_where_now(void);

/* ---- Runs ---- */

struct nidoi_outcome {
    int rc;
    char broken[400]; /* what is wrong; "": nothing */
};

/* Adds a reason why a run is broken. */
void nidoi_outcome_add(struct nidoi_outcome *out, const char *format, ...) NIDO_PRINTF(2, 3);

/* How many runs a case may take to reach its place. */
int nidoi_kit_tries(const nido_test_options *options);

bool nidoi_kit_options_valid(const nido_test_options *options);

/* The options, or the defaults for NULL, with every field set; draws a seed if one is needed. */
void nidoi_kit_options_fill(const nido_test_options *options, nido_test_options *out);

/* One run, with all checks. `quiet`: failures of the root are not printed. */
void nidoi_kit_run(nido_fn *fn, void *arg, const nido_test_options *options, bool quiet,
                   struct nidoi_outcome *out);

/* Prints how to repeat the order of the tasks, if it was shuffled. */
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
    unsigned cases, broken, left_out;
    char first[800];         /* the first broken case, and why */
    struct sigaction before; /* for SIGABRT, while cases are announced */
    bool announcing;
};

/* A new row, all cells none. Its index. */
size_t nidoi_table_row(struct nidoi_table *table, uint32_t number, struct nidoi_where where);
/* Has the case printed if the next run ends the process. */
void nidoi_table_announce(struct nidoi_table *table, size_t row, int column);
/* The result of a case. */
void nidoi_table_enter(struct nidoi_table *table, size_t row, int column,
                       const struct nidoi_outcome *outcome);
/* A case that did not reach its place. */
void nidoi_table_leave_out(struct nidoi_table *table, size_t row, int column);
/* Prints the table. The number of broken cases. The caller frees the rows. */
int nidoi_table_finish(struct nidoi_table *table, nido_fn *fn, const nido_test_options *options);

/* ---- The frame of every sweep ---- */

/* Runs twice without a fault: once for what is made once a process, once with the checks; `prepare`
 * is called before each. False: it is broken already; the reason was printed. */
bool nidoi_sweep_begin(nido_fn *fn, void *arg, const nido_test_options *options,
                       void (*prepare)(void *ctx), void *ctx);

#endif
