/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <string.h>
#include <sys/time.h>

#include "faults.h"
#include "inside_help.h"

static void open_for(nido_signal *receiver, int one, int other)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, one);
    if (other) sigaddset(&set, other);
    cr_expect(eq(int, nido_signal_open(receiver, &set), 0));
}

static bool handled(int number)
{
    struct sigaction now;

    sigaction(number, NULL, &now);
    return now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN;
}

static int receive(void *arg)
{
    return nido_signal_wait(arg);
}

static int receive_usr1(void *arg)
{
    cr_expect(eq(int, receive(arg), SIGUSR1));
    return 0;
}

/* ---- Receivers ---- */

/* S289 */
INSIDE(signal, three_signals_in_a_row_are_at_least_one_and_none_comes_after_the_close)
{
    nido_signal receiver;

    open_for(&receiver, SIGUSR1, 0);
    for (int i = 0; i < 3; i++) raise(SIGUSR1);
    cr_expect(eq(int, nido_signal_wait(&receiver), SIGUSR1));
    while (nido_signal_try(&receiver) == SIGUSR1) {
    }
    cr_expect(eq(int, nido_signal_close(&receiver), 0));
    cr_expect(eq(int, nido_signal_wait(&receiver), -EBADF));
    cr_expect(eq(int, nido_signal_close(&receiver), -EBADF));
    cr_expect(not(handled(SIGUSR1)));
}

INSIDE(signal, a_parked_task_is_woken_by_the_signal)
{
    nido_signal receiver;
    nido_group group;

    open_for(&receiver, SIGUSR1, 0);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, receive_usr1, &receiver);
    nido_yield();
    raise(SIGUSR1);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    nido_signal_close(&receiver);
}

INSIDE(signal, different_signals_come_in_the_order_they_were_sent)
{
    nido_signal receiver;

    open_for(&receiver, SIGUSR1, SIGUSR2);
    raise(SIGUSR2);
    raise(SIGUSR1);
    cr_expect(eq(int, nido_signal_wait(&receiver), SIGUSR2));
    cr_expect(eq(int, nido_signal_wait(&receiver), SIGUSR1));
    cr_expect(eq(int, nido_signal_try(&receiver), -EAGAIN));
    nido_signal_close(&receiver);
}

INSIDE(signal, every_open_receiver_gets_it)
{
    nido_signal one, other;

    open_for(&one, SIGUSR1, 0);
    open_for(&other, SIGUSR1, SIGUSR2);
    raise(SIGUSR1);
    cr_expect(eq(int, nido_signal_wait(&one), SIGUSR1));
    cr_expect(eq(int, nido_signal_wait(&other), SIGUSR1));
    nido_signal_close(&one);
    cr_expect(handled(SIGUSR1), "the other still wants it");
    nido_signal_close(&other);
    cr_expect(not(handled(SIGUSR1)));
}

INSIDE(signal, tasks_wait_in_line_and_a_cancelled_one_takes_nothing)
{
    nido_signal receiver;
    nido_group group;
    nido_task first;

    open_for(&receiver, SIGUSR1, 0);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    first = begin_kept(&group, receive, &receiver);
    begin(&group, receive_usr1, &receiver);
    nido_yield();
    nido_task_cancel(first, -ETIME, "gone");
    raise(SIGUSR1);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, nido_signal_try(&receiver), -EAGAIN));
    nido_signal_close(&receiver);
}

static int cancel_group(void *group)
{
    return nido_group_cancel(group, -ETIME, "late");
}

INSIDE(signal, a_signal_taken_before_a_cancel_is_delivered)
{
    nido_rt *rt = nido_rt_self();
    nido_signal receiver;
    nido_group group;

    open_for(&receiver, SIGUSR1, 0);
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    begin(&group, receive_usr1, &receiver);
    nido_yield();
    raise(SIGUSR1);
    cr_expect(eq(int, nido_post(rt, cancel_group, &group), 0)); /* right behind it */
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    nido_signal_close(&receiver);
    nido_rt_release(rt);
}

INSIDE(signal, a_close_wakes_who_waits)
{
    nido_signal receiver;
    nido_group group;
    nido_task task;
    int rc = 0;

    open_for(&receiver, SIGUSR1, 0);
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    task = begin_kept(&group, receive, &receiver);
    nido_yield();
    cr_expect(eq(int, nido_signal_close(&receiver), 0));
    cr_expect(eq(int, nido_join(task, &rc), 0));
    cr_expect(eq(int, rc, -EBADF));
    nido_group_close(&group, 0);
}

INSIDE(signal, a_select_waits_for_a_signal_or_the_time)
{
    nido_signal receiver;
    nido_arm arms[2];

    open_for(&receiver, SIGUSR1, 0);
    nido_arm_signal(&arms[0], &receiver);
    nido_arm_timer(&arms[1], nido_after(NIDO_MS(1)));
    cr_expect(eq(int, nido_select(arms, 2, 0), 1));
    nido_arm_timer(&arms[1], nido_after(NIDO_SEC(3600)));
    raise(SIGUSR1);
    cr_expect(eq(int, nido_select(arms, 2, 0), 0));
    cr_expect(eq(int, arms[0].status, SIGUSR1));
    nido_signal_close(&receiver);
    cr_expect(eq(int, nido_select(arms, 2, NIDO_POLL), 0));
    cr_expect(eq(int, arms[0].status, -EBADF));
}

