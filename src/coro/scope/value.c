/* SPDX-License-Identifier: MIT */
#include "coro/scope/value.h"

#include "coro/scope/park.h"
#include "nido/time.h"

static int value_unopenable(const struct nidoi_loop *loop, const nido_value_key *key)
{
    if (!loop || !nidoi_on_task(&loop->sched)) return -EPERM;
    return key ? 0 : -EINVAL;
}

/* The key is there when the opening is noted. */
void nido_value_open(nido_value *value, const nido_value_key *key, const void *data)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    const char *frame = nidoi_frame_end();
    int err = value_unopenable(loop, key);

    if (err) {
        nidoi_scope_fault(&value->scope, err);
        return;
    }
    if (nidoi_scope_suspicious(loop->sched.current, &value->scope, sizeof *value, frame))
        nidoi_scope_inspect_memory(loop->sched.current, &value->scope, frame);
    nidoi_scope_push(loop, &value->scope, NIDOI_SCOPE_VALUE, NIDO_NEVER,
                     __builtin_return_address(0));
    value->key = key;
    value->data = data;
    nidoi_scope_was_opened(loop, &value->scope);
}

int nido_value_close(nido_value *value)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    int err = nidoi_scope_closable(loop, &value->scope);

    if (err) return err;
    nidoi_scope_pop(loop, &value->scope);
    return 0;
}

void *nido_value_get(const nido_value_key *key)
{
    const struct nidoi_loop *loop = nidoi_loop_self();
    const nido_value *value;

    if (!loop || !nidoi_on_task(&loop->sched)) return NULL;
    nidoi_check_frames();
    nidoi_scope_check_content(loop->sched.current);
    for (const nido_scope *scope = loop->sched.current->scope; scope; scope = scope->parent) {
        value = nidoi_value_of(scope);
        if (value && value->key == key) return (void *)(uintptr_t)value->data;
    }
    return NULL;
}
