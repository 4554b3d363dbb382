/* SPDX-License-Identifier: MIT */
#include "snapshot.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "failure.h"
#include "image.h"
#include "process.h"

enum {
    MOST_RUNTIMES = 4096,
    MOST_SLOTS = 1 << 24,
    MOST_INNER = 1 << 12,    /* scopes of one task */
    MOST_ABOVE = 1 << 14,    /* scopes from one to the root */
    MOST_STACK = 16 << 10,   /* of each that is read ahead */
    MOST_FRAMES = 128 << 10, /* the same to unwind */
    LEAST_ADDRESS = 1 << 16, /* below it are descriptors */
    OBJECT = 256,            /* bytes of one that are looked at */
    TRIES = 3
};

static int64_t clock_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void *grown(void *array, size_t count, size_t size)
{
    void *more = array;

    if (!(count & (count - 1))) more = realloc(array, (count ? 2 * count : 1) * size);
    if (more) return more;
    fputs("nido-ps: no memory\n", stderr);
    exit(1);
}

/* ---- Scopes ---- */

static uint32_t scope_flags(struct target *target, uint64_t scope)
{
    return (uint32_t)target_field(target, scope, SCOPE_FLAGS);
}

static void cancel_take(struct target *target, uint64_t scope, struct cancel *cancel)
{
    cancel->is_felt = true;
    cancel->code = (int32_t)target_signed(target, scope, SCOPE_CODE);
    cancel->by = target_field(target, scope, SCOPE_BY);
    target_text(target, target_field(target, scope, SCOPE_REASON), cancel->reason,
                sizeof cancel->reason);
    if (cancel->by)
        target_text(target, scope + target->layout.at[SCOPE_BY_NAME], cancel->by_name,
                    sizeof cancel->by_name);
}

/* As nidoi_scope_first_cancel: the first among those up to a shield; one above that is not felt. */
static void cancel_find(struct target *target, uint64_t scope, struct cancel *cancel)
{
    uint64_t found = 0, first = 0;
    bool shield = false;

    for (int i = 0; scope && i < MOST_ABOVE; i++) {
        uint32_t flags = scope_flags(target, scope);

        if (flags & target->layout.at[IS_CANCELLED]) {
            uint64_t order = target_field(target, scope, SCOPE_ORDER);

            cancel->is_shielded = cancel->is_shielded || shield;
            if (!shield && (!found || order < first)) {
                found = scope;
                first = order;
            }
        }
        shield = shield || flags & target->layout.at[IS_SHIELD];
        scope = target_field(target, scope, SCOPE_PARENT);
    }
    if (found) cancel_take(target, found, cancel);
}

static bool owns_deadline(struct target *target, const struct task *task, uint64_t scope)
{
    uint64_t base = task->address + target->layout.at[TASK_BASE];

    for (int i = 0; scope && i < MOST_INNER; i++) {
        if (target_signed(target, scope, SCOPE_DEADLINE) == task->due) return true;
        if (scope == base) return false;
        scope = target_field(target, scope, SCOPE_PARENT);
    }
    return false;
}

static void group_take(struct target *target, struct runtime *runtime, uint64_t scope,
                       const struct task *task)
{
    struct group *group;

    runtime->groups = grown(runtime->groups, runtime->group_count, sizeof *group);
    group = &runtime->groups[runtime->group_count++];
    *group = (struct group){.address = scope, .opened_by = task->id};
    group->policy = (uint32_t)target_field(target, scope, GROUP_POLICY);
    group->live = (uint32_t)target_field(target, scope, GROUP_LIVE);
    group->services = (uint32_t)target_field(target, scope, GROUP_SERVICES);
    group->limit = (uint32_t)target_field(target, scope, GROUP_LIMIT);
    group->failure = (int32_t)target_signed(target, scope, GROUP_FAILURE);
    group->winner = target_field(target, scope, GROUP_WINNER);
    group->has_name = target_text(target, target_field(target, scope, GROUP_NAME), group->name,
                                  sizeof group->name);
    cancel_find(target, scope, &group->cancel);
}

