/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <string.h>

#include "faults.h"
#include "inside_help.h"

static nido_options with_signals(void)
{
    nido_options options = nido_test_virtual();

    options.signals = true;
    return options;
}

static bool is_default(int number)
{
    struct sigaction now;

    sigaction(number, NULL, &now);
    return now.sa_handler == SIG_DFL;
}

static int clean_up(void *arg)
{
    cr_expect(eq(int, nido_sleep(NIDO_SEC(1)), 0));
    *(bool *)arg = true;
    return 0;
}

static int interrupted(void *arg)
{
    nido_cause cause;

    raise(SIGINT);
    cr_expect(eq(int, nido_sleep(NIDO_SEC(60)), -ECANCELED));
    nido_cancel_cause(&cause);
    cr_expect(eq(int, cause.kind, NIDO_CAUSE_SIGNAL));
    cr_expect(eq(int, cause.code, -EINTR));
    cr_expect(eq(str, (char *)cause.reason, "signal 2"));
    cr_expect(eq(int, nido_with_shield(NIDO_SEC(10), clean_up, arg), 0));
    return -ECANCELED;
}

/* S286 */
NIDO_TEST(signal_root, the_first_interrupt_cancels_the_root_and_its_cleanup_runs)
{
    nido_options options = with_signals();
    bool clean = false;
    int rc = nido_run(interrupted, &clean, &options);

    cr_expect(eq(int, rc, -EINTR));
    cr_expect(eq(int, nido_exit_status(rc), 130));
    cr_expect(clean);
    cr_expect(is_default(SIGINT));
    cr_expect(is_default(SIGTERM));
}

static int never_begun(void *unused)
{
    (void)unused;
    cr_fail("a run that cannot have the signals has begun");
    return 0;
}

/* A filter of system calls may deny the question too. */
NIDO_TEST(signal_root, a_run_that_cannot_have_the_signals_does_not_begin)
{
    nido_options options = with_signals();

    faults_begin();
    faults_fail(FAULT_sigaction, FAULT_ALWAYS, -EPERM);
    cr_expect(eq(int, nido_run(never_begun, NULL, &options), -EPERM));
    faults_forget(FAULT_sigaction);
    faults_end();
}

static int terminated(void *arg)
{
    nido_cause cause;

    (void)arg;
    raise(SIGTERM);
    cr_expect(eq(int, nido_sleep(NIDO_SEC(60)), -ECANCELED));
    nido_cancel_cause(&cause);
    cr_expect(eq(str, (char *)cause.reason, "signal 15"));
    return 0;
}

NIDO_TEST(signal_root, a_root_that_copes_with_it_returns_its_own_result)
{
    nido_options options = with_signals();

    cr_expect(eq(int, nido_run(terminated, NULL, &options), 0));
    cr_expect(eq(int, nido_exit_status(0), 0));
}

static int fail_otherwise(void *arg)
{
    terminated(arg);
    return -EIO;
}

static int interrupted_by_hand(void *arg)
{
    (void)arg;
    return -EINTR;
}

NIDO_TEST(signal_root, only_a_run_that_a_signal_ended_exits_by_its_number)
{
    nido_options options = with_signals();

    cr_expect(eq(int, nido_exit_status(nido_run(fail_otherwise, NULL, &options)), 1));
    cr_expect(eq(int, nido_exit_status(nido_run(interrupted_by_hand, NULL, &options)), 1));
}

static int interrupted_twice(void *arg)
{
    (void)arg;
    raise(SIGINT);
    raise(SIGINT);
    return 0;
}

/* S287 */
Test(signal_root, the_second_interrupt_ends_the_program_at_once, .signal = SIGINT)
{
    nido_options options = with_signals();

    nido_run(interrupted_twice, NULL, &options);
}

static int terminated_after_interrupt(void *arg)
{
    (void)arg;
    raise(SIGINT);
    nido_sleep(1);
    raise(SIGTERM);
    return 0;
}

Test(signal_root, so_does_the_other_of_the_two, .signal = SIGTERM)
{
    nido_options options = with_signals();

    nido_run(terminated_after_interrupt, NULL, &options);
}

static int wait_for_nothing(void *arg)
{
    nido_event event;

    (void)arg;
    nido_event_init(&event, "never");
    return nido_event_wait(&event);
}

static void keep(void *ctx, const char *text)
{
    strncat(ctx, text, 4000);
}

/* S352 */
NIDO_TEST(signal_root, its_own_handler_does_not_hide_a_deadlock)
{
    static char report[4096];
    nido_options options = with_signals();

    options.on_report = keep;
    options.ctx = report;
    cr_expect(eq(int, nido_run(wait_for_nothing, NULL, &options), -EDEADLK));
    cr_expect(strstr(report, "waits for event \"never\"") != NULL, "%s", report);
}

static int receive_interrupt(void *arg)
{
    nido_signal receiver;
    sigset_t set;

    (void)arg;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    cr_expect(eq(int, nido_signal_open(&receiver, &set), 0));
    for (int i = 0; i < 3; i++) {
        raise(SIGINT);
        cr_expect(eq(int, nido_signal_wait(&receiver), SIGINT));
    }
    nido_signal_close(&receiver);
    raise(SIGINT);
    return nido_sleep(NIDO_SEC(1));
}

NIDO_TEST(signal_root, it_stands_back_while_the_program_has_a_receiver)
{
    nido_options options = with_signals();

    cr_expect(eq(int, nido_run(receive_interrupt, NULL, &options), -EINTR));
}

static int raise_ignored(void *arg)
{
    (void)arg;
    raise(SIGINT);
    return nido_sleep(NIDO_SEC(1));
}

NIDO_TEST(signal_root, what_was_ignored_stays_ignored)
{
    nido_options options = with_signals();

    signal(SIGINT, SIG_IGN);
    cr_expect(eq(int, nido_run(raise_ignored, NULL, &options), 0));
    signal(SIGINT, SIG_DFL);
}

static int idle(void *arg)
{
    (void)arg;
    return 0;
}

NIDO_TEST(signal_root, a_run_that_cannot_take_the_signals_does_not_start)
{
    nido_options options = with_signals();

    faults_begin();
    faults_fail(FAULT_sigaction, 4, -EINVAL); /* two questions, then two takings */
    cr_expect(eq(int, nido_run(idle, NULL, &options), -EINVAL));
    faults_end();
    cr_expect(is_default(SIGINT));
    cr_expect(is_default(SIGTERM));
}

static int (*real_sigaction)(int number, const struct sigaction *act, struct sigaction *old);

/* The signal comes when its last receiver is gone and its handler still there. */
static int interrupted_sigaction(int number, const struct sigaction *act, struct sigaction *old)
{
    if (number == SIGUSR1 && act && !old) raise(SIGUSR1);
    return real_sigaction(number, act, old);
}

static int close_as_it_comes(void *unused)
{
    nido_signal receiver;
    sigset_t set;

    (void)unused;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    cr_expect(zero(int, nido_signal_open(&receiver, &set)));
    nidoi_sys.sigaction = interrupted_sigaction;
    nido_signal_close(&receiver);
    nidoi_sys.sigaction = real_sigaction;
    cr_expect(not(is_default(SIGINT)));
    cr_expect(not(is_default(SIGTERM)));
    return 0;
}

NIDO_TEST(signal_root, another_signal_that_comes_late_leaves_its_handlers_alone)
{
    nido_options options = with_signals();

    signal(SIGUSR1, SIG_IGN); /* what it is given back to */
    real_sigaction = nidoi_sys.sigaction;
    cr_expect(zero(int, nido_run(close_as_it_comes, NULL, &options)));
}
