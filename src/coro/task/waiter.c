/* SPDX-License-Identifier: MIT */
#include "coro/task/waiter.h"

static void *object_pointer(const struct nidoi_waiter *waiter, size_t at)
{
    return at ? *(void *const *)(const void *)((const char *)waiter->object + at) : NULL;
}

const char *nidoi_waiter_name(const struct nidoi_waiter *waiter)
{
    const struct nidoi_wait_kind *kind = waiter->kind;

    return kind->named ? kind->named(waiter) : object_pointer(waiter, kind->name_at);
}

struct nidoi_task *nidoi_waiter_owner(const struct nidoi_waiter *waiter)
{
    const struct nidoi_wait_kind *kind = waiter->kind;

    return kind->owner ? kind->owner(waiter) : object_pointer(waiter, kind->owner_at);
}
