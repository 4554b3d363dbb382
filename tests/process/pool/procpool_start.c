/* SPDX-License-Identifier: MIT */
/* The fork server: its beginning, its end, and starts that fail. */
#include "procpool_help.h"

#include <pthread.h>
#include <sys/resource.h>

#include "faults.h"

static void ask_at_once(nido_procpool *pool, struct asker *askers, int n)
{
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, "calls");
    for (int i = 0; i < n; i++) asker_begin(&group, &askers[i], pool, echo_job);
    cr_expect(zero(int, nido_group_close(&group, 0)));
}

/* S326 */
INSIDE(procpool_start, three_bad_starts_in_a_row_fail_the_calls_with_the_reason)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);
    struct asker askers[3];

    faults_begin();
    faults_fail(FAULT_socketpair, FAULT_ALWAYS, -ENXIO);
    ask_at_once(pool, askers, 3);
    cr_expect(eq(ulong, faults_count(FAULT_socketpair), 5), "after the third each tries once");
    cr_expect(le(ulong, faults_count(FAULT_backend_wait), 20), "it sleeps between its attempts");
    for (int i = 0; i < 3; i++) cr_expect(eq(int, askers[i].rc, -ENXIO));
    cr_expect(eq(int, ask(pool, echo_job), -ENXIO));
    expect_text("6 workers in a row could not be started, the last one for: ENXIO");
    faults_end();
    cr_expect(zero(u32, stats_of(pool).workers));
    expect_works(pool);
    pool_end(pool);
}

INSIDE(procpool_start, bad_starts_count_in_a_row_only)
{
    struct heard heard;
    nido_procpool_options options = heard_options(&heard);
    nido_procpool *pool;

    options.max_jobs = 1;
    pool = pool_with(&options);
    for (int i = 0; i < 3; i++) {
        faults_begin();
        faults_fail(FAULT_socketpair, 1, -ENXIO);
        faults_fail(FAULT_pipe, 1, -ENXIO);
        expect_works(pool);
        cr_expect(ge(ulong, faults_count(FAULT_socketpair), 3), "two have failed");
        faults_end();
    }
    pool_end(pool);
}

/* S326 */
INSIDE(procpool_start, a_shortage_that_lasts_fails_the_calls_and_the_next_one_works)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);
    int64_t before = nido_now();
    struct asker askers[3];

    faults_begin();
    faults_fail(FAULT_socketpair, FAULT_ALWAYS, -EMFILE);
    ask_at_once(pool, askers, 3);
    for (int i = 0; i < 3; i++) cr_expect(eq(int, askers[i].rc, -EMFILE));
    cr_expect(ge(i64, nido_now() - before, NIDO_SEC(2)));
    cr_expect(le(i64, nido_now() - before, NIDO_SEC(3)), "they wait for the same shortage");
    cr_expect(eq(int, ask(pool, echo_job), -EMFILE));
    expect_text("in a row could not be started, the last one for: EMFILE");
    faults_end();
    expect_works(pool);
    pool_end(pool);
}

static int end_shortage(void *unused)
{
    (void)unused;
    nido_sleep(NIDO_MS(1));
    faults_forget(FAULT_socketpair);
    return 0;
}

INSIDE(procpool_start, a_moment_of_shortage_fails_no_call_however_many_meet_it)
{
    enum { CALLS = 8 };
    struct heard heard;
    nido_procpool_options options = heard_options(&heard);
    struct asker askers[CALLS];
    nido_procpool *pool;
    nido_group group;

    options.workers = CALLS;
    pool = pool_with(&options);
    faults_begin();
    faults_fail(FAULT_socketpair, FAULT_ALWAYS, -EMFILE);
    nido_group_open(&group, NIDO_FAIL_FAST, "shortage");
    begin(&group, end_shortage, NULL);
    ask_at_once(pool, askers, CALLS);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(ge(ulong, faults_count(FAULT_socketpair), CALLS * 2), "all have met it");
    faults_end();
    for (int i = 0; i < CALLS; i++) cr_expect(eq(int, askers[i].rc, 7));
    pool_end(pool);
}

static void fail_one_start(enum fault kind, int code)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);

    faults_begin();
    faults_fail(kind, 1, code);
    expect_works(pool);
    cr_expect(ge(ulong, faults_count(kind), 2));
    faults_end();
    pool_end(pool);
}

INSIDE(procpool_start, a_start_that_fails_once_is_tried_again_and_leaves_nothing_open)
{
    fail_one_start(FAULT_memory, 0);
    fail_one_start(FAULT_socketpair, -EMFILE);
    fail_one_start(FAULT_pipe, -EMFILE);
    fail_one_start(FAULT_sendmsg, -ENOBUFS);
}

