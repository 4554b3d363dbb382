/* SPDX-License-Identifier: MIT */
/* Signals that several receivers, or the program itself, have to do with. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inside_help.h"

static void open_for(nido_signal *receiver, int number)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, number);
    cr_expect(eq(int, nido_signal_open(receiver, &set), 0));
}

static bool does(int number, void (*handler)(int))
{
    struct sigaction now;

    return sigaction(number, NULL, &now) == 0 && now.sa_handler == handler;
}

static volatile sig_atomic_t counted;

static void count(int number)
{
    (void)number;
    counted++;
}

/* ---- A handler that the program sets meanwhile ---- */

INSIDE(signal_shared, a_handler_set_meanwhile_stays_after_the_close)
{
    nido_signal receiver;

    open_for(&receiver, SIGUSR1);
    signal(SIGUSR1, count);
    nido_signal_close(&receiver);
    cr_expect(does(SIGUSR1, count));
    signal(SIGUSR1, SIG_DFL);
}

static int set_a_handler(void *unused)
{
    (void)unused;
    signal(SIGINT, count);
    return 0;
}

NIDO_TEST(signal_shared, a_handler_set_meanwhile_stays_after_the_run)
{
    nido_options options = nido_test_virtual();

    signal(SIGINT, SIG_DFL);
    options.signals = true;
    cr_expect(eq(int, nido_run(set_a_handler, NULL, &options), 0));
    cr_expect(does(SIGINT, count));
    signal(SIGINT, SIG_DFL);
}

static int set_a_handler_and_stop(void *unused)
{
    (void)unused;
    signal(SIGINT, count);
    raise(SIGTERM);
    cr_expect(eq(int, nido_sleep(NIDO_SEC(60)), -ECANCELED));
    cr_expect(does(SIGINT, count), "the second signal is the program's");
    return 0;
}

NIDO_TEST(signal_shared, a_stop_by_one_signal_leaves_the_others_handler_alone)
{
    nido_options options = nido_test_virtual();

    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    options.signals = true;
    cr_expect(eq(int, nido_run(set_a_handler_and_stop, NULL, &options), 0));
    cr_expect(does(SIGINT, count));
    cr_expect(does(SIGTERM, SIG_DFL));
    signal(SIGINT, SIG_DFL);
}

/* Who opens a receiver wants the signal, whoever had it. */
INSIDE(signal_shared, a_receiver_opened_after_the_handler_gets_the_signal_and_gives_it_back)
{
    nido_signal early, late;

    open_for(&early, SIGUSR1);
    signal(SIGUSR1, count);
    open_for(&late, SIGUSR1);
    raise(SIGUSR1);
    cr_expect(eq(int, nido_signal_wait(&late), SIGUSR1));
    cr_expect(eq(int, nido_signal_wait(&early), SIGUSR1));
    nido_signal_close(&late);
    nido_signal_close(&early);
    cr_expect(does(SIGUSR1, count));
    signal(SIGUSR1, SIG_DFL);
}

/* What the default does is put back as well, once it was there before: here a handler was. */
static int stop_itself(void *unused)
{
    (void)unused;
    raise(SIGINT);
    cr_expect(eq(int, nido_sleep(NIDO_SEC(60)), -ECANCELED));
    cr_expect(does(SIGINT, SIG_DFL), "for the second one");
    return 0;
}

NIDO_TEST(signal_shared, after_a_stop_the_handler_of_before_the_run_comes_back)
{
    nido_options options = nido_test_virtual();

    signal(SIGINT, count);
    options.signals = true;
    cr_expect(eq(int, nido_run(stop_itself, NULL, &options), 0));
    cr_expect(does(SIGINT, count));
    signal(SIGINT, SIG_DFL);
}

/* ---- Taken is taken ---- */

/* Raised anew, it would be counted. */
INSIDE(signal_shared, a_signal_that_one_receiver_took_is_not_raised_anew_by_the_other)
{
    nido_signal one, other;

    counted = 0;
    signal(SIGUSR1, count);
    open_for(&one, SIGUSR1);
    open_for(&other, SIGUSR1);
    raise(SIGUSR1);
    cr_expect(eq(int, nido_signal_wait(&one), SIGUSR1));
    nido_signal_close(&one);
    nido_signal_close(&other);
    cr_expect(eq(int, counted, 0));
    signal(SIGUSR1, SIG_DFL);
}

INSIDE(signal_shared, one_that_came_after_the_taken_one_is_raised_anew)
{
    nido_signal one, other;

    counted = 0;
    signal(SIGUSR1, count);
    open_for(&one, SIGUSR1);
    open_for(&other, SIGUSR1);
    raise(SIGUSR1);
    cr_expect(eq(int, nido_signal_wait(&one), SIGUSR1));
    raise(SIGUSR1);
    nido_yield();
    cr_expect(eq(int, nido_sleep(NIDO_MS(1)), 0), "it has come to both");
    nido_signal_close(&one);
    nido_signal_close(&other);
    cr_expect(eq(int, counted, 1));
    signal(SIGUSR1, SIG_DFL);
}

