/* SPDX-License-Identifier: MIT */
#include "watch.h"

#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "failure.h"
#include "list.h"
#include "peers.h"
#include "process.h"

enum { LEAST_LINES = 5 };

static void screen_size(int *lines, int *columns)
{
    struct winsize size;

    *lines = *columns = 0;
    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size)) return;
    *lines = size.ws_row > LEAST_LINES ? size.ws_row : LEAST_LINES;
    *columns = size.ws_col;
}

static void print_head(const struct target *target, const struct snapshot *snapshot, double cpu)
{
    size_t tasks = 0, parked = 0;

    for (size_t r = 0; r < snapshot->count; r++) {
        tasks += snapshot->runtimes[r].task_count;
        for (size_t i = 0; i < snapshot->runtimes[r].task_count; i++)
            parked += snapshot->runtimes[r].tasks[i].wait.waits;
    }
    printf("nido %s  %s  processor %.0f %%  %zu %s, %zu parked  ", target->layout.library,
           target->name, cpu, tasks, tasks == 1 ? "task" : "tasks", parked);
    if (snapshot->held_ns)
        printf("held for %.1f ms\n", (double)snapshot->held_ns / 1e6);
    else
        printf("not held\n");
}

static void draw(struct target *target, const struct snapshot *snapshot, double cpu,
                 enum list_order order, bool stacks)
{
    int lines, columns, left;

    screen_size(&lines, &columns);
    if (lines) fputs("\033[H\033[J", stdout);
    print_head(target, snapshot, cpu);
    left = lines - 2;
    for (size_t i = 0; i < snapshot->count && (!lines || left > 2); i++) {
        const struct runtime *runtime = &snapshot->runtimes[i];

        if (snapshot->count > 1) printf("runtime %u\n", runtime->number);
        list_print(stdout, target, runtime, order, stacks, lines ? left - 2 : 0, columns);
        left -= (int)runtime->task_count + 2;
    }
    fflush(stdout);
}

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Processor time of the process since the last time it was asked, in percent of one processor. */
static double percent(pid_t pid)
{
    static int64_t last_cpu, last_time;
    int64_t cpu = process_cpu(pid), time = now_ns();
    double used = last_time && time > last_time
                      ? 100.0 * (double)(cpu - last_cpu) / (double)(time - last_time)
                      : 0;

    last_cpu = cpu;
    last_time = time;
    return used;
}

bool watch(struct target *target, int count, int interval_ms, enum list_order order, bool stacks)
{
    for (int n = 0; !count || n < count; n++) {
        struct snapshot snapshot;

        if (n) poll(NULL, 0, interval_ms);
        peers_forget();
        if (!snapshot_take(&snapshot, target, stacks)) return false;
        draw(target, &snapshot, percent(target->pid), order, stacks);
        snapshot_free(&snapshot);
        if (ferror(stdout)) return fail("the output takes no more");
    }
    return true;
}
