/* SPDX-License-Identifier: MIT */
#include "coro/group/group.h"

#include <string.h>

#include "base/place.h"
#include "coro/scope/options.h"
#include "coro/scope/park.h"
#include "nido/time.h"

const struct nidoi_wait_kind nidoi_group_closing = {.name = "children of group",
                                                    .name_at = offsetof(nido_group, name)};

/* ---- Opening ---- */

void nidoi_group_open(struct nidoi_loop *loop, nido_group *group, const nido_group_options *options,
                      void *place)
{
    int64_t deadline = options->deadline ? options->deadline : NIDO_NEVER;

    nidoi_scope_push(loop, &group->scope, NIDOI_SCOPE_GROUP, deadline, place);
    nidoi_list_init(&group->children);
    nidoi_waitq_init(&group->places);
    group->closer = NULL;
    group->failures = NULL;
    group->drop = options->drop;
    group->drop_ctx = options->drop_ctx;
    group->name = options->name;
    group->stack_size = options->stack_size;
    group->winner = (nido_task){0};
    group->failure = group->value = 0;
    group->policy = (uint32_t)options->policy;
    group->state = NIDOI_GROUP_BODY;
    group->live = group->services = group->starts = group->own_starts = 0;
    group->limit = options->limit;
    group->reserved = group->kept = 0;
    group->flags = 0;
    nidoi_scope_was_opened(loop, &group->scope);
}

static bool group_options_valid(const nido_group_options *options)
{
    return options && (unsigned)options->policy <= (unsigned)NIDO_RACE && options->deadline >= 0 &&
           (!options->stack_size || nidoi_stacks_round(options->stack_size));
}

static void group_open_checked(nido_group *group, const nido_group_options *options, void *place,
                               char *frame)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    int err = loop && nidoi_on_task(&loop->sched) ? 0 : -EPERM;

    if (!err && loop->sched.no_parking) err = -EDEADLK; /* its close might have to wait */
    if (!err && !group_options_valid(options)) err = -EINVAL;
    if (err) {
        *group = (nido_group){0};
        nidoi_scope_fault(&group->scope, err);
        return;
    }
    if (nidoi_scope_suspicious(loop->sched.current, &group->scope, sizeof *group, frame))
        nidoi_scope_inspect_memory(loop->sched.current, &group->scope, frame);
    nidoi_group_open(loop, group, options, place);
}

void nido_group_open(nido_group *group, enum nido_policy policy, const char *name)
{
    nido_group_options options = {.size = sizeof options, .policy = policy, .name = name};

    group_open_checked(group, &options, __builtin_return_address(0), nidoi_frame_end());
}

void nido_group_open_with(nido_group *group, const nido_group_options *options)
{
    nido_group_options room;

    if (options) options = NIDOI_OPTIONS(nido_group_options, options, &room);
    group_open_checked(group, options, __builtin_return_address(0), nidoi_frame_end());
}

/* ---- Results ---- */

/* The close has nothing to wait for. */
static bool group_is_done(const nido_group *group)
{
    if (!nidoi_group_is_over(group)) return false;
    return group->state == NIDOI_GROUP_CLOSING || !group->services;
}

void nidoi_group_admit(nido_group *group)
{
    while (!nidoi_waitq_empty(&group->places) && !nidoi_group_is_full(group)) {
        group->reserved++;
        nidoi_waitq_wake(&group->places, 0);
    }
}

static NIDOI_RARE void group_notify_body(nido_group *group)
{
    if (!nidoi_group_is_idle(group)) return;
    group->closer = NULL;
    nidoi_claim(group->idler, 0);
}

void nidoi_group_changed(nido_group *group)
{
    struct nidoi_waiter *closer = group->closer;

    if (group->limit) nidoi_group_admit(group);
    if (!closer) return;
    if (group->state == NIDOI_GROUP_BODY) {
        group_notify_body(group);
        return;
    }
    if (!group_is_done(group)) return;
    group->closer = NULL;
    nidoi_wake(closer, 0);
}

static void group_drop(struct nidoi_loop *loop, nido_group *group, void *arg, int result)
{
    if (!group->drop) return;
    nidoi_no_parking_begin(&loop->sched);
    group->drop(group->drop_ctx, arg, result);
    nidoi_no_parking_end(&loop->sched);
}

static void group_add_failure(nido_group *group, struct nidoi_task *task, int rc)
{
    if (!group->failure) group->failure = rc;
    nidoi_failures_add(&group->failures, nidoi_error_of_end(task, rc));
}

