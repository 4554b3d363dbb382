/* SPDX-License-Identifier: MIT */
/* Tasks that hold their loop: each in a process of its own, for checks/reports, which compares what it
 * prints. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "nido.h"

/* Shown by name. */
#define SHOWN __attribute__((noinline, visibility("default")))

SHOWN int scale(void *unused);
SHOWN int thumbnailer(void *unused);
SHOWN int holds(void *fn);

enum { QUIET_MS = 300 }; /* where nothing is to be reported */

static volatile int stop, count;
static int own_stderr, ends[2], told_by = -1;
static int others = 3; /* tasks beside the holder */
static nido_fn *other;

static void pause_ms(int ms)
{
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

    if (nanosleep(&time, NULL)) puts("a signal has ended the pause");
}

/* The loop is held until the report has come, however long that takes on a busy machine: what goes to stderr
 * passes by here. */
static void *pass_on(void *unused)
{
    static char text[16384];
    ssize_t n;

    (void)unused;
    while ((n = read(ends[0], text, sizeof text - 1)) > 0) {
        text[n] = '\0';
        if (write(own_stderr, text, (size_t)n) != n) abort();
        if (!strstr(text, "nido: STALL: ")) continue;
        stop = 1;
        if (told_by >= 0 && write(told_by, "x", 1) != 1) abort();
    }
    return NULL;
}

static pthread_t watch_stderr(void)
{
    pthread_t thread;

    own_stderr = dup(STDERR_FILENO);
    if (own_stderr < 0 || pipe(ends) || dup2(ends[1], STDERR_FILENO) < 0) abort();
    close(ends[1]);
    pthread_create(&thread, NULL, pass_on, NULL);
    return thread;
}

/* ---- What holds the loop ---- */

int scale(void *unused)
{
    (void)unused;
    while (!stop) count = count + 1;
    return 0;
}

int thumbnailer(void *unused)
{
    return scale(unused);
}

static int computes_for_a_while(void *unused)
{
    int64_t end = nido_now() + NIDO_MS(QUIET_MS);
    struct timespec now;

    (void)unused;
    do clock_gettime(CLOCK_MONOTONIC, &now);
    while (now.tv_sec * NIDO_SEC(1) + now.tv_nsec < end && !stop);
    return 0;
}

static int reads(void *unused)
{
    int own[2];
    char byte;

    (void)unused;
    if (pipe(own)) return -1;
    told_by = own[1];
    printf("read %d\n", (int)read(own[0], &byte, 1));
    return 0;
}

static int sleeps(void *unused)
{
    (void)unused;
    do pause_ms(QUIET_MS);
    while (!stop);
    return 0;
}

static int blocks_signals(void *unused)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    thumbnailer(unused);
    sigemptyset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    return 0;
}

static void own_handler(int number)
{
    (void)number;
    puts("the program's own handler");
}

static int handles_all(void *unused)
{
    for (int number = SIGRTMIN; number <= SIGRTMAX; number++) signal(number, own_handler);
    return thumbnailer(unused);
}

static int posts(void *unused)
{
    nido_rt *rt = nido_rt_self();

    (void)unused;
    nido_post(rt, thumbnailer, NULL);
    nido_rt_release(rt);
    return nido_sleep(NIDO_MS(1));
}

static int sleeps_then_holds(void *unused)
{
    nido_sleep(NIDO_MS(5));
    return thumbnailer(unused);
}

static int holds_then_yields(void *unused)
{
    thumbnailer(unused);
    return nido_yield();
}

static int behaves(void *unused)
{
    int64_t end = nido_after(NIDO_MS(QUIET_MS));

    (void)unused;
    while (nido_now() < end) nido_yield();
    return nido_sleep(NIDO_MS(QUIET_MS));
}

/* ---- Runs ---- */

static int waits_ready(void *unused)
{
    (void)unused;
    return nido_yield();
}

static int waits_for_a_while(void *unused)
{
    (void)unused;
    return nido_sleep(NIDO_MS(20));
}

static int holds_for_a_request(void *unused)
{
    static const nido_value_key request = NIDO_VALUE_KEY_INIT("request", NIDO_VALUE_TEXT);
    static const nido_value_key user = NIDO_VALUE_KEY_INIT("user", 0);
    nido_value values[2];

    nido_value_open(&values[0], &user, unused);
    nido_value_open(&values[1], &request, "42f1");
    thumbnailer(unused);
    nido_value_close(&values[1]);
    return nido_value_close(&values[0]);
}

int holds(void *fn)
{
    nido_spawn_options options;
    nido_group group;
    int rc;

    nido_spawn_options_init(&options);
    options.name = "holder";
    nido_group_open(&group, NIDO_FAIL_FAST, "tasks");
    rc = nido_spawn_with(&group, *(nido_fn **)fn, NULL, &options, NULL);
    for (int i = 0; i < others && !rc; i++)
        rc = nido_spawn(&group, other ? other : waits_ready, NULL);
    return nido_group_close(&group, rc);
}

