/* SPDX-License-Identifier: MIT */
/* One function for many indices: each is called once, on workers, and the first failure or a cancel
 * lets no more begin. */
#include <stdint.h>

#include "nido/parallel.h"
#include "pool_help.h"

/* ---- Each index once ---- */

enum { MOST = 1000 };

struct calls {
    int count[MOST]; /* atomic, of calls with that index */
    int total;       /* atomic */
    int at_once;     /* atomic, now */
    int most;        /* at once; atomic */
    size_t fails;    /* the index that does */
    int code;        /* with what */
};

static struct calls calls;

static void calls_init(void)
{
    calls = (struct calls){.fails = SIZE_MAX};
}

static void note_most(int now)
{
    int most = __atomic_load_n(&calls.most, __ATOMIC_RELAXED);

    while (now > most && !__atomic_compare_exchange_n(&calls.most, &most, now, false,
                                                      __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        continue;
}

static int note_call(void *ctx, size_t i)
{
    if (ctx != &calls) return -EFAULT;
    note_most(__atomic_add_fetch(&calls.at_once, 1, __ATOMIC_RELAXED));
    __atomic_add_fetch(&calls.total, 1, __ATOMIC_RELAXED);
    if (i < MOST) __atomic_add_fetch(&calls.count[i], 1, __ATOMIC_RELAXED);
    __atomic_sub_fetch(&calls.at_once, 1, __ATOMIC_RELAXED);
    return i == calls.fails ? calls.code : 7;
}

static void expect_each_once(size_t n)
{
    size_t wrong = 0;

    for (size_t i = 0; i < MOST; i++) wrong += calls.count[i] != (i < n);
    cr_expect(zero(sz, wrong));
    cr_expect(eq(int, calls.total, (int)n));
}

/* With so many workers, in pieces of that size. */
static void expect_all_done(size_t n, uint32_t workers, size_t piece)
{
    nido_parallel_options options = NIDO_PARALLEL_OPTIONS(.workers = workers, .piece = piece);
    size_t failed = SIZE_MAX;

    options.failed = &failed;
    calls_init();
    cr_expect(zero(int, nido_parallel_for(n, note_call, &calls, &options)));
    cr_expect(eq(sz, failed, n));
    expect_each_once(n);
    if (workers) cr_expect(le(u32, (uint32_t)calls.most, workers));
}

INSIDE(parallel, every_index_is_done_once)
{
    static const size_t counts[] = {0, 1, 2, 3, 7, 8, 64, 999, MOST};
    static const size_t pieces[] = {0, 1, 2, 3, 8, MOST, SIZE_MAX};

    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (size_t j = 0; j < sizeof pieces / sizeof *pieces; j++)
            for (uint32_t workers = 0; workers <= 3; workers++)
                expect_all_done(counts[i], workers, pieces[j]);
    expect_all_done(MOST, UINT32_MAX, 1);
}

INSIDE(parallel, no_index_is_none_to_wait_for)
{
    threads_watch();
    expect_all_done(0, 0, 0);
    cr_expect(zero(int, threads.started));
    threads_forget();
}

/* Indices are numbers of any size; the first call ends it. */
INSIDE(parallel, the_greatest_count_overflows_nothing)
{
    for (size_t piece = 0; piece <= 1; piece++) {
        size_t failed = 1;

        calls_init();
        calls.fails = 0;
        calls.code = -EIO;
        cr_expect(eq(int,
                     nido_parallel_for(SIZE_MAX, note_call, &calls,
                                       &NIDO_PARALLEL_OPTIONS(.piece = piece ? SIZE_MAX - 1 : 0,
                                                              .workers = 1, .failed = &failed)),
                     -EIO));
        cr_expect(zero(sz, failed));
        cr_expect(eq(int, calls.total, 1));
    }
}

/* ---- How many at once ---- */

static struct gate gate;

static int pass_index(void *ctx, size_t i)
{
    int rc = (int)pass(ctx);

    return rc < 0 ? rc : (int)i;
}

struct round {
    size_t n;
    nido_parallel_options options;
    size_t failed;
    int rc;
    int next; /* what the task's next cancellation point says */
    nido_task task;
};

static int round_body(void *arg)
{
    struct round *round = arg;

    round->options.failed = &round->failed;
    round->rc = nido_parallel_for(round->n, pass_index, &gate, &round->options);
    round->next = nido_check();
    return 0;
}

static void round_begin(nido_group *group, struct round *round)
{
    gate_open(&gate);
    round->rc = UNDECIDED;
    cr_expect(zero(int, nido_spawn_with(group, round_body, round, NULL, &round->task)));
}

static void let_others_run(void)
{
    for (int turn = 0; turn < 20; turn++) nido_yield();
}

INSIDE_POOL(parallel, there_are_never_more_jobs_than_workers_asked_for, 8)
{
    struct round round = {.n = 9, .options = NIDO_PARALLEL_OPTIONS(.workers = 3, .piece = 1)};
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, "round");
    round_begin(&group, &round);
    await_starts(&gate, 3);
    let_others_run();
    cr_expect(eq(int, runs(&gate), 3));
    let_many_pass(&gate, 9);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(zero(int, round.rc));
    cr_expect(eq(int, runs(&gate), 9));
    gate_close(&gate);
}

/* With one worker in the pool. */
INSIDE_POOL(parallel, other_jobs_have_their_turn_between_two_pieces, 1)
{
    struct round round = {.n = 10, .options = NIDO_PARALLEL_OPTIONS(.piece = 2)};
    struct work other = {.fn = pass, .arg = &gate};
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, "round");
    round_begin(&group, &round);
    await_starts(&gate, 1);
    work_begin(&group, &other);
    let_others_run();
    let_pass(&gate, 1);
    let_pass(&gate, 1);
    let_pass(&gate, 77);
    while (other.result == UNDECIDED) nido_yield();
    cr_expect(eq(int, other.result, 77), "the third to run");
    cr_expect(eq(int, round.rc, UNDECIDED));
    let_many_pass(&gate, 8);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(zero(int, round.rc));
    gate_close(&gate);
}

