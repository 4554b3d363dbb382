/* SPDX-License-Identifier: MIT */
/* Jobs that go well, and calls that are refused. */
#include "procpool_help.h"

#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <sys/resource.h>

#include "faults.h"

/* Before main, so before Criterion's threads; and only in the processes in which tests run. */
__attribute__((constructor)) static void prepare(void)
{
    if (getenv("BXFI_MAP") && !getenv("NIDO_TEST_NO_SERVER")) nido_procpool_prepare();
}

/* S317 */
INSIDE(procpool, bytes_of_any_size_come_back_equal)
{
    static const size_t sizes[] = {0, 1, 10 << 20};
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);
    char *bytes = malloc(sizes[2]);

    for (size_t i = 0; i < sizes[2]; i++) bytes[i] = (char)(i * i >> 7);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        nido_procpool_result result;

        cr_expect(eq(int, nido_procpool_call(pool, echo_job, bytes, sizes[i], NULL, &result), 7));
        cr_assert(eq(sz, result.len, sizes[i]));
        cr_expect(zero(int, memcmp(result.data, bytes, sizes[i])));
        cr_expect(zero(chr, ((char *)result.data)[result.len]), "no zero behind the reply");
        cr_expect(not(result.died));
        nido_procpool_result_deinit(&result);
        cr_expect(eq(ptr, result.data, NULL));
    }
    cr_expect(eq(u64, stats_of(pool).started, 1), "one worker did them all");
    pool_end(pool);
    free(bytes);
}

static int number_job(nido_procjob *job)
{
    const int *wanted = nido_procjob_input(job, NULL);

    nido_procjob_reply(job, "why", 3);
    return *wanted;
}

static int numbered(nido_procpool *pool, int wanted, nido_procpool_result *out)
{
    nido_procpool_call_options options;

    nido_procpool_call_options_init(&options);
    options.name = "numbers";
    return nido_procpool_call(pool, number_job, &wanted, sizeof wanted, &options, out);
}

INSIDE(procpool, a_call_returns_what_the_job_returns)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);
    nido_procpool_result result;

    cr_expect(eq(int, numbered(pool, 5, NULL), 5));
    cr_expect(eq(int, numbered(pool, -ENODATA, &result), -ENODATA));
    cr_expect(eq(str, (char *)result.data, "why"), "a failure may have a reply");
    cr_expect(not(result.died));
    expect_text("job \"numbers\" of pool \"procpool\" failed");
    nido_procpool_result_deinit(&result);
    cr_expect(eq(int, numbered(pool, -ECHILD, &result), -ECHILD), "its own, it has not died");
    cr_expect(not(result.died));
    nido_procpool_result_deinit(&result);
    cr_expect(eq(int, numbered(pool, -ECANCELED, NULL), -EPROTO));
    expect_works(pool);
    cr_expect(eq(u64, stats_of(pool).started, 1));
    pool_end(pool);
}

static int long_job(nido_procjob *job)
{
    static const char bytes[1000];

    if (nido_procjob_reply(job, bytes, 1000)) return -1;
    if (nido_procjob_reply(job, bytes, 25) != -EMSGSIZE) return -2;
    return nido_procjob_reply(job, bytes, 24);
}

INSIDE(procpool, frames_have_a_limit_on_both_sides)
{
    struct heard heard;
    nido_procpool_options options = heard_options(&heard);
    nido_procpool_result result;
    nido_procpool *pool;
    char bytes[1025] = {0};

    options.max_frame = 1024;
    pool = pool_with(&options);
    cr_expect(eq(int, nido_procpool_call(pool, echo_job, bytes, 1025, NULL, NULL), -EMSGSIZE));
    expect_text("1025 bytes of input, the limit is 1024");
    cr_expect(zero(u64, stats_of(pool).started), "nothing was even started");
    cr_expect(eq(int, nido_procpool_call(pool, echo_job, bytes, 1024, NULL, NULL), 7));
    cr_expect(eq(int, nido_procpool_call(pool, long_job, NULL, 0, NULL, &result), 0));
    cr_expect(eq(sz, result.len, 1024));
    nido_procpool_result_deinit(&result);
    pool_end(pool);
}

