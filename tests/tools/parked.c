/* SPDX-License-Identifier: MIT */
/* A program that stands still, to be looked at from outside: 100 tasks that wait in different ways. It prints
 * "ready" when all of them do. With "json" it then prints what nido_dump_with says. With "busy"
 * its root then computes for ever; with "stdin" its reader reads that; with "job" it waits for one; with "abort" it dies, with "overflow" of its stack. */
#include <errno.h>
#include <nido.h>
#include <nido/debug.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { CONNECTIONS = 91 };

static nido_mutex lock;
static nido_event news;
static nido_chan work;
/* What no task waits for, to be printed by debuggers. */
static nido_rwlock table;
static nido_sem permits;
static nido_limiter lenders;
static nido_cond changed;
static nido_barrier start;
static nido_once setup;
static nido_latch pieces;
static nido_broadcast bells;
static nido_watch level;
static nido_signal hangups;
static int rings[4], height;
static int items[4];
static const char *mode;
static volatile unsigned long sum;

/* Kept out of line: what a stack shows is the same at every level of optimisation. */
#ifdef __clang__
#define FRAME static __attribute__((noinline))
#else
#define FRAME static __attribute__((noinline, noclone))
#endif

FRAME int wait_for_news(void)
{
    int rc = nido_event_wait(&news);

    __asm__ volatile("" ::: "memory"); /* no tail call */
    return rc;
}

static int connection(void *unused)
{
    (void)unused;
    return wait_for_news() < 0 ? -1 : 0;
}

FRAME int descend(int depth)
{
    int rc = depth ? descend(depth - 1) : nido_sleep(NIDO_SEC(3600));

    __asm__ volatile("" ::: "memory");
    return rc;
}

static int sleeper(void *unused)
{
    nido_scope scope;
    int rc;

    (void)unused;
    nido_timeout_open(&scope, NIDO_SEC(1800));
    rc = descend(3);
    return nido_scope_close(&scope, rc);
}

static int holder(void *unused)
{
    int rc = nido_mutex_lock(&lock);

    (void)unused;
    if (rc < 0) return rc;
    rc = nido_sleep(NIDO_SEC(3600));
    nido_mutex_unlock(&lock);
    return rc;
}

static int locker(void *unused)
{
    int rc = nido_mutex_lock(&lock);

    (void)unused;
    if (rc == 0) nido_mutex_unlock(&lock);
    return rc;
}

static int reader(void *fd)
{
    char byte;

    return (int)nido_read(*(int *)fd, &byte, 1);
}

static int consumer(void *unused)
{
    int item;

    (void)unused;
    return nido_chan_recv(&work, &item);
}

static int shielded(void *unused)
{
    nido_scope shield;
    int rc = nido_event_wait(&news);

    (void)unused;
    nido_shield_open(&shield, NIDO_SEC(3600));
    if (rc == -ECANCELED) rc = nido_event_wait(&news);
    return nido_scope_close(&shield, rc);
}

static void spawn(nido_group *group, nido_fn *fn, void *arg, const char *name)
{
    nido_spawn_options options;

    nido_spawn_options_init(&options);
    options.name = name;
    if (nido_spawn_with(group, fn, arg, &options, NULL) < 0) exit(2);
}

static int connections(void *unused)
{
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_WAIT_ALL, "connections");
    for (int i = 0; i < CONNECTIONS; i++) spawn(&group, connection, NULL, "conn");
    return nido_group_close(&group, 0);
}

static int cancelled(void *unused)
{
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_WAIT_ALL, "stopping");
    spawn(&group, shielded, NULL, "stubborn");
    nido_yield();
    nido_group_cancel(&group, 0, "the user \001pressed stop");
    return nido_group_close(&group, 0);
}

/* Out of sight of what optimises: the task runs and never parks. */
FRAME void compute(void)
{
    for (;;) sum++;
}

static ssize_t job(void *unused)
{
    (void)unused;
    sleep(3600);
    return 0;
}

FRAME int overflow(int depth)
{
    volatile char frame[200];

    frame[0] = (char)depth;
    return depth < 1 << 30 ? overflow(depth + 1) + frame[0] : 0;
}

static int objects_init(void)
{
    sigset_t set;
    int err = nido_sem_init(&permits, 2, 3, "permits");

    if (!err) err = nido_limiter_init(&lenders, 5, "lenders");
    if (!err) err = nido_barrier_init(&start, 3, 0, "start");
    if (!err) err = nido_broadcast_init(&bells, sizeof(int), 4, rings, "bells");
    if (!err) err = nido_watch_init(&level, &height, sizeof height, "level");
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    if (!err) err = nido_signal_open(&hangups, &set);
    nido_rwlock_init(&table, "table");
    nido_cond_init(&changed, "changed");
    nido_once_init(&setup, "setup");
    nido_latch_init(&pieces, 2, "pieces");
    return err;
}

static int root(void *unused)
{
    nido_group group;
    int pipe_ends[2];

    (void)unused;
    nido_mutex_init(&lock, "ledger");
    nido_event_init(&news, "news");
    if (nido_chan_init(&work, sizeof(int), 4, items, NULL, NULL, "work") < 0) return -1;
    if (nido_pipe(pipe_ends) < 0 || objects_init() < 0) return -1;
    if (!strcmp(mode, "stdin")) pipe_ends[0] = STDIN_FILENO;
    nido_group_open(&group, NIDO_FAIL_FAST, "all");
    spawn(&group, connections, NULL, "listener");
    spawn(&group, sleeper, NULL, "sleeper");
    spawn(&group, holder, NULL, "holder");
    spawn(&group, locker, NULL, "locker");
    spawn(&group, reader, &pipe_ends[0], "reader");
    spawn(&group, consumer, NULL, "consumer");
    spawn(&group, cancelled, NULL, "canceller");
    nido_sleep(NIDO_MS(20));
    puts("ready");
    fflush(stdout);
    if (!strcmp(mode, "json")) nido_dump_with(stdout, NIDO_DUMP_JSON | NIDO_DUMP_STACKS);
    if (!strcmp(mode, "abort")) abort();
    if (!strcmp(mode, "overflow")) overflow(0);
    if (!strcmp(mode, "job")) nido_offload_with(job, NULL, &NIDO_OFFLOAD_OPTIONS(.name = "books"));
    if (!strcmp(mode, "busy")) compute();
    return nido_group_close(&group, 0);
}

int main(int argc, char **argv)
{
    struct rlimit whole = {RLIM_INFINITY, RLIM_INFINITY};

    mode = argc > 1 ? argv[1] : "";
    setrlimit(RLIMIT_CORE, &whole);
    return nido_run(root, NULL, NULL) < 0;
}
