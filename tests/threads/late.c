/* SPDX-License-Identifier: MIT */
/* Who comes to a run that is over, whether it is freed or not. */
#include <pthread.h>

#include "inside_help.h"

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static nido_rt *over; /* a handle on a run that has ended */
static nido_waker *waker;

static int take_handles(void *arg)
{
    (void)arg;
    over = nido_rt_self();
    cr_expect(eq(int, nido_waker_new(&waker), 0));
    return 0;
}

static void *visit(void *arg)
{
    *(int *)arg = nido_run_on(over, do_nothing, NULL);
    return NULL;
}

static void expect_refusals(void)
{
    pthread_t visitor;
    int rc = 0;

    cr_expect(eq(int, nido_post(over, do_nothing, NULL), -ESHUTDOWN));
    cr_expect(eq(int, nido_rt_shutdown(over, "late"), -ESHUTDOWN));
    cr_expect(eq(int, nido_waker_wake(waker), -ESHUTDOWN));
    cr_assert(eq(int, pthread_create(&visitor, NULL, visit, &rc), 0));
    cr_expect(eq(int, pthread_join(visitor, NULL), 0));
    cr_expect(eq(int, rc, -ESHUTDOWN));
}

static void let_go(void)
{
    nido_waker_release(waker);
    nido_rt_release(over);
}

NIDO_TEST(late, a_run_inside_another_loop_refuses_from_its_last_step_on)
{
    nido_rt *rt = NULL;

    cr_assert(eq(int, nido_rt_new(NULL, &rt), 0));
    cr_expect(eq(int, nido_rt_start(rt, take_handles, NULL), 0));
    while (nido_rt_step(rt) == 1) continue;
    expect_refusals();
    cr_expect(eq(int, nido_rt_step(rt), 0));
    cr_expect(eq(int, nido_rt_free(rt), 0));
    expect_refusals();
    let_go();
}

static int called;

static int count_it(void *arg)
{
    (void)arg;
    called++;
    return 0;
}

static int post_and_end(void *arg)
{
    (void)arg;
    over = nido_rt_self();
    cr_expect(eq(int, nido_post(over, count_it, NULL), 0));
    return 0;
}

NIDO_TEST(late, what_was_posted_before_the_end_is_called_by_the_last_step)
{
    nido_rt *rt = NULL;

    called = 0;
    cr_assert(eq(int, nido_rt_new(NULL, &rt), 0));
    cr_expect(eq(int, nido_rt_start(rt, post_and_end, NULL), 0));
    while (nido_rt_step(rt) == 1) continue;
    cr_expect(eq(int, called, 1));
    cr_expect(eq(int, nido_rt_free(rt), 0));
    cr_expect(eq(int, called, 1));
    nido_rt_release(over);
}

NIDO_TEST(late, a_run_that_has_not_begun_keeps_its_posts)
{
    nido_rt *rt = NULL;

    called = 0;
    cr_assert(eq(int, nido_rt_new(NULL, &rt), 0));
    cr_expect(eq(int, nido_rt_step(rt), 0));
    cr_expect(eq(int, nido_post(rt, count_it, NULL), 0));
    cr_expect(eq(int, nido_rt_start(rt, do_nothing, NULL), 0));
    while (nido_rt_step(rt) == 1) continue;
    cr_expect(eq(int, called, 1));
    cr_expect(eq(int, nido_rt_free(rt), 0));
}

static int fail_with_handles(void *arg)
{
    take_handles(arg);
    return nido_fail(-EIO, "it failed");
}

static void refused_meanwhile(void *ctx, const nido_error *error)
{
    (void)error;
    expect_refusals();
    ++*(int *)ctx;
}

NIDO_TEST(late, whoever_is_told_of_the_roots_failure_finds_the_run_over)
{
    nido_options options;
    int told = 0;

    nido_options_init(&options);
    options.on_error = refused_meanwhile;
    options.ctx = &told;
    cr_expect(eq(int, nido_run(fail_with_handles, NULL, &options), -EIO));
    cr_expect(eq(int, told, 1));
    let_go();
}

static int post_in_the_batch_and_sleep(void *arg)
{
    nido_rt *rt = nido_rt_self();
    int rc = nido_post(rt, count_it, arg);

    nido_rt_release(rt);
    return rc ? rc : nido_sleep(NIDO_MS(20));
}

/* No wake-up is sent for it, because the loop was awake. */
NIDO_TEST(late, a_post_made_during_a_step_is_not_slept_over)
{
    nido_rt *rt = NULL;

    called = 0;
    cr_assert(eq(int, nido_rt_new(NULL, &rt), 0));
    cr_expect(eq(int, nido_rt_start(rt, post_in_the_batch_and_sleep, NULL), 0));
    cr_expect(eq(int, nido_rt_step(rt), 1));
    cr_expect(eq(int, called, 0));
    cr_expect(eq(i64, nido_rt_timeout(rt), 0));
    cr_expect(eq(int, nido_rt_step(rt), 1));
    cr_expect(eq(int, called, 1));
    while (nido_rt_step(rt) == 1) continue;
    cr_expect(eq(int, nido_rt_free(rt), 0));
}
