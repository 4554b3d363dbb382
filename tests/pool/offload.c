/* SPDX-License-Identifier: MIT */
#include <limits.h>

#include "coro/run/report.h"
#include "pool_help.h"

static ssize_t count(void *arg)
{
    return ++*(int *)arg;
}

INSIDE(offload, a_job_runs_on_a_worker_and_its_result_comes_back)
{
    int n = 6;

    cr_expect(eq(int, (int)nido_offload(count, &n), 7));
    cr_expect(eq(int, n, 7));
}

static ssize_t note_thread(void *arg)
{
    *(pthread_t *)arg = pthread_self();
    return (ssize_t)INT_MAX + 5;
}

static ssize_t fail(void *unused)
{
    (void)unused;
    return -EROFS;
}

INSIDE(offload, a_result_comes_back_whole)
{
    pthread_t thread = pthread_self();

    cr_expect(eq(llong, (long long)nido_offload(note_thread, &thread), (long long)INT_MAX + 5));
    cr_expect(zero(int, pthread_equal(thread, pthread_self())));
    cr_expect(eq(int, (int)nido_offload(fail, NULL), -EROFS));
}

/* ---- A cancel ---- */

/* S305 */
INSIDE(offload, a_running_job_is_waited_for_by_a_cancelled_caller)
{
    struct gate gate;
    struct work work = {.fn = pass, .arg = &gate, .options = in_mode(NIDO_OFFLOAD_WAIT)};
    nido_group group;

    gate_open(&gate);
    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    work_begin(&group, &work);
    await_starts(&gate, 1);
    work_cancel(&work);
    for (int i = 0; i < 10; i++) nido_yield();
    cr_expect(eq(int, work.result, UNDECIDED), "the call does not end before its job");
    let_pass(&gate, 42);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, work.result, 42));
    cr_expect(eq(int, work.next, -ECANCELED), "the next point reports the cancel");
    cr_expect(work.ran);
    gate_close(&gate);
}

/* S304 */
INSIDE_POOL(offload, a_queued_job_that_is_cancelled_never_runs, 1)
{
    struct gate gate, never;
    struct dropped dropped;
    struct work first = {.fn = pass, .arg = &gate};
    struct work queued[3] = {
        {.fn = pass, .arg = &never, .options = in_mode(NIDO_OFFLOAD_WAIT)},
        {.fn = pass, .arg = &never, .options = in_mode(NIDO_OFFLOAD_INTERRUPT)},
        {.fn = pass, .arg = &never, .options = abandoning(&dropped)}};
    nido_group group;

    gate_open(&gate);
    gate_open(&never);
    dropped_init(&dropped);
    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    work_begin(&group, &first);
    await_starts(&gate, 1);
    for (int i = 0; i < 3; i++) work_begin(&group, &queued[i]);
    nido_yield();
    for (int i = 0; i < 3; i++) work_cancel(&queued[i]);
    nido_yield();
    for (int i = 0; i < 3; i++) cr_expect(eq(int, queued[i].result, -ECANCELED), "at once");
    let_pass(&gate, 1);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    for (int i = 0; i < 3; i++) cr_expect(not(queued[i].ran));
    cr_expect(zero(int, runs(&never)));
    cr_expect(eq(int, drops(&dropped), 1));
    cr_expect(eq(int, dropped.result, -ECANCELED));
    cr_expect(eq(ptr, dropped.arg, &never));
    cr_expect(dropped_here(&dropped));
    gate_close(&gate);
    gate_close(&never);
}

static int offload_count(void *n)
{
    bool ran = true;
    nido_offload_options options = in_mode(NIDO_OFFLOAD_WAIT);

    options.ran = &ran;
    cr_expect(eq(int, (int)nido_offload_with(count, n, &options), -ECANCELED));
    cr_expect(not(ran));
    return 0;
}

INSIDE(offload, a_cancelled_caller_begins_nothing)
{
    nido_group group;
    int n = 0;

    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    begin(&group, offload_count, &n);
    nido_group_cancel(&group, 0, "at once");
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(zero(int, n));
}

/* ---- When the end of a job and a cancel meet ---- */

static int cancel_work(void *arg)
{
    work_cancel(arg);
    return 0;
}

/* The job is over, its end is on its way to the loop, or has woken its caller; then the cancel. */
static void cancel_after_the_end(struct work *work, bool after_the_wake)
{
    nido_rt *rt = nido_rt_self();
    nido_group group;

    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    work_begin(&group, work);
    await_starts(work->arg, 1);
    let_pass(work->arg, 7);
    sem_await(&threads.ended);
    if (after_the_wake)
        cr_expect(zero(int, nido_post(rt, cancel_work, work)));
    else
        work_cancel(work);
    cr_expect(eq(int, work->result, UNDECIDED));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, work->result, 7));
    cr_expect(eq(int, work->next, -ECANCELED));
    cr_expect(work->ran);
    nido_rt_release(rt);
}

/* S169 */
INSIDE(offload, a_result_that_came_before_the_cancel_is_returned)
{
    struct gate gate;
    struct dropped dropped;
    const nido_offload_options modes[] = {in_mode(NIDO_OFFLOAD_WAIT), abandoning(&dropped)};

    nidoi_pool_idle_ns = 0; /* a worker ends when it has posted the end of its job */
    threads_watch();
    dropped_init(&dropped);
    gate_open(&gate);
    for (int i = 0; i < 4; i++) {
        struct work work = {.fn = pass, .arg = &gate, .options = modes[i / 2]};

        cancel_after_the_end(&work, i % 2);
    }
    cr_expect(zero(int, drops(&dropped)));
    gate_close(&gate);
    threads_forget();
}

