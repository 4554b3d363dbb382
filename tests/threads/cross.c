/* SPDX-License-Identifier: MIT */
/* Channels, events and permits for any thread. Threads say what they saw by their result. */
#include <pthread.h>

#include "coro/task/probe.h"
#include "faults.h"
#include "inside_help.h"

static nido_xchan *chan_for_ints(size_t capacity)
{
    nido_xchan *chan = NULL;

    cr_assert(eq(int, nido_xchan_new(sizeof(int), capacity, NULL, NULL, &chan), 0));
    return chan;
}

static pthread_t begin_thread(void *(*fn)(void *), void *arg)
{
    pthread_t thread;

    cr_assert(eq(int, pthread_create(&thread, NULL, fn, arg), 0));
    return thread;
}

static long end_thread(pthread_t thread)
{
    void *result = NULL;

    cr_expect(eq(int, pthread_join(thread, &result), 0));
    return (long)(intptr_t)result;
}

/* ---- Channels ---- */

enum { ITEMS = 2000 };

static void *send_all(void *chan)
{
    for (int i = 1; i <= ITEMS; i++)
        if (nido_xchan_send(chan, &i)) return (void *)-1;
    return NULL;
}

static void *receive_sum(void *chan)
{
    long sum = 0;
    int item;

    while (nido_xchan_recv(chan, &item) == 0) sum += item;
    return (void *)(intptr_t)sum;
}

static int receive_in_order(void *chan)
{
    int item = 0;

    for (int i = 1; i <= ITEMS; i++) {
        cr_expect(eq(int, nido_xchan_recv(chan, &item), 0));
        cr_expect(eq(int, item, i));
    }
    return 0;
}

static int send_as_task(void *chan)
{
    return send_all(chan) ? -EIO : 0;
}

static void threads_and_tasks(size_t capacity)
{
    nido_xchan *chan = chan_for_ints(capacity);
    pthread_t thread = begin_thread(send_all, chan);

    cr_expect(eq(int, nido_run(receive_in_order, chan, NULL), 0));
    cr_expect(eq(i64, end_thread(thread), 0));
    thread = begin_thread(receive_sum, chan);
    cr_expect(eq(int, nido_run(send_as_task, chan, NULL), 0));
    cr_expect(eq(int, nido_xchan_close(chan), 0));
    cr_expect(eq(i64, end_thread(thread), (long)ITEMS * (ITEMS + 1) / 2));
    nido_xchan_free(chan);
}

NIDO_TEST(cross, items_pass_between_tasks_and_threads_in_order)
{
    threads_and_tasks(16);
}

NIDO_TEST(cross, without_room_each_send_meets_its_receive)
{
    threads_and_tasks(0);
}

static void *send_in_a_run(void *chan)
{
    return (void *)(intptr_t)nido_run(send_as_task, chan, NULL);
}

NIDO_TEST(cross, items_pass_between_two_runtimes)
{
    nido_xchan *chan = chan_for_ints(3);
    pthread_t thread = begin_thread(send_in_a_run, chan);

    cr_expect(eq(int, nido_run(receive_in_order, chan, NULL), 0));
    cr_expect(eq(i64, end_thread(thread), 0));
    nido_xchan_free(chan);
}

static int receive_one(void *chan)
{
    int item = 0, err = nido_xchan_recv(chan, &item);

    return err ? err : item;
}

static int send_nine(void *chan)
{
    int nine = 9;

    return nido_xchan_send(chan, &nine);
}

INSIDE(cross, a_cancelled_wait_takes_and_gives_nothing)
{
    nido_xchan *chan = chan_for_ints(1);
    nido_group group;
    int item = 0;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, receive_one, chan);
    nido_yield();
    nido_group_cancel(&group, -ETIME, "enough");
    cr_expect(eq(int, nido_group_close(&group, 0), -ETIME));
    item = 1;
    cr_expect(eq(int, nido_xchan_try_send(chan, &item), 0), "it went into the channel");
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, send_nine, chan);
    nido_yield();
    nido_group_cancel(&group, -ETIME, "enough");
    cr_expect(eq(int, nido_group_close(&group, 0), -ETIME));
    cr_expect(eq(int, nido_xchan_try_recv(chan, &item), 0));
    cr_expect(eq(int, item, 1));
    cr_expect(eq(int, nido_xchan_try_recv(chan, &item), -EAGAIN));
    nido_xchan_free(chan);
}

INSIDE(cross, an_item_given_before_a_cancel_is_received)
{
    nido_xchan *chan = chan_for_ints(0);
    nido_group group;
    nido_task task;
    int rc = 0, five = 5;

    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    task = begin_kept(&group, receive_one, chan);
    nido_yield();
    cr_expect(eq(int, nido_xchan_try_send(chan, &five), 0));
    nido_task_cancel(task, 0, "late");
    cr_expect(eq(int, nido_join(task, &rc), 0));
    cr_expect(eq(int, rc, 5));
    nido_group_close(&group, 0);
    nido_xchan_free(chan);
}

