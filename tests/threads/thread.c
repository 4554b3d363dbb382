/* SPDX-License-Identifier: MIT */
/* Wakers, tasks in another thread's runtime, shards. */
#include <pthread.h>
#include <signal.h>

#include "faults.h"
#include "inside_help.h"

/* ---- Wakers ---- */

enum { WAKES = 100000 };

struct waking {
    nido_waker *waker;
    uint32_t wanted, seen; /* atomic */
};

static void *wake_often(void *arg)
{
    struct waking *waking = arg;
    int err = 0;

    for (uint32_t i = 1; i <= WAKES && !err; i++) {
        __atomic_store_n(&waking->wanted, i, __ATOMIC_SEQ_CST);
        err = nido_waker_wake(waking->waker);
        while (!err && i % 100 == 0 && __atomic_load_n(&waking->seen, __ATOMIC_SEQ_CST) != i) {
        }
    }
    nido_waker_release(waking->waker);
    return (void *)(intptr_t)err;
}

static int count_wakes(void *arg)
{
    struct waking *waking = arg;
    pthread_t thread;
    void *result = NULL;

    cr_assert(eq(int, nido_waker_new(&waking->waker), 0));
    nido_waker_retain(waking->waker);
    cr_assert(eq(int, pthread_create(&thread, NULL, wake_often, waking), 0));
    while (waking->seen != WAKES) {
        cr_expect(eq(int, nido_waker_wait(waking->waker), 0));
        __atomic_store_n(&waking->seen, __atomic_load_n(&waking->wanted, __ATOMIC_SEQ_CST),
                         __ATOMIC_SEQ_CST);
    }
    pthread_join(thread, &result);
    cr_expect(eq(ptr, result, NULL));
    nido_waker_release(waking->waker);
    return 0;
}

/* S340: the waker waits for an answer now and then, so a lost wake would hang both. */
NIDO_TEST(thread, no_wake_of_a_waker_is_lost)
{
    struct waking waking = {0};

    cr_expect(eq(int, nido_run(count_wakes, &waking, NULL), 0));
}

static int wait_for_waker(void *waker)
{
    return nido_waker_wait(waker);
}

INSIDE(thread, a_wake_is_remembered_and_several_are_one)
{
    nido_waker *waker = NULL;
    nido_group group;
    nido_task task;
    int rc = 1;

    cr_assert(eq(int, nido_waker_new(&waker), 0));
    for (int i = 0; i < 3; i++) cr_expect(eq(int, nido_waker_wake(waker), 0));
    cr_expect(eq(int, nido_waker_wait(waker), 0));
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    task = begin_kept(&group, wait_for_waker, waker);
    nido_sleep(1);
    nido_task_cancel(task, -ETIME, "enough");
    cr_expect(eq(int, nido_join(task, &rc), 0));
    cr_expect(eq(int, rc, -ETIME), "the three were one");
    cr_expect(eq(int, nido_waker_wake(waker), 0));
    nido_group_close(&group, 0);
    cr_expect(eq(int, nido_waker_wait(waker), 0), "the cancelled wait took none");
    nido_waker_release(waker);
    nido_waker_release(NULL);
}

static nido_waker *in_handler;

static void wake_in_handler(int number)
{
    (void)number;
    nido_waker_wake(in_handler);
}

INSIDE(thread, a_signal_handler_may_wake)
{
    cr_assert(eq(int, nido_waker_new(&in_handler), 0));
    signal(SIGUSR1, wake_in_handler);
    raise(SIGUSR1);
    cr_expect(eq(int, nido_waker_wait(in_handler), 0));
    signal(SIGUSR1, SIG_DFL);
    nido_waker_release(in_handler);
}

static int make_waker(void *out)
{
    return nido_waker_new(out);
}

NIDO_TEST(thread, a_waker_outlives_its_run)
{
    nido_waker *waker = NULL;

    cr_expect(eq(int, nido_waker_new(&waker), -EPERM));
    cr_expect(eq(int, nido_run(make_waker, &waker, NULL), 0));
    cr_expect(eq(int, nido_waker_wake(waker), -ESHUTDOWN));
    cr_expect(eq(int, nido_waker_wake(waker), -ESHUTDOWN), "and again");
    cr_expect(eq(int, nido_waker_wait(waker), -EPERM));
    nido_waker_release(waker);
}

/* ---- Running elsewhere ---- */

/* A runtime on a thread of its own that lives until `stop` is set. */
struct elsewhere {
    pthread_t thread;
    nido_rt *rt;
    nido_xevent *ready, *stop;
    int rc;
    nido_fn *last; /* called at its root's end, or NULL */
};