/* ---- While a job is out ---- */

/* S302 */
INSIDE(offload, other_tasks_run_and_nobody_polls_while_a_job_is_out)
{
    struct gate gate;
    struct work work = {.fn = pass, .arg = &gate};
    nido_group group;
    unsigned long waits;

    gate_open(&gate);
    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    work_begin(&group, &work);
    await_starts(&gate, 1);
    faults_begin();
    for (int i = 0; i < 10000; i++) nido_yield();
    cr_expect(zero(ulong, faults_count(FAULT_backend_wait)), "ten thousand turns, and none asked");
    let_pass(&gate, 1);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    waits = faults_count(FAULT_backend_wait);
    faults_end();
    cr_expect(le(ulong, waits, 1), "one sleep until the job is over");
    gate_close(&gate);
}

static int offload_pass(void *gate)
{
    return (int)nido_offload(pass, gate);
}

/* S353: the job can end only after the loop has gone to sleep. */
NIDO_TEST(offload, a_job_that_runs_is_no_deadlock)
{
    const enum nido_clock clocks[] = {NIDO_CLOCK_REAL, NIDO_CLOCK_VIRTUAL};

    for (int i = 0; i < 2; i++) {
        nido_options options;
        struct gate gate;

        nido_options_init(&options);
        options.clock = clocks[i];
        gate_open(&gate);
        open_when_asleep(&gate);
        cr_expect(eq(int, nido_run(offload_pass, &gate, &options), 7));
        open_no_more();
        gate_close(&gate);
    }
}

struct patient {
    nido_scope scope;
    nido_event never;
    int rc;
};

static int wait_an_hour(void *arg)
{
    struct patient *self = arg;

    nido_timeout_open(&self->scope, NIDO_SEC(3600));
    self->rc = nido_scope_close(&self->scope, nido_event_wait(&self->never));
    return 0;
}

INSIDE(offload, what_is_due_now_happens_while_a_job_is_out)
{
    struct patient patient = {.rc = 1};
    nido_group group;
    struct gate gate;
    nido_task task;

    gate_open(&gate);
    nido_event_init(&patient.never, "never");
    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    begin(&group, offload_pass, &gate);
    task = begin_kept(&group, wait_an_hour, &patient);
    await_starts(&gate, 1);
    cr_expect(eq(int, nido_scope_move(&patient.scope, nido_now()), 0));
    cr_expect(eq(int, nido_join(task, NULL), 0));
    cr_expect(eq(int, patient.rc, -ETIMEDOUT));
    let_pass(&gate, 7);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    gate_close(&gate);
}

/* S371 */
INSIDE(offload, the_virtual_clock_stands_while_a_job_is_out)
{
    struct sleeper hour = {.ns = NIDO_SEC(3600)};
    int64_t start = nido_now();
    struct gate gate;
    nido_group group;

    gate_open(&gate);
    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    begin(&group, sleeper, &hour);
    open_when_asleep(&gate);
    cr_expect(eq(int, (int)nido_offload(pass, &gate), 7));
    open_no_more();
    cr_expect(eq(llong, nido_now(), start));
    cr_expect(eq(int, hour.rc, 1), "it sleeps on");
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(llong, nido_now(), start + NIDO_SEC(3600)));
    gate_close(&gate);
}

/* A list of tasks says what they wait for. */
INSIDE(offload, a_list_of_tasks_shows_the_name_of_a_job)
{
    struct gate gate;
    struct work work = {.fn = pass, .arg = &gate, .options = in_mode(NIDO_OFFLOAD_WAIT)};
    nido_group group;
    char list[1024];

    work.options.name = "reindex";
    gate_open(&gate);
    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    work_begin(&group, &work);
    await_starts(&gate, 1);
    nidoi_tasks_print(nidoi_loop_self(), list, sizeof list);
    cr_expect(ne(ptr, strstr(list, "job \"reindex\""), NULL), "%s", list);
    let_pass(&gate, 1);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    gate_close(&gate);
}

/* ---- Is the caller cancelled? ---- */

/* Passes twice; whether the caller was cancelled at the first and at the second time. */
static ssize_t ask_twice(void *arg)
{
    bool before = nido_job_cancelled();

    if (pass(arg) < 0) return -EIO;
    return before * 10 + nido_job_cancelled();
}

INSIDE(offload, a_job_learns_of_a_cancel)
{
    struct gate gate;
    struct work work = {.fn = ask_twice, .arg = &gate};
    nido_group group;

    gate_open(&gate);
    let_pass(&gate, 1);
    cr_expect(eq(int, (int)nido_offload(ask_twice, &gate), 0));
    await_starts(&gate, 1);
    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    work_begin(&group, &work);
    await_starts(&gate, 1);
    work_cancel(&work);
    let_pass(&gate, 1);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, work.result, 1));
    cr_expect(not(nido_job_cancelled()), "not in a job");
    gate_close(&gate);
}

static nido_scope scope;

static int expire(void *unused)
{
    (void)unused;
    return nido_scope_move(&scope, nido_now());
}

/* Its caller's deadline comes while it runs. */
static ssize_t work_until_cancelled(void *unused)
{
    if (nido_call_in_loop(expire, unused)) return -EIO;
    while (!nido_job_cancelled()) sched_yield();
    return 3;
}

INSIDE(offload, a_job_learns_of_a_deadline)
{
    nido_scope_open(&scope);
    cr_expect(eq(int, (int)nido_offload(work_until_cancelled, NULL), 3), "the real result");
    cr_expect(eq(int, nido_scope_close(&scope, nido_check()), -ETIMEDOUT));
}
