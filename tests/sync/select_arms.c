/* SPDX-License-Identifier: MIT */
/* Select over instants and descriptors; what reports say; where it cannot be called. */
#include <string.h>
#include <unistd.h>

#include "chan_help.h"
#include "faults.h"

#define HOUR NIDO_SEC(3600)

/* ---- Instants ---- */

/* S254 */
INSIDE(select_arms, an_instant_comes_at_its_time)
{
    int64_t start = nido_now();
    nido_arm arms[3];

    nido_arm_timer(&arms[0], NIDO_NEVER);
    nido_arm_timer(&arms[1], start + HOUR);
    nido_arm_timer(&arms[2], start + HOUR / 2);
    cr_expect(eq(int, nido_select(arms, 2, 0), 1));
    cr_expect(eq(int, arms[1].status, 0));
    cr_expect(eq(i64, nido_now(), start + HOUR));
    cr_expect(eq(int, nido_select(arms, 3, NIDO_PRIORITY), 1), "it has passed");
    for (int i = 1; i <= 2; i++) {
        nido_arm_timer(&arms[i], start + 2 * i * HOUR);
        nido_arm_timer(&arms[3 - i], start + (2 * i + 1) * HOUR);
        cr_expect(eq(int, nido_select(arms, 3, 0), i), "the earlier one");
        cr_expect(eq(i64, nido_now(), start + 2 * i * HOUR));
        cr_expect(eq(int, nido_sleep(5), 0));
        cr_expect(eq(i64, nido_now(), start + 2 * i * HOUR + 5), "the alarm is free again");
    }
}

static int send_later(void *chan)
{
    int item = 3;

    nido_sleep(HOUR);
    return nido_chan_send(chan, &item);
}

INSIDE(select_arms, an_instant_that_lost_does_not_come_later)
{
    nido_chan *chan = new_chan(0);
    int64_t start = nido_now();
    nido_group group;
    nido_arm arms[2];
    int item = 0;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, send_later, chan);
    nido_arm_timer(&arms[0], start + 2 * HOUR);
    nido_arm_recv(&arms[1], chan, &item);
    cr_expect(eq(int, nido_select(arms, 2, 0), 1));
    cr_expect(eq(int, item, 3));
    cr_expect(eq(int, nido_sleep(3 * HOUR), 0));
    cr_expect(eq(i64, nido_now(), start + 4 * HOUR));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    nido_chan_free(chan);
}

INSIDE(select_arms, an_instant_wins_over_a_deadline_at_the_same_time)
{
    int64_t when = nido_now() + HOUR;
    nido_scope scope;
    nido_arm arm;

    nido_arm_timer(&arm, when);
    nido_deadline_open(&scope, when);
    cr_expect(eq(int, nido_select(&arm, 1, 0), 0));
    cr_expect(eq(int, nido_scope_close(&scope, nido_check()), -ETIMEDOUT));
    nido_deadline_open(&scope, nido_now() + 10);
    nido_arm_timer(&arm, nido_now() + 11);
    cr_expect(eq(int, nido_scope_close(&scope, nido_select(&arm, 1, 0)), -ETIMEDOUT));
    cr_expect(eq(int, nido_sleep(100), 0));
}

/* ---- Descriptors ---- */

static int write_soon(void *ends)
{
    nido_sleep(10);
    return nido_write(((int *)ends)[1], "x", 1) == 1 ? 0 : -EIO;
}

INSIDE(select_arms, a_descriptor_that_is_or_becomes_ready)
{
    nido_chan *chan = new_chan(0);
    nido_group group;
    nido_arm arms[3];
    int ends[2], item;
    char byte;

    cr_expect(eq(int, nido_pipe(ends), 0));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    nido_arm_fd(&arms[0], ends[0], NIDO_IN);
    nido_arm_recv(&arms[1], chan, &item);
    nido_arm_fd(&arms[2], ends[1], NIDO_OUT);
    cr_expect(eq(int, nido_select(arms, 3, 0), 2));
    cr_expect(eq(int, arms[2].status, NIDO_OUT));
    cr_expect(eq(int, nido_select(arms, 2, NIDO_POLL), -EAGAIN));
    begin(&group, write_soon, ends);
    for (int i = 0; i < 2; i++) {
        cr_expect(eq(int, nido_select(arms, 2, 0), 0), "nothing has been read");
        cr_expect(eq(int, arms[0].status, NIDO_IN));
    }
    expect_try_send(chan, 1, -EAGAIN);
    cr_expect(eq(i64, nido_read(ends[0], &byte, 1), 1));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    for (int i = 0; i < 2; i++) nido_close(ends[i]);
    nido_chan_free(chan);
}