static void groups_take(struct target *target, struct runtime *runtime, const struct task *task)
{
    uint64_t scope = task->address + target->layout.at[TASK_BASE];

    for (int i = 0; i < MOST_INNER; i++) {
        scope = target_field(target, scope, SCOPE_INNER);
        if (!scope || target_field(target, scope, SCOPE_TASK) != task->address) return;
        if (scope_flags(target, scope) & target->layout.at[IS_GROUP])
            group_take(target, runtime, scope, task);
    }
}

/* ---- Tasks ---- */

static void wait_take(struct target *target, uint64_t waiter, struct wait *wait)
{
    uint64_t kind = target_field(target, waiter, WAITER_KIND);
    uint64_t name_at = target_field(target, kind, KIND_NAME_AT);
    uint64_t owner_at = target_field(target, kind, KIND_OWNER_AT), owner;

    wait->waits = true;
    wait->object = target_field(target, waiter, WAITER_OBJECT);
    wait->since = target_signed(target, waiter, WAITER_SINCE);
    wait->is_fd = target_field(target, kind, KIND_IS_FD);
    wait->fd = (int)wait->object;
    if (!target_text(target, target_field(target, kind, KIND_NAME), wait->kind, sizeof wait->kind))
        strcpy(wait->kind, "?");
    wait->has_object = wait->object && !wait->is_fd && !(owner_at && !name_at);
    if (name_at && wait->object)
        wait->has_name = target_text(target, target_pointer(target, wait->object + name_at),
                                     wait->name, sizeof wait->name);
    owner = owner_at && wait->object ? target_pointer(target, wait->object + owner_at) : 0;
    if (owner) wait->owner = target_field(target, owner, TASK_ID);
}

static void stack_take(struct target *target, struct task *task)
{
    uint64_t stack = target_field(target, task->address, TASK_STACK);

    task->sp = target_field(target, task->address, TASK_SP);
    task->stack_bottom = target_field(target, stack, STACK_BOTTOM);
    task->stack_top = stack + target->layout.at[STACK_BYTES];
    task->stack_used =
        task->stack_top - task->address + target_field(target, task->address, TASK_DEEPEST);
}

static bool counts_cpu(struct target *target, uint64_t loop)
{
    const bool *has = target->layout.has;
    uint64_t measure = has[LOOP_MEASURE] ? target_field(target, loop, LOOP_MEASURE) : 0;

    return measure && has[MEASURE_CPU] && has[TASK_CPU] &&
           target_field(target, measure, MEASURE_CPU);
}

static void task_take(struct target *target, struct task *task, uint64_t current)
{
    uint64_t scope = target_field(target, task->address, TASK_SCOPE);
    uint64_t waiter = target_field(target, task->address, TASK_WAITER);

    task->state = (uint32_t)target_field(target, task->address, TASK_STATE);
    task->is_running = task->address == current;
    task->is_service = target_field(target, task->address, TASK_SERVICE);
    if (target->layout.has[TASK_CPU]) task->cpu_ns = target_field(target, task->address, TASK_CPU);
    task->group = target_field(target, task->address, TASK_GROUP);
    task->spawned_at = target_field(target, task->address, TASK_SPAWNED_AT);
    task->has_name = target_text(target, target_field(target, task->address, TASK_NAME), task->name,
                                 sizeof task->name);
    task->due = target_signed(target, scope, SCOPE_DUE);
    task->owns_deadline = owns_deadline(target, task, scope);
    if (waiter) wait_take(target, waiter, &task->wait);
    cancel_find(target, scope, &task->cancel);
    stack_take(target, task);
}

/* A record that its slot leads to and that is one. */
static bool task_is_sound(struct target *target, uint64_t task, uint64_t id)
{
    uint64_t base = task + target->layout.at[TASK_BASE];

    return target_field(target, task, TASK_ID) == id && id &&
           target_field(target, base, SCOPE_TASK) == task;
}

/* ---- Reading ahead ---- */

struct ranges {
    struct range *all;
    size_t count;
};

static void range_add(struct ranges *ranges, uint64_t address, uint64_t size)
{
    ranges->all = grown(ranges->all, ranges->count, sizeof *ranges->all);
    ranges->all[ranges->count++] = (struct range){address, size};
}