INSIDE_POOL(parallel, each_job_needs_a_place_in_the_limiter, 8)
{
    nido_limiter limiter;
    struct round round = {.n = 4, .options = NIDO_PARALLEL_OPTIONS(.workers = 4)};
    nido_group group;

    cr_expect(zero(int, nido_limiter_init(&limiter, 1, "one")));
    round.options.limiter = &limiter;
    nido_group_open(&group, NIDO_FAIL_FAST, "round");
    round_begin(&group, &round);
    for (int i = 1; i <= 4; i++) {
        await_starts(&gate, 1);
        let_others_run();
        cr_expect(eq(int, runs(&gate), i));
        let_pass(&gate, 1);
    }
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(zero(int, round.rc));
    cr_expect(zero(int, nido_limiter_deinit(&limiter)));
    gate_close(&gate);
}

/* ---- Failures ---- */

INSIDE(parallel, the_first_failure_is_told_with_its_index)
{
    size_t failed = 0;

    for (size_t piece = 0; piece < 3; piece++) {
        calls_init();
        calls.fails = 500;
        calls.code = -ENOSPC;
        cr_expect(eq(int,
                     nido_parallel_for(MOST, note_call, &calls,
                                       &NIDO_PARALLEL_OPTIONS(.piece = piece, .failed = &failed)),
                     -ENOSPC));
        cr_expect(eq(sz, failed, 500));
        cr_expect(eq(str, (char *)nido_error_text(nido_error_last()), "index 500 of 1000"));
        cr_expect(eq(int, calls.count[500], 1));
        cr_expect(zero(int, calls.count[999]), "the rest has not been begun");
    }
}

