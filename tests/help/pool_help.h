/* SPDX-License-Identifier: MIT */
/* pool_help.h: jobs that wait for the test, workers whose end it sees, a loop that tells when it
 * sleeps. */
#ifndef POOL_HELP_H
#define POOL_HELP_H

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "faults.h"
#include "inside_help.h"
#include "pool/offload.h"
#include "pool/pool.h"
#include "pool/worker.h"

/* ---- Jobs that wait for the test ---- */

struct gate {
    int in[2];  /* a byte lets one job pass, and is its result */
    int out[2]; /* a byte for each job that has begun */
    int runs;   /* atomic */
};

static inline void gate_open(struct gate *gate)
{
    *gate = (struct gate){0};
    cr_assert(eq(int, pipe(gate->in), 0));
    cr_assert(eq(int, pipe(gate->out), 0));
}

static inline void gate_close(struct gate *gate)
{
    for (int i = 0; i < 2; i++) {
        close(gate->in[i]);
        close(gate->out[i]);
    }
}

/* The job. -EINTR if a signal ends its wait. */
static inline ssize_t pass(void *arg)
{
    struct gate *gate = arg;
    char byte = 0;
    ssize_t n;

    __atomic_add_fetch(&gate->runs, 1, __ATOMIC_SEQ_CST);
    if (write(gate->out[1], "s", 1) != 1) return -EIO;
    n = read(gate->in[0], &byte, 1);
    return n == 1 ? byte : n < 0 ? -errno : -EIO;
}

/* Lets other tasks run until n jobs more have begun. */
static inline void await_starts(struct gate *gate, int n)
{
    char byte;

    while (n-- > 0) cr_expect(eq(int, (int)nido_read(gate->out[0], &byte, 1), 1));
}

static inline void let_pass(struct gate *gate, char byte)
{
    cr_expect(eq(int, (int)write(gate->in[1], &byte, 1), 1));
}

static inline void let_many_pass(struct gate *gate, int n)
{
    while (n-- > 0) let_pass(gate, 1);
}

static inline int runs(const struct gate *gate)
{
    return __atomic_load_n(&gate->runs, __ATOMIC_SEQ_CST);
}

/* ---- One offload in a task, and what became of it ---- */

enum { UNDECIDED = 54321 }; /* no call returns it */

struct work {
    nido_job_fn *fn;
    void *arg;
    nido_offload_options options; /* size 0: none */
    enum nidoi_lane lane;
    int result;
    int next; /* what the task's next cancellation point says */
    bool ran;
    int order; /* the how manieth of all works to return */
    nido_task task;
};

static int works_over;

static inline int work_body(void *arg)
{
    struct work *work = arg;
    bool plain = work->options.size == 0;

    work->result =
        (int)nidoi_offload(work->fn, work->arg, plain ? NULL : &work->options, work->lane);
    work->order = ++works_over;
    work->next = nido_check();
    return 0;
}

/* Its fields are set up to `lane`, if at all. */
static inline void work_begin(nido_group *group, struct work *work)
{
    nido_spawn_options options;

    nido_spawn_options_init(&options);
    work->result = UNDECIDED;
    if (work->options.size) work->options.ran = &work->ran;
    cr_expect(eq(int, nido_spawn_with(group, work_body, work, &options, &work->task), 0));
}

static inline void work_cancel(struct work *work)
{
    cr_expect(eq(int, nido_task_cancel(work->task, 0, "test"), 0));
}

static inline nido_offload_options in_mode(enum nido_offload_mode mode)
{
    nido_offload_options options;

    nido_offload_options_init(&options);
    options.mode = mode;
    return options;
}

/* ---- What is dropped ---- */

struct dropped {
    int count; /* atomic */
    int result;
    void *arg;
    pthread_t thread;
    sem_t over; /* posted at each drop */
};

static inline void dropped_init(struct dropped *dropped)
{
    *dropped = (struct dropped){0};
    sem_init(&dropped->over, 0, 0);
}

static inline void note_drop(void *ctx, void *arg, int result)
{
    struct dropped *dropped = ctx;

    dropped->arg = arg;
    dropped->result = result;
    dropped->thread = pthread_self();
    __atomic_add_fetch(&dropped->count, 1, __ATOMIC_SEQ_CST);
    sem_post(&dropped->over);
}