struct waiter {
    int *ends;
    int index, status;
};

static int waits_for_input(void *arg)
{
    struct waiter *self = arg;
    nido_arm arms[2];

    nido_arm_fd(&arms[0], self->ends[0], NIDO_IN);
    nido_arm_timer(&arms[1], nido_after(HOUR));
    self->index = nido_select(arms, 2, 0);
    if (self->index >= 0) self->status = arms[self->index].status;
    return 0;
}

INSIDE(select_arms, a_descriptor_that_is_closed_meanwhile_is_ebadf)
{
    int ends[2], others[2];
    struct waiter waiter = {ends, -1, 0};
    nido_group group;

    cr_expect(eq(int, nido_pipe(ends), 0));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, waits_for_input, &waiter);
    nido_yield();
    nido_close(ends[0]);
    cr_expect(eq(int, nido_pipe(others), 0)); /* the number has a new owner, with input */
    cr_expect(eq(int, others[0], ends[0]));
    cr_expect(eq(i64, nido_write(others[1], "x", 1), 1));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, waiter.index, 0));
    cr_expect(eq(int, waiter.status, -EBADF));
    nido_close(ends[1]);
    for (int i = 0; i < 2; i++) nido_close(others[i]);
}

struct usurper {
    int ends[2], others[2];
};

static int usurps(void *arg)
{
    struct usurper *self = arg;

    cr_expect(eq(int, nido_wait_fd(self->ends[0], NIDO_IN), NIDO_IN));
    nido_close(self->ends[0]);
    cr_expect(eq(int, nido_pipe(self->others), 0));
    cr_expect(eq(int, self->others[0], self->ends[0]));
    return nido_write(self->others[1], "y", 1) == 1 ? 0 : -EIO;
}

INSIDE(select_arms, a_number_that_has_a_new_owner_when_the_woken_task_runs_is_ebadf)
{
    struct usurper usurper;
    struct waiter waiter = {usurper.ends, -1, 0};
    nido_group group;

    cr_expect(eq(int, nido_pipe(usurper.ends), 0));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, usurps, &usurper); /* parks first, and is woken first */
    begin(&group, waits_for_input, &waiter);
    begin(&group, write_soon, usurper.ends);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, waiter.index, 0));
    cr_expect(eq(int, waiter.status, -EBADF));
    nido_close(usurper.ends[1]);
    for (int i = 0; i < 2; i++) nido_close(usurper.others[i]);
}

static int drains(void *ends)
{
    char byte;

    return nido_read(((int *)ends)[0], &byte, 1) == 1 ? 0 : -EIO;
}

INSIDE(select_arms, input_that_another_task_was_faster_to_read_is_no_input)
{
    int ends[2];
    struct waiter waiter = {ends, -1, 0};
    int64_t start = nido_now();
    nido_group group;

    cr_expect(eq(int, nido_pipe(ends), 0));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, drains, ends); /* parks first, and is woken first */
    begin(&group, waits_for_input, &waiter);
    begin(&group, write_soon, ends);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, waiter.index, 1), "the select went on to wait");
    cr_expect(eq(i64, nido_now(), start + HOUR));
    for (int i = 0; i < 2; i++) nido_close(ends[i]);
}

INSIDE(select_arms, descriptors_and_events_that_make_no_sense_are_done_with_an_error)
{
    nido_arm arm;

    nido_arm_fd(&arm, 0, NIDO_IN | NIDO_OUT);
    cr_expect(eq(int, nido_select(&arm, 1, 0), 0));
    cr_expect(eq(int, arm.status, -EINVAL));
    nido_arm_fd(&arm, -1, NIDO_IN);
    cr_expect(eq(int, nido_select(&arm, 1, 0), 0));
    cr_expect(eq(int, arm.status, -EBADF));
    nido_arm_fd(&arm, 1023, NIDO_IN);
    cr_expect(eq(int, nido_select(&arm, 1, 0), 0));
    cr_expect(eq(int, arm.status, -EBADF));
}

