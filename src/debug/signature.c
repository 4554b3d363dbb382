/* SPDX-License-Identifier: MIT */
#include "debug/signature.h"

#include "debug/task.h"

/* FNV-1a: G. Fowler, L. C. Noll, K.-P. Vo. */
static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *byte = bytes;

    for (; size; size--) hash = (hash ^ *byte++) * 0x100000001b3u;
    return hash;
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; text && *text; text++) hash = hash_bytes(hash, text, 1);
    return hash_bytes(hash, "", 1);
}

static uint64_t hash_task(uint64_t hash, const struct nidoi_task *task)
{
    const struct nidoi_wait_kind *kind = task->waiter ? task->waiter->kind : NULL;
    unsigned char cancelled = nidoi_scope_cancelled(task->scope);

    hash = hash_text(hash, task->name);
    hash = hash_bytes(hash, &task->spawned_at, sizeof task->spawned_at);
    hash = hash_bytes(hash, &kind, sizeof kind);
    return hash_bytes(hash, &cancelled, sizeof cancelled);
}

static uint64_t hash_stack(uint64_t hash, const struct nidoi_debug_view *view,
                           const struct nidoi_task *task)
{
    void *frames[NIDOI_FRAMES_MOST];
    int n = nidoi_debug_frames(view, task, frames, NIDOI_FRAMES_MOST);

    return hash_bytes(hash, frames, (size_t)n * sizeof *frames);
}

static uint64_t hash_group(uint64_t hash, const nido_group *group)
{
    hash = hash_text(hash, group->name);
    return hash_bytes(hash, &group->policy, sizeof group->policy);
}

/* Those from above its group are the same for its siblings. */
static uint64_t hash_value(uint64_t hash, const nido_value *value)
{
    if (!nidoi_value_text(value)) return hash;
    hash = hash_bytes(hash, &value->key, sizeof value->key);
    return hash_text(hash, nidoi_value_text(value));
}

/* How deep each lies is in it too: the order of the walk alone does not tell a child from a sibling. */
uint64_t nidoi_task_signature(const struct nidoi_debug_view *view, struct nidoi_task *task)
{
    uint64_t hash = 0xcbf29ce484222325u;
    int left = NIDOI_SUBTREE_MOST;

    for (nido_scope *scope = &task->base; scope && left;
         left--, scope = nidoi_scope_after(scope, &task->base, true)) {
        uint32_t depth = 0;

        for (const nido_scope *above = scope; above != &task->base; above = above->parent) depth++;
        if (scope == &scope->task->base) {
            hash = hash_task(hash, scope->task);
            hash = hash_stack(hash, view, scope->task);
        }
        if (scope->flags & NIDOI_SCOPE_GROUP) hash = hash_group(hash, (nido_group *)(void *)scope);
        if (nidoi_value_of(scope)) hash = hash_value(hash, nidoi_value_of(scope));
        hash = hash_bytes(hash, &depth, sizeof depth);
    }
    return hash;
}