static void ranges_fetch(struct ranges *ranges, struct target *target)
{
    blocks_fetch(&target->memory, ranges->all, ranges->count);
    free(ranges->all);
    *ranges = (struct ranges){0};
}

/* {task, id} of each slot that has one. */
static void slots_walk(struct target *target, uint64_t loop, struct runtime *runtime)
{
    const struct layout *layout = &target->layout;
    uint64_t chunks = target_field(target, loop, SLOTS_CHUNKS);
    uint64_t made = target_field(target, loop, SLOTS_MADE), in_chunk = layout->at[SLOTS_IN_CHUNK];

    if (made > MOST_SLOTS || !in_chunk) made = 0;
    for (uint64_t i = 0; i < made; i++) {
        uint64_t chunk = target_pointer(target, chunks + i / in_chunk * sizeof(uint64_t));
        uint64_t slot = chunk + i % in_chunk * layout->at[SLOT_BYTES];
        uint64_t task, id;

        if (!chunk) return;
        if (i % in_chunk == 0)
            blocks_fetch(&target->memory, &(struct range){chunk, in_chunk * layout->at[SLOT_BYTES]},
                         1);
        task = target_field(target, slot, SLOT_TASK);
        id = target_field(target, slot, SLOT_ID);
        if (!task || !id) continue;
        runtime->tasks = grown(runtime->tasks, runtime->task_count, sizeof *runtime->tasks);
        runtime->tasks[runtime->task_count++] = (struct task){.address = task, .id = id};
    }
}

/* Records first, and then, as they say, the part of each stack in which waits and scopes lie, and then
 * the objects that are waited for. */
static void tasks_fetch(struct target *target, const struct runtime *runtime, bool stacks)
{
    struct ranges ranges = {0};
    uint64_t most = stacks ? MOST_FRAMES : MOST_STACK;

    for (size_t i = 0; i < runtime->task_count; i++)
        range_add(&ranges, runtime->tasks[i].address, target->layout.at[TASK_BYTES]);
    ranges_fetch(&ranges, target);
    for (size_t i = 0; i < runtime->task_count; i++) {
        uint64_t task = runtime->tasks[i].address, sp = target_field(target, task, TASK_SP);

        if (sp < task) range_add(&ranges, sp, task - sp < most ? task - sp : most);
    }
    ranges_fetch(&ranges, target);
    for (size_t i = 0; i < runtime->task_count; i++) {
        uint64_t waiter = target_field(target, runtime->tasks[i].address, TASK_WAITER);
        uint64_t object = waiter ? target_field(target, waiter, WAITER_OBJECT) : 0;

        if (object > LEAST_ADDRESS) range_add(&ranges, object, OBJECT);
    }
    ranges_fetch(&ranges, target);
}

/* ---- A runtime ---- */

static int by_id(const void *a, const void *b)
{
    uint64_t left = ((const struct task *)a)->id, right = ((const struct task *)b)->id;

    return left < right ? -1 : left > right;
}

static const struct task *task_of(const struct runtime *runtime, uint64_t id)
{
    return bsearch(&(struct task){.id = id}, runtime->tasks, runtime->task_count,
                   sizeof(struct task), by_id);
}

static void tasks_take(struct target *target, struct runtime *runtime, uint64_t current)
{
    size_t sound = 0;

    if (runtime->task_count)
        qsort(runtime->tasks, runtime->task_count, sizeof *runtime->tasks, by_id);
    for (size_t i = 0; i < runtime->task_count; i++) {
        struct task *task = &runtime->tasks[sound];

        *task = runtime->tasks[i];
        if (!task_is_sound(target, task->address, task->id)) {
            runtime->torn++;
            continue;
        }
        task_take(target, task, current);
        groups_take(target, runtime, task);
        sound++;
    }
    runtime->task_count = sound;
}

static void thread_name(struct target *target, int thread, char *name, size_t size)
{
    char path[64];
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/task/%d/comm", (int)target->pid, thread);
    file = target->is_core ? NULL : fopen(path, "re");
    if (!file) return;
    if (!fgets(name, (int)size, file)) name[0] = '\0';
    fclose(file);
    name[strcspn(name, "\n")] = '\0';
    for (; *name; name++)
        if ((unsigned char)*name < ' ' || *name == 127) *name = '?';
}

