/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
/* The dump that other threads and signal handlers ask for. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "nido/debug.h"
#include "nido_test.h"

enum { ROOM = 1 << 20 };

/* A run that waits until it is told to end. */
struct waiter {
    pthread_t thread;
    nido_rt *rt;
    nido_event end;
};

static char said[ROOM];
static sem_t begun;

static int waits_for_the_end(void *arg)
{
    struct waiter *waiter = arg;

    nido_set_name("waiter");
    nido_event_init(&waiter->end, "end");
    waiter->rt = nido_rt_self();
    sem_post(&begun);
    return nido_event_wait(&waiter->end);
}

static void *run(void *waiter)
{
    cr_expect(zero(int, nido_run(waits_for_the_end, waiter, NULL)));
    return NULL;
}

static void begin(struct waiter *waiter)
{
    cr_assert(zero(int, pthread_create(&waiter->thread, NULL, run, waiter)));
    sem_wait(&begun);
}

static int set(void *event)
{
    return nido_event_set(event);
}

/* What was asked of it before comes first. */
static void end(struct waiter *waiter)
{
    cr_expect(zero(int, nido_post(waiter->rt, set, &waiter->end)));
    pthread_join(waiter->thread, NULL);
}

/* What is printed on stderr while `fn` runs; it must fit into a pipe. */
static void listen_to(void (*fn)(void))
{
    int ends[2], kept = dup(2);
    ssize_t n;

    cr_assert(zero(int, pipe(ends)));
    dup2(ends[1], 2);
    close(ends[1]);
    fn();
    dup2(kept, 2);
    close(kept);
    n = read(ends[0], said, sizeof said - 1);
    close(ends[0]);
    said[n > 0 ? n : 0] = '\0';
}

static int count(const char *words)
{
    int n = 0;

    for (const char *at = said; (at = strstr(at, words)) != NULL; at++) n++;
    return n;
}

static void ask_from_another_thread(void)
{
    struct waiter waiter;

    begin(&waiter);
    cr_expect(zero(int, nido_dump_request(waiter.rt)));
    end(&waiter);
    cr_expect(eq(int, nido_dump_request(waiter.rt), -ESHUTDOWN));
    nido_rt_release(waiter.rt);
}

NIDO_TEST(dump_request, another_thread_may_ask)
{
    sem_init(&begun, 0, 0);
    listen_to(ask_from_another_thread);
    cr_expect(eq(int, count("nido: runtime "), 1), "%s", said);
    cr_expect(eq(int, count("\"waiter\"  waits for event"), 1), "%s", said);
}

static nido_rt *remote;

static void ask(int number)
{
    (void)number;
    nido_dump_request(remote);
}

static int raises(void *unused)
{
    (void)unused;
    remote = nido_rt_self();
    signal(SIGUSR1, ask);
    raise(SIGUSR1);
    raise(SIGUSR1);
    nido_rt_release(remote);
    return nido_sleep(NIDO_MS(1));
}

static void ask_from_a_handler(void)
{
    cr_expect(zero(int, nido_run(raises, NULL, NULL)));
}

NIDO_TEST(dump_request, a_signal_handler_may_ask_and_gets_one_answer)
{
    sem_init(&begun, 0, 0);
    listen_to(ask_from_a_handler);
    cr_expect(eq(int, count("nido: runtime "), 1), "%s", said);
}

static void ask_all(void)
{
    struct waiter waiters[3];

    for (int i = 0; i < 3; i++) begin(&waiters[i]);
    cr_expect(zero(int, nido_dump_request(NULL)));
    for (int i = 0; i < 3; i++) end(&waiters[i]);
    for (int i = 0; i < 3; i++) nido_rt_release(waiters[i].rt);
}

NIDO_TEST(dump_request, every_runtime_of_the_process_may_be_asked)
{
    sem_init(&begun, 0, 0);
    listen_to(ask_all);
    cr_expect(eq(int, count("nido: runtime "), 3), "%s", said);
    cr_expect(eq(int, count("\"waiter\"  waits for event"), 3), "%s", said);
}

/* ---- A stderr that does not block ---- */

static int sleeps_under_a_name(void *number)
{
    nido_set_name("%0*d", 30, *(int *)number);
    return nido_sleep(NIDO_SEC(3600));
}

static int asks_with_many_tasks(void *unused)
{
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    for (int i = 0; i < 1000; i++)
        cr_expect(zero(int, nido_spawn_copy(&group, sleeps_under_a_name, &i, sizeof i)));
    nido_yield();
    remote = nido_rt_self();
    cr_expect(zero(int, nido_dump_request(remote)));
    nido_rt_release(remote);
    cr_expect(zero(int, nido_sleep(NIDO_MS(1)))); /* posts come first */
    nido_group_cancel(&group, 0, NULL);
    return nido_group_close(&group, 0);
}

static void *reads_late(void *fd)
{
    size_t used = 0;
    ssize_t n;

    usleep(100000);
    while ((n = read(*(int *)fd, said + used, sizeof said - 1 - used)) > 0) used += (size_t)n;
    said[used] = '\0';
    return NULL;
}

NIDO_TEST(dump_request, a_stderr_that_does_not_block_gets_all_of_it)
{
    int ends[2], kept = dup(2);
    pthread_t reader;

    cr_assert(zero(int, pipe2(ends, O_NONBLOCK)));
    fcntl(ends[0], F_SETFL, 0);
    cr_assert(zero(int, pthread_create(&reader, NULL, reads_late, &ends[0])));
    dup2(ends[1], 2);
    close(ends[1]);
    cr_expect(zero(int, nido_run(asks_with_many_tasks, NULL, NULL)));
    dup2(kept, 2);
    close(kept);
    pthread_join(reader, NULL);
    close(ends[0]);
    cr_expect(gt(ulong, strlen(said), 1 << 16), "more than a pipe holds");
    cr_expect(eq(int, count("  stack "), 1001));
    cr_expect(eq(int, count("\n   └─ #"), 1));
}
