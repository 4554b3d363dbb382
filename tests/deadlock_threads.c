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
        cr_expect(eq(int, all[i].own, 2 * TASKS), "before and after the others' reports");
        cr_expect(eq(int, all[i].lines, TASKS + 2));
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
    cr_expect(ne(ptr, strstr(said, "DEADLOCK: 1 tasks, and none can ever run again"), NULL), "%s",
              said);
}
