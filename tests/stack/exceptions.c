/* SPDX-License-Identifier: MIT */
/* coro/stack/exceptions.h: what the C++ run time keeps goes with its task; nothing unwinds out of one.
 * That real exceptions do is for consumer/exceptions.cc; here no C++ is needed. */
#include "coro/stack/exceptions.h"

#include <pthread.h>

#include "abort_help.h"
#include "coro/task/sched.h"
#include "inside_help.h"

/* ---- At a switch ---- */

static struct nidoi_exceptions fake;

static bool empty(void)
{
    return !fake.handled && !fake.in_flight;
}

static int handle_one(void *mine)
{
    cr_expect(empty(), "a new task handles nothing");
    for (int i = 0; i < 10; i++) {
        fake.handled = mine;
        cr_expect(eq(int, nido_yield(), 0));
        cr_expect(eq(ptr, fake.handled, mine));
        cr_expect(zero(uint, fake.in_flight));
        fake.handled = NULL;
        cr_expect(eq(int, nido_sleep(1), 0));
        cr_expect(empty());
    }
    return 0;
}

static int throw_some(void *mine)
{
    cr_expect(empty());
    fake.in_flight = *(unsigned *)mine;
    for (int i = 0; i < 10; i++) {
        cr_expect(eq(int, nido_sleep(1), 0));
        cr_expect(eq(ptr, fake.handled, NULL));
        cr_expect(eq(uint, fake.in_flight, *(unsigned *)mine));
    }
    fake.in_flight = 0;
    return 0;
}

static void begin_to_throw(void)
{
    nidoi_sched_self->exceptions = &fake;
    nidoi_sched_self->cxx = true;
}

INSIDE(exceptions, those_of_a_parked_task_stay_with_it)
{
    unsigned some[] = {1, 2};
    nido_group group;

    begin_to_throw();
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 2; i++) {
        begin(&group, handle_one, &some[i]);
        begin(&group, throw_some, &some[i]);
    }
    fake.handled = &group;
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(ptr, fake.handled, &group));
    fake.handled = NULL;
}

static int look(void *unused)
{
    (void)unused;
    cr_expect(empty());
    return 0;
}

INSIDE(exceptions, the_loop_runs_with_none)
{
    nido_rt *rt = nido_rt_self();

    begin_to_throw();
    fake.in_flight = 1;
    cr_expect(eq(int, nido_post(rt, look, NULL), 0));
    nido_rt_release(rt);
    cr_expect(eq(int, nido_sleep(1), 0));
    cr_expect(eq(uint, fake.in_flight, 1));
    fake.in_flight = 0;
}

/* ---- Out of a task ---- */

static int end_the_thread(void *unused)
{
    (void)unused;
    nido_set_name("hasty");
    pthread_exit(NULL);
}

/* The loop calls it. */
static int end_the_loop(void *unused)
{
    nido_rt *rt = nido_rt_self();

    cr_expect(eq(int, nido_post(rt, end_the_thread, unused), 0));
    nido_rt_release(rt);
    return nido_sleep(NIDO_SEC(10));
}

static ssize_t end_the_worker(void *unused)
{
    (void)unused;
    pthread_exit(NULL);
}

static int end_in_a_job(void *unused)
{
    return (int)nido_offload(end_the_worker, unused);
}

NIDO_TEST(exceptions, what_ends_its_thread_ends_the_program)
{
    EXPECT_LAST_WORDS(end_the_thread, "nido: task #", "\"hasty\"", "ends its thread (pthread_exit");
    EXPECT_LAST_WORDS(end_the_loop, "nido: a function that the loop called ends its thread");
    EXPECT_LAST_WORDS(end_in_a_job, "nido: a job of a worker thread ends its thread");
}