static void head_copy(struct target *target, struct runtime *runtime, uint64_t loop)
{
    const struct layout *layout = &target->layout;

    runtime->has_head = layout->has[LOOP_THREAD] && layout->has[LOOP_BEGAN] &&
                        layout->has[LOOP_OUT] && layout->has[LOOP_WATCHES];
    if (!runtime->has_head) return;
    runtime->thread = (int)target_field(target, loop, LOOP_THREAD);
    runtime->up = runtime->now - target_signed(target, loop, LOOP_BEGAN);
    runtime->watches = target_field(target, loop, LOOP_WATCHES);
    runtime->out = (uint32_t)target_field(target, loop, LOOP_OUT);
    thread_name(target, runtime->thread, runtime->thread_name, sizeof runtime->thread_name);
}

/* What must be of one moment is read ahead. */
static void runtime_copy(struct target *target, struct runtime *runtime, uint64_t loop, bool stacks)
{
    *runtime = (struct runtime){.number = (uint32_t)target_field(target, loop, LOOP_NUMBER)};
    runtime->loop = loop;
    runtime->live = (uint32_t)target_field(target, loop, LOOP_LIVE);
    runtime->ready =
        (uint32_t)(target_field(target, loop, LOOP_TAIL) - target_field(target, loop, LOOP_HEAD));
    runtime->now = target_signed(target, loop, LOOP_NOW);
    runtime->counts_cpu = counts_cpu(target, loop);
    if (!target->is_core && !target_field(target, loop, LOOP_VIRTUAL)) runtime->now = clock_now();
    head_copy(target, runtime, loop);
    slots_walk(target, loop, runtime);
    tasks_fetch(target, runtime, stacks);
}

/* ---- All of them ---- */

struct loops {
    uint64_t all[MOST_RUNTIMES];
    size_t count;
};

static void loops_find(struct target *target, struct loops *loops)
{
    uint64_t ring = target->layout.runtimes, link = target_pointer(target, ring);

    loops->count = 0;
    while (link && link != ring && loops->count < MOST_RUNTIMES) {
        uint64_t loop = target_field(target, link - target->layout.at[RT_LINK], RT_LOOP);

        if (loop) loops->all[loops->count++] = loop;
        link = target_pointer(target, link);
    }
}

static void runtimes_copy(struct snapshot *snapshot, struct target *target,
                          const struct loops *loops, bool stacks)
{
    snapshot->runtimes = calloc(loops->count + 1, sizeof *snapshot->runtimes);
    if (!snapshot->runtimes) return;
    for (size_t i = 0; i < loops->count; i++)
        runtime_copy(target, &snapshot->runtimes[snapshot->count++], loops->all[i], stacks);
}

/* The loop's own context: what is current while no task runs. */
static uint64_t loop_itself(const struct target *target, uint64_t loop)
{
    return loop + target->layout.at[LOOP_ITSELF] - target->layout.at[TASK_STATE];
}

/* What changes whenever a runtime does something: false if one runs a task now. */
static bool loops_sum(struct target *target, const struct loops *loops, uint64_t *sum)
{
    static const enum field fields[] = {LOOP_HEAD, LOOP_TAIL, LOOP_NOW, LOOP_LIVE, SLOTS_MADE};

    *sum = loops->count;
    for (size_t i = 0; i < loops->count; i++) {
        uint64_t loop = loops->all[i];

        if (target_field(target, loop, LOOP_CURRENT) != loop_itself(target, loop)) return false;
        if (target_field(target, loop, LOOP_HEAD) != target_field(target, loop, LOOP_TAIL))
            return false;
        for (size_t f = 0; f < sizeof fields / sizeof *fields; f++)
            *sum = (*sum ^ target_field(target, loop, fields[f])) * UINT64_C(0x100000001b3);
    }
    return true;
}

static void copy(struct snapshot *snapshot, struct target *target, bool stacks, uint64_t *sum,
                 bool *idle)
{
    struct loops loops;

    blocks_forget(&target->memory);
    target->lost = 0;
    loops_find(target, &loops);
    *idle = loops_sum(target, &loops, sum);
    runtimes_copy(snapshot, target, &loops, stacks);
}

