/* SPDX-License-Identifier: MIT */
/* Tests that hang, each in another way, for tests/checks/hung: help/test_alarm.c has to end them. */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nido_test.h"

static int read_for_ever(void *unused)
{
    int ends[2];
    char byte;

    (void)unused;
    cr_assert(zero(int, nido_pipe(ends)));
    return (int)nido_read(ends[0], &byte, 1);
}

NIDO_TEST(hung, in_a_task)
{
    nido_run(read_for_ever, NULL, NULL);
}

static volatile bool turning = true;

static int turn_for_ever(void *unused)
{
    (void)unused;
    while (turning) continue;
    return 0;
}

NIDO_TEST(hung, in_a_loop)
{
    nido_run(turn_for_ever, NULL, NULL);
}

static void *run_there(void *unused)
{
    nido_run(read_for_ever, NULL, NULL);
    return unused;
}

NIDO_TEST(hung, in_another_thread)
{
    pthread_t thread;

    cr_assert(zero(int, pthread_create(&thread, NULL, run_there, NULL)));
    pthread_join(thread, NULL);
}

NIDO_TEST(hung, with_a_child)
{
    if (fork() == 0)
        for (;;) pause();
    wait(NULL);
}

NIDO_TEST(hung, with_signals_blocked)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    for (;;) pause();
}

Test(hung, though_a_signal_is_expected, .signal = SIGABRT)
{
    for (;;) pause();
}

NIDO_TEST(not_hung, a_test_that_ends)
{
    turning = false;
    cr_expect(zero(int, nido_test_run(turn_for_ever, NULL)));
}