INSIDE(cross, a_closed_channel_gives_what_it_has_and_takes_nothing)
{
    nido_xchan *chan = chan_for_ints(2);
    nido_group group;
    nido_task waiting;
    int item = 1, rc = 0;

    cr_expect(eq(int, nido_xchan_send(chan, &item), 0));
    item = 2;
    cr_expect(eq(int, nido_xchan_send(chan, &item), 0));
    cr_expect(eq(int, nido_xchan_try_send(chan, &item), -EAGAIN));
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    waiting = begin_kept(&group, send_nine, chan);
    nido_yield();
    cr_expect(eq(int, nido_xchan_close(chan), 0));
    cr_expect(eq(int, nido_xchan_close(chan), -EALREADY));
    cr_expect(eq(int, nido_join(waiting, &rc), 0));
    cr_expect(eq(int, rc, -EPIPE), "its item is still its own");
    cr_expect(eq(int, nido_xchan_send(chan, &item), -EPIPE));
    cr_expect(eq(int, receive_one(chan), 1));
    cr_expect(eq(int, receive_one(chan), 2));
    cr_expect(eq(int, receive_one(chan), -EPIPE));
    cr_expect(eq(int, nido_group_close(&group, 0), -EPIPE));
    nido_xchan_free(chan);
}

static void count_drop(void *ctx, void *item, int result)
{
    (void)result;
    *(int *)ctx += *(int *)item;
}

NIDO_TEST(cross, what_is_left_is_dropped_with_the_channel)
{
    nido_xchan *chan = NULL;
    int dropped = 0;

    cr_assert(eq(int, nido_xchan_new(sizeof(int), 3, count_drop, &dropped, &chan), 0));
    for (int i = 1; i <= 3; i++) cr_expect(eq(int, nido_xchan_send(chan, &i), 0));
    nido_xchan_free(chan);
    cr_expect(eq(int, dropped, 6));
}

NIDO_TEST(cross, what_cannot_be_made_is_told)
{
    nido_xchan *chan;
    nido_xevent *event;
    nido_xsem *sem;

    cr_expect(eq(int, nido_xchan_new(0, 1, NULL, NULL, &chan), -EINVAL));
    cr_expect(eq(int, nido_xchan_new(SIZE_MAX / 2, 3, NULL, NULL, &chan), -EOVERFLOW));
    faults_begin();
    faults_fail(FAULT_memory, FAULT_ALWAYS, 0);
    cr_expect(eq(int, nido_xchan_new(4, 1, NULL, NULL, &chan), -ENOMEM));
    cr_expect(eq(int, nido_xevent_new(&event), -ENOMEM));
    cr_expect(eq(int, nido_xsem_new(1, &sem), -ENOMEM));
    faults_end();
    nido_xchan_free(NULL);
    nido_xevent_free(NULL);
    nido_xsem_free(NULL);
}

static int wait_in_a_callback(void *arg)
{
    int item;

    (void)arg;
    cr_expect(eq(int, nido_xchan_recv(arg, &item), -EDEADLK));
    return 0;
}

INSIDE(cross, a_callback_that_must_not_park_is_refused)
{
    nido_xchan *chan = chan_for_ints(1);
    nido_rt *rt = nido_rt_self();

    cr_expect(eq(int, nido_post(rt, wait_in_a_callback, chan), 0));
    nido_sleep(1);
    nido_rt_release(rt);
    nido_xchan_free(chan);
}

/* ---- Events and permits ---- */

static int wait_for_event(void *event)
{
    return nido_xevent_wait(event);
}

static void *wait_as_thread(void *event)
{
    return (void *)(intptr_t)nido_xevent_wait(event);
}

static void *set_as_thread(void *event)
{
    nido_xevent_set(event);
    return NULL;
}

NIDO_TEST(cross, an_event_lets_everybody_pass)
{
    nido_xevent *event = NULL;
    pthread_t waiting, setting;

    cr_assert(eq(int, nido_xevent_new(&event), 0));
    waiting = begin_thread(wait_as_thread, event);
    setting = begin_thread(set_as_thread, event);
    cr_expect(eq(int, nido_run(wait_for_event, event, NULL), 0));
    cr_expect(eq(i64, end_thread(waiting), 0));
    end_thread(setting);
    nido_xevent_reset(event);
    setting = begin_thread(set_as_thread, event);
    cr_expect(eq(int, nido_run(wait_for_event, event, NULL), 0));
    end_thread(setting);
    nido_xevent_free(event);
}

enum { WORKERS = 3, ROUNDS = 500 };

struct guarded {
    nido_xsem *sem;
    int inside; /* atomic */
    int most;
};

static int take_turns(void *arg)
{
    struct guarded *guarded = arg;

    for (int i = 0; i < ROUNDS; i++) {
        if (nido_xsem_acquire(guarded->sem)) return -EIO;
        if (__atomic_add_fetch(&guarded->inside, 1, __ATOMIC_SEQ_CST) > 2) guarded->most = 3;
        nido_yield();
        __atomic_sub_fetch(&guarded->inside, 1, __ATOMIC_SEQ_CST);
        if (nido_xsem_release(guarded->sem, 1)) return -EIO;
    }
    return 0;
}