static inline int drops(const struct dropped *dropped)
{
    return __atomic_load_n(&dropped->count, __ATOMIC_SEQ_CST);
}

static inline bool dropped_here(const struct dropped *dropped)
{
    return pthread_equal(dropped->thread, pthread_self());
}

static inline nido_offload_options abandoning(struct dropped *dropped)
{
    nido_offload_options options = in_mode(NIDO_OFFLOAD_ABANDON);

    options.drop = note_drop;
    options.ctx = dropped;
    return options;
}

static inline void sem_await(sem_t *sem)
{
    while (sem_wait(sem)) cr_assert(eq(int, errno, EINTR));
}

/* ---- A run with so many workers ---- */

static inline int run_with_workers(nido_fn *fn, void *arg, uint32_t workers)
{
    nido_options options = nido_test_virtual();

    options.pool_threads = workers;
    return nido_run(fn, arg, &options);
}

/* As INSIDE, with at most `workers` of them. */
#define INSIDE_POOL(suite, name, workers)                                                \
    static void inside_##suite##_##name(void);                                           \
    static int root_##suite##_##name(void *unused)                                       \
    {                                                                                    \
        (void)unused;                                                                    \
        inside_##suite##_##name();                                                       \
        return 0;                                                                        \
    }                                                                                    \
    NIDO_TEST(suite, name)                                                               \
    {                                                                                    \
        cr_expect(eq(int, run_with_workers(root_##suite##_##name, NULL, (workers)), 0)); \
    }                                                                                    \
    static void inside_##suite##_##name(void)

/* ---- Threads of the pool, seen from outside ---- */

static struct {
    int (*real)(pthread_t *out, void *(*fn)(void *), void *arg);
    int started; /* atomic */
    int hold;    /* the how manieth waits at its beginning for `go`; 0: none */
    sem_t go;
    sem_t ended; /* posted when one has nothing of the library's left to do */
} threads;

struct watched {
    void *(*fn)(void *);
    void *arg;
    bool held;
};

static inline void *watched_thread(void *arg)
{
    struct watched watched = *(struct watched *)arg;

    free(arg);
    if (watched.held) sem_wait(&threads.go);
    watched.fn(watched.arg);
    sem_post(&threads.ended);
    return NULL;
}

static inline int start_watched(pthread_t *out, void *(*fn)(void *), void *arg)
{
    struct watched *watched = malloc(sizeof *watched);
    int err;

    *watched = (struct watched){
        fn, arg, __atomic_add_fetch(&threads.started, 1, __ATOMIC_SEQ_CST) == threads.hold};
    err = threads.real(out, watched_thread, watched);
    if (err) free(watched);
    return err;
}

/* Before faults_begin, if both are used; the end after faults_end. */
static inline void threads_watch(void)
{
    memset(&threads, 0, sizeof threads);
    sem_init(&threads.go, 0, 0);
    sem_init(&threads.ended, 0, 0);
    threads.real = nidoi_sys.thread;
    nidoi_sys.thread = start_watched;
}

static inline void threads_forget(void)
{
    nidoi_sys.thread = threads.real;
}

/* ---- A loop that opens a gate when it goes to sleep without a limit ---- */

static struct {
    int (*real)(int backend, backend_event *events, int n, int64_t ns);
    struct gate *gate;
    int sleeps;
} sleeper_hook;

static inline int wait_and_open(int backend, backend_event *events, int n, int64_t ns)
{
    if (ns < 0 && sleeper_hook.sleeps++ == 0) let_pass(sleeper_hook.gate, 7);
    return sleeper_hook.real(backend, events, n, ns);
}

static inline void open_when_asleep(struct gate *gate)
{
    sleeper_hook.gate = gate;
    sleeper_hook.sleeps = 0;
    sleeper_hook.real = nidoi_sys.BACKEND_WAIT;
    nidoi_sys.BACKEND_WAIT = wait_and_open;
}

static inline void open_no_more(void)
{
    nidoi_sys.BACKEND_WAIT = sleeper_hook.real;
}

#endif
