/* SPDX-License-Identifier: MIT */
/* coro/group/group.h: groups: their members, what a result does, when they are over.
 *
 * 1. A task is in exactly one group from its spawn (or hand-over by nido_started) to its end; the
 * root is in none.
 * 2. live + services is the length of `children`; the close returns only when both are 0.
 * 3. Everything that can end a wait for the group (a child's end, a start decided, a place used)
 * calls nidoi_group_notify, and nothing else wakes the closer. The closer is the opener: in the
 * close, or, while the state is BODY, in a wait for the children (body.h).
 * 4. Results are recorded once, in the order of completion: nidoi_group_record. */
#ifndef NIDOI_GROUP_H
#define NIDOI_GROUP_H

#include "coro/scope/error.h"
#include "coro/scope/scope.h"
#include "nido/group.h"

enum nidoi_group_state {
    NIDOI_GROUP_NONE = 0,     /* closed */
    NIDOI_GROUP_BODY = 1,     /* open, the body runs */
    NIDOI_GROUP_CLOSING = 2,  /* the body is done, children live: they may still spawn */
    NIDOI_GROUP_RELEASING = 3 /* only services are left, and they are told to go */
};

enum nidoi_group_flag {
    NIDOI_GROUP_SAW_CANCEL = 1,   /* a member ended with -ECANCELED */
    NIDOI_GROUP_OWNER_FAILED = 2, /* the body or a service failed: no child can win any more */
    NIDOI_GROUP_TOLD = 4          /* nido_group_wait has told the body of the first failure */
};

/* A pending nido_start, on its caller's stack. */
struct nidoi_start {
    nido_group
        hidden; /* holds the child until it is handed over; `closer` is the caller's waiter */
    nido_group *target;
    struct nidoi_waiter waiter;
    intptr_t value;
    bool own;     /* a service of the target waits for it */
    bool decided; /* handed over */
};

/* Opens for the running task. */
void nidoi_group_open(struct nidoi_loop *loop, nido_group *group, const nido_group_options *options,
                      void *place);

/* A member (task) has returned rc: keeps the first failure, cancels, wins. Returns what a join of it
 * answers. */
static inline int nidoi_group_record(struct nidoi_loop *loop, struct nidoi_task *task, int rc);
int nidoi_group_record_slow(struct nidoi_loop *loop, struct nidoi_task *task, int rc);

/* Something in the group changed: gives free places away, wakes the closer if its wait is over. */
void nidoi_group_changed(nido_group *group);

static inline void nidoi_group_notify(nido_group *group)
{
    if (group->closer || group->limit) nidoi_group_changed(group);
}

/* 0, or what a call that changes the group answers instead. */
static inline int nidoi_group_unusable(const struct nidoi_loop *loop, const nido_group *group)
{
    const nido_scope *scope = &group->scope;

    if (scope->flags & NIDOI_SCOPE_FAULTY) return scope->code;
    if (!(scope->flags & NIDOI_SCOPE_OPEN)) return -EBADF;
    if (!loop) return -EPERM;
    return scope->task->sched != &loop->sched ? -EXDEV : 0;
}

/* No child is there, or may be there without another spawn. */
static inline bool nidoi_group_is_idle(const nido_group *group)
{
    return !(group->live | (group->starts - group->own_starts) | group->reserved);
}

/* Nothing keeps it open any more: it takes no members. */
static inline bool nidoi_group_is_over(const nido_group *group)
{
    if (group->state == NIDOI_GROUP_BODY) return false;
    if (group->state == NIDOI_GROUP_CLOSING) return nidoi_group_is_idle(group);
    return group->state == NIDOI_GROUP_RELEASING;
}

/* The limit of tasks is reached. */
static inline bool nidoi_group_is_full(const nido_group *group)
{
    return group->limit && group->live + group->reserved + group->starts >= group->limit;
}

/* Gives free places to the calls that wait for one. */
void nidoi_group_admit(nido_group *group);

/* What a finished group answers; its error goes to the running task. */
int nidoi_group_outcome(struct nidoi_loop *loop, nido_group *group, int rc);

/* The handles that the group keeps until it closes. */
void nidoi_group_keep(struct nidoi_loop *loop, nido_group *group, struct nidoi_slot *slot);
void nidoi_group_forget(struct nidoi_loop *loop, struct nidoi_slot *slot);

/* Waiting for the children: the kind of a wait in the close, and in the body (the object is the
 * group). */
extern const struct nidoi_wait_kind nidoi_group_closing, nidoi_group_waiting;

static inline int nidoi_group_record(struct nidoi_loop *loop, struct nidoi_task *task, int rc)
{
    if (rc >= 0 && task->group->policy != NIDO_RACE) return rc;
    return nidoi_group_record_slow(loop, task, rc);
}

#endif