static const char member_failed[] = "a member of the group failed";

static void group_cancel_members(struct nidoi_loop *loop, nido_group *group, int rc)
{
    nidoi_scope_cancel(loop, &group->scope, NIDO_CAUSE_FAILURE, rc, member_failed);
}

/* The body or a service failed: all members are cancelled, under every policy, and a race that was won
 * is lost again. */
static void group_owner_failed(struct nidoi_loop *loop, nido_group *group, struct nidoi_task *task,
                               int rc)
{
    if (group->winner.id) {
        group_drop(loop, group, NULL, group->value);
        nidoi_failures_drop(group->failures);
        group->failures = NULL;
        group->failure = 0;
        group->winner = (nido_task){0};
    }
    group->flags |= NIDOI_GROUP_OWNER_FAILED;
    group_add_failure(group, task, rc);
    group_cancel_members(loop, group, rc);
}

static void group_child_failed(struct nidoi_loop *loop, nido_group *group, struct nidoi_task *task,
                               int rc)
{
    if (group->winner.id) return; /* after a race is won, the losers may fail as they like */
    group_add_failure(group, task, rc);
    if (group->policy == NIDO_FAIL_FAST) group_cancel_members(loop, group, rc);
}

static void group_child_succeeded(struct nidoi_loop *loop, nido_group *group,
                                  struct nidoi_task *task, int rc)
{
    if (group->policy != NIDO_RACE) return;
    if (group->winner.id || group->flags & NIDOI_GROUP_OWNER_FAILED) {
        group_drop(loop, group, task->arg, rc);
        return;
    }
    group->winner = nidoi_loop_handle(loop, task);
    group->value = rc;
    nidoi_scope_cancel(loop, &group->scope, NIDO_CAUSE_RACE, 0, "another child won the race");
}

/* Ended by a cancel of its own: no failure. What a service was told of its group is not its code. */
static int ended_by_own_cancel(struct nidoi_task *task)
{
    task->slot->cancelled = !task->service;
    return task->base.kind == NIDO_CAUSE_CANCEL ? task->base.code : 0;
}

int nidoi_group_record_slow(struct nidoi_loop *loop, struct nidoi_task *task, int rc)
{
    nido_group *group = task->group;

    nidoi_turn_of_end(loop, task);
    if (rc == -ECANCELED && !nidoi_scope_cancelled(task->scope) && nidoi_enter_check(loop) == 0)
        rc = nidoi_error_stray(task);
    if (rc == -ECANCELED) {
        if (!nidoi_scope_cancelled(&group->scope)) return ended_by_own_cancel(task);
        group->flags |= NIDOI_GROUP_SAW_CANCEL;
    } else if (rc < 0) {
        task->service ? group_owner_failed(loop, group, task, rc)
                      : group_child_failed(loop, group, task, rc);
    } else if (!task->service) {
        group_child_succeeded(loop, group, task, rc);
    }
    return rc;
}

/* The body ended with rc < 0. */
static void record_body(struct nidoi_loop *loop, nido_group *group, int rc)
{
    struct nidoi_task *task = loop->sched.current;

    if (rc == -ECANCELED && nidoi_enter_check(loop) == 0) rc = nidoi_error_stray(task);
    if (rc == -ECANCELED) {
        group->flags |= NIDOI_GROUP_SAW_CANCEL;
    } else if (group->flags & NIDOI_GROUP_TOLD && rc == group->failure) {
        group->flags |= NIDOI_GROUP_OWNER_FAILED; /* passed on: it is in the list */
        group_cancel_members(loop, group, rc);
    } else {
        group_owner_failed(loop, group, task, rc);
    }
}

/* ---- Closing ---- */

/* Once it is over it stays so: it takes no members any more. */
static void group_wait(struct nidoi_loop *loop, nido_group *group)
{
    struct nidoi_waiter waiter = {.kind = &nidoi_group_closing, .object = group};

    if (group_is_done(group)) return;
    group->closer = &waiter;
    nidoi_park(loop, &waiter);
    nidoi_assert(group_is_done(group));
}

/* Tells why the group ends: its cancel, or a failure that has cancelled no member. */
static void group_find_cause(const nido_group *group, nido_scope *out)
{
    const nido_scope *cancelled = nidoi_scope_first_cancel(&group->scope);

    if (cancelled) {
        nidoi_scope_copy_cause(out, cancelled);
    } else if (group->failure) {
        *out = (nido_scope){
            .kind = NIDO_CAUSE_FAILURE, .code = group->failure, .reason = member_failed};
        out->by = nidoi_failures_author(group->failures, out->by_name);
    } else {
        *out = (nido_scope){.kind = NIDO_CAUSE_RELEASE, .reason = "its group is done"};
    }
}

