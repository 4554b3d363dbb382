/* SPDX-License-Identifier: MIT */
/* nido/sugar.h: optional conveniences for gcc and clang (cleanup attribute); not included by
 * nido.h. */
#ifndef NIDO_SUGAR_H
#define NIDO_SUGAR_H

#include <errno.h>

#include "nido/chan.h"
#include "nido/fd.h"
#include "nido/group.h"
#include "nido/value.h"

/* NIDO_SCOPED_FD fd = nido_dial(...);  is closed by nido_close when the block is left, in whatever
 * way. */
#define NIDO_SCOPED_FD __attribute__((cleanup(nidoi_scoped_fd))) int

static inline void nidoi_scoped_fd(int *fd)
{
    if (*fd >= 0) nido_close(*fd);
}

/* NIDO_SCOPED_GROUP(g, NIDO_FAIL_FAST);  declares and opens a group. If the block is left without
 * nido_group_close, the group is cancelled and waited for, and its result dropped. */
#define NIDO_SCOPED_GROUP(group, policy)                           \
    __attribute__((cleanup(nidoi_scoped_group))) nido_group group; \
    nido_group_open(&group, policy, #group)

static inline void nidoi_scoped_group(nido_group *group)
{
    if (!group->scope.task) return; /* closed */
    nido_group_cancel(group, 0, "the block was left");
    nido_group_close(group, 0);
}

/* NIDO_SCOPED_VALUE(id, &request, text);  declares and opens a nido_value, which is closed when the
 * block is left, in whatever way. */
#define NIDO_SCOPED_VALUE(value, key, data)                        \
    __attribute__((cleanup(nidoi_scoped_value))) nido_value value; \
    nido_value_open(&value, key, data)

static inline void nidoi_scoped_value(nido_value *value)
{
    if (value->scope.task) nido_value_close(value);
}

/* NIDO_TIMEOUT(NIDO_SEC(2), nido_read(fd, buf, len)): one call in a scope of its own with that
 * timeout. The call's result, or -ETIMEDOUT if it was the timeout that ended it. */
#define NIDO_TIMEOUT(ns, call)                                                            \
    __extension__({                                                                       \
        nido_scope nidoi_limit;                                                           \
        nido_timeout_open(&nidoi_limit, (ns));                                            \
        __typeof__(call) nidoi_rc = (call);                                               \
        int nidoi_end =                                                                   \
            nido_scope_close(&nidoi_limit, nidoi_rc < 0 ? NIDOI_CAST(int, nidoi_rc) : 0); \
        nidoi_rc < 0 ? NIDOI_CAST(__typeof__(nidoi_rc), nidoi_end) : nidoi_rc;            \
    })

#ifdef __cplusplus
#define NIDOI_CAST(type, value) static_cast<type>(value)
#else
#define NIDOI_CAST(type, value) ((type)(value))
#endif

/* NIDO_SPAWN(&g, greet, .who = "ada", .times = 2);  spawns greet with a copy of a struct
 * greet_args. */
#ifdef __cplusplus
#define NIDO_SPAWN(group, fn, ...)                                         \
    [&] {                                                                  \
        const struct fn##_args nidoi_args = {__VA_ARGS__};                 \
        return nido_spawn_copy(group, fn, &nidoi_args, sizeof nidoi_args); \
    }()
#else
#define NIDO_SPAWN(group, fn, ...) \
    nido_spawn_copy(group, fn, &(struct fn##_args){__VA_ARGS__}, sizeof(struct fn##_args))
#endif

/* NIDO_CHAN_TYPE(jobs, struct job);  defines calls for channels of struct job: jobs_new, jobs_send
 * and so on, the calls of nido/chan.h for that type. For a channel whose items have another size
 * they return -EINVAL. */
#define NIDO_CHAN_TYPE(name, T)                                                                 \
    NIDOI_TYPED int name##_new(size_t capacity, nido_drop_fn *drop, void *ctx, nido_chan **out) \
    {                                                                                           \
        return nido_chan_new(sizeof(T), capacity, drop, ctx, out);                              \
    }                                                                                           \
    NIDOI_TYPED int name##_send(nido_chan *chan, T item)                                        \
    {                                                                                           \
        return chan->item_size == sizeof(T) ? nido_chan_send(chan, &item) : -EINVAL;            \
    }                                                                                           \
    NIDOI_TYPED int name##_try_send(nido_chan *chan, T item)                                    \
    {                                                                                           \
        return chan->item_size == sizeof(T) ? nido_chan_try_send(chan, &item) : -EINVAL;        \
    }                                                                                           \
    NIDOI_TYPED int name##_commit(nido_chan *chan, T item)                                      \
    {                                                                                           \
        return chan->item_size == sizeof(T) ? nido_chan_commit(chan, &item) : -EINVAL;          \
    }                                                                                           \
    NIDOI_TYPED int name##_recv(nido_chan *chan, T *item)                                       \
    {                                                                                           \
        return chan->item_size == sizeof(T) ? nido_chan_recv(chan, item) : -EINVAL;             \
    }                                                                                           \
    NIDOI_TYPED int name##_try_recv(nido_chan *chan, T *item)                                   \
    {                                                                                           \
        return chan->item_size == sizeof(T) ? nido_chan_try_recv(chan, item) : -EINVAL;         \
    }                                                                                           \
    struct nidoi_typed_chan_##name

#define NIDOI_TYPED __attribute__((unused)) static inline

#endif
