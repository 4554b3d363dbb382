/* SPDX-License-Identifier: MIT */
#include "coro/group/spawn.h"

#include <string.h>

#include "base/place.h"
#include "coro/scope/options.h"
#include "coro/scope/park.h"
#include "coro/task/probe.h"
#include "coro/task/switch.h"

enum { MOST_COPY = 1024 };

/* ---- The end ---- */

static void task_leave_group(struct nidoi_loop *loop, struct nidoi_task *task, int rc)
{
    nido_group *group = task->group;

    rc = nidoi_group_record(loop, task, rc);
    nidoi_slots_leave(&loop->slots, task->slot, rc);
    nidoi_list_remove(&task->sibling);
    if (task->service)
        group->services--;
    else
        group->live--;
    nidoi_group_notify(group);
}

/* What cancels the root from outside, a signal or a deadlock, has been told of already. */
static bool root_has_error(const struct nidoi_task *task, int rc)
{
    if (task->error && task->error->code == rc) return true;
    return rc < 0 && !nidoi_scope_cancelled(&task->base);
}

/* The root, or the server of other threads' calls, whose result nothing asks for. */
static void task_leave_run(struct nidoi_loop *loop, struct nidoi_task *task, int rc)
{
    if (task != loop->root) {
        nidoi_slots_leave(&loop->slots, task->slot, rc);
        return;
    }
    nidoi_turn_of_end(loop, task);
    rc = nidoi_scope_verdict(loop, &task->base, rc);
    if (root_has_error(task, rc)) loop->root_error = nidoi_error_of_end(task, rc);
    loop->root_rc = rc;
    loop->root = NULL;
    nidoi_slots_leave(&loop->slots, task->slot, rc);
    nidoi_loop_wake_calls(loop);
}

static NIDOI_RARE _Noreturn void panic_left_open(const struct nidoi_task *task)
{
    struct nidoi_place place, spawned;

    nidoi_loop_of(task->sched)->frames_gone = true;
    nidoi_panic("task #%llu \"%s\", spawned at %s, has returned without closing the scope or group "
                "opened at %s",
                (unsigned long long)task->id, task->name ? task->name : "",
                nidoi_place(&spawned, task->spawned_at), nidoi_place(&place, task->opened_at));
}

/* What is held must not lie in the frame that has just returned: nothing in it can be trusted any
 * more. */
static NIDOI_RARE void held_orphan(struct nidoi_task *task, struct nidoi_link *link)
{
    const struct nidoi_probe *probe = task->sched->probe;
    struct nidoi_held *held = nidoi_container(link, struct nidoi_held, link);
    struct nidoi_place spawned;
    const char *end = nidoi_frame_end();

    if ((char *)link < end && (char *)link >= task->stack->bottom)
        nidoi_panic(
            "task #%llu \"%s\", spawned at %s, has returned while it held a lock, a token or a "
            "receiver of signals that lay on its own stack",
            (unsigned long long)task->id, task->name ? task->name : "",
            nidoi_place(&spawned, task->spawned_at));
    if (probe && probe->watcher) probe->watcher->orphaned(probe->ctx, task);
    nidoi_list_remove(link);
    held->orphaned(held);
}

static void task_main(struct nidoi_task *task)
{
    struct nidoi_loop *loop = nidoi_loop_of(task->sched);
    int rc;

    NIDOI_EXCEPTIONS_END();
    rc = task->fn(task->arg);

    if (nidoi_sched_self != task->sched) nidoi_returned_in_child("a task function");
    if (task->scope != &task->base) panic_left_open(task);
    if (task->locals) nidoi_locals_destroy(task);
    while (!nidoi_list_empty(&task->held)) held_orphan(task, task->held.next);
    if (task->group)
        task_leave_group(loop, task, rc);
    else
        task_leave_run(loop, task, rc);
    if (task->error) nidoi_error_keep(task, NULL);
    if (nidoi_timer_is_set(&task->slot->timer))
        nidoi_timers_remove(&loop->timers, &task->slot->timer);
    loop->live--;
    if (__builtin_expect(!task->stack->class, 0)) nidoi_task_check_stack(task, 0);
    nidoi_stacks_put(&loop->stacks, task->stack, loop->sched.now);
}