static int stay(void *arg)
{
    struct elsewhere *there = arg;
    int rc;

    there->rt = nido_rt_self();
    nido_xevent_set(there->ready);
    rc = nido_xevent_wait(there->stop);
    return there->last ? there->last(there) : rc;
}

static void *live_there(void *arg)
{
    struct elsewhere *there = arg;

    there->rc = nido_run(stay, there, NULL);
    return NULL;
}

static void open_elsewhere(struct elsewhere *there)
{
    *there = (struct elsewhere){0};
    cr_assert(eq(int, nido_xevent_new(&there->ready), 0));
    cr_assert(eq(int, nido_xevent_new(&there->stop), 0));
    cr_assert(eq(int, pthread_create(&there->thread, NULL, live_there, there), 0));
    cr_assert(eq(int, nido_xevent_wait(there->ready), 0));
}

static void close_elsewhere(struct elsewhere *there)
{
    nido_xevent_set(there->stop);
    pthread_join(there->thread, NULL);
    nido_rt_release(there->rt);
    nido_xevent_free(there->ready);
    nido_xevent_free(there->stop);
}

static pthread_t where;

static int note_thread(void *arg)
{
    where = pthread_self();
    cr_expect(eq(int, nido_sleep(NIDO_US(10)), 0));
    return *(int *)arg;
}

static int run_there(void *arg)
{
    struct elsewhere *there = arg;
    int value = 17;

    cr_expect(eq(int, nido_run_on(there->rt, note_thread, &value), 17));
    cr_expect(ne(int, pthread_equal(where, there->thread), 0));
    value = -EIO;
    cr_expect(eq(int, nido_run_on(there->rt, note_thread, &value), -EIO), "its own affair");
    return 0;
}

NIDO_TEST(thread, a_function_runs_in_another_runtime_and_its_result_comes_back)
{
    struct elsewhere there;
    int value = 5;

    open_elsewhere(&there);
    cr_expect(eq(int, nido_run(run_there, &there, NULL), 0));
    cr_expect(eq(int, nido_run_on(there.rt, note_thread, &value), 5), "a thread may ask too");
    close_elsewhere(&there);
    cr_expect(eq(int, there.rc, 0), "the failing guest did not disturb it");
}

static const nido_value_key request = NIDO_VALUE_KEY_INIT("request", NIDO_VALUE_TEXT);

static int has_no_value(void *unused)
{
    (void)unused;
    return nido_value_get(&request) != NULL;
}

static int run_there_with_a_value(void *arg)
{
    struct elsewhere *there = arg;
    nido_value value;

    nido_value_open(&value, &request, "42f1");
    cr_expect(zero(int, nido_run_on(there->rt, has_no_value, NULL)));
    return nido_value_close(&value);
}

NIDO_TEST(thread, a_function_in_another_runtime_inherits_no_value)
{
    struct elsewhere there;

    open_elsewhere(&there);
    cr_expect(zero(int, nido_run(run_there_with_a_value, &there, NULL)));
    close_elsewhere(&there);
    cr_expect(zero(int, there.rc));
}

struct long_visit {
    struct elsewhere there;
    nido_xevent *begun;
    int after_cancel;
};

static int be_cancelled(void *arg)
{
    struct long_visit *visit = arg;

    nido_xevent_set(visit->begun);
    cr_expect(eq(int, nido_sleep(NIDO_SEC(1000)), -ECANCELED));
    return visit->after_cancel;
}

static int visit_for_long(void *arg)
{
    struct long_visit *visit = arg;

    return nido_run_on(visit->there.rt, be_cancelled, visit);
}

static int cancel_the_visitor(void *arg)
{
    struct long_visit *visit = arg;
    nido_group group;
    nido_task task;
    int rc = 1;

    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    task = begin_kept(&group, visit_for_long, visit);
    cr_expect(eq(int, nido_xevent_wait(visit->begun), 0));
    nido_task_cancel(task, -ETIME, "enough");
    cr_expect(eq(int, nido_join(task, &rc), 0));
    cr_expect(eq(int, rc, visit->after_cancel == -ECANCELED ? -ETIME : visit->after_cancel));
    nido_group_close(&group, 0);
    return 0;
}

/* S368 */
NIDO_TEST(thread, a_cancelled_caller_cancels_and_gets_the_real_result)
{
    struct long_visit visit = {0};
    const int results[] = {33, -EIO, -ECANCELED};

    cr_assert(eq(int, nido_xevent_new(&visit.begun), 0));
    open_elsewhere(&visit.there);
    for (int i = 0; i < 3; i++) {
        visit.after_cancel = results[i];
        nido_xevent_reset(visit.begun);
        cr_expect(eq(int, nido_run(cancel_the_visitor, &visit, NULL), 0));
    }
    close_elsewhere(&visit.there);
    nido_xevent_free(visit.begun);
}

