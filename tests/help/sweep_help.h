/* SPDX-License-Identifier: MIT */
/* sweep_help.h: for tests that sweep the library's own calls with its test kit.
 *
 *     SWEPT(a_permit_is_never_lost, share_a_permit)
 *
 * is a NIDO_TEST that runs share_a_permit(NULL) with a cancel of the whole run at each point, with a
 * cancel of the innermost scope at each point, with each allocation and each system call failing
 * once, each transfer of bytes cut short once, and reports about descriptors that come for nothing,
 * early and late at each step. What must hold however it ends it says by LAW.
 *
 * A new call that waits: one function that uses it in company, and one line. SWEPT_LOOSELY is for those
 * in which another thread or process has its share (NIDO_TEST_LOOSE). */
#ifndef SWEEP_HELP_H
#define SWEEP_HELP_H

#include <errno.h>

#include "nido_test.h"

/* The first law that this run broke, or NULL. */
extern const char *sweep_broken_law;

#define LAW(x) (void)((x) || sweep_broken_law || (sweep_broken_law = #x))

/* One call in a scope of its own, so that a cancel of the innermost scope ends it alone: that is
 * -EINTR then. */
#define ALONE(scope, rc, call) \
    (nido_scope_open(&(scope)), (rc) = (int)(call), (rc) = nido_scope_close(&(scope), rc))

/* How many of the five sweeps of a function broke; `flags`: enum nido_test_flags. */
int sweep_every_way(const char *name, nido_fn *fn, uint32_t flags);

#define SWEPT(promise, fn)                                  \
    NIDO_TEST(swept, promise)                               \
    {                                                       \
        cr_expect(eq(int, sweep_every_way(#fn, fn, 0), 0)); \
    }

#define SWEPT_LOOSELY(promise, fn)                                        \
    NIDO_TEST(swept, promise)                                             \
    {                                                                     \
        cr_expect(eq(int, sweep_every_way(#fn, fn, NIDO_TEST_LOOSE), 0)); \
    }

/* Spawns fns[0..n) into a group, and closes it. */
int sweep_together(void *arg, nido_fn *const *fns, size_t n);

#define TOGETHER(arg, ...)                               \
    sweep_together(arg, (nido_fn *const[]){__VA_ARGS__}, \
                   sizeof((nido_fn *const[]){__VA_ARGS__}) / sizeof(nido_fn *))

/* A call that was cancelled alone is no failure of its task. */
static inline int unless_struck(int rc)
{
    return rc == -EINTR ? 0 : rc;
}

#endif