static void task_entry(struct nidoi_transfer transfer)
{
    NIDOI_CONTEXT_BEGINS(transfer);
    task_main(nidoi_sched_self->current);
    nidoi_switch_leave(nidoi_sched_self);
}

/* ---- The beginning ---- */

/* Room for one more task everywhere, so that nothing in its life needs memory to sleep, wake or be
 * armed. */
static NIDOI_RARE int room_grow(struct nidoi_loop *loop)
{
    uint32_t room = loop->room ? 2 * loop->room : 16;
    int err;

    err = nidoi_timers_reserve(&loop->timers, room);
    if (!err) err = nidoi_sched_reserve(&loop->sched, room);
    if (!err) loop->room = room;
    return err;
}

static int room_reserve(struct nidoi_loop *loop)
{
    int err = 0;

    if (loop->live >= loop->options.max_tasks) return -EAGAIN;
    if (!loop->slots.free) err = nidoi_slots_make(&loop->slots);
    if (!err && loop->live >= loop->room) err = room_grow(loop);
    return err;
}

static int stack_find(struct nidoi_loop *loop, const struct nidoi_spawn_request *request,
                      struct nidoi_stack **out)
{
    const nido_spawn_options *options = request->options;
    struct nidoi_stack_class *class = loop->default_stack;
    size_t size = options && options->stack_size ? options->stack_size : request->stack_size;

    if (options && options->memory) {
        *out = nidoi_stacks_adopt(options->memory, size);
        return *out ? 0 : -EINVAL;
    }
    if (size) class = nidoi_stacks_class(&loop->stacks, size);
    return class ? nidoi_stacks_take(&loop->stacks, class, out) : -EINVAL;
}

static NIDOI_RARE void spawn_explain(struct nidoi_loop *loop, int err)
{
    struct nidoi_task *task = loop->sched.current;

    if (!nidoi_on_task(&loop->sched)) return;
    if (err == -EAGAIN && loop->live >= loop->options.max_tasks)
        nidoi_fail(task, NULL, err, "spawn: nido_options.max_tasks (%u) tasks are alive",
                   loop->options.max_tasks);
    else if (err == -EAGAIN)
        nidoi_fail(
            task, NULL, err,
            "spawn: no guard page for another stack beside %zu: the kernel's vm.max_map_count "
            "is reached (kernels with guard advice, Linux 6.13, have no such limit)",
            loop->stacks.in_use);
}

static void task_fill(struct nidoi_loop *loop, struct nidoi_task *task,
                      const struct nidoi_spawn_request *request, void *copy)
{
    const nido_spawn_options *options = request->options;

    task->fn = request->fn;
    task->arg = request->arg;
    task->spawned_at = request->place;
    task->group = request->group;
    task->start = request->start;
    if (options) {
        task->name = options->name;
        task->service = options->service;
        if (options->copy) task->arg = memcpy(copy, options->copy, options->copy_size);
    }
    nidoi_slots_take(&loop->slots, task);
}

int nidoi_spawn(struct nidoi_loop *loop, const struct nidoi_spawn_request *request,
                struct nidoi_task **out)
{
    const nido_spawn_options *options = request->options;
    size_t extra = options && options->copy ? options->copy_size : 0;
    struct nidoi_stack *stack;
    struct nidoi_task *task;
    void *copy;
    int err = room_reserve(loop);

    if (!err) err = stack_find(loop, request, &stack);
    if (err) {
        spawn_explain(loop, err);
        return err;
    }
    task = nidoi_task_init(&loop->sched, stack, task_entry, extra, &copy);
    task_fill(loop, task, request, copy);
    nidoi_scope_base(loop, task, request->group ? &request->group->scope : NULL, task->service);
    loop->live++;
    nidoi_sched_start(task);
    *out = task;
    return 0;
}

/* ---- Into a group ---- */

int nidoi_spawn_allowed(struct nidoi_loop *loop, const nido_group *group)
{
    const nido_scope *scope = &group->scope;
    int err = nidoi_group_unusable(loop, group);

    if (err || !loop) return err; /* without a loop none is usable */
    if (scope->due <= loop->sched.now) {
        const struct nidoi_task *caller = loop->sched.current;

        if (nidoi_scope_encloses(scope, caller) || nidoi_scope_cancelled(caller->scope))
            return -ECANCELED;
        return -ESHUTDOWN;
    }
    return nidoi_group_is_over(group) ? -ESHUTDOWN : 0;
}

