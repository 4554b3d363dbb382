/* SPDX-License-Identifier: MIT */
#include "base/mem.h"
#include "coro/group/spawn.h"
#include "nido/task.h"

/* A handful at most, so a list. */
struct nidoi_local_value {
    struct nidoi_local_value *next;
    const nido_local *key;
    void *value;
};

static struct nidoi_task *task_self(void)
{
    struct nidoi_sched *sched = nidoi_sched_self;

    return sched && nidoi_on_task(sched) ? sched->current : NULL;
}

static struct nidoi_local_value **local_find(struct nidoi_task *task, const nido_local *key)
{
    struct nidoi_local_value **at = &task->locals;

    while (*at && (*at)->key != key) at = &(*at)->next;
    return at;
}

static int local_add(struct nidoi_task *task, const nido_local *key, void *value)
{
    struct nidoi_local_value *local = nidoi_mem.alloc(sizeof *local);

    if (!local) return -ENOMEM;
    *local = (struct nidoi_local_value){task->locals, key, value};
    task->locals = local;
    return 0;
}

int nido_local_set(const nido_local *key, void *value)
{
    struct nidoi_task *task = task_self();
    struct nidoi_local_value **at, *old;

    if (!task) return -EPERM;
    at = local_find(task, key);
    old = *at;
    if (!old) return value ? local_add(task, key, value) : 0;
    old->value = value;
    if (value) return 0;
    *at = old->next;
    nidoi_mem.release(old);
    return 0;
}

void *nido_local_get(const nido_local *key)
{
    struct nidoi_task *task = task_self();
    struct nidoi_local_value *local = task ? *local_find(task, key) : NULL;

    return local ? local->value : NULL;
}

/* A destructor may set values again; they are destroyed in their turn. */
void nidoi_locals_destroy(struct nidoi_task *task)
{
    nidoi_no_parking_begin(task->sched);
    while (task->locals) {
        struct nidoi_local_value local = *task->locals;

        nidoi_mem.release(task->locals);
        task->locals = local.next;
        if (local.key->destroy) local.key->destroy(local.value);
    }
    nidoi_no_parking_end(task->sched);
}