static void *visit_as_thread(void *arg)
{
    return (void *)(intptr_t)visit_for_long(arg);
}

static int be_asked_again(void *arg)
{
    struct elsewhere *there = arg;

    (void)there;
    return 3;
}

NIDO_TEST(thread, the_end_of_the_other_run_cancels_its_guests)
{
    struct long_visit visit = {.after_cancel = -ECANCELED};
    pthread_t thread;
    void *result = NULL;

    cr_assert(eq(int, nido_xevent_new(&visit.begun), 0));
    open_elsewhere(&visit.there);
    visit.there.last = be_asked_again;
    cr_assert(eq(int, pthread_create(&thread, NULL, visit_as_thread, &visit), 0));
    nido_xevent_wait(visit.begun);
    nido_rt_retain(visit.there.rt);
    nido_xevent_set(visit.there.stop);
    pthread_join(thread, &result);
    cr_expect(eq(i64, (long)(intptr_t)result, -ESHUTDOWN));
    pthread_join(visit.there.thread, NULL);
    cr_expect(eq(int, visit.there.rc, 3));
    cr_expect(eq(int, nido_run_on(visit.there.rt, be_cancelled, &visit), -ESHUTDOWN));
    nido_rt_release(visit.there.rt);
    nido_rt_release(visit.there.rt);
    nido_xevent_free(visit.there.ready);
    nido_xevent_free(visit.there.stop);
    nido_xevent_free(visit.begun);
}

INSIDE(thread, wrong_calls_are_refused)
{
    nido_rt *rt = nido_rt_self();
    int value = 8;

    cr_expect(eq(int, nido_run_on(NULL, note_thread, &value), -EINVAL));
    cr_expect(eq(int, nido_run_on(rt, NULL, &value), -EINVAL));
    cr_expect(eq(int, nido_run_on(rt, note_thread, &value), 8), "one's own runtime will do");
    nido_rt_release(rt);
}

struct storm {
    struct elsewhere there;
    int done;
};

static int quick(void *arg)
{
    ++*(int *)arg;
    return nido_sleep(NIDO_US(1)) ? -ECANCELED : 1;
}

static int ask_with_a_deadline(void *arg)
{
    struct storm *storm = arg;

    for (int i = 0; i < 200; i++) {
        nido_scope scope;
        int calls = 0, rc;

        nido_timeout_open(&scope, NIDO_US(i % 40));
        rc = nido_run_on(storm->there.rt, quick, &calls);
        rc = nido_scope_close(&scope, rc);
        cr_expect(rc == 1 ? calls == 1 : rc == -ETIMEDOUT, "%d, %d calls", rc, calls);
        storm->done++;
    }
    return 0;
}

static int storm(void *arg)
{
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 8; i++) begin(&group, ask_with_a_deadline, arg);
    return nido_group_close(&group, 0);
}

NIDO_TEST(thread, visits_that_race_with_deadlines_end_in_one_way_or_the_other)
{
    struct storm world = {0};

    open_elsewhere(&world.there);
    cr_expect(eq(int, nido_run(storm, &world, NULL), 0));
    cr_expect(eq(int, world.done, 1600));
    close_elsewhere(&world.there);
}

/* ---- A thread that posts without pause ---- */

struct flood {
    nido_rt *rt;
    bool over; /* atomic */
};

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void *post_without_pause(void *arg)
{
    struct flood *flood = arg;

    while (!__atomic_load_n(&flood->over, __ATOMIC_RELAXED))
        if (nido_post(flood->rt, nothing, NULL)) return (void *)1;
    return NULL;
}

static int work_in_the_flood(void *arg)
{
    struct flood *flood = arg;
    pthread_t thread;

    flood->rt = nido_rt_self();
    cr_assert(eq(int, pthread_create(&thread, NULL, post_without_pause, flood), 0));
    for (int i = 0; i < 1000; i++) cr_expect(eq(int, nido_yield(), 0));
    cr_expect(eq(int, nido_sleep(NIDO_US(100)), 0));
    __atomic_store_n(&flood->over, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    nido_rt_release(flood->rt);
    return 0;
}

/* S341 */
NIDO_TEST(thread, a_flood_of_posts_does_not_starve_the_tasks)
{
    struct flood flood = {0};

    cr_expect(eq(int, nido_run(work_in_the_flood, &flood, NULL), 0));
}
