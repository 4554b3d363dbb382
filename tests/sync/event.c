/* SPDX-License-Identifier: MIT */
/* Events: who passes, who waits, in which order, and whose they are. */
#include <pthread.h>

#include "inside_help.h"

#define HOUR NIDO_SEC(3600)

enum { MOST = 8 };

static struct {
    int order[MOST];
    int count;
} passed;

struct waiter {
    nido_event *event;
    int number, rc;
};

static int waits(void *arg)
{
    struct waiter *self = arg;

    self->rc = 1;
    self->rc = nido_event_wait(self->event);
    if (self->rc == 0) passed.order[passed.count++] = self->number;
    return 0;
}

/* Starts n waiters and lets them park. */
static void begin_waiters(nido_group *group, nido_event *event, struct waiter *all, int n)
{
    passed.count = 0;
    for (int i = 0; i < n; i++) {
        all[i] = (struct waiter){event, i, 1};
        begin(group, waits, &all[i]);
    }
    nido_yield();
}

/* S205 */
INSIDE(event, once_set_all_present_and_later_waiters_pass)
{
    nido_group group;
    nido_event event;
    struct waiter all[MOST];

    nido_event_init(&event, "gate");
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin_waiters(&group, &event, all, MOST);
    cr_expect(eq(int, passed.count, 0));
    cr_expect(not(nido_event_is_set(&event)));
    cr_expect(eq(int, nido_event_set(&event), 0));
    cr_expect(nido_event_is_set(&event));
    for (int i = 0; i < 100; i++) cr_expect(eq(int, nido_event_wait(&event), 0));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, passed.count, MOST));
    cr_expect(eq(int, nido_event_wait(&event), 0));
}

/* S206 */
INSIDE(event, a_set_that_is_reset_at_once_releases_who_waited_and_nobody_else)
{
    nido_group group;
    nido_event event;
    struct waiter all[5], late[1];

    nido_event_init(&event, NULL);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin_waiters(&group, &event, all, 5);
    nido_event_set(&event);
    cr_expect(eq(int, nido_event_reset(&event), 0));
    cr_expect(not(nido_event_is_set(&event)));
    nido_yield();
    cr_expect(eq(int, passed.count, 5));
    begin_waiters(&group, &event, late, 1);
    nido_sleep(HOUR);
    cr_expect(eq(int, late[0].rc, 1));
    nido_event_set(&event);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, late[0].rc, 0));
}

INSIDE(event, waiters_pass_in_the_order_in_which_they_came)
{
    nido_group group;
    nido_event event;
    struct waiter all[MOST];

    nido_event_init(&event, NULL);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin_waiters(&group, &event, all, MOST);
    nido_event_set(&event);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    for (int i = 0; i < MOST; i++) cr_expect(eq(int, passed.order[i], i));
}

static int wait_for(void *event)
{
    return nido_event_wait(event);
}

INSIDE(event, a_cancelled_waiter_leaves_the_queue_to_the_others)
{
    nido_group group;
    nido_event event;
    nido_task first, middle, last;
    int rc = 1;

    nido_event_init(&event, NULL);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    first = begin_kept(&group, wait_for, &event);
    middle = begin_kept(&group, wait_for, &event);
    last = begin_kept(&group, wait_for, &event);
    nido_yield();
    nido_task_cancel(middle, 0, NULL);
    nido_join(middle, NULL);
    cr_expect(eq(int, nido_try_join(first, &rc), -EAGAIN));
    nido_event_set(&event);
    cr_expect(eq(int, nido_join(first, &rc), 0));
    cr_expect(eq(int, rc, 0));
    cr_expect(eq(int, nido_join(last, &rc), 0));
    cr_expect(eq(int, rc, 0));
    cr_expect(nido_task_was_cancelled(middle));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
}

