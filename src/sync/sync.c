/* SPDX-License-Identifier: MIT */
#include "sync/sync.h"

#include <errno.h>
#include <stdio.h>

#include "base/printable.h"
#include "coro/scope/error.h"
#include "debug/users.h"

int nidoi_bind_first(const struct nidoi_loop *loop, uint64_t *thread)
{
    uint64_t own = loop->thread & ~NIDOI_LOOP_NOTES_USERS, found = 0;

    if (!__atomic_compare_exchange_n(thread, &found, own, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED) &&
        found != own)
        return -EXDEV;
    if (loop->users) nidoi_users_note(loop, thread);
    return 0;
}

static void sync_make_ring(struct nidoi_sync *sync)
{
    if (!nidoi_linked(&sync->waiters.nodes)) nidoi_waitq_init(&sync->waiters);
}

int nidoi_sync_bind_first(const struct nidoi_loop *loop, struct nidoi_sync *sync)
{
    int err = nidoi_bind_first(loop, &sync->thread);

    if (!err) sync_make_ring(sync);
    return err;
}

int nidoi_sync_use_idle(struct nidoi_sync *sync, bool held)
{
    if (held || nidoi_sync_has_waiters(sync)) return -EPERM;
    sync_make_ring(sync);
    return 0;
}

int nidoi_sync_has_it(const char *has, const char *what, const struct nidoi_sync *sync)
{
    return nidoi_fail(nidoi_sched_self->current, NULL, -EDEADLK, "the task %s %s \"%s\" already",
                      has, what, sync->name ? sync->name : "");
}

void nidoi_sync_owner_died(const char *what, const struct nidoi_sync *sync)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    const struct nidoi_task *owner = loop->sched.current;
    char text[256];

    snprintf(text, sizeof text,
             "nido: task #%llu \"%s\" has ended and left %s %p \"%s\" locked: the next task that "
             "gets it is told by -EOWNERDEAD\n",
             (unsigned long long)owner->id, owner->name ? owner->name : "", what,
             (const void *)sync, sync->name ? sync->name : "");
    nidoi_make_printable(text, '\n');
    nidoi_loop_report(loop, text);
}