static int shift_job(nido_procjob *job)
{
    size_t len;
    char *text = nido_procjob_input(job, &len);

    for (char *c = text; *c; c++) *c += 1; /* the zero behind it ends the loop */
    return nido_procjob_reply(job, text, len);
}

INSIDE(procpool, an_input_ends_with_a_zero_and_is_the_jobs_own)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);
    nido_procpool_result result;

    cr_expect(eq(int, nido_procpool_call(pool, shift_job, "HAL", 3, NULL, &result), 0));
    cr_expect(eq(str, (char *)result.data, "IBM"));
    nido_procpool_result_deinit(&result);
    pool_end(pool);
}

INSIDE(procpool, what_makes_no_sense_is_refused)
{
    struct heard heard;
    nido_procpool_options options = heard_options(&heard);
    nido_procpool_call_options call_options = {0};
    nido_procpool *pool = NULL;

    options.size = 0;
    cr_expect(eq(int, nido_procpool_new(&options, &pool), -EINVAL));
    options.size = sizeof options;
    options.kill_grace_ns = -1;
    cr_expect(eq(int, nido_procpool_new(&options, &pool), -EINVAL));
    cr_expect(eq(ptr, pool, NULL));
    pool = pool_with(NULL);
    cr_expect(eq(int, ask(pool, NULL), -EINVAL));
    cr_expect(eq(int, nido_procpool_call(pool, echo_job, NULL, 1, NULL, NULL), -EINVAL));
    cr_expect(eq(int, nido_procpool_call(pool, echo_job, NULL, 0, &call_options, NULL), -EINVAL));
    cr_expect(eq(int, nido_procpool_free(NULL), 0));
    pool_end(pool);
}

NIDO_TEST(procpool, outside_a_task_nothing_is_allowed)
{
    nido_procpool_result result = {.pid = 1};
    nido_procpool *pool = NULL;

    cr_expect(eq(int, nido_procpool_new(NULL, &pool), -EPERM));
    cr_expect(eq(int, nido_procpool_call(pool, echo_job, NULL, 0, NULL, &result), -EPERM));
    cr_expect(zero(i32, result.pid), "the result is always written");
}

static nido_procpool *shared;

static int strangers_call(void *unused)
{
    (void)unused;
    cr_expect(eq(int, nido_procpool_free(shared), -EXDEV));
    return ask(shared, echo_job);
}

static void *stranger(void *rc)
{
    *(int *)rc = nido_run(strangers_call, NULL, NULL);
    return NULL;
}

INSIDE(procpool, another_runtime_has_no_business_with_it)
{
    pthread_t thread;
    int rc = 0;

    shared = pool_with(NULL);
    cr_assert(zero(int, pthread_create(&thread, NULL, stranger, &rc)));
    pthread_join(thread, NULL);
    cr_expect(eq(int, rc, -EXDEV));
    pool_end(shared);
}

static int run_unprepared(void *unused)
{
    nido_procpool *pool = NULL;

    (void)unused;
    NEED(nido_procpool_new(NULL, &pool) == -EPERM);
    NEED(strstr(nido_error_text(nido_error_last()), "first line of main"));
    NEED(nido_procpool_prepare() == -EPERM); /* too late */
    return 0;
}

static int run_prepared(void *unused)
{
    nido_procpool *pool = NULL;

    (void)unused;
    NEED(nido_procpool_new(NULL, &pool) == 0);
    NEED(ask(pool, echo_job) == 7);
    NEED(nido_procpool_free(pool) == 0);
    return 0;
}

static int forked(void)
{
    NEED(nido_run(run_unprepared, NULL, NULL) == 0);
    NEED(nido_procpool_prepare() == 0);
    NEED(nido_procpool_prepare() == 0);
    NEED(nido_run(run_prepared, NULL, NULL) == 0);
    return 0;
}

NIDO_TEST(procpool, a_process_that_is_not_prepared_is_told_what_to_do)
{
    cr_expect(zero(int, in_child(forked)));
}

INSIDE(procpool, in_a_cancelled_scope_a_call_does_nothing)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);
    nido_scope scope;
    int rc;

    nido_scope_open(&scope);
    nido_scope_cancel(&scope, -EIO, "test");
    rc = ask(pool, echo_job);
    cr_expect(eq(int, rc, -ECANCELED));
    cr_expect(eq(int, nido_scope_close(&scope, rc), -EIO));
    cr_expect(zero(u64, stats_of(pool).started));
    pool_end(pool);
}

