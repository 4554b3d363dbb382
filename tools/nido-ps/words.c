/* SPDX-License-Identifier: MIT */
#include "words.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "peers.h"

void words_add(struct words *words, const char *format, ...)
{
    size_t left = sizeof words->text - words->used, before = words->used;
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(words->text + words->used, left, format, args);
    va_end(args);
    if (n > 0) words->used += (size_t)n < left ? (size_t)n : left - 1;
    for (size_t i = before; i < words->used; i++)
        if ((unsigned char)words->text[i] < 32 || words->text[i] == 127) words->text[i] = '?';
}

void words_seconds(struct words *words, int64_t ns)
{
    if (ns < 0) ns = 0;
    words_add(words, "%" PRId64 ".%" PRId64 " s", ns / 1000000000, ns % 1000000000 / 100000000);
}

int64_t waited(const struct runtime *runtime, const struct task *task)
{
    int64_t ns = task->wait.waits ? runtime->now - task->wait.since : 0;

    return ns > 0 ? ns : 0;
}

void words_state(struct words *words, const struct target *target, const struct task *task)
{
    const struct wait *wait = &task->wait;
    const char *peer;

    if (!wait->waits || task->is_running) {
        words_add(words, task->is_running ? "runs" : "is ready");
        return;
    }
    words_add(words, "waits for %s", wait->kind);
    if (wait->has_name)
        words_add(words, " \"%s\"", wait->name);
    else if (wait->is_fd)
        words_add(words, " %d", wait->fd);
    else if (wait->has_object)
        words_add(words, " 0x%" PRIx64, wait->object);
    if (wait->owner)
        words_add(words, "%s #%" PRIu64, wait->has_name || wait->has_object ? " of" : "",
                  wait->owner);
    peer = wait->is_fd && !target->is_core ? peers_find(target->pid, wait->fd) : NULL;
    if (peer) words_add(words, " (%s)", peer);
}

static void words_cancel(struct words *words, const struct cancel *cancel)
{
    if (!cancel->is_felt) {
        if (cancel->is_shielded) words_add(words, "  shielded from a cancel");
        return;
    }
    words_add(words, "  cancelled: %s", cancel->reason[0] ? cancel->reason : "no reason given");
    if (cancel->by) words_add(words, ", by #%" PRIu64, cancel->by);
    if (cancel->by && cancel->by_name[0]) words_add(words, " \"%s\"", cancel->by_name);
}

static void words_deadline(struct words *words, const struct runtime *runtime,
                           const struct task *task)
{
    if (task->due == INT64_MAX || task->cancel.is_felt) return;
    words_add(words, "  deadline in ");
    words_seconds(words, task->due - runtime->now);
    if (!task->owns_deadline) words_add(words, " (inherited)");
}

static void words_cpu(struct words *words, const struct task *task)
{
    words_add(words, "  cpu %" PRIu64 ".%" PRIu64 " ms", task->cpu_ns / 1000000,
              task->cpu_ns % 1000000 / 100000);
}

void words_task(struct words *words, const struct target *target, const struct runtime *runtime,
                const struct task *task)
{
    words_add(words, "#%" PRIu64 " \"%s\"%s  ", task->id, task->name,
              task->is_service ? "  service" : "");
    words_state(words, target, task);
    if (task->wait.waits && !task->is_running) {
        words_add(words, ", ");
        words_seconds(words, waited(runtime, task));
    }
    words_deadline(words, runtime, task);
    words_cancel(words, &task->cancel);
    if (runtime->counts_cpu) words_cpu(words, task);
    words_add(words, "  stack %" PRIu64 " of %" PRIu64 " KiB  spawned at %s",
              (task->stack_used + 1023) / 1024, (task->stack_top - task->stack_bottom) / 1024,
              task->place);
}

void words_group(struct words *words, const struct group *group)
{
    words_add(words, "group \"%s\"  %s  %u %s", group->name, policy_name(group), group->live,
              group->live == 1 ? "child" : "children");
    if (group->limit) words_add(words, " of at most %u", group->limit);
    if (group->services)
        words_add(words, "  %u %s", group->services, group->services == 1 ? "service" : "services");
    if (group->failure) words_add(words, "  failed: %s", strerror(-group->failure));
    if (group->winner) words_add(words, "  won by #%" PRIu64, group->winner);
    words_cancel(words, &group->cancel);
}