INSIDE(signal_shared, one_that_nobody_took_is_raised_anew_once_by_the_last)
{
    nido_signal one, other;

    counted = 0;
    signal(SIGUSR1, count);
    open_for(&one, SIGUSR1);
    open_for(&other, SIGUSR1);
    raise(SIGUSR1);
    cr_expect(eq(int, nido_sleep(NIDO_MS(1)), 0));
    nido_signal_close(&one);
    cr_expect(eq(int, counted, 0));
    nido_signal_close(&other);
    cr_expect(eq(int, counted, 1));
    signal(SIGUSR1, SIG_DFL);
}

INSIDE(signal_shared, one_that_is_on_its_way_is_raised_anew_inside_the_close)
{
    nido_signal one, other;

    counted = 0;
    signal(SIGUSR1, count);
    open_for(&one, SIGUSR1);
    open_for(&other, SIGUSR1);
    raise(SIGUSR1);
    nido_signal_close(&one);
    cr_expect(eq(int, counted, 0), "the other may still take it");
    nido_signal_close(&other);
    cr_expect(eq(int, counted, 1));
    cr_expect(eq(int, nido_sleep(NIDO_MS(1)), 0));
    cr_expect(eq(int, counted, 1), "and not again by a later turn");
    signal(SIGUSR1, SIG_DFL);
}

/* Another thread's run has the same signal, and closes its receiver before it looks at it. */
static struct twin {
    pthread_barrier_t open, taken;
} twin;

static int close_late(void *unused)
{
    nido_signal receiver;

    (void)unused;
    open_for(&receiver, SIGUSR1);
    pthread_barrier_wait(&twin.open);
    pthread_barrier_wait(&twin.taken);
    nido_signal_close(&receiver);
    return 0;
}

static void *run_the_other(void *unused)
{
    (void)unused;
    cr_expect(eq(int, nido_run(close_late, NULL, NULL), 0));
    return NULL;
}

INSIDE(signal_shared, one_that_another_run_took_is_not_raised_anew)
{
    nido_signal receiver;
    pthread_t thread;

    counted = 0;
    signal(SIGUSR1, count);
    pthread_barrier_init(&twin.open, NULL, 2);
    pthread_barrier_init(&twin.taken, NULL, 2);
    pthread_create(&thread, NULL, run_the_other, NULL);
    pthread_barrier_wait(&twin.open);
    open_for(&receiver, SIGUSR1);
    raise(SIGUSR1);
    cr_expect(eq(int, nido_signal_wait(&receiver), SIGUSR1));
    nido_signal_close(&receiver);
    pthread_barrier_wait(&twin.taken);
    pthread_join(thread, NULL);
    cr_expect(eq(int, counted, 0));
    signal(SIGUSR1, SIG_DFL);
}

/* ---- What is told once ---- */

INSIDE(signal_shared, equal_signals_that_nobody_has_taken_are_one)
{
    nido_signal receiver;

    open_for(&receiver, SIGUSR1);
    for (int i = 0; i < 100; i++) {
        raise(SIGUSR1);
        cr_expect(eq(int, nido_sleep(NIDO_MS(1)), 0));
    }
    cr_expect(eq(int, nido_signal_try(&receiver), SIGUSR1));
    cr_expect(eq(int, nido_signal_try(&receiver), -EAGAIN));
    nido_signal_close(&receiver);
}

/* A program that is stuck in its own code: the loop never takes the post of the first one. */
static int never_look(void *unused)
{
    (void)unused;
    raise(SIGINT);
    raise(SIGINT);
    return 0;
}

NIDO_TEST(signal_shared, a_second_interrupt_ends_a_program_that_never_looks)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        nido_options options = nido_test_virtual();

        signal(SIGINT, SIG_DFL);
        options.signals = true;
        nido_run(never_look, NULL, &options);
        _exit(0);
    }
    cr_expect(eq(int, waitpid(child, &status, 0), child));
    cr_expect(eq(int, WTERMSIG(status), SIGINT));
}

/* ---- SIGPIPE ---- */

/* Blocked and pending before the write: it is not nido's to take. */
INSIDE(signal_shared, a_broken_pipe_leaves_the_programs_own_pending_signal)
{
    sigset_t set, before, pending;
    int ends[2];

    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, &before);
    pthread_kill(pthread_self(), SIGPIPE);
    cr_expect(eq(int, nido_pipe(ends), 0));
    nido_close(ends[0]);
    cr_expect(eq(int, (int)nido_write(ends[1], "x", 1), -EPIPE));
    nido_close(ends[1]);
    cr_expect(eq(int, sigpending(&pending), 0));
    cr_expect(eq(int, sigismember(&pending, SIGPIPE), 1));
    signal(SIGPIPE, SIG_IGN); /* takes it away */
    signal(SIGPIPE, SIG_DFL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}
