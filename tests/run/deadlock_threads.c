/* SPDX-License-Identifier: MIT */
/* Reports of several threads at one time. */
#include <pthread.h>
#include <string.h>

#include "faults.h"
#include "inside_help.h"

enum { THREADS = 4, TASKS = 12 };

static pthread_barrier_t all_report;

struct reporter {
    char name[32];
    int lines, own;
    pthread_t thread;
};

static int wait_for_it(void *name)
{
    nido_event event;

    nido_set_name("%p", (void *)&event); /* no two are alike */
    nido_event_init(&event, name);
    return nido_event_wait(&event);
}

static int deadlocked(void *arg)
{
    struct reporter *self = arg;
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < TASKS; i++) begin(&group, wait_for_it, self->name);
    return nido_group_close(&group, 0);
}

/* Everybody has made a report before anybody reads hers. */
static void read_report(void *ctx, const char *text)
{
    struct reporter *self = ctx;

    pthread_barrier_wait(&all_report);
    for (; (text = strchr(text, '\n')) != NULL; text++) self->lines++;
}

static void read_names(void *ctx, const char *text)
{
    struct reporter *self = ctx;

    for (const char *at = text; (at = strstr(at, self->name)) != NULL; at++) self->own++;
    read_report(ctx, text);
    for (const char *at = text; (at = strstr(at, self->name)) != NULL; at++) self->own++;
}

static void *run(void *arg)
{
    nido_options options;

    nido_options_init(&options);
    options.on_report = read_names;
    options.ctx = arg;
    cr_expect(eq(int, nido_run(deadlocked, arg, &options), -EDEADLK));
    return NULL;
}

NIDO_TEST(deadlock_threads, each_report_is_whole_and_of_its_own_thread)
{
    struct reporter all[THREADS] = {0};

    pthread_barrier_init(&all_report, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) snprintf(all[i].name, sizeof all[i].name, "of thread %d", i);
    for (int i = 0; i < THREADS; i++) pthread_create(&all[i].thread, NULL, run, &all[i]);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(all[i].thread, NULL);
        cr_expect(eq(int, all[i].own, 2 * (TASKS + 1)), "before and after the others' reports");
        cr_expect(eq(int, all[i].lines, TASKS + 4));
    }
}

static void keep_report(void *ctx, const char *text)
{
    snprintf(ctx, 256, "%s", text);
    faults_end();
}

static int deadlock_without_memory(void *unused)
{
    nido_event event;

    (void)unused;
    nido_event_init(&event, "never");
    faults_begin();
    faults_fail(FAULT_memory, FAULT_ALWAYS, 0);
    return nido_event_wait(&event);
}

NIDO_TEST(deadlock_threads, without_memory_the_report_says_that_much)
{
    char said[256] = "";
    nido_options options = nido_test_virtual();

    options.on_report = keep_report;
    options.ctx = said;
    cr_expect(eq(int, nido_run(deadlock_without_memory, NULL, &options), -EDEADLK));
    cr_expect(ne(ptr, strstr(said, "DEADLOCK: 1 task, and none can ever run again"), NULL), "%s",
              said);
}

/* ---- The last handle goes between the last look at it and the sleep ---- */

static struct nidoi_sys real_sys;
static nido_rt *last_handle;

/* The first poll is one of the spin, which comes before the sleep. */
static int poll_and_release(int set, backend_event *events, int n, int64_t ns)
{
    nido_rt *rt = last_handle;

    last_handle = NULL;
    nido_rt_release(rt);
    return real_sys.BACKEND_WAIT(set, events, n, ns < 0 ? NIDO_SEC(10) : ns);
}

static int wait_with_a_handle(void *unused)
{
    nido_event event;

    (void)unused;
    last_handle = nido_rt_self();
    real_sys = nidoi_sys;
    nidoi_sys.BACKEND_WAIT = poll_and_release;
    nido_event_init(&event, "nobody's");
    return nido_event_wait(&event);
}

static void note_report(void *ctx, const char *text)
{
    *(bool *)ctx = strstr(text, "DEADLOCK") != NULL;
}

NIDO_TEST(deadlock_threads, a_last_handle_released_just_before_the_sleep_is_noticed)
{
    int64_t begun = nidoi_sys_now();
    nido_options options;
    bool found = false;

    nido_options_init(&options);
    options.spin_ns = NIDO_MS(1);
    options.on_report = note_report;
    options.ctx = &found;
    cr_expect(eq(int, nido_run(wait_with_a_handle, NULL, &options), -EDEADLK));
    nidoi_sys = real_sys;
    cr_expect(found);
    cr_expect(lt(i64, nidoi_sys_now() - begun, NIDO_SEC(5)), "not slept over");
}
