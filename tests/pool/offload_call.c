/* SPDX-License-Identifier: MIT */
/* Calls from a job into the loop. */
#include "pool_help.h"

/* What a job says it got; Criterion is not for other threads. */
struct caller {
    nido_fn *fn;
    void *arg;
    int rc[3];
    struct gate *gate; /* to pass first; NULL: none */
};

static ssize_t call_once(void *arg)
{
    struct caller *caller = arg;

    if (caller->gate && pass(caller->gate) < 0) return -EIO;
    caller->rc[0] = nido_call_in_loop(caller->fn, caller->arg);
    return 0;
}

static const nido_local here;

/* It does what only the task can. */
static int look_round(void *arg)
{
    nido_group group;
    struct sleeper second = {.ns = NIDO_MS(1)};

    cr_expect(eq(ptr, nido_local_get(&here), arg), "the task's own value");
    cr_expect(not(nido_job_cancelled()));
    cr_expect(eq(int, nido_call_in_loop(look_round, NULL), -EPERM), "this is no job");
    nido_group_open(&group, NIDO_FAIL_FAST, "inner");
    begin(&group, sleeper, &second);
    cr_expect(zero(int, nido_yield()));
    cr_expect(zero(int, nido_group_cancel(&group, 0, "enough")));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, second.rc, -ECANCELED));
    return 17;
}

/* S310 */
INSIDE(offload_call, the_function_runs_in_the_task_that_waits)
{
    struct caller caller = {.fn = look_round, .arg = &caller};

    cr_expect(zero(int, nido_local_set(&here, &caller)));
    cr_expect(zero(int, (int)nido_offload(call_once, &caller)));
    cr_expect(eq(int, caller.rc[0], 17));
}

/* ---- Several calls ---- */

static int calls;

static int add(void *arg)
{
    calls += *(int *)arg;
    return calls == 3 ? -EIO : calls;
}

static ssize_t call_often(void *arg)
{
    struct caller *caller = arg;

    for (int i = 0; i < 3; i++) caller->rc[i] = nido_call_in_loop(add, &(int){i + 1});
    return nido_call_in_loop(NULL, NULL);
}

INSIDE(offload_call, a_job_may_call_again_and_gets_each_result)
{
    struct caller caller = {0};

    cr_expect(eq(int, (int)nido_offload(call_often, &caller), -EINVAL), "without a function");
    cr_expect(eq(int, caller.rc[0], 1));
    cr_expect(eq(int, caller.rc[1], -EIO));
    cr_expect(eq(int, caller.rc[2], 6));
}

/* ---- What may happen in a call ---- */

/* The job waits for us, so nothing keeps the clock. */
static int sleep_an_hour(void *unused)
{
    (void)unused;
    return nido_sleep(NIDO_SEC(3600));
}

INSIDE(offload_call, the_function_may_wait)
{
    struct caller caller = {.fn = sleep_an_hour, .rc = {1}};
    int64_t start = nido_now();

    cr_expect(zero(int, (int)nido_offload(call_once, &caller)));
    cr_expect(zero(int, caller.rc[0]));
    cr_expect(eq(llong, nido_now() - start, NIDO_SEC(3600)));
}

static bool entered;

static int wait_for_nothing(void *event)
{
    entered = true;
    return nido_event_wait(event);
}

static char report[4096];

static void keep_report(void *ctx, const char *text)
{
    (void)ctx;
    snprintf(report, sizeof report, "%s", text);
}

static int call_to_wait(void *unused)
{
    nido_event never;
    struct caller caller = {.fn = wait_for_nothing, .arg = &never};

    (void)unused;
    nido_event_init(&never, "never");
    cr_expect(zero(int, (int)nido_offload(call_once, &caller)));
    cr_expect(eq(int, caller.rc[0], -ECANCELED));
    return 0;
}

NIDO_TEST(offload_call, a_function_that_waits_for_ever_is_a_deadlock)
{
    nido_options options = nido_test_virtual();

    options.on_report = keep_report;
    cr_expect(eq(int, nido_run(call_to_wait, NULL, &options), -EDEADLK));
    cr_expect(ne(ptr, strstr(report, "event \"never\""), NULL), "%s", report);
}

static int offload_more(void *arg)
{
    return (int)nido_offload(call_often, arg);
}

INSIDE_POOL(offload_call, the_function_may_offload_to_another_worker, 2)
{
    struct caller inner = {0}, caller = {.fn = offload_more, .arg = &inner};

    calls = 0;
    cr_expect(zero(int, (int)nido_offload(call_once, &caller)));
    cr_expect(eq(int, caller.rc[0], -EINVAL));
    cr_expect(eq(int, inner.rc[2], 6));
}

