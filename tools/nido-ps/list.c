/* SPDX-License-Identifier: MIT */
#include "list.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tree.h"
#include "words.h"

static const struct runtime *sorted_runtime;

static int by_wait(const void *a, const void *b)
{
    int64_t left = waited(sorted_runtime, a), right = waited(sorted_runtime, b);

    return left > right ? -1 : left < right;
}

static int by_cpu(const void *a, const void *b)
{
    uint64_t left = ((const struct task *)a)->cpu_ns, right = ((const struct task *)b)->cpu_ns;

    return left > right ? -1 : left < right;
}

static int by_stack(const void *a, const void *b)
{
    uint64_t left = ((const struct task *)a)->stack_used,
             right = ((const struct task *)b)->stack_used;

    return left > right ? -1 : left < right;
}

/* Tasks are by id as they come. */
static void sort(struct task *tasks, const struct runtime *runtime, enum list_order order)
{
    static int (*const compare[])(const void *a, const void *b) = {
        [BY_ID] = NULL, [BY_WAIT] = by_wait, [BY_CPU] = by_cpu, [BY_STACK] = by_stack};

    sorted_runtime = runtime;
    if (compare[order]) qsort(tasks, runtime->task_count, sizeof *tasks, compare[order]);
}

static void print_line(FILE *file, const char *line, int width)
{
    if (width > 0)
        fprintf(file, "%.*s\n", width, line);
    else
        fprintf(file, "%s\n", line);
}

static void words_column(struct words *line, const struct words *column, int width)
{
    words_add(line, "%-*s  ", width, column->text);
}

static void task_line(FILE *file, const struct target *target, const struct runtime *runtime,
                      const struct task *task, int width)
{
    struct words line = {.used = 0}, state = {.used = 0}, time = {.used = 0}, due = {.used = 0};
    const char *text;

    words_state(&state, target, task);
    text = strncmp(state.text, "waits for ", 10) ? state.text : state.text + 10;
    if (task->wait.waits) words_seconds(&time, waited(runtime, task));
    if (task->cancel.is_felt)
        words_add(&due, "cancelled");
    else if (task->due != INT64_MAX)
        words_seconds(&due, task->due - runtime->now);
    words_add(&line, "%6" PRIu64 "  %-16s  %-44s  ", task->id, task->name, text);
    words_add(&line, "%9s  ", time.text);
    words_column(&line, &due, 9);
    if (runtime->counts_cpu) words_add(&line, "%8.1f ms  ", (double)task->cpu_ns / 1e6);
    words_add(&line, "%4" PRIu64 " KiB  %s", (task->stack_used + 1023) / 1024, task->place);
    print_line(file, line.text, width);
}

void list_print(FILE *file, struct target *target, const struct runtime *runtime,
                enum list_order order, bool stacks, int most, int width)
{
    struct task *tasks = malloc((runtime->task_count + 1) * sizeof *tasks);
    struct words head = {.used = 0};

    if (!tasks) return;
    if (runtime->task_count) memcpy(tasks, runtime->tasks, runtime->task_count * sizeof *tasks);
    sort(tasks, runtime, order);
    words_add(&head, "%6s  %-16s  %-44s  %9s  %-9s  ", "ID", "NAME", "WAITS FOR", "SINCE",
              "DEADLINE");
    if (runtime->counts_cpu) words_add(&head, "%11s  ", "CPU");
    words_add(&head, "%8s  %s", "STACK", "SPAWNED AT");
    print_line(file, head.text, width);
    for (size_t i = 0; i < runtime->task_count && (!most || (int)i < most); i++) {
        task_line(file, target, runtime, &tasks[i], width);
        if (stacks) frames_print(file, "    ", target, &tasks[i]);
    }
    free(tasks);
}