/* The first index fails when `others` have begun; they learn of that. */
struct contest {
    int others;
    int begun; /* atomic */
    int told;  /* atomic */
};

static int fail_or_be_told(void *ctx, size_t i)
{
    struct contest *contest = ctx;

    if (i == 0) {
        while (__atomic_load_n(&contest->begun, __ATOMIC_SEQ_CST) < contest->others) sched_yield();
        return -EDOM;
    }
    __atomic_add_fetch(&contest->begun, 1, __ATOMIC_SEQ_CST);
    while (!nido_job_cancelled()) sched_yield();
    __atomic_add_fetch(&contest->told, 1, __ATOMIC_SEQ_CST);
    return i % 2 ? -ECANCELED : 0;
}

INSIDE_POOL(parallel, after_a_failure_none_is_begun_and_those_that_run_are_waited_for, 4)
{
    struct contest contest = {.others = 3};
    size_t failed = SIZE_MAX;
    nido_parallel_options options = NIDO_PARALLEL_OPTIONS(.workers = 4, .piece = 5);

    options.failed = &failed;
    cr_expect(eq(int, nido_parallel_for(100, fail_or_be_told, &contest, &options), -EDOM));
    cr_expect(zero(sz, failed));
    cr_expect(eq(int, contest.begun, 3));
    cr_expect(eq(int, contest.told, 3));
}

static int return_cancelled(void *unused, size_t i)
{
    (void)unused;
    return i == 2 ? -ECANCELED : 0;
}

INSIDE(parallel, a_stray_cancel_is_a_failure)
{
    size_t failed = 0;

    cr_expect(eq(int,
                 nido_parallel_for(4, return_cancelled, NULL,
                                   &NIDO_PARALLEL_OPTIONS(.piece = 4, .failed = &failed)),
                 -EPROTO));
    cr_expect(eq(sz, failed, 2));
}

/* ---- Cancels ---- */

INSIDE_POOL(parallel, a_cancel_begins_no_more_and_waits_for_those_that_run, 4)
{
    struct round round = {.n = 10, .options = NIDO_PARALLEL_OPTIONS(.workers = 2, .piece = 5)};
    nido_group group;

    nido_group_open(&group, NIDO_WAIT_ALL, "round");
    round_begin(&group, &round);
    await_starts(&gate, 2);
    cr_expect(zero(int, nido_task_cancel(round.task, 0, "test")));
    let_others_run();
    cr_expect(eq(int, round.rc, UNDECIDED));
    let_many_pass(&gate, 2);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, round.rc, -ECANCELED));
    cr_expect(eq(sz, round.failed, 10));
    cr_expect(eq(int, runs(&gate), 2));
    gate_close(&gate);
}

INSIDE_POOL(parallel, a_piece_in_the_queue_is_taken_out_by_a_cancel, 1)
{
    struct round round = {.n = 10, .options = NIDO_PARALLEL_OPTIONS(.workers = 1)};
    struct work other = {.fn = pass, .arg = &gate};
    nido_group group;

    nido_group_open(&group, NIDO_WAIT_ALL, "round");
    work_begin(&group, &other);
    round_begin(&group, &round);
    await_starts(&gate, 1);
    let_others_run();
    cr_expect(zero(int, nido_task_cancel(round.task, 0, "test")));
    let_others_run();
    cr_expect(eq(int, round.rc, -ECANCELED), "at once");
    cr_expect(eq(sz, round.failed, 10));
    let_pass(&gate, 1);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, runs(&gate), 1));
    gate_close(&gate);
}

INSIDE_POOL(parallel, a_cancel_after_the_last_index_has_begun_loses_nothing, 4)
{
    struct round round = {.n = 2, .options = NIDO_PARALLEL_OPTIONS(.workers = 2)};
    nido_group group;

    nido_group_open(&group, NIDO_WAIT_ALL, "round");
    round_begin(&group, &round);
    await_starts(&gate, 2);
    cr_expect(zero(int, nido_task_cancel(round.task, 0, "test")));
    let_others_run();
    let_many_pass(&gate, 2);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(zero(int, round.rc), "all are done");
    cr_expect(eq(int, round.next, -ECANCELED));
    gate_close(&gate);
}