INSIDE(procpool_start, the_second_pipe_may_fail_too)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);

    faults_begin();
    faults_fail(FAULT_pipe, 2, -ENFILE);
    expect_works(pool);
    faults_end();
    pool_end(pool);
}

INSIDE(procpool_start, an_order_waits_until_the_server_takes_it)
{
    fail_one_start(FAULT_sendmsg, -EAGAIN);
}

/* The worker would wait for its input, and the call for the worker. */
INSIDE(procpool_start, an_input_that_cannot_be_sent_fails_its_call_alone)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);
    nido_procpool_result result;

    expect_works(pool);
    faults_begin();
    faults_fail(FAULT_sendmsg, 1, -ENOBUFS);
    cr_expect(eq(int, nido_procpool_call(pool, echo_job, "x", 1, NULL, &result), -ENOMEM));
    faults_end();
    cr_expect(zero(i32, result.pid), "the job has not begun");
    expect_text("was stopped: ENOMEM");
    nido_procpool_result_deinit(&result);
    expect_works(pool);
    pool_end(pool);
}

static int work(void *unused)
{
    nido_procpool *pool = NULL;
    nido_procpool_stats stats;

    (void)unused;
    NEED(nido_procpool_new(NULL, &pool) == 0);
    NEED(ask(pool, echo_job) == 7);
    nido_procpool_stats_get(pool, &stats);
    NEED(nido_procpool_free(pool) == 0);
    return (int)stats.started;
}

/* In a child made by fork, before its server is forked: so the server and its workers meet the
 * fault too. */
static int third_fork_fails(void)
{
    faults_begin();
    faults_fail(FAULT_fork, 3, -EAGAIN); /* the first two make the server */
    NEED(nido_procpool_prepare() == 0);
    NEED(nido_run(work, NULL, NULL) == 2);
    return 0;
}

NIDO_TEST(procpool_start, a_fork_that_fails_is_a_bad_start)
{
    cr_expect(zero(int, in_child(third_fork_fails)));
}

static int work_with_limit(void *unused)
{
    nido_procpool_options options;
    nido_procpool_stats stats;
    nido_procpool *pool = NULL;

    (void)unused;
    nido_procpool_options_init(&options);
    options.memory = (uint64_t)1 << 50;
    NEED(nido_procpool_new(&options, &pool) == 0);
    NEED(ask(pool, echo_job) == -ENXIO);
    NEED(strstr(nido_error_text(nido_error_last()), "ENXIO"));
    nido_procpool_stats_get(pool, &stats);
    NEED(stats.started == 3 && stats.workers == 0);
    NEED(nido_procpool_free(pool) == 0);
    return 0;
}

static int limits_fail(void)
{
    faults_begin();
    faults_fail(FAULT_limit, FAULT_ALWAYS, -ENXIO);
    NEED(nido_procpool_prepare() == 0);
    return nido_run(work_with_limit, NULL, NULL);
}

static int dup2_fails(void)
{
    faults_begin();
    faults_fail(FAULT_dup2, FAULT_ALWAYS, -ENXIO);
    NEED(nido_procpool_prepare() == 0);
    return nido_run(work_with_limit, NULL, NULL);
}

/* S326 */
NIDO_TEST(procpool_start, a_worker_that_cannot_be_set_up_says_why)
{
    cr_expect(zero(int, in_child(limits_fail)));
    cr_expect(zero(int, in_child(dup2_fails)));
}

static int preparing_fails(enum fault kind, unsigned nth, int code)
{
    faults_begin();
    faults_fail(kind, nth, code);
    return nido_procpool_prepare();
}

static int no_socket(void)
{
    NEED(preparing_fails(FAULT_socketpair, 1, -EMFILE) == -EMFILE);
    NEED(nido_procpool_prepare() == 0); /* another time it works */
    NEED(nido_run(work, NULL, NULL) == 1);
    return 0;
}

static int no_fork(void)
{
    NEED(preparing_fails(FAULT_fork, 1, -EAGAIN) == -EAGAIN);
    return 0;
}

static int no_second_fork(void)
{
    NEED(preparing_fails(FAULT_fork, 2, -EAGAIN) == -EAGAIN);
    return 0;
}

static int no_bell(void)
{
    NEED(preparing_fails(FAULT_pipe, 1, -EMFILE) == -EPIPE);
    return 0;
}