static int order[3], served;

static int in_turn(void *arg)
{
    ask(shared, echo_job);
    order[served++] = (int)(intptr_t)arg;
    return 0;
}

INSIDE(procpool, calls_are_served_in_the_order_of_asking)
{
    struct heard heard;
    nido_group group;

    shared = pool_of_one(&heard);
    nido_group_open(&group, NIDO_FAIL_FAST, "calls");
    for (intptr_t i = 0; i < 3; i++) begin(&group, in_turn, (void *)i);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    for (int i = 0; i < 3; i++) cr_expect(eq(int, order[i], i));
    pool_end(shared);
}

INSIDE(procpool, a_worker_goes_after_its_number_of_jobs)
{
    struct heard heard;
    nido_procpool_options options = heard_options(&heard);
    nido_procpool *pool;
    int pids[3];

    options.max_jobs = 2;
    pool = pool_with(&options);
    for (int i = 0; i < 3; i++) pids[i] = ask_number(pool, pid_job);
    cr_expect(eq(int, pids[0], pids[1]));
    cr_expect(ne(int, pids[1], pids[2]));
    cr_expect(process_is_over(pids[0]));
    cr_expect(eq(u64, stats_of(pool).recycled, 1));
    cr_expect(eq(u32, stats_of(pool).workers, 1));
    pool_end(pool);
}

static int fds_job(nido_procjob *job)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;

    for (struct dirent *entry; (entry = readdir(directory));) {
        int fd = atoi(entry->d_name); /* 0 for . and .. */

        count += fd > STDERR_FILENO && fd != dirfd(directory);
    }
    nido_procjob_reply(job, &count, sizeof count);
    return closedir(directory);
}

INSIDE(procpool, a_worker_has_no_descriptors_but_its_own)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);
    int others[2];

    cr_assert(zero(int, pipe(others))); /* not close-on-exec */
    cr_expect(eq(int, ask_number(pool, fds_job), 1), "its socket; any of 0, 1, 2 may be closed");
    close(others[0]);
    close(others[1]);
    pool_end(pool);
}

INSIDE(procpool, workers_are_no_children_of_the_program)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);

    expect_works(pool);
    cr_expect(eq(int, waitpid(-1, NULL, WNOHANG), -1));
    cr_expect(eq(int, errno, ECHILD));
    pool_end(pool);
}

static int limits_job(nido_procjob *job)
{
    struct rlimit memory, cpu;
    struct rusage used;
    rlim_t seconds;

    getrlimit(RLIMIT_AS, &memory);
    getrlimit(RLIMIT_CPU, &cpu);
    getrusage(RUSAGE_SELF, &used);
    seconds = (rlim_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec);
    (void)job;
    return memory.rlim_cur == (rlim_t)1 << 50 && cpu.rlim_cur >= seconds + 60 &&
           cpu.rlim_cur <= seconds + 63;
}

INSIDE(procpool, workers_have_limits_of_memory_and_jobs_of_time)
{
    struct heard heard;
    nido_procpool_options options = heard_options(&heard);
    nido_procpool *pool;

    options.memory = (uint64_t)1 << 50; /* the sanitizers need much room */
    options.cpu_seconds = 60;
    pool = pool_with(&options);
    cr_expect(eq(int, ask(pool, limits_job), 1));
    cr_expect(eq(int, ask(pool, limits_job), 1));
    pool_end(pool);
}

static int starve_job(nido_procjob *job)
{
    (void)job;
    faults_begin();
    faults_fail(FAULT_memory, FAULT_ALWAYS, 0);
    return 0;
}

static int starve_reply_job(nido_procjob *job)
{
    faults_begin();
    faults_fail(FAULT_memory, FAULT_ALWAYS, 0);
    return nido_procjob_reply(job, "larger than what was there", 26);
}

/* The third block of the next job: what is there beside its input and its reply. */
static int starve_later_job(nido_procjob *job)
{
    (void)job;
    faults_begin();
    faults_fail(FAULT_memory, 3, 0);
    return 0;
}