INSIDE(event, a_wait_under_a_deadline_times_out_and_leaves_the_event_alone)
{
    nido_event event;
    nido_scope scope;

    nido_event_init(&event, NULL);
    nido_timeout_open(&scope, 10);
    cr_expect(eq(int, nido_scope_close(&scope, nido_event_wait(&event)), -ETIMEDOUT));
    cr_expect(eq(int, nido_event_deinit(&event), 0));
}

INSIDE(event, one_with_waiters_cannot_end)
{
    nido_group group;
    nido_event event;
    struct waiter waiter;

    nido_event_init(&event, NULL);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin_waiters(&group, &event, &waiter, 1);
    cr_expect(eq(int, nido_event_deinit(&event), -EBUSY));
    cr_expect(eq(int, waiter.rc, 1));
    nido_event_set(&event);
    cr_expect(eq(int, nido_event_deinit(&event), 0));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
}

INSIDE(event, setting_and_resetting_may_be_repeated)
{
    nido_event event;

    nido_event_init(&event, NULL);
    for (int i = 0; i < 3; i++) {
        cr_expect(eq(int, nido_event_reset(&event), 0));
        cr_expect(eq(int, nido_event_reset(&event), 0));
        cr_expect(not(nido_event_is_set(&event)));
        cr_expect(eq(int, nido_event_set(&event), 0));
        cr_expect(eq(int, nido_event_set(&event), 0));
        cr_expect(nido_event_is_set(&event));
    }
}

/* ---- Whose it is ---- */

static int use_elsewhere(void *event)
{
    cr_expect(eq(int, nido_event_set(event), -EXDEV));
    cr_expect(eq(int, nido_event_reset(event), -EXDEV));
    cr_expect(eq(int, nido_event_wait(event), -EXDEV));
    return 0;
}

static void *meddle(void *event)
{
    cr_expect(eq(int, nido_event_set(event), -EPERM), "no runtime");
    cr_expect(eq(int, nido_event_wait(event), -EPERM));
    cr_expect(eq(int, nido_test_run(use_elsewhere, event), 0));
    return NULL;
}

INSIDE(event, one_that_tasks_wait_for_belongs_to_their_thread)
{
    nido_group group;
    nido_event event;
    struct waiter waiter;
    pthread_t thread;

    nido_event_init(&event, NULL);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin_waiters(&group, &event, &waiter, 1);
    cr_expect(eq(int, pthread_create(&thread, NULL, meddle, &event), 0));
    pthread_join(thread, NULL);
    cr_expect(not(nido_event_is_set(&event)));
    cr_expect(eq(int, waiter.rc, 1));
    nido_event_set(&event);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, waiter.rc, 0));
}

static int wait_a_moment(void *event)
{
    return nido_with_timeout(1, wait_for, event);
}

NIDO_TEST(event, one_without_waiters_serves_the_next_run)
{
    nido_event event;

    nido_event_init(&event, NULL);
    for (int i = 0; i < 3; i++)
        cr_expect(eq(int, nido_test_run(wait_a_moment, &event), -ETIMEDOUT));
    cr_expect(eq(int, nido_event_set(&event), 0), "no runtime is needed without waiters");
    cr_expect(eq(int, nido_test_run(wait_a_moment, &event), 0));
    cr_expect(eq(int, nido_event_reset(&event), 0));
    cr_expect(eq(int, nido_event_deinit(&event), 0));
}

NIDO_TEST(event, a_thread_without_a_runtime_cannot_wait)
{
    nido_event event;

    nido_event_init(&event, NULL);
    nido_event_set(&event);
    cr_expect(eq(int, nido_event_wait(&event), -EPERM));
}

static int set_it(void *event)
{
    cr_expect(eq(int, nido_event_wait(event), -EDEADLK), "this must not park");
    return nido_event_set(event);
}

INSIDE(event, a_posted_function_may_set_it_but_not_wait)
{
    nido_rt *rt = nido_rt_self();
    nido_event event;

    nido_event_init(&event, NULL);
    cr_expect(eq(int, nido_post(rt, set_it, &event), 0));
    cr_expect(eq(int, nido_event_wait(&event), 0));
    nido_rt_release(rt);
}