static nido_scope limit;

static int expire(void *unused)
{
    (void)unused;
    return nido_scope_move(&limit, nido_now());
}

static int expire_and_be_told(void *unused, size_t i)
{
    if (i == 0 && nido_call_in_loop(expire, unused) != 0) return -EIO;
    while (!nido_job_cancelled()) sched_yield();
    return -ECANCELED;
}

INSIDE(parallel, an_index_that_runs_is_told_of_the_callers_deadline)
{
    int rc;

    nido_timeout_open(&limit, NIDO_SEC(1000));
    rc = nido_parallel_for(1000, expire_and_be_told, NULL, NULL);
    cr_expect(eq(int, rc, -ECANCELED));
    cr_expect(eq(int, nido_scope_close(&limit, rc), -ETIMEDOUT));
}

INSIDE(parallel, an_expired_caller_begins_nothing)
{
    size_t failed = 0;
    int rc;

    calls_init();
    nido_timeout_open(&limit, 0);
    rc = nido_parallel_for(3, note_call, &calls, &NIDO_PARALLEL_OPTIONS(.failed = &failed));
    cr_expect(eq(int, rc, -ECANCELED));
    cr_expect(eq(int, nido_parallel_for(0, note_call, &calls, NULL), -ECANCELED), "also of none");
    cr_expect(eq(int, nido_scope_close(&limit, rc), -ETIMEDOUT));
    cr_expect(eq(sz, failed, 3));
    cr_expect(zero(int, calls.total));
}

static int cancel_own_task(void *unused)
{
    (void)unused;
    return nido_task_cancel(nido_self(), 0, "test");
}

static int cancel_from_within(void *unused, size_t i)
{
    if (i == 0 && nido_call_in_loop(cancel_own_task, unused) != 0) return -EIO;
    while (i == 0 && !nido_job_cancelled()) sched_yield();
    return 0;
}

INSIDE(parallel, a_task_that_is_cancelled_alone_is_told)
{
    size_t failed = 0;

    cr_expect(eq(int,
                 nido_parallel_for(9, cancel_from_within, NULL,
                                   &NIDO_PARALLEL_OPTIONS(.piece = 3, .failed = &failed)),
                 -EINTR));
    cr_expect(eq(sz, failed, 9), "no index has failed");
}

/* ---- What cannot be had ---- */

INSIDE(parallel, without_a_worker_nothing_is_done)
{
    size_t failed = 0;

    calls_init();
    faults_begin();
    faults_fail(FAULT_thread, FAULT_ALWAYS, -EAGAIN);
    cr_expect(eq(int,
                 nido_parallel_for(9, note_call, &calls, &NIDO_PARALLEL_OPTIONS(.failed = &failed)),
                 -EAGAIN));
    cr_expect(eq(sz, failed, 9), "no index has failed");
    cr_expect(zero(int, calls.total));
    faults_end();
}

static int with_few_tasks(void *unused)
{
    (void)unused;
    expect_all_done(100, 8, 1);
    return 0;
}

/* The root, and one more. */
NIDO_TEST(parallel, one_task_does_it_if_no_other_can_be_made)
{
    nido_options options = nido_test_virtual();

    options.max_tasks = 2;
    cr_expect(zero(int, nido_run(with_few_tasks, NULL, &options)));
}

static int without_tasks(void *unused)
{
    (void)unused;
    calls_init();
    cr_expect(eq(int, nido_parallel_for(2, note_call, &calls, NULL), -EAGAIN));
    cr_expect(zero(int, calls.total));
    return 0;
}