INSIDE(select_arms, a_descriptor_that_cannot_be_watched_ends_the_select_and_withdraws_the_rest)
{
    nido_chan *chan = new_chan(0);
    int ends[2], item = -1;
    nido_arm arms[3];

    cr_expect(eq(int, pipe(ends), 0)); /* foreign: each watch is a system call */
    nido_arm_recv(&arms[0], chan, &item);
    nido_arm_fd(&arms[1], ends[0], NIDO_IN);
    nido_arm_send(&arms[2], chan, &item);
    faults_begin();
    faults_fail(FAULT_backend_change, 1, -ENOSPC);
    cr_expect(eq(int, nido_select(arms, 3, 0), 1));
    faults_end();
    cr_expect(eq(int, arms[1].status, -ENOSPC));
    expect_try_send(chan, 1, -EAGAIN);
    expect_try_recv(chan, -EAGAIN);
    for (int i = 0; i < 2; i++) close(ends[i]);
    nido_chan_free(chan);
}

/* ---- Reports ---- */

static void keep(void *ctx, const char *text)
{
    strncat(ctx, text, 4095);
}

static int wait_in_vain(void *unused)
{
    nido_chan *jobs = new_chan(0), *nameless = new_chan(0);
    nido_event stop;
    nido_arm arms[4];
    int item, rc;

    (void)unused;
    nido_chan_set_name(jobs, "jobs");
    nido_event_init(&stop, "stop");
    nido_arm_recv(&arms[0], jobs, &item);
    nido_arm_event(&arms[1], &stop);
    nido_arm_recv(&arms[2], nameless, &item);
    nido_arm_timer(&arms[3], NIDO_NEVER);
    rc = nido_select(arms, 4, 0);
    nido_chan_free(jobs);
    nido_chan_free(nameless);
    return rc;
}

NIDO_TEST(select_arms, the_deadlock_report_names_all_the_arms)
{
    char text[4096] = "";
    nido_options options = nido_test_virtual();

    options.on_report = keep;
    options.ctx = text;
    cr_expect(eq(int, nido_run(wait_in_vain, NULL, &options), -EDEADLK));
    cr_expect(ne(ptr, strstr(text, "waits for one of \"jobs, stop, channel, timer\""), NULL), "%s",
              text);
}

NIDO_TEST(select_arms, a_thread_without_a_runtime_cannot_select)
{
    nido_arm arm;

    nido_arm_timer(&arm, 0);
    cr_expect(eq(int, nido_select(&arm, 1, 0), -EPERM));
}

static int select_once(void *arg)
{
    nido_arm *arm = arg;

    cr_expect(eq(int, nido_select(arm, 1, 0), -EDEADLK), "this must not park");
    return 0;
}

INSIDE(select_arms, a_posted_function_cannot_select)
{
    nido_rt *rt = nido_rt_self();
    nido_arm arm;

    nido_arm_timer(&arm, 0);
    cr_expect(eq(int, nido_post(rt, select_once, &arm), 0));
    nido_sleep(1);
    nido_rt_release(rt);
}

static int try_select(void *arg)
{
    cr_expect(eq(int, nido_try_select(arg, 1, 0), -EPERM), "it is in no task");
    return 0;
}

INSIDE(select_arms, a_try_does_an_arm_in_a_cancelled_scope_too)
{
    nido_rt *rt = nido_rt_self();
    nido_event stop;
    nido_sem sem;
    nido_arm arms[2];
    nido_scope scope;

    nido_event_init(&stop, "stop");
    nido_sem_init(&sem, 0, 2, "permits");
    nido_arm_event(&arms[0], &stop);
    nido_arm_sem(&arms[1], &sem);
    nido_timeout_open(&scope, 0);
    cr_expect(eq(int, nido_select(arms, 2, NIDO_POLL), -ECANCELED));
    cr_expect(eq(int, nido_try_select(arms, 2, 0), -EAGAIN));
    nido_sem_release(&sem);
    cr_expect(eq(int, nido_try_select(arms, 2, 0), 1));
    cr_expect(eq(int, arms[1].status, 0));
    cr_expect(eq(u32, nido_sem_count(&sem), 0));
    nido_sem_release(&sem);
    nido_event_set(&stop);
    cr_expect(eq(int, nido_try_select(arms, 2, NIDO_PRIORITY), 0));
    cr_expect(eq(u32, nido_sem_count(&sem), 1));
    cr_expect(eq(int, nido_try_select(arms, 0, 0), -EINVAL));
    cr_expect(eq(int, nido_try_select(arms, 2, NIDO_POLL), -EINVAL));
    cr_expect(eq(int, nido_scope_close(&scope, 0), 0));
    cr_expect(eq(int, nido_post(rt, try_select, arms), 0));
    nido_sleep(1);
    nido_rt_release(rt);
}
