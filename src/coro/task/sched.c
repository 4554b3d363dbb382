/* SPDX-License-Identifier: MIT */
#include "coro/task/sched.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/place.h"
#include "coro/task/measure.h"
#include "coro/task/trace.h"

_Thread_local struct nidoi_sched *nidoi_sched_self;

void nidoi_returned_in_child(const char *what)
{
    nidoi_panic(
        "%s has returned in a forked child, where the tasks and their runtime are only copies "
        "of the parent's; end the child by _exit or exec",
        what);
}

void nidoi_task_check_stack(const struct nidoi_task *task, size_t depth)
{
    size_t size = (size_t)((const char *)task - task->stack->bottom);
    const char *name = task->name ? task->name : "";
    struct nidoi_place place;

    if (depth > size)
        nidoi_panic(
            "task #%llu \"%s\", spawned at %s, stands %zu bytes below its stack of %zu KiB: %s",
            (unsigned long long)task->id, name, nidoi_place(&place, task->spawned_at), depth - size,
            size / 1024,
            task->stack->class ? "a large frame has stepped over the guard. Compile with "
                                 "-fstack-clash-protection, or give it a larger stack "
                                 "(nido_spawn_options.stack_size)"
                               : "the memory that it was given is too small");
    if (!nidoi_stack_is_whole(task->stack))
        nidoi_panic("task #%llu \"%s\", spawned at %s, has written below its stack of %zu KiB: %s",
                    (unsigned long long)task->id, name, nidoi_place(&place, task->spawned_at),
                    size / 1024,
                    task->stack->class ? "over the record of another task's, behind the guard"
                                       : "the memory that it was given is too small");
}

int nidoi_sched_init(struct nidoi_sched *sched)
{
    *sched = (struct nidoi_sched){.err = &errno, .current = &sched->loop};
    sched->exceptions = nidoi_exceptions_self();
    sched->cxx = sched->exceptions != NULL;
    nidoi_context_adopt(&sched->loop.context);
    sched->loop.sched = sched;
    sched->loop.state = NIDOI_RUNNING;
    sched->loop.scope = &sched->loop.base;
    sched->loop.base.due = INT64_MAX;
    sched->loop.base.task = &sched->loop;
    sched->budget = 1;
    sched->allowance = NIDOI_BUDGET;
    nidoi_list_init(&sched->recheck);
    return nidoi_sched_reserve(sched, 16);
}

void nidoi_sched_deinit(struct nidoi_sched *sched)
{
    nidoi_assert(nidoi_sched_ready(sched) == 0);
    nidoi_mem.release(sched->ready);
}

/* The ring's unwrapped order survives growing: what lay before `head` in the old ring is copied
 * behind its end. */
int nidoi_sched_reserve(struct nidoi_sched *sched, size_t n)
{
    size_t old = sched->ready ? (size_t)sched->mask + 1 : 0, capacity = old;
    int err = nidoi_mem_grow((void **)&sched->ready, &capacity, n, sizeof *sched->ready);

    if (err || capacity == old) return err;
    if (old) memcpy(&sched->ready[old], sched->ready, old * sizeof *sched->ready);
    if (old) {
        uint32_t count = nidoi_sched_ready(sched);

        sched->head &= sched->mask;
        sched->tail = sched->head + count;
    }
    sched->mask = (uint32_t)(capacity - 1);
    return 0;
}

void nidoi_wake_told(struct nidoi_task *task, intptr_t value)
{
    nidoi_assert(task->state == NIDOI_PARKED_TOLD);
    task->state = NIDOI_PARKED;
    if (task->sched->trace) nidoi_trace_wake(task->sched->trace, task, value);
    if (task->sched->measure) nidoi_measure_wake(task->sched->measure, task);
}

enum nidoi_undo nidoi_waitq_undo(struct nidoi_waiter *waiter)
{
    struct nidoi_queued *queued = nidoi_container(waiter, struct nidoi_queued, waiter);

    nidoi_list_remove(&queued->node.link);
    return NIDOI_WITHDRAWN;
}

void nidoi_claim(struct nidoi_node *node, intptr_t value)
{
    struct nidoi_waiter *waiter = node->waiter;

    nidoi_list_remove(&node->link);
    if (waiter->kind->claimed) waiter->kind->claimed(waiter, node);
    nidoi_wake(waiter, value);
}

void nidoi_recheck_run(struct nidoi_sched *sched, struct nidoi_recheck *recheck)
{
    struct nidoi_link *link;

    if (!nidoi_linked(&recheck->link)) nidoi_list_append(&sched->recheck, &recheck->link);
    if (sched->rechecking) return;
    sched->rechecking = true;
    while ((link = nidoi_list_pop(&sched->recheck)) != NULL) {
        struct nidoi_recheck *next = nidoi_container(link, struct nidoi_recheck, link);

        next->look(next);
    }
    sched->rechecking = false;
}