/* Services were shielded from everything but their own end, which is now. */
static void group_release_services(struct nidoi_loop *loop, nido_group *group)
{
    struct nidoi_link *link = group->children.next;
    nido_scope cause;

    group_find_cause(group, &cause);
    for (; link != &group->children; link = link->next) {
        nido_scope *base = &nidoi_container(link, struct nidoi_task, sibling)->base;

        if (!nidoi_scope_cancel(loop, base, NIDO_CAUSE_RELEASE, 0, NULL))
            nidoi_scope_copy_cause(base, &cause);
    }
    group_wait(loop, group);
}

int nidoi_group_outcome(struct nidoi_loop *loop, nido_group *group, int rc)
{
    struct nidoi_failures *failures = group->failures;

    group->failures = NULL;
    if (group->winner.id) {
        nidoi_failures_drop(failures);
        return group->value;
    }
    if (group->failure) {
        nidoi_error_keep(loop->sched.current,
                         nidoi_failures_end(failures, group->failure, group->name));
        return group->failure;
    }
    if (!(group->flags & NIDOI_GROUP_SAW_CANCEL)) return rc;
    return nidoi_scope_verdict(loop, &group->scope, -ECANCELED);
}

void nidoi_group_keep(struct nidoi_loop *loop, nido_group *group, struct nidoi_slot *slot)
{
    slot->kept = true;
    slot->group = group;
    slot->prev = 0;
    slot->next = group->kept;
    group->kept = slot->timer.owner;
    if (slot->next) nidoi_slots_get(&loop->slots, slot->next)->prev = group->kept;
}

void nidoi_group_forget(struct nidoi_loop *loop, struct nidoi_slot *slot)
{
    if (slot->prev)
        nidoi_slots_get(&loop->slots, slot->prev)->next = slot->next;
    else
        slot->group->kept = slot->next;
    if (slot->next) nidoi_slots_get(&loop->slots, slot->next)->prev = slot->prev;
    slot->kept = false;
}

static void group_free_handles(struct nidoi_loop *loop, nido_group *group)
{
    while (group->kept) {
        struct nidoi_slot *slot = nidoi_slots_get(&loop->slots, group->kept);

        nidoi_group_forget(loop, slot);
        nidoi_slots_free(&loop->slots, slot);
    }
}

int nido_group_close(nido_group *group, int rc)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    int err = nidoi_scope_closable(loop, &group->scope);

    if (err) return err;
    if (rc < 0) record_body(loop, group, rc);
    group->state = NIDOI_GROUP_CLOSING;
    group_wait(loop, group);
    group->state = NIDOI_GROUP_RELEASING;
    if (group->services) group_release_services(loop, group);
    nidoi_charge(loop);
    rc = nidoi_group_outcome(loop, group, rc);
    group_free_handles(loop, group);
    group->state = NIDOI_GROUP_NONE;
    nidoi_scope_pop(loop, &group->scope);
    return rc;
}

/* ---- The other public calls ---- */

int nido_group_cancel(nido_group *group, int code, const char *reason)
{
    nidoi_check_frames();
    return nidoi_scope_cancel_checked(&group->scope, NIDO_CAUSE_CANCEL, code, reason);
}

nido_scope *nido_group_scope(nido_group *group)
{
    return &group->scope;
}

int nido_with_group(enum nido_policy policy, int (*body)(nido_group *group, void *arg), void *arg)
{
    nido_group_options options = {.size = sizeof options, .policy = policy};
    nido_group group;

    group_open_checked(&group, &options, __builtin_return_address(0), nidoi_frame_end());
    if (group.scope.flags & NIDOI_SCOPE_FAULTY)
        return group.scope.code; /* NOLINT(clang-analyzer-core.uninitialized.UndefReturn) */
    return nido_group_close(&group, body ? body(&group, arg) : -EINVAL);
}

size_t nido_group_live(const nido_group *group)
{
    return group->state == NIDOI_GROUP_NONE ? 0 : group->live;
}

int nido_race_winner(const nido_group *group, nido_task *out)
{
    if (!group->winner.id) return -ESRCH;
    *out = group->winner;
    return 0;
}