static bool spawn_options_valid(const nido_spawn_options *options)
{
    if (!options) return true;
    return (!options->copy || options->copy_size <= MOST_COPY) &&
           (!options->memory || options->stack_size);
}

int nidoi_spawn_member(struct nidoi_loop *loop, const struct nidoi_spawn_request *request,
                       nido_task *out)
{
    nido_group *group = request->group;
    struct nidoi_task *task;
    int err = nidoi_spawn(loop, request, &task);

    if (err) return err;
    nidoi_list_append(&group->children, &task->sibling);
    if (task->service)
        group->services++;
    else
        group->live++;
    if (!out) return 0;
    nidoi_group_keep(loop, group, task->slot);
    *out = nidoi_loop_handle(loop, task);
    return 0;
}

static int spawn_checked(const struct nidoi_spawn_request *request, nido_task *out, char *frame)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    bool service = request->options && request->options->service;
    int err = request->fn && spawn_options_valid(request->options) ? 0 : -EINVAL;

    if (loop) nidoi_scope_check_frames(loop->sched.current, frame);
    if (!err) err = nidoi_spawn_allowed(loop, request->group);
    if (err || !loop) return err; /* without a loop nothing is admissible */
    if (!service && nidoi_group_is_full(request->group)) {
        if (nidoi_on_task(&loop->sched))
            nidoi_fail(loop->sched.current, request->place, -EAGAIN,
                       "spawn: the group's limit of %u tasks is reached", request->group->limit);
        return -EAGAIN;
    }
    return nidoi_spawn_member(loop, request, out);
}

/* Flattened: most tasks begin here, and a call in which all is known takes half the work. */
__attribute__((flatten)) int nido_spawn(nido_group *group, nido_fn *fn, void *arg)
{
    struct nidoi_spawn_request request = NIDOI_SPAWN_REQUEST(.arg = arg);

    return spawn_checked(&request, NULL, nidoi_frame_end());
}

int nido_spawn_copy(nido_group *group, nido_fn *fn, const void *arg, size_t size)
{
    nido_spawn_options options = {.size = sizeof options, .copy = arg, .copy_size = size};
    struct nidoi_spawn_request request = NIDOI_SPAWN_REQUEST(.options = &options);

    return spawn_checked(&request, NULL, nidoi_frame_end());
}

int nido_spawn_with(nido_group *group, nido_fn *fn, void *arg, const nido_spawn_options *options,
                    nido_task *out)
{
    struct nidoi_spawn_request request = NIDOI_SPAWN_REQUEST(.arg = arg);
    nido_spawn_options room;

    request.options = options ? NIDOI_OPTIONS(nido_spawn_options, options, &room) : NULL;
    if (options && !request.options) return -EINVAL;
    return spawn_checked(&request, out, nidoi_frame_end());
}

/* ---- Waiting for a place ---- */

static const struct nidoi_wait_kind waiting_for_place = {
    .name = "place in group", .name_at = offsetof(nido_group, name), .undo = nidoi_waitq_undo};

static int place_wait(struct nidoi_loop *loop, nido_group *group)
{
    struct nidoi_queued queued = {.waiter = {.kind = &waiting_for_place, .object = group}};

    nidoi_waitq_enlist(&group->places, &queued);
    return (int)nidoi_park(loop, &queued.waiter);
}

/* A place is given in the wake: it is ours even if we are cancelled before we run, and must be used
 * or given on. */
int nido_spawn_wait(nido_group *group, nido_fn *fn, void *arg)
{
    struct nidoi_spawn_request request = NIDOI_SPAWN_REQUEST(.arg = arg);
    struct nidoi_loop *loop;
    int err = nidoi_enter(&loop);

    if (err) return err;
    err = fn ? nidoi_spawn_allowed(loop, group) : -EINVAL;
    if (err) return err;
    if (!nidoi_group_is_full(group) && nidoi_waitq_empty(&group->places))
        return nidoi_spawn_member(loop, &request, NULL);
    err = place_wait(loop, group);
    if (err) return err;
    err = nidoi_spawn_allowed(loop, group);
    group->reserved--;
    if (!err) err = nidoi_spawn_member(loop, &request, NULL);
    if (err) nidoi_group_notify(group);
    return err;
}