NIDO_TEST(parallel, without_a_task_nothing_is_done)
{
    nido_options options = nido_test_virtual();

    options.max_tasks = 1;
    cr_expect(zero(int, nido_run(without_tasks, NULL, &options)));
}

/* ---- Items and results ---- */

static int square(void *ctx, const void *item, void *result)
{
    const int32_t *number = item;

    if (ctx != &calls) return -EFAULT;
    *(int64_t *)result = (int64_t)*number * *number;
    return 0;
}

INSIDE(map, results_have_the_order_of_their_items)
{
    static int32_t items[MOST];
    static int64_t results[MOST + 1];
    size_t wrong = 0;

    for (int i = 0; i < MOST; i++) items[i] = i - 500;
    results[MOST] = 4711;
    cr_expect(zero(
        int, nido_map(items, sizeof *items, results, sizeof *results, MOST, square, &calls, NULL)));
    for (int64_t i = 0; i < MOST; i++) wrong += results[i] != (i - 500) * (i - 500);
    cr_expect(zero(sz, wrong));
    cr_expect(eq(i64, results[MOST], 4711));
}

static int note_addresses(void *ctx, const void *item, void *result)
{
    return item == ctx && !result ? 0 : -EFAULT;
}

INSIDE(map, what_has_no_size_has_one_address)
{
    cr_expect(zero(int, nido_map(&calls, 0, NULL, 0, 10, note_addresses, &calls, NULL)));
    cr_expect(zero(int, nido_map(NULL, 4, NULL, 8, 0, square, NULL, NULL)), "none at all");
}

INSIDE(map, arrays_that_cannot_be_are_refused)
{
    int item = 0;

    cr_expect(eq(int, nido_map(&item, 4, &item, 4, SIZE_MAX, square, NULL, NULL), -EOVERFLOW));
    cr_expect(eq(int, nido_map(&item, 1, &item, 2, PTRDIFF_MAX, square, NULL, NULL), -EOVERFLOW));
    cr_expect(eq(int, nido_map(&item, 3, &item, 1, SIZE_MAX / 2, square, NULL, NULL), -EOVERFLOW));
    cr_expect(eq(int, nido_map(NULL, 4, &item, 4, 1, square, NULL, NULL), -EINVAL));
    cr_expect(eq(int, nido_map(&item, 4, NULL, 4, 1, square, NULL, NULL), -EINVAL));
    cr_expect(eq(int, nido_map(&item, 4, &item, 4, 1, NULL, NULL, NULL), -EINVAL));
}

/* ---- Refused ---- */

static int refusal(void)
{
    int item = 0, rc = nido_parallel_for(1, note_call, &calls, NULL);

    return nido_map(&item, 4, &item, 4, 1, square, NULL, NULL) == rc ? rc : 1;
}

NIDO_TEST(parallel, outside_a_run_it_is_refused)
{
    cr_expect(eq(int, refusal(), -EPERM));
}

static ssize_t refused_in_job(void *unused)
{
    (void)unused;
    return refusal();
}

static int refused_in_callback(void *said)
{
    *(int *)said = refusal();
    return 0;
}

INSIDE(parallel, in_jobs_and_callbacks_it_is_refused)
{
    nido_rt *rt = nido_rt_self();
    int said = 0;

    cr_expect(eq(int, (int)nido_offload(refused_in_job, NULL), -EPERM));
    cr_expect(zero(int, nido_post(rt, refused_in_callback, &said)));
    while (!said) nido_yield();
    cr_expect(eq(int, said, -EDEADLK));
    nido_rt_release(rt);
}

INSIDE(parallel, bad_options_are_refused)
{
    nido_parallel_options options = {0};

    cr_expect(eq(int, nido_parallel_for(1, note_call, &calls, &options), -EINVAL));
    cr_expect(eq(int, nido_parallel_for(1, NULL, &calls, NULL), -EINVAL));
}
