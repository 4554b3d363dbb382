/* SPDX-License-Identifier: MIT */
/* coro/run/testing.h: what the library lends to the test kit (nido/test.h), behind one exported symbol:
 * its two tables, and what can be done to a run only from within.
 *
 * The kit is an archive of its own; it and the library are of the same build or not used together. */
#ifndef NIDOI_TESTING_H
#define NIDOI_TESTING_H

#include "base/mem.h"
#include "base/place.h"
#include "base/sys.h"
#include "coro/runtime/loop.h"

struct nidoi_test_hooks {
    size_t size;    /* of this struct and of struct nidoi_loop: tells another build */
    int version[3]; /* NIDO_VERSION_... */
    struct nidoi_sys *sys;
    struct nidoi_mem *mem;

    /* This thread's run, if one is on, and those that it begins later are watched; NULL: they are
     * not. */
    void (*watch)(const struct nidoi_watcher *watcher, void *ctx);

    /* This thread's runtime, or NULL. */
    struct nidoi_loop *(*loop)(void);

    /* See nido_test_wait_all_parked and nido_test_advance. */
    int (*wait_all_parked)(void);
    int (*advance)(int64_t ns);

    /* See nidoi_reactor_nudge. */
    void (*nudge)(struct nidoi_reactor *reactor, int fd);

    /* See nidoi_reactor_poll. */
    int (*poll)(struct nidoi_reactor *reactor, int64_t ns);

    /* See nidoi_asleep_watched. */
    void (*watch_asleep)(bool on);

    const char *(*place)(struct nidoi_place *place, void *address);
};

enum { NIDOI_TEST_HOOKS_SIZE = sizeof(struct nidoi_test_hooks) + sizeof(struct nidoi_loop) };

#endif