/* ---- Calls and cancels ---- */

static struct gate gate;

static int never_called(void *unused)
{
    (void)unused;
    cr_expect(false, "called in a cancelled task");
    return 0;
}

/* The function waits, and is cancelled there. */
INSIDE(offload_call, a_cancel_reaches_the_function)
{
    nido_event never;
    struct caller caller = {.fn = wait_for_nothing, .arg = &never, .rc = {1}, .gate = &gate};
    struct work work = {.fn = call_once, .arg = &caller};
    nido_group group;

    nido_event_init(&never, "never");
    gate_open(&gate);
    let_pass(&gate, 1);
    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    work_begin(&group, &work);
    while (!entered) nido_yield();
    work_cancel(&work);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, caller.rc[0], -ECANCELED));
    cr_expect(zero(int, work.result), "the job's own");
    cr_expect(eq(int, work.next, -ECANCELED));
    gate_close(&gate);
}

/* S310: in each mode. */
INSIDE(offload_call, a_job_of_a_cancelled_task_is_refused)
{
    struct dropped dropped;
    const nido_offload_options modes[] = {in_mode(NIDO_OFFLOAD_WAIT), abandoning(&dropped)};

    for (int i = 0; i < 2; i++) {
        struct caller caller = {.fn = never_called, .rc = {1}, .gate = &gate};
        struct work work = {.fn = call_once, .arg = &caller, .options = modes[i]};
        nido_group group;

        gate_open(&gate);
        dropped_init(&dropped);
        nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
        work_begin(&group, &work);
        await_starts(&gate, 1);
        work_cancel(&work);
        let_pass(&gate, 1);
        cr_expect(zero(int, nido_group_close(&group, 0)));
        cr_expect(eq(int, work.result, i ? -ECANCELED : 0));
        if (i) { /* the job goes on: its call needs the loop */
            while (drops(&dropped) == 0) nido_yield();
            cr_expect(zero(int, dropped.result));
        }
        cr_expect(eq(int, caller.rc[0], -ECANCELED));
        gate_close(&gate);
    }
}

/* The call has woken the task, and before it runs comes the cancel. */
static int cancel_work(void *arg)
{
    work_cancel(arg);
    return 0;
}

static nido_rt *rt;
static struct work late;
static sem_t called;

/* Sends the cancel behind its own call: a thread does that when the call is on its way. */
static ssize_t call_and_be_cancelled(void *arg)
{
    struct caller *caller = arg;

    sem_post(&called);
    caller->rc[0] = nido_call_in_loop(never_called, NULL);
    return 5;
}

INSIDE(offload_call, a_cancel_that_comes_first_wins)
{
    struct caller caller = {.rc = {1}};
    struct nidoi_loop *loop = nidoi_loop_self();
    nido_group group;

    sem_init(&called, 0, 0);
    rt = nido_rt_self();
    late = (struct work){.fn = call_and_be_cancelled, .arg = &caller};
    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    work_begin(&group, &late);
    nido_yield();
    sem_await(&called);
    while (nidoi_mpsc_empty(&loop->remote->posts)) sched_yield();
    cr_expect(zero(int, nido_post(rt, cancel_work, &late)));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, caller.rc[0], -ECANCELED));
    cr_expect(eq(int, late.result, 5));
    cr_expect(eq(int, late.next, -ECANCELED));
    nido_rt_release(rt);
}

/* ---- Not in a job ---- */

static void *call_from_thread(void *rc)
{
    *(int *)rc = nido_call_in_loop(never_called, NULL);
    return NULL;
}

INSIDE(offload_call, only_jobs_may_call)
{
    pthread_t thread;
    int rc = 0;

    cr_expect(eq(int, nido_call_in_loop(never_called, NULL), -EPERM), "in a task");
    cr_expect(zero(int, pthread_create(&thread, NULL, call_from_thread, &rc)));
    cr_expect(zero(int, pthread_join(thread, NULL)));
    cr_expect(eq(int, rc, -EPERM), "on a thread");
}

/* The calls for any thread are open to a job. */
static int set_event(void *event)
{
    return nido_event_set(event);
}

static ssize_t post(void *event)
{
    return nido_post(rt, set_event, event);
}

INSIDE(offload_call, a_job_may_post)
{
    nido_event posted;

    rt = nido_rt_self();
    nido_event_init(&posted, "posted");
    cr_expect(zero(int, (int)nido_offload(post, &posted)));
    cr_expect(zero(int, nido_event_wait(&posted)));
    nido_rt_release(rt);
}