INSIDE(procpool, a_job_is_not_begun_where_earlier_ones_have_left_no_memory)
{
    nido_procjob_fn *const jobs[] = {starve_job, starve_later_job};

    for (int i = 0; i < 2; i++) {
        struct heard heard;
        nido_procpool *pool = pool_of_one(&heard);
        int first = ask_number(pool, pid_job);

        cr_expect(zero(int, ask(pool, jobs[i])));
        cr_expect(ne(int, ask_number(pool, pid_job), first), "%d: another worker does it", i);
        cr_expect(eq(u64, stats_of(pool).replaced, 1));
        cr_expect(zero(u64, stats_of(pool).deaths));
        cr_expect(eq(u32, stats_of(pool).workers, 1));
        pool_end(pool);
    }
}

static int confine_memory(const char *name)
{
    (void)name;
    faults_begin();
    faults_fail(FAULT_memory, FAULT_ALWAYS, 0);
    return 0;
}

INSIDE(procpool, a_worker_that_never_had_memory_does_not_begin_the_job)
{
    struct heard heard;
    nido_procpool_options options = heard_options(&heard);
    nido_procpool_result result;
    nido_procpool *pool;

    options.confine = confine_memory;
    pool = pool_with(&options);
    cr_expect(eq(int, nido_procpool_call(pool, echo_job, "x", 1, NULL, &result), -ENOMEM));
    cr_expect(zero(i32, result.pid));
    expect_text("no memory for the input");
    cr_expect(zero(u32, stats_of(pool).workers), "it is not used again");
    pool_end(pool);
}

INSIDE(procpool, a_job_is_told_that_there_is_no_memory_for_its_reply)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);

    cr_expect(eq(int, ask(pool, starve_reply_job), -ENOMEM));
    expect_works(pool);
    pool_end(pool);
}

INSIDE(procpool, without_memory_for_the_reply_the_call_says_so_and_the_pool_goes_on)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);

    expect_works(pool);
    faults_begin();
    faults_fail(FAULT_memory, 1, 0);
    cr_expect(eq(int, ask(pool, echo_job), -ENOMEM));
    faults_end();
    expect_works(pool);
    faults_begin();
    faults_fail(FAULT_memory, 1, 0);
    cr_expect(eq(int, nido_procpool_new(NULL, &pool), -ENOMEM));
    faults_end();
    pool_end(pool);
}

INSIDE(procpool, a_function_that_was_loaded_later_is_refused)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);
    void *library = dlopen(LATE_JOB, RTLD_NOW | RTLD_LOCAL);
    nido_procpool_result result;
    nido_procjob_fn *late;

    cr_assert(ne(ptr, library, NULL));
    late = (nido_procjob_fn *)(uintptr_t)dlsym(library, "late_job");
    cr_expect(eq(int, nido_procpool_call(pool, late, NULL, 0, NULL, &result), -EINVAL));
    expect_text("its function was loaded later");
    cr_expect(zero(i32, result.pid), "it has not begun");
    expect_works(pool);
    cr_expect(eq(u64, stats_of(pool).started, 1), "the worker is as good as before");
    dlclose(library);
    pool_end(pool);
}

static int whisper_job(nido_procjob *job)
{
    (void)job;
    fputs("for the terminal", stderr);
    return 0;
}

INSIDE(procpool, what_jobs_say_on_stderr_is_passed_on)
{
    nido_procpool *pool = pool_with(NULL);
    char text[64] = "";
    int ends[2], saved = dup(STDERR_FILENO);

    cr_assert(zero(int, pipe(ends)));
    dup2(ends[1], STDERR_FILENO);
    cr_expect(zero(int, ask(pool, whisper_job)));
    dup2(saved, STDERR_FILENO);
    cr_expect(eq(int, (int)read(ends[0], text, sizeof text - 1), 16));
    cr_expect(eq(str, text, "for the terminal"));
    close(saved);
    close(ends[0]);
    close(ends[1]);
    pool_end(pool);
}

static int shout_job(nido_procjob *job)
{
    (void)job;
    for (int i = 0; i < 100000; i++) fputs("0123456789", stderr);
    return 0;
}

INSIDE(procpool, a_job_that_says_much_is_not_held_up)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);

    cr_expect(zero(int, ask(pool, shout_job)));
    cr_expect(eq(sz, heard.len, sizeof heard.text - 1));
    pool_end(pool);
}