static int open_and_return(void *arg)
{
    open_for(arg, SIGUSR1, 0);
    return 0;
}

INSIDE(signal, the_end_of_its_task_closes_a_receiver)
{
    nido_signal receiver;
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, open_and_return, &receiver);
    nido_group_close(&group, 0);
    cr_expect(eq(int, nido_signal_try(&receiver), -EBADF));
    cr_expect(not(handled(SIGUSR1)));
}

INSIDE(signal, what_cannot_be_received_is_refused)
{
    nido_signal receiver;
    sigset_t set;
    const int hopeless[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL};

    sigemptyset(&set);
    cr_expect(eq(int, nido_signal_open(&receiver, &set), -EINVAL));
    for (size_t i = 0; i < sizeof hopeless / sizeof *hopeless; i++) {
        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        sigaddset(&set, hopeless[i]);
        cr_expect(eq(int, nido_signal_open(&receiver, &set), -EINVAL));
        cr_expect(eq(int, nido_signal_wait(&receiver), -EBADF));
    }
    cr_expect(not(handled(SIGUSR1)));
}

NIDO_TEST(signal, outside_a_task_nothing_can_be_opened)
{
    nido_signal receiver;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    cr_expect(eq(int, nido_signal_open(&receiver, &set), -EPERM));
    cr_expect(eq(int, nido_signal_wait(&receiver), -EPERM));
    cr_expect(eq(int, nido_signal_close(&receiver), -EPERM));
}

INSIDE(signal, a_failed_opening_changes_nothing)
{
    nido_signal receiver;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    faults_begin();
    faults_fail(FAULT_memory, 1, 0);
    cr_expect(eq(int, nido_signal_open(&receiver, &set), -ENOMEM));
    faults_fail(FAULT_sigaction, 2, -EINVAL);
    cr_expect(eq(int, nido_signal_open(&receiver, &set), -EINVAL));
    faults_end();
    cr_expect(not(handled(SIGUSR1)));
    cr_expect(eq(int, nido_signal_close(&receiver), -EBADF));
}

/* S353, of a receiver */
static int lonely(void *arg)
{
    nido_signal receiver;

    (void)arg;
    open_for(&receiver, SIGALRM, 0);
    cr_expect(eq(int, nido_signal_wait(&receiver), SIGALRM));
    nido_signal_close(&receiver);
    return 0;
}

NIDO_TEST(signal, a_task_that_waits_for_a_signal_is_not_deadlocked)
{
    const struct itimerval beats = {{0, 2000}, {0, 2000}}, none = {{0, 0}, {0, 0}};

    signal(SIGALRM, SIG_IGN); /* should one come before the receiver is open */
    setitimer(ITIMER_REAL, &beats, NULL);
    cr_expect(eq(int, nido_run(lonely, NULL, NULL), 0));
    setitimer(ITIMER_REAL, &none, NULL);
}

static int sleep_while_a_service_listens(void *arg)
{
    nido_signal receiver;
    nido_group group;

    open_for(&receiver, SIGUSR1, 0);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_spawn_with(&group, receive, &receiver, arg, NULL), 0));
    nido_sleep(NIDO_SEC(86400));
    nido_group_close(&group, 0);
    nido_signal_close(&receiver);
    return 0;
}

NIDO_TEST(signal, virtual_time_passes_while_a_task_waits_for_a_signal)
{
    nido_spawn_options options;

    nido_spawn_options_init(&options);
    options.service = true;
    cr_expect(eq(int, nido_test_run(sleep_while_a_service_listens, &options), 0));
}

/* ---- Old dispositions ---- */

static volatile sig_atomic_t handled_before;

static void note(int number)
{
    handled_before = number;
}

/* S290 */
INSIDE(signal, a_pending_signal_goes_to_the_old_handler_at_the_close)
{
    nido_signal receiver;

    signal(SIGUSR1, note);
    open_for(&receiver, SIGUSR1, 0);
    raise(SIGUSR1);
    nido_sleep(1);
    cr_expect(eq(int, handled_before, 0));
    nido_signal_close(&receiver);
    cr_expect(eq(int, handled_before, SIGUSR1));
}

INSIDE(signal, one_on_its_way_goes_to_the_old_handler_too)
{
    nido_signal receiver;

    signal(SIGUSR1, note);
    open_for(&receiver, SIGUSR1, 0);
    raise(SIGUSR1); /* posted, and the loop has not looked yet */
    nido_signal_close(&receiver);
    nido_yield();
    nido_sleep(1);
    cr_expect(eq(int, handled_before, SIGUSR1));
}

static int close_with_one_pending(void *arg)
{
    nido_signal receiver;

    (void)arg;
    open_for(&receiver, SIGUSR1, 0);
    raise(SIGUSR1);
    nido_sleep(1);
    nido_signal_close(&receiver);
    return 0;
}

/* S290 */
Test(signal, a_pending_signal_that_nobody_handled_ends_the_program, .signal = SIGUSR1)
{
    nido_run(close_with_one_pending, NULL, NULL);
}
