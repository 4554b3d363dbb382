/* SPDX-License-Identifier: MIT */
#include "coro/group/waits.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/printable.h"
#include "coro/group/body.h"
#include "coro/scope/error.h"

/* ---- In words ---- */

void nidoi_text_add(char *text, size_t size, size_t *used, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text + *used, size - *used, format, args);
    va_end(args);
    if (n <= 0) return;
    nidoi_make_printable(text + *used, '\n');
    *used = *used + (size_t)n < size ? *used + (size_t)n : size - 1;
}

static bool kind_has_names(const struct nidoi_wait_kind *kind)
{
    return kind->named || kind->name_at;
}

void nidoi_wait_print(char *text, size_t size, size_t *used, const struct nidoi_waiter *waiter)
{
    const struct nidoi_task *owner;
    const char *name;

    if (!waiter) {
        nidoi_text_add(text, size, used, "is ready");
        return;
    }
    nidoi_text_add(text, size, used, "waits for %s", waiter->kind->name);
    owner = nidoi_waiter_owner(waiter);
    name = nidoi_waiter_name(waiter);
    if (name)
        nidoi_text_add(text, size, used, " \"%s\"", name);
    else if (waiter->kind->is_fd)
        nidoi_text_add(text, size, used, " %d", (int)(intptr_t)waiter->object);
    else if (waiter->object && !(owner && !kind_has_names(waiter->kind)))
        nidoi_text_add(text, size, used, " %p", waiter->object);
    if (owner)
        nidoi_text_add(text, size, used, "%s #%llu", kind_has_names(waiter->kind) ? " of" : "",
                       (unsigned long long)owner->id);
}

/* ---- Rings ---- */

/* Is it parked in the close of a group in which `me` lives, or does it wait for the children of one
 * that `me` keeps from being idle? */
static bool close_needs(const struct nidoi_waiter *waiter, const struct nidoi_task *me)
{
    if (waiter->kind == &nidoi_group_waiting) return nidoi_body_needs(waiter->object, me);
    return waiter->kind == &nidoi_group_closing &&
           nidoi_scope_encloses(&((const nido_group *)waiter->object)->scope, me);
}

/* A cycle without `me` is possible (waits that cannot be refused may close one), hence the count:
 * no honest chain is longer than there are tasks. */
static bool task_waits_for(const struct nidoi_loop *loop, const struct nidoi_task *owner,
                           const struct nidoi_task *me)
{
    for (uint32_t left = loop->live; owner && left > 0; left--) {
        const struct nidoi_waiter *waiter = owner->waiter;

        if (owner == me) return true;
        if (!waiter) return false;
        if (close_needs(waiter, me)) return true;
        owner = nidoi_waiter_owner(waiter);
    }
    return false;
}

/* From the task and its wish, which closes a ring, to the next. */
static const struct nidoi_task *ring_next(const struct nidoi_waiter *waiter,
                                          const struct nidoi_task *me)
{
    return close_needs(waiter, me) ? me : nidoi_waiter_owner(waiter);
}

/* From a task and its wish round to itself. */
static NIDOI_RARE void ring_print(const struct nidoi_waiter *wish, char *text, size_t size,
                                  size_t *used)
{
    const struct nidoi_waiter *waiter = wish;
    const struct nidoi_task *me = wish->task, *task = me;

    do {
        nidoi_text_add(text, size, used, "%s#%llu \"%s\" ", waiter == wish ? "" : "; ",
                       (unsigned long long)task->id, task->name ? task->name : "");
        nidoi_wait_print(text, size, used, waiter);
        task = ring_next(waiter, me);
        waiter = task->waiter;
    } while (task != me);
}

static NIDOI_RARE int fail_with_ring(const struct nidoi_waiter *wish)
{
    char text[256];
    size_t used = 0;

    ring_print(wish, text, sizeof text, &used);
    return nidoi_fail(wish->task, NULL, -EDEADLK, "a ring of waits: %s", text);
}

/* Of all tasks of a ring that could tell of it, the first made does. */
static bool ring_is_told_by(const struct nidoi_waiter *waiter)
{
    const struct nidoi_task *me = waiter->task;

    for (const struct nidoi_task *task = ring_next(waiter, me); task != me;
         task = ring_next(task->waiter, me))
        if (task->id < me->id && nidoi_waiter_owner(task->waiter)) return false;
    return true;
}

bool nidoi_wait_ring(struct nidoi_loop *loop, const struct nidoi_waiter *waiter, char *text,
                     size_t size, size_t *used)
{
    if (!task_waits_for(loop, nidoi_waiter_owner(waiter), waiter->task)) return false;
    if (!ring_is_told_by(waiter)) return false;
    ring_print(waiter, text, size, used);
    return true;
}

int nidoi_wait_check(struct nidoi_loop *loop, const struct nidoi_wait_kind *kind, void *object)
{
    struct nidoi_waiter wish = {.task = loop->sched.current, .kind = kind, .object = object};

    return task_waits_for(loop, nidoi_waiter_owner(&wish), wish.task) ? fail_with_ring(&wish) : 0;
}
