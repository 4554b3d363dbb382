/* SPDX-License-Identifier: MIT */
#include "json.h"

#include <jansson.h>
#include <string.h>

#include "peers.h"
#include "stacks.h"

/* Jansson takes no bytes that are no UTF-8: they become U+FFFD one by one. */
static json_t *text(const char *bytes)
{
    char clean[1024];
    size_t used = 0;
    json_t *whole = json_string(bytes);

    if (whole) return whole;
    for (; *bytes && used + 4 < sizeof clean; bytes++) {
        if ((unsigned char)*bytes < 128)
            clean[used++] = *bytes;
        else
            used += (size_t)(memcpy(clean + used, "\xef\xbf\xbd", 3), 3);
    }
    clean[used] = '\0';
    return json_string(clean);
}

static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *cancel_json(const struct cancel *cancel)
{
    json_t *object =
        json_pack("{s:i, s:o}", "code", (int)cancel->code, "reason", text(cancel->reason));

    if (cancel->by) json_object_set_new(object, "by", number(cancel->by));
    return object;
}

static void add_cancel(json_t *object, const struct cancel *cancel)
{
    if (cancel->is_felt)
        json_object_set_new(object, "cancelled", cancel_json(cancel));
    else if (cancel->is_shielded)
        json_object_set_new(object, "shielded", json_true());
}

static json_t *wait_json(const struct target *target, const struct runtime *runtime,
                         const struct wait *wait)
{
    json_t *object = json_pack("{s:o}", "kind", text(wait->kind));
    const char *peer = wait->is_fd && !target->is_core ? peers_find(target->pid, wait->fd) : NULL;

    if (wait->is_fd) json_object_set_new(object, "fd", json_integer(wait->fd));
    if (peer) json_object_set_new(object, "peer", text(peer));
    if (wait->has_name) json_object_set_new(object, "object", text(wait->name));
    if (wait->owner) json_object_set_new(object, "owner", number(wait->owner));
    json_object_set_new(object, "for_ns", json_integer(runtime->now - wait->since));
    return object;
}

static json_t *frame_json(const struct frame *frame)
{
    const struct image_symbol *symbol = &frame->symbol;
    json_t *object = json_pack("{s:o}", "address", number(frame->address));

    if (symbol->function[0]) {
        json_object_set_new(object, "function", text(symbol->function));
        json_object_set_new(object, "offset", number(symbol->offset));
    }
    if (symbol->object[0]) {
        json_object_set_new(object, "object", text(symbol->object));
        json_object_set_new(object, "object_offset", number(symbol->object_offset));
    }
    if (symbol->file[0]) {
        json_object_set_new(object, "file", text(symbol->file));
        json_object_set_new(object, "line", json_integer(symbol->line));
    }
    return object;
}

static json_t *stack_json(struct target *target, const struct task *task, bool stacks)
{
    static struct stack stack;
    json_t *object = json_pack("{s:o, s:o}", "used", number(task->stack_used), "size",
                               number(task->stack_top - task->stack_bottom));
    json_t *frames;

    if (!stacks) return object;
    frames = json_array();
    stack_of(&stack, target, task);
    for (size_t i = 0; i < stack.count; i++)
        json_array_append_new(frames, frame_json(&stack.frames[i]));
    json_object_set_new(object, "frames", frames);
    return object;
}

static const char *state_name(const struct task *task)
{
    return task->is_running ? "running" : task->wait.waits ? "parked" : "ready";
}

static void add_deadline(json_t *object, const struct runtime *runtime, const struct task *task)
{
    int64_t left = task->due - runtime->now;

    if (task->due == INT64_MAX || task->cancel.is_felt) return;
    json_object_set_new(object, "deadline",
                        json_pack("{s:I, s:b}", "in_ns", (json_int_t)(left > 0 ? left : 0), "own",
                                  task->owns_deadline));
}

static json_t *task_json(struct target *target, const struct runtime *runtime,
                         const struct task *task, bool stacks)
{
    json_t *object =
        json_pack("{s:o, s:o, s:o, s:s, s:b}", "id", number(task->id), "name", text(task->name),
                  "group", task->group ? number(task->group) : json_null(), "state",
                  state_name(task), "service", task->is_service);

    if (task->wait.waits && !task->is_running)
        json_object_set_new(object, "wait", wait_json(target, runtime, &task->wait));
    add_deadline(object, runtime, task);
    add_cancel(object, &task->cancel);
    if (runtime->counts_cpu) json_object_set_new(object, "cpu_ns", number(task->cpu_ns));
    json_object_set_new(object, "stack", stack_json(target, task, stacks));
    json_object_set_new(object, "spawned_at", text(task->place));
    return object;
}

static json_t *group_json(const struct group *group)
{
    json_t *object = json_pack("{s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:i}", "number",
                               number(group->address), "opened_by", number(group->opened_by),
                               "name", text(group->name), "policy", policy_name(group), "children",
                               number(group->live), "services", number(group->services), "limit",
                               number(group->limit), "failure", (int)group->failure);

    add_cancel(object, &group->cancel);
    return object;
}

static void add_head(json_t *object, const struct runtime *runtime)
{
    json_object_set_new(object, "up_ns", json_integer(runtime->up));
    json_object_set_new(object, "thread", json_integer(runtime->thread));
    json_object_set_new(object, "thread_name", text(runtime->thread_name));
    json_object_set_new(object, "watches", number(runtime->watches));
    json_object_set_new(object, "out", number(runtime->out));
}

bool json_print(FILE *file, struct target *target, const struct runtime *runtime, bool stacks)
{
    json_t *groups = json_array(), *tasks = json_array();
    json_t *object;
    bool printed;

    for (size_t i = 0; i < runtime->group_count; i++)
        json_array_append_new(groups, group_json(&runtime->groups[i]));
    for (size_t i = 0; i < runtime->task_count; i++)
        json_array_append_new(tasks, task_json(target, runtime, &runtime->tasks[i], stacks));
    object = json_pack("{s:s, s:o, s:I, s:o, s:o}", "nido", target->layout.library, "runtime",
                       number(runtime->number), "now_ns", (json_int_t)runtime->now, "groups",
                       groups, "tasks", tasks);
    if (runtime->has_head) add_head(object, runtime);
    printed = object && !json_dumpf(object, file, JSON_COMPACT) && fputc('\n', file) != EOF;
    json_decref(object);
    return printed;
}
