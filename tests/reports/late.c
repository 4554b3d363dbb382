/* SPDX-License-Identifier: MIT */
/* Tasks that go on after their cancel: each in a process of its own, for checks/reports, which compares what
 * it prints. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "coro/runtime/loop.h"
#include "nido.h"

/* Shown by name. */
#define SHOWN __attribute__((noinline, visibility("default")))

SHOWN int flushes(void *unused);
SHOWN int flushes_for_a_while(void *unused);
SHOWN int ignores(void *unused);
SHOWN int blocks(void *unused);
SHOWN int holds_between_calls(void *unused);
SHOWN int holds_to_its_end(void *unused);
SHOWN int cancels(void *fn);

enum { QUIET_MS = 300, LIMIT_MS = 50 }; /* where nothing is to be reported; where something is */

static volatile int told; /* all goes on until the report has come */
static int begun;         /* atomic: the job has */

/* ---- What goes on ---- */

int flushes(void *unused)
{
    nido_scope shield;

    (void)unused;
    nido_sleep(NIDO_SEC(100));
    nido_shield_open(&shield, NIDO_NEVER);
    while (!told) nido_sleep(NIDO_MS(100));
    return nido_scope_close(&shield, 0);
}

int flushes_for_a_while(void *unused)
{
    nido_scope shield;

    (void)unused;
    nido_sleep(NIDO_SEC(100));
    nido_shield_open(&shield, NIDO_SEC(100));
    while (!told) nido_sleep(NIDO_MS(100));
    return nido_scope_close(&shield, 0);
}

int ignores(void *unused)
{
    (void)unused;
    nido_sleep(NIDO_SEC(100));
    while (!told) {
        const struct timespec moment = {.tv_nsec = 100000};

        if (nido_sleep(NIDO_SEC(100)) == 0) abort();
        nanosleep(&moment, NULL);
    }
    return -ECANCELED;
}

static ssize_t job(void *unused)
{
    const struct timespec moment = {.tv_nsec = 10000000};

    (void)unused;
    __atomic_store_n(&begun, 1, __ATOMIC_RELAXED);
    while (!told) nanosleep(&moment, NULL);
    return 0;
}

int blocks(void *unused)
{
    return (int)nido_offload(job, unused);
}

/* Holds the loop until the watchdog wants it to look for what is late. */
static void hold(void)
{
    const struct timespec moment = {.tv_nsec = NIDO_MS(1)}, limit = {.tv_nsec = NIDO_MS(LIMIT_MS)};
    struct nidoi_loop *loop = nidoi_loop_self();

    nanosleep(&limit, NULL);
    while (!nidoi_loop_posted(loop)) nanosleep(&moment, NULL);
}

int holds_between_calls(void *unused)
{
    (void)unused;
    nido_sleep(NIDO_SEC(100));
    hold();
    nido_sleep(NIDO_SEC(100));
    puts(told ? "told at its call" : "not told at its call");
    return -ECANCELED;
}

int holds_to_its_end(void *unused)
{
    (void)unused;
    nido_sleep(NIDO_SEC(100));
    hold();
    return -ECANCELED;
}

static int behaves(void *unused)
{
    (void)unused;
    return nido_sleep(NIDO_SEC(100));
}

/* ---- Runs ---- */

int cancels(void *fn)
{
    nido_spawn_options options;
    nido_group group;

    nido_spawn_options_init(&options);
    options.name = "printer";
    nido_set_name("office");
    nido_group_open(&group, NIDO_WAIT_ALL, "tasks");
    if (nido_spawn_with(&group, *(nido_fn **)fn, NULL, &options, NULL)) abort();
    do nido_sleep(NIDO_MS(5));
    while (*(nido_fn **)fn == blocks && !__atomic_load_n(&begun, __ATOMIC_RELAXED));
    nido_group_cancel(&group, 0, "out of paper");
    return nido_group_close(&group, 0);
}

static void report(void *ctx, const char *text)
{
    printf("%s%s", (const char *)ctx, text);
    if (strstr(text, "nido: LATE: ")) told = 1;
}

static int flushes_shortly(void *unused)
{
    nido_scope shield;

    (void)unused;
    nido_sleep(NIDO_SEC(100));
    nido_shield_open(&shield, NIDO_NEVER);
    return nido_scope_close(&shield, nido_sleep(NIDO_MS(QUIET_MS)));
}

static int run(nido_fn *fn, int64_t limit, enum nido_clock clock, const char *prefix)
{
    nido_options options;

    nido_options_init(&options);
    options.late_ns = limit;
    options.clock = clock;
    options.on_report = report;
    options.ctx = (void *)prefix;
    return nido_run(cancels, &fn, &options);
}

static int sleeps(void *unused)
{
    nido_sleep(NIDO_MS(QUIET_MS));
    return cancels(unused);
}

static int run_after_a_pause(nido_fn *fn)
{
    nido_options options;

    nido_options_init(&options);
    options.late_ns = NIDO_MS(LIMIT_MS);
    return nido_run(sleeps, &fn, &options);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    int64_t limit = NIDO_MS(LIMIT_MS);

    alarm(60);
    setvbuf(stdout, NULL, _IONBF, 0);
    if (!strcmp(what, "shielded")) return run(flushes, limit, NIDO_CLOCK_REAL, "");
    if (!strcmp(what, "bounded")) return run(flushes_for_a_while, limit, NIDO_CLOCK_REAL, "");
    if (!strcmp(what, "ignores")) return run(ignores, limit, NIDO_CLOCK_REAL, "");
    if (!strcmp(what, "blocks")) return run(blocks, limit, NIDO_CLOCK_REAL, "");
    if (!strcmp(what, "calls")) return run(holds_between_calls, limit, NIDO_CLOCK_REAL, "");
    if (!strcmp(what, "end")) return run(holds_to_its_end, limit, NIDO_CLOCK_REAL, "");
    if (!strcmp(what, "callback")) return run(flushes, limit, NIDO_CLOCK_REAL, "on_report: ");
    if (!strcmp(what, "behaves")) return run_after_a_pause(behaves);
    if (!strcmp(what, "virtual")) return run(flushes_shortly, limit, NIDO_CLOCK_VIRTUAL, "");
    if (!strcmp(what, "not-asked")) return run(flushes_shortly, 0, NIDO_CLOCK_REAL, "");
    return 2;
}
