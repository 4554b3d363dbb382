/* SPDX-License-Identifier: MIT */
/* coro/group/spawn.h: the beginning and the end of a task. */
#ifndef NIDOI_SPAWN_H
#define NIDOI_SPAWN_H

#include "coro/group/group.h"

struct nidoi_spawn_request {
    nido_fn *fn;
    void *arg;
    const nido_spawn_options *options; /* NULL: none */
    size_t stack_size;                 /* 0: the run's */
    void *place;
    nido_group *group; /* NULL: the root */
    struct nidoi_start *start;
};

/* Makes a task and puts it last in the queue. 0, -ENOMEM, -EAGAIN, -EINVAL; on failure nothing has
 * happened. */
int nidoi_spawn(struct nidoi_loop *loop, const struct nidoi_spawn_request *request,
                struct nidoi_task **out);

/* In a public call with the parameters `group` and `fn`. */
#define NIDOI_SPAWN_REQUEST(...)                                   \
    {                                                              \
        .fn = fn, .group = group, .stack_size = group->stack_size, \
        .place = __builtin_return_address(0), __VA_ARGS__          \
    }

/* May this thread spawn into the group now? 0, or what the spawn answers. */
int nidoi_spawn_allowed(struct nidoi_loop *loop, const nido_group *group);

/* Makes a task of request->group; with `out` its handle is kept until the group closes. As
 * nidoi_spawn. */
int nidoi_spawn_member(struct nidoi_loop *loop, const struct nidoi_spawn_request *request,
                       nido_task *out);

/* Frees what a task's values of its own need, by their destructors. */
void nidoi_locals_destroy(struct nidoi_task *task);

#endif