/* Did they all sleep from before the first byte was read until after the last? */
static bool copy_without_holding(struct snapshot *snapshot, struct target *target, bool stacks)
{
    struct loops loops;
    struct blocks taken;
    uint64_t before, after;
    bool idle, idle_after;

    copy(snapshot, target, stacks, &before, &idle);
    taken = target->memory;
    blocks_init(&target->memory, taken.read, taken.source);
    loops_find(target, &loops);
    idle_after = loops_sum(target, &loops, &after);
    blocks_forget(&target->memory);
    target->memory = taken;
    return idle && idle_after && before == after;
}

static bool copy_held(struct snapshot *snapshot, struct target *target, bool stacks)
{
    int64_t start = clock_now();
    uint64_t sum;
    bool idle;

    threads_free(&target->threads);
    if (!process_hold(target->pid, &target->threads)) return false;
    copy(snapshot, target, stacks, &sum, &idle);
    process_release(&target->threads);
    snapshot->held_ns = clock_now() - start;
    return true;
}

static void clear(struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->count; i++) {
        free(snapshot->runtimes[i].tasks);
        free(snapshot->runtimes[i].groups);
    }
    free(snapshot->runtimes);
    *snapshot = (struct snapshot){0};
}

static bool copy_process(struct snapshot *snapshot, struct target *target, bool stacks)
{
    for (int i = 0; i < TRIES; i++) {
        if (copy_without_holding(snapshot, target, stacks)) return true;
        clear(snapshot);
    }
    return copy_held(snapshot, target, stacks);
}

/* What was copied, understood. An owner is believed if it is one of the tasks. */
static void runtimes_take(struct snapshot *snapshot, struct target *target)
{
    for (size_t i = 0; i < snapshot->count; i++) {
        struct runtime *runtime = &snapshot->runtimes[i];

        tasks_take(target, runtime, target_field(target, runtime->loop, LOOP_CURRENT));
        for (size_t n = 0; n < runtime->task_count; n++) {
            struct task *task = &runtime->tasks[n];

            if (!task_of(runtime, task->wait.owner)) task->wait.owner = 0;
            image_place(target->image, task->spawned_at, task->place, sizeof task->place);
        }
    }
}

/* A process may be held in the middle of a spawn or of an end: then its counts are not those of its tasks. */
static bool runtime_adds_up(const struct runtime *runtime)
{
    uint64_t children = 0, listed = 0;

    for (size_t i = 0; i < runtime->group_count; i++)
        children += (uint64_t)runtime->groups[i].live + runtime->groups[i].services;
    for (size_t i = 0; i < runtime->task_count; i++) listed += runtime->tasks[i].group != 0;
    return !runtime->torn && runtime->live == runtime->task_count && children == listed;
}

static bool snapshot_adds_up(const struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->count; i++)
        if (!runtime_adds_up(&snapshot->runtimes[i])) return false;
    return true;
}

static bool snapshot_try(struct snapshot *snapshot, struct target *target, bool stacks)
{
    uint64_t sum;
    bool idle;

    *snapshot = (struct snapshot){0};
    if (target->is_core)
        copy(snapshot, target, stacks, &sum, &idle);
    else if (!copy_process(snapshot, target, stacks))
        return false;
    runtimes_take(snapshot, target);
    return true;
}

bool snapshot_take(struct snapshot *snapshot, struct target *target, bool stacks)
{
    int64_t start = clock_now();

    if (!snapshot_try(snapshot, target, stacks)) return false;
    for (int i = 1; i < TRIES && snapshot->held_ns && !snapshot_adds_up(snapshot); i++) {
        clear(snapshot);
        poll(NULL, 0, i); /* until it has gone on */
        if (!snapshot_try(snapshot, target, stacks)) return false;
    }
    snapshot->read_ns = clock_now() - start;
    if (!target->is_core && !process_open(target->pid)) {
        clear(snapshot);
        return false;
    }
    return true;
}

void snapshot_free(struct snapshot *snapshot)
{
    clear(snapshot);
}

const char *policy_name(const struct group *group)
{
    static const char *const names[] = {"fail-fast", "wait-all", "race"};

    return group->policy < sizeof names / sizeof *names ? names[group->policy] : "?";
}
