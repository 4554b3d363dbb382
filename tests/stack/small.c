/* SPDX-License-Identifier: MIT */
/* Threads with the smallest stack that the system allows, and stacks of tasks that are used up. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "coro/stack/context.h"
#include "nido_test.h"

static int nap(void *unused)
{
    (void)unused;
    return nido_sleep(NIDO_MS(1));
}

#ifndef NIDOI_ASAN /* its frames are larger than such a stack */
static ssize_t job(void *unused)
{
    (void)unused;
    return 7;
}

static int fail_with_a_text(void *unused)
{
    (void)unused;
    return nido_fail(-EIO, "a text of %d", 7);
}

/* Poll, timers, workers, descriptors, many tasks and, at the end, a report on the thread's stack. */
static int use_everything(void *unused)
{
    nido_group group;
    int ends[2], rc = nido_pipe(ends);
    char byte = 1;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, "everything");
    for (int i = 0; i < 100 && !rc; i++) rc = nido_spawn(&group, nap, NULL);
    cr_expect(eq(int, (int)nido_offload(job, NULL), 7));
    cr_expect(eq(int, (int)nido_write(ends[1], &byte, 1), 1));
    cr_expect(eq(int, (int)nido_read(ends[0], &byte, 1), 1));
    nido_close(ends[0]);
    nido_close(ends[1]);
    cr_expect(zero(int, nido_sleep(NIDO_MS(2))));
    if (!rc) rc = nido_spawn(&group, fail_with_a_text, NULL);
    return nido_group_close(&group, rc);
}

static void *run_there(void *out)
{
    *(int *)out = nido_run(use_everything, NULL, NULL);
    return NULL;
}

NIDO_TEST(small, a_run_works_on_the_smallest_thread)
{
    pthread_attr_t small;
    pthread_t thread;
    int rc = 0;

    cr_assert(zero(int, pthread_attr_init(&small)));
    cr_assert(zero(int, pthread_attr_setstacksize(&small, (size_t)sysconf(_SC_THREAD_STACK_MIN))));
    cr_assert(zero(int, pthread_create(&thread, &small, run_there, &rc)));
    cr_assert(zero(int, pthread_join(thread, NULL)));
    pthread_attr_destroy(&small);
    cr_expect(eq(int, rc, -EIO));
}
#endif

/* ---- A large frame on a task's stack ---- */

static __attribute__((noinline)) void fill(volatile char *memory, size_t size)
{
    for (size_t i = 0; i < size; i += 64) memory[i] = 7;
}

static int use_128_kib(void *unused)
{
    char memory[128 << 10];

    (void)unused;
    fill(memory, sizeof memory);
    return nido_yield() ? -1 : memory[64];
}

NIDO_TEST(small, a_task_may_use_128_kib_by_default)
{
    cr_expect(eq(int, nido_test_run(use_128_kib, NULL), 7));
}

/* Only the far end of the frame is touched: with one page of guard that was a neighbour's. */
static int step_far(void *depth)
{
    char memory[60 << 10];

    memory[0] = 1;
    __asm__ volatile("" : : "r"(memory) : "memory");
    if (*(int *)depth > 0) {
        --*(int *)depth;
        return step_far(depth) + memory[0];
    }
    return 0;
}

static int step_over(void *unused)
{
    nido_group group;
    int depth = 4; /* 240 KiB: beyond the 192 that there are */
    int rc = 0;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 8 && !rc; i++) rc = nido_spawn(&group, nap, NULL);
    if (!rc) rc = nido_spawn(&group, step_far, &depth);
    for (int i = 0; i < 8 && !rc; i++) rc = nido_spawn(&group, nap, NULL);
    return nido_group_close(&group, rc);
}

Test(small, a_frame_of_60_kib_does_not_step_over_the_guard, .signal = SIGSEGV)
{
    nido_test_run(step_over, NULL);
}