NIDO_TEST(procpool_start, preparing_says_why_it_cannot)
{
    cr_expect(zero(int, in_child(no_socket)));
    cr_expect(zero(int, in_child(no_fork)));
    cr_expect(zero(int, in_child(no_second_fork)));
    cr_expect(zero(int, in_child(no_bell)));
}

/* Old kernels lack some of it. */
static int without_new_calls(void)
{
    faults_begin();
    faults_fail(FAULT_process_fd, FAULT_ALWAYS, -ENOSYS);
    faults_fail(FAULT_follow_parent, FAULT_ALWAYS, -ENOSYS);
    NEED(nido_procpool_prepare() == 0);
    NEED(nido_run(work, NULL, NULL) == 1);
    return 0;
}

NIDO_TEST(procpool_start, what_an_old_kernel_lacks_is_done_without)
{
    cr_expect(zero(int, in_child(without_new_calls)));
}

static int without_streams(void)
{
    for (int fd = 0; fd < 3; fd++) close(fd);
    NEED(nido_procpool_prepare() == 0);
    NEED(nido_run(work, NULL, NULL) == 1);
    return 0;
}

NIDO_TEST(procpool_start, a_program_without_standard_streams_has_workers_too)
{
    cr_expect(zero(int, in_child(without_streams)));
}

static int outlive_job(nido_procjob *job)
{
    (void)job;
    signal(SIGTERM, SIG_IGN);
    if (write(STDOUT_FILENO, "!", 1) != 1) return -EIO;
    while (pause() < 0) continue;
    return 0;
}

static int hang_two(void *unused)
{
    nido_procpool *pool = NULL;
    struct asker askers[2];
    nido_group group;

    (void)unused;
    if (nido_procpool_new(NULL, &pool)) return 1;
    nido_group_open(&group, NIDO_FAIL_FAST, "calls");
    for (int i = 0; i < 2; i++) {
        askers[i] = (struct asker){.pool = pool, .fn = outlive_job};
        if (nido_spawn(&group, asker_body, &askers[i])) return 1;
    }
    return nido_group_close(&group, 0);
}

/* Its standard output stays open as long as anybody lives who has it from this process. */
static _Noreturn void doomed(const int *ends)
{
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    alarm(60);
    if (nido_procpool_prepare()) _exit(1);
    _exit(nido_run(hang_two, NULL, NULL) != 0);
}

/* S328 */
NIDO_TEST(procpool_start, when_the_program_is_killed_its_workers_go)
{
    int ends[2], status, pid;
    char byte;

    cr_assert(zero(int, pipe(ends)));
    pid = fork();
    if (pid == 0) doomed(ends);
    close(ends[1]);
    for (int i = 0; i < 2; i++) cr_expect(eq(int, (int)read(ends[0], &byte, 1), 1));
    kill(pid, SIGKILL);
    cr_expect(eq(int, waitpid(pid, &status, 0), pid));
    cr_expect(zero(int, (int)read(ends[0], &byte, 1)), "everybody is gone");
    close(ends[0]);
}

enum { THREADS = 20 };

static pthread_mutex_t locks[THREADS];
static pthread_barrier_t held, enough;

static void *hold(void *lock)
{
    pthread_mutex_lock(lock);
    pthread_barrier_wait(&held);
    pthread_barrier_wait(&enough);
    pthread_mutex_unlock(lock);
    return NULL;
}

/* In a fork of the program as it is now this would wait for threads that are not there. */
static int lock_job(nido_procjob *job)
{
    char *memory = malloc(100000);

    for (int i = 0; i < THREADS; i++) pthread_mutex_lock(&locks[i]);
    snprintf(memory, 100000, "%d", getpid());
    fflush(NULL);
    free(memory);
    return echo_job(job);
}

static int start_many(void *unused)
{
    struct heard heard;
    nido_procpool_options options = heard_options(&heard);
    nido_procpool *pool;

    (void)unused;
    options.max_jobs = 1;
    pool = pool_with(&options);
    for (int i = 0; i < 20; i++) cr_expect(eq(int, ask(pool, lock_job), 7));
    cr_expect(eq(u64, stats_of(pool).started, 20));
    return nido_procpool_free(pool);
}

/* S331 */
NIDO_TEST(procpool_start, in_a_program_of_many_threads_workers_start_all_the_same)
{
    pthread_t threads[THREADS];

    pthread_barrier_init(&held, NULL, THREADS + 1);
    pthread_barrier_init(&enough, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++)
        cr_assert(zero(int, pthread_create(&threads[i], NULL, hold, &locks[i])));
    pthread_barrier_wait(&held);
    cr_expect(zero(int, nido_test_run(start_many, NULL)));
    pthread_barrier_wait(&enough);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}