static int take_turns_in_tasks(void *arg)
{
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 3; i++) begin(&group, take_turns, arg);
    return nido_group_close(&group, 0);
}

static void *take_turns_in_a_run(void *arg)
{
    return (void *)(intptr_t)nido_run(take_turns_in_tasks, arg, NULL);
}

static void *take_turns_as_thread(void *arg)
{
    return (void *)(intptr_t)take_turns(arg);
}

NIDO_TEST(cross, permits_hold_over_threads_and_runtimes)
{
    struct guarded guarded = {0};
    pthread_t threads[WORKERS];

    cr_assert(eq(int, nido_xsem_new(2, &guarded.sem), 0));
    for (int i = 0; i < WORKERS; i++)
        threads[i] = begin_thread(i ? take_turns_in_a_run : take_turns_as_thread, &guarded);
    for (int i = 0; i < WORKERS; i++) cr_expect(eq(i64, end_thread(threads[i]), 0));
    cr_expect(eq(int, guarded.most, 0));
    cr_expect(eq(int, nido_xsem_try_acquire(guarded.sem), 0));
    cr_expect(eq(int, nido_xsem_try_acquire(guarded.sem), 0));
    cr_expect(eq(int, nido_xsem_try_acquire(guarded.sem), -EAGAIN));
    cr_expect(eq(int, nido_xsem_release(guarded.sem, UINT32_MAX), 0));
    cr_expect(eq(int, nido_xsem_release(guarded.sem, 1), -EOVERFLOW));
    nido_xsem_free(guarded.sem);
}

static int acquire(void *sem)
{
    return nido_xsem_acquire(sem);
}

INSIDE(cross, a_permit_given_before_a_cancel_is_kept_and_a_cancelled_wait_takes_none)
{
    nido_xsem *sem = NULL;
    nido_group group;
    nido_task first, second;
    int rc = 1;

    cr_assert(eq(int, nido_xsem_new(0, &sem), 0));
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    first = begin_kept(&group, acquire, sem);
    second = begin_kept(&group, acquire, sem);
    nido_yield();
    nido_task_cancel(first, -ETIME, "gone");
    cr_expect(eq(int, nido_xsem_release(sem, 1), 0));
    nido_task_cancel(second, -ETIME, "late");
    cr_expect(eq(int, nido_join(second, &rc), 0));
    cr_expect(eq(int, rc, 0));
    cr_expect(eq(int, nido_xsem_try_acquire(sem), -EAGAIN));
    nido_group_close(&group, 0);
    nido_xsem_free(sem);
}

enum { WAKES = 100000 };

struct rounds {
    nido_xsem *ping, *pong;
};

static int answer_all(void *arg)
{
    struct rounds *rounds = arg;

    for (int i = 0; i < WAKES; i++)
        if (nido_xsem_acquire(rounds->ping) || nido_xsem_release(rounds->pong, 1)) return -EIO;
    return 0;
}

static void *call_all(void *arg)
{
    struct rounds *rounds = arg;

    for (int i = 0; i < WAKES; i++)
        if (nido_xsem_release(rounds->ping, 1) || nido_xsem_acquire(rounds->pong)) return (void *)1;
    return NULL;
}

/* S340: each round the loop goes to sleep, or is about to, when the wake comes. */
NIDO_TEST(cross, no_wake_is_lost_while_the_loop_goes_to_sleep)
{
    struct rounds rounds;
    pthread_t thread;

    cr_assert(eq(int, nido_xsem_new(0, &rounds.ping), 0));
    cr_assert(eq(int, nido_xsem_new(0, &rounds.pong), 0));
    thread = begin_thread(call_all, &rounds);
    cr_expect(eq(int, nido_run(answer_all, &rounds, NULL), 0));
    cr_expect(eq(i64, end_thread(thread), 0));
    nido_xsem_free(rounds.ping);
    nido_xsem_free(rounds.pong);
}

/* ---- A wake between the last look at the posts and the sleep: each time, not by chance ---- */

static void *release_one(void *sem)
{
    return (void *)(intptr_t)nido_xsem_release(sem, 1);
}

/* No task is ready: the loop is about to sleep. */
static void release_before_the_sleep(void *sem)
{
    cr_expect(eq(i64, end_thread(begin_thread(release_one, sem)), 0));
}

static void see_task(void *unused, struct nidoi_task *task)
{
    (void)unused, (void)task;
}

static void see_end(void *unused, struct nidoi_sched *sched)
{
    (void)unused, (void)sched;
}

static int acquire_at_once(void *sem)
{
    return nido_xsem_acquire(sem);
}

NIDO_TEST(cross, a_wake_just_before_the_sleep_is_not_slept_over)
{
    static const struct nidoi_watcher watcher = {
        see_task, see_task, see_task, release_before_the_sleep, see_task, see_end};
    nido_xsem *sem = NULL;

    cr_assert(eq(int, nido_xsem_new(0, &sem), 0));
    nidoi_watching = (struct nidoi_watching){&watcher, sem};
    cr_expect(eq(int, nido_run(acquire_at_once, sem, NULL), 0));
    nidoi_watching = (struct nidoi_watching){NULL, NULL};
    nido_xsem_free(sem);
}
