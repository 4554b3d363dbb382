#include "coro/group/spawn.h"

#include <string.h>

#include "base/options.h"
#include "base/place.h"
#include "coro/scope/park.h"
#include "coro/task/probe.h"
#include "coro/task/switch.h"

enum { MOST_COPY = 1024 };

/* ---- The end ---- */

static void leave_group(struct nidoi_loop *loop, struct nidoi_task *task, int rc)
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

/* The root, or the server of other threads' calls, whose result nothing asks for. */
static void leave_run(struct nidoi_loop *loop, struct nidoi_task *task, int rc)
{
    if (task != loop->root) {
        nidoi_slots_leave(&loop->slots, task->slot, rc);
        return;
    }
    rc = nidoi_scope_verdict(loop, &task->base, rc);
    if (task->error && task->error->code == rc) {
        loop->root_error = task->error;
        task->error = NULL;
    }
    loop->root_rc = rc;
    loop->root = NULL;
    nidoi_slots_leave(&loop->slots, task->slot, rc);
    nidoi_loop_wake_calls(loop);
}

static NIDOI_RARE _Noreturn void something_is_open(const struct nidoi_task *task)
{
    struct nidoi_place place, spawned;

    nidoi_panic("task #%llu \"%s\", spawned at %s, has returned without closing the scope or group "
                "opened at %s",
                (unsigned long long)task->id, task->name ? task->name : "",
                nidoi_place(&spawned, task->spawned_at), nidoi_place(&place, task->opened_at));
}

/* What is held must not lie in the frame that has just returned: nothing in it can be trusted any
 * more. */
static NIDOI_RARE void orphan(struct nidoi_task *task, struct nidoi_link *link)
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

static void live_and_die(struct nidoi_task *task)
{
    struct nidoi_loop *loop = nidoi_loop_of(task->sched);
    int rc;

    NIDOI_EXCEPTIONS_END();
    rc = task->fn(task->arg);

    if (nidoi_sched_self != task->sched) nidoi_returned_in_child("a task function");
    if (task->scope != &task->base) something_is_open(task);
    if (task->locals) nidoi_locals_destroy(task);
    while (!nidoi_list_empty(&task->held)) orphan(task, task->held.next);
    if (task->group)
        leave_group(loop, task, rc);
    else
        leave_run(loop, task, rc);
    if (task->error) nidoi_error_keep(task, NULL);
    if (nidoi_timer_is_set(&task->slot->timer))
        nidoi_timers_remove(&loop->timers, &task->slot->timer);
    loop->live--;
    nidoi_stacks_put(&loop->stacks, task->stack, loop->sched.now);
}

static void whole_life(struct nidoi_transfer transfer)
{
    NIDOI_CONTEXT_BEGINS(transfer);
    live_and_die(nidoi_sched_self->current);
    nidoi_switch_leave(nidoi_sched_self);
}

/* ---- The beginning ---- */

/* Room for one more task everywhere, so that nothing in its life needs memory to sleep, wake or be
 * armed. */
static NIDOI_RARE int grow(struct nidoi_loop *loop)
{
    uint32_t room = loop->room ? 2 * loop->room : 16;
    int err;

    err = nidoi_timers_reserve(&loop->timers, room);
    if (!err) err = nidoi_sched_reserve(&loop->sched, room);
    if (!err) loop->room = room;
    return err;
}

static int reserve(struct nidoi_loop *loop)
{
    int err = 0;

    if (loop->live >= loop->options.max_tasks) return -EAGAIN;
    if (!loop->slots.free) err = nidoi_slots_make(&loop->slots);
    if (!err && loop->live >= loop->room) err = grow(loop);
    return err;
}