static void report(void *ctx, const char *text)
{
    (void)ctx;
    printf("on_report: %s", text);
}

static int run(nido_fn *fn, int64_t limit, enum nido_clock clock, bool with_callback)
{
    nido_options options;

    nido_options_init(&options);
    options.stall_ns = limit;
    options.clock = clock;
    if (with_callback) options.on_report = report;
    return nido_run(holds, &fn, &options);
}

/* With so many tasks beside it, which sleep. */
static int run_beside(int sleepers, nido_fn *fn)
{
    others = sleepers;
    other = waits_for_a_while;
    return run(fn, NIDO_MS(50), NIDO_CLOCK_REAL, false);
}

/* Less than a report needs. How large; 0: the system takes none so small. */
static size_t lend_small_stack(void)
{
    static char stack[64 << 10];
    const stack_t own = {.ss_sp = stack + sizeof stack - 4096, .ss_size = 4096};

    return sigaltstack(&own, NULL) ? 0 : own.ss_size;
}

static int keeps_small_stack(void)
{
    size_t lent = lend_small_stack();
    stack_t now;

    run(thumbnailer, NIDO_MS(50), NIDO_CLOCK_REAL, false);
    sigaltstack(NULL, &now);
    return lent && now.ss_size != lent;
}

static void step_with_pauses(nido_fn *fn)
{
    nido_options options;
    nido_rt *rt;

    nido_options_init(&options);
    options.stall_ns = NIDO_MS(50);
    if (nido_rt_new(&options, &rt)) exit(2);
    pause_ms(QUIET_MS);
    if (nido_rt_start(rt, holds, &fn)) exit(2);
    pause_ms(QUIET_MS);
    while (nido_rt_step(rt) == 1) pause_ms(QUIET_MS);
    nido_rt_free(rt);
}

static int last_signal(void)
{
    struct sigaction now;

    for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
        if (sigaction(number, NULL, &now) || now.sa_handler != SIG_DFL) return number;
    return 0;
}

static int run_case(const char *what)
{
    int64_t limit = NIDO_MS(50);

    if (!strcmp(what, "computes")) return run(thumbnailer, limit, NIDO_CLOCK_REAL, false);
    if (!strcmp(what, "by-environment")) return run(thumbnailer, 0, NIDO_CLOCK_REAL, false);
    if (!strcmp(what, "request")) return run(holds_for_a_request, limit, NIDO_CLOCK_REAL, false);
    if (!strcmp(what, "reads")) return run(reads, limit, NIDO_CLOCK_REAL, false);
    if (!strcmp(what, "sleeps")) return run(sleeps, limit, NIDO_CLOCK_REAL, false);
    if (!strcmp(what, "posts")) return run(posts, limit, NIDO_CLOCK_REAL, false);
    if (!strcmp(what, "sleeper")) return run_beside(1, sleeps_then_holds);
    if (!strcmp(what, "alone")) return run_beside(0, holds_then_yields);
    if (!strcmp(what, "small-alternate")) return keeps_small_stack();
    if (!strcmp(what, "behaves")) return run(behaves, limit, NIDO_CLOCK_REAL, false);
    if (!strcmp(what, "virtual"))
        return run(computes_for_a_while, limit, NIDO_CLOCK_VIRTUAL, false);
    if (!strcmp(what, "not-asked")) return run(computes_for_a_while, 0, NIDO_CLOCK_REAL, false);
    if (!strcmp(what, "never"))
        return run(computes_for_a_while, NIDO_NEVER, NIDO_CLOCK_REAL, false);
    if (!strcmp(what, "callback")) return run(thumbnailer, limit, NIDO_CLOCK_REAL, true);
    if (!strcmp(what, "steps")) return step_with_pauses(thumbnailer), 0;
    if (!strcmp(what, "pauses")) return step_with_pauses(waits_ready), 0;
    if (!strcmp(what, "blocks-signals"))
        return run(blocks_signals, limit, NIDO_CLOCK_REAL, false), 0;
    if (!strcmp(what, "handles-all")) return run(handles_all, limit, NIDO_CLOCK_REAL, false);
    if (!strcmp(what, "after"))
        return run(thumbnailer, limit, NIDO_CLOCK_REAL, true), last_signal();
    return 2;
}

int main(int argc, char **argv)
{
    pthread_t thread = watch_stderr();
    int rc;

    alarm(60);
    setvbuf(stdout, NULL, _IONBF, 0);
    rc = run_case(argc > 1 ? argv[1] : "");
    close(STDERR_FILENO);
    pthread_join(thread, NULL);
    return rc;
}