static int find_stack(struct nidoi_loop *loop, const struct nidoi_spawn_request *request,
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

static NIDOI_RARE void explain(struct nidoi_loop *loop, int err)
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

static void fill(struct nidoi_loop *loop, struct nidoi_task *task,
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
    int err = reserve(loop);

    if (!err) err = find_stack(loop, request, &stack);
    if (err) {
        explain(loop, err);
        return err;
    }
    task = nidoi_task_init(&loop->sched, stack, whole_life, extra, &copy);
    fill(loop, task, request, copy);
    nidoi_scope_base(loop, task, request->group ? &request->group->scope : NULL, task->service);
    loop->live++;
    nidoi_sched_start(task);
    *out = task;
    return 0;
}

/* ---- Into a group ---- */

/* May this thread spawn into the group now? */
static int admissible(struct nidoi_loop *loop, const nido_group *group)
{
    const nido_scope *scope = &group->scope;

    if (scope->flags & NIDOI_SCOPE_FAULTY) return scope->code;
    if (!(scope->flags & NIDOI_SCOPE_OPEN)) return -EBADF;
    if (!loop) return -EPERM;
    if (scope->task->sched != &loop->sched) return -EXDEV;
    if (scope->due <= loop->sched.now) {
        const struct nidoi_task *caller = loop->sched.current;

        if (nidoi_scope_encloses(scope, caller) || nidoi_scope_cancelled(caller->scope))
            return -ECANCELED;
        return -ESHUTDOWN;
    }
    return nidoi_group_is_over(group) ? -ESHUTDOWN : 0;
}

static bool sound(const nido_spawn_options *options)
{
    if (!options) return true;
    return (!options->copy || options->copy_size <= MOST_COPY) &&
           (!options->memory || options->stack_size);
}

static bool full(const nido_group *group)
{
    return group->limit && group->live + group->reserved + group->starts >= group->limit;
}

static int spawn_member(struct nidoi_loop *loop, const struct nidoi_spawn_request *request,
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

static int spawn_here(const struct nidoi_spawn_request *request, nido_task *out, char *frame)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    bool service = request->options && request->options->service;
    int err = request->fn && sound(request->options) ? 0 : -EINVAL;

    if (loop) nidoi_scope_check_frames(loop->sched.current, frame);
    if (!err) err = admissible(loop, request->group);
    if (err || !loop) return err; /* without a loop nothing is admissible */
    if (!service && full(request->group)) {
        if (nidoi_on_task(&loop->sched))
            nidoi_fail(loop->sched.current, request->place, -EAGAIN,
                       "spawn: the group's limit of %u tasks is reached", request->group->limit);
        return -EAGAIN;
    }
    return spawn_member(loop, request, out);
}

#define SPAWN_REQUEST(...)                                         \
    {                                                              \
        .fn = fn, .group = group, .stack_size = group->stack_size, \
        .place = __builtin_return_address(0), __VA_ARGS__          \
    }

/* Flattened: most tasks begin here, and a call in which all is known takes half the work. */
__attribute__((flatten)) int nido_spawn(nido_group *group, nido_fn *fn, void *arg)
{
    struct nidoi_spawn_request request = SPAWN_REQUEST(.arg = arg);

    return spawn_here(&request, NULL, nidoi_frame_end());
}

int nido_spawn_copy(nido_group *group, nido_fn *fn, const void *arg, size_t size)
{
    nido_spawn_options options = {.size = sizeof options, .copy = arg, .copy_size = size};
    struct nidoi_spawn_request request = SPAWN_REQUEST(.options = &options);

    return spawn_here(&request, NULL, nidoi_frame_end());
}

int nido_spawn_with(nido_group *group, nido_fn *fn, void *arg, const nido_spawn_options *options,
                    nido_task *out)
{
    struct nidoi_spawn_request request = SPAWN_REQUEST(.arg = arg);
    nido_spawn_options room;

    request.options = options ? NIDOI_OPTIONS(options, &room) : NULL;
    if (options && !request.options) return -EINVAL;
    return spawn_here(&request, out, nidoi_frame_end());
}

/* ---- Waiting for a place ---- */

static const struct nidoi_wait_kind waiting_for_place = {.name = "place in group",
                                                         .undo = nidoi_waitq_undo};

static int wait_for_place(struct nidoi_loop *loop, nido_group *group)
{
    struct nidoi_queued queued = {.waiter = {.kind = &waiting_for_place, .object = group}};

    nidoi_waitq_enlist(&group->places, &queued);
    return (int)nidoi_park(loop, &queued.waiter);
}

/* A place is given in the wake: it is ours even if we are cancelled before we run, and must be used
 * or given on. */
int nido_spawn_wait(nido_group *group, nido_fn *fn, void *arg)
{
    struct nidoi_spawn_request request = SPAWN_REQUEST(.arg = arg);
    struct nidoi_loop *loop;
    int err = nidoi_enter(&loop);

    if (err) return err;
    err = fn ? admissible(loop, group) : -EINVAL;
    if (err) return err;
    if (!full(group) && nidoi_waitq_empty(&group->places))
        return spawn_member(loop, &request, NULL);
    err = wait_for_place(loop, group);
    if (err) return err;
    err = admissible(loop, group);
    group->reserved--;
    if (!err) err = spawn_member(loop, &request, NULL);
    if (err) nidoi_group_notify(group);
    return err;
}

/* ---- Start, with its hand-shake ---- */

/* Not cancellable by itself: a cancel of the caller cancels the child, whose end is waited for. */
static const struct nidoi_wait_kind starting = {.name = "start of task"};

/* A service is told to go when the rest is done: what it waits for must not be part of the rest. */
static bool is_below_service(const struct nidoi_task *task, const nido_group *group)
{
    for (const nido_scope *scope = task->scope; scope; scope = scope->parent) {
        const struct nidoi_task *above = scope->task;

        if (scope == &above->base && above->service && above->group == group) return true;
    }
    return false;
}

static void count_start(struct nidoi_start *start, int32_t change)
{
    start->target->starts += (uint32_t)change;
    if (start->own) start->target->own_starts += (uint32_t)change;
}

/* Why a task that ended with success has not said that it is ready. */
static int never_ready(struct nidoi_loop *loop, const struct nidoi_start *start, void *place)
{
    if (nidoi_scope_cancelled(&start->hidden.scope)) return -ECANCELED;
    if (nidoi_group_is_over(start->target)) return -ESHUTDOWN;
    return nidoi_fail(loop->sched.current, place, -EPROTO,
                      "start: the task has ended without nido_started");
}

static int await_start(struct nidoi_loop *loop, struct nidoi_start *start, void *place)
{
    int rc;

    start->hidden.state = NIDOI_GROUP_CLOSING;
    start->hidden.closer = &start->waiter;
    count_start(start, 1);
    nidoi_park(loop, &start->waiter);
    if (start->decided) return 0;
    rc = nidoi_group_outcome(loop, &start->hidden, 0);
    if (!rc) rc = never_ready(loop, start, place);
    count_start(start, -1);
    nidoi_group_notify(start->target);
    return rc;
}

int nido_start(nido_group *group, nido_fn *fn, void *arg, intptr_t *out)
{
    nido_group_options plain = {.policy = NIDO_WAIT_ALL, .name = "start"};
    struct nidoi_start start = {.target = group, .waiter = {.kind = &starting, .object = group}};
    struct nidoi_spawn_request request = SPAWN_REQUEST(.arg = arg, .start = &start);
    struct nidoi_loop *loop;
    int err = nidoi_enter(&loop);

    if (err) return err;
    err = fn ? admissible(loop, group) : -EINVAL;
    if (!err && full(group)) err = -EAGAIN;
    if (err) return err;
    nidoi_scope_check_content(loop->sched.current);
    start.own = is_below_service(loop->sched.current, group);
    nidoi_group_open(loop, &start.hidden, &plain, request.place);
    request.group = &start.hidden;
    err = spawn_member(loop, &request, NULL);
    if (!err) err = await_start(loop, &start, request.place);
    nidoi_scope_pop(loop, &start.hidden.scope);
    if (!err && out) *out = start.value;
    return err;
}

static void hand_over(struct nidoi_loop *loop, struct nidoi_task *task, struct nidoi_start *start)
{
    nido_group *group = start->target;

    nidoi_list_remove(&task->sibling);
    nidoi_list_append(&group->children, &task->sibling);
    start->hidden.live--;
    count_start(start, -1);
    group->live++;
    task->group = group;
    nidoi_scope_relink(loop, task, &group->scope);
}

int nido_started(intptr_t value)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    struct nidoi_task *task = loop ? loop->sched.current : NULL;
    struct nidoi_start *start = task ? task->start : NULL;

    if (!start) return task && task->started ? -EALREADY : -EPERM;
    nidoi_check_frames();
    if (nidoi_scope_cancelled(&start->hidden.scope) || nidoi_group_is_over(start->target))
        return -ECANCELED;
    hand_over(loop, task, start);
    task->start = NULL;
    task->started = true;
    start->value = value;
    start->decided = true;
    start->hidden.closer = NULL;
    nidoi_wake(&start->waiter, 0);
    return 0;
}
