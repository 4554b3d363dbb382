/* SPDX-License-Identifier: MIT */
/* Scopes by the letter of their header: results, places where there are none, other threads. */
#include <pthread.h>

#include "inside_help.h"

INSIDE(scope, a_close_gives_its_argument_unless_it_is_a_cancel)
{
    nido_scope scope;

    for (int rc = -200; rc < 200; rc++) {
        if (rc == -ECANCELED) continue;
        nido_scope_open(&scope);
        nido_scope_cancel(&scope, -ENODATA, NULL);
        cr_expect(eq(int, nido_scope_close(&scope, rc), rc));
    }
}

INSIDE(scope, a_stray_cancel_becomes_a_broken_rule)
{
    nido_scope scope;

    nido_scope_open(&scope);
    cr_expect(eq(int, nido_scope_close(&scope, -ECANCELED), -EPROTO));
}

INSIDE(scope, the_close_answers_with_the_code_of_the_cancel)
{
    static const int codes[] = {0, -ENODATA, -ETIMEDOUT, -1, INT32_MIN};
    nido_scope scope;

    for (int i = 0; i < 5; i++) {
        nido_scope_open(&scope);
        cr_expect(eq(int, nido_scope_cancel(&scope, codes[i], NULL), 0));
        cr_expect(eq(int, nido_scope_close(&scope, -ECANCELED), codes[i]));
        cr_expect(not(nido_scope_fired(&scope)));
    }
}

INSIDE(scope, a_bad_code_cancels_nothing)
{
    nido_scope scope;

    nido_scope_open(&scope);
    cr_expect(eq(int, nido_scope_cancel(&scope, 1, NULL), -EINVAL));
    cr_expect(eq(int, nido_scope_cancel(&scope, -ECANCELED, NULL), -EINVAL));
    cr_expect(eq(int, nido_check(), 0));
    nido_scope_cancel(&scope, 0, NULL);
    cr_expect(eq(int, nido_scope_cancel(&scope, 1, NULL), -EINVAL));
    cr_expect(eq(int, nido_scope_close(&scope, 0), 0));
}

/* S106 */
INSIDE(scope, a_closed_scope_is_recognised)
{
    nido_scope scope;
    nido_group group;

    nido_scope_open(&scope);
    nido_scope_close(&scope, 0);
    cr_expect(eq(int, nido_scope_cancel(&scope, 0, NULL), -ESRCH));
    cr_expect(eq(int, nido_scope_close(&scope, 0), -EBADF));
    cr_expect(eq(int, nido_scope_move(&scope, NIDO_NEVER), -EBADF));
    cr_expect(not(nido_scope_fired(&scope)));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    nido_group_close(&group, 0);
    cr_expect(eq(int, nido_group_cancel(&group, 0, NULL), -ESRCH));
    cr_expect(eq(int, nido_group_close(&group, 0), -EBADF));
    cr_expect(eq(int, nido_scope_move(nido_group_scope(&group), 5), -EBADF));
    cr_expect(eq(int, nido_spawn(&group, sleeper, NULL), -EBADF));
    cr_expect(eq(int, nido_check(), 0));
}

/* ---- Outside a task ---- */

static int never_called(void *unused)
{
    (void)unused;
    cr_expect(false, "a function ran in a faulty scope");
    return 0;
}

static void expect_faulty(void (*open)(nido_scope *scope))
{
    nido_scope scope;

    open(&scope);
    cr_expect(eq(int, nido_scope_cancel(&scope, 0, NULL), -EPERM));
    cr_expect(eq(int, nido_scope_move(&scope, 1), -EPERM));
    cr_expect(not(nido_scope_fired(&scope)));
    cr_expect(eq(int, nido_scope_close(&scope, 0), -EPERM));
    cr_expect(eq(int, nido_scope_close(&scope, 0), -EPERM));
}

static void open_deadline(nido_scope *scope)
{
    nido_deadline_open(scope, 1);
}

static void open_timeout(nido_scope *scope)
{
    nido_timeout_open(scope, 0);
}

static void open_shield(nido_scope *scope)
{
    nido_shield_open(scope, 1);
}

static void expect_all_faulty(void)
{
    expect_faulty(nido_scope_open);
    expect_faulty(open_deadline);
    expect_faulty(open_timeout);
    expect_faulty(open_shield);
    cr_expect(eq(int, nido_with_deadline(1, never_called, NULL), -EPERM));
    cr_expect(eq(int, nido_with_timeout(1, never_called, NULL), -EPERM));
    cr_expect(eq(int, nido_with_shield(1, never_called, NULL), -EPERM));
    cr_expect(not(nido_cancelled()));
    cr_expect(eq(i64, nido_deadline(), NIDO_NEVER));
}

NIDO_TEST(scope, scopes_opened_without_a_runtime_are_faulty)
{
    expect_all_faulty();
    cr_expect(eq(int, nido_check(), -EPERM));
    cr_expect(eq(int, nido_yield(), -EPERM));
    cr_expect(eq(int, nido_sleep(0), -EPERM));
    cr_expect(eq(int, nido_sleep_until(0), -EPERM));
}

static int posted(void *ran)
{
    nido_ticker ticker;

    *(bool *)ran = true;
    expect_all_faulty();
    cr_expect(eq(int, nido_sleep(1), -EDEADLK));
    cr_expect(eq(int, nido_sleep_until(1), -EDEADLK));
    cr_expect(eq(int, nido_yield(), -EDEADLK));
    cr_expect(eq(int, nido_ticker_init(&ticker, 1, NIDO_SKIP), 0));
    cr_expect(eq(int, nido_ticker_wait(&ticker), -EDEADLK));
    cr_expect(eq(int, nido_check(), -EPERM));
    return 0;
}

INSIDE(scope, scopes_opened_between_batches_are_faulty)
{
    nido_rt *rt = nido_rt_self();
    bool ran = false;

    cr_expect(eq(int, nido_post(rt, posted, &ran), 0));
    cr_expect(eq(int, nido_sleep(1), 0));
    cr_expect(ran);
    nido_rt_release(rt);
}

/* ---- Other threads ---- */

static int meddle(void *scope)
{
    cr_expect(eq(int, nido_scope_cancel(scope, 0, NULL), -EXDEV));
    cr_expect(eq(int, nido_scope_move(scope, 1), -EXDEV));
    cr_expect(eq(int, nido_scope_close(scope, 0), -EPERM));
    return 0;
}

static void *other_runtime(void *scope)
{
    cr_expect(eq(int, nido_test_run(meddle, scope), 0));
    return NULL;
}

INSIDE(scope, another_threads_runtime_cannot_touch_it)
{
    nido_scope scope;
    pthread_t thread;

    nido_scope_open(&scope);
    cr_expect(eq(int, pthread_create(&thread, NULL, other_runtime, &scope), 0));
    pthread_join(thread, NULL);
    cr_expect(eq(int, nido_yield(), 0));
    cr_expect(eq(int, nido_scope_close(&scope, 3), 3));
}

/* ---- One call each ---- */

static int five(void *arg)
{
    return nido_sleep(*(int64_t *)arg) ? -ECANCELED : 5;
}

INSIDE(scope, a_call_in_a_scope_gives_what_the_close_makes_of_its_result)
{
    int64_t none = 0, some = 10;

    cr_expect(eq(int, nido_with_timeout(20, five, &some), 5));
    cr_expect(eq(int, nido_with_timeout(5, five, &some), -ETIMEDOUT));
    cr_expect(eq(int, nido_with_deadline(nido_now() + 20, five, &some), 5));
    cr_expect(eq(int, nido_with_deadline(nido_now() + 5, five, &some), -ETIMEDOUT));
    cr_expect(eq(int, nido_with_shield(20, five, &some), 5));
    cr_expect(eq(int, nido_with_shield(5, five, &some), -ETIMEDOUT));
    cr_expect(eq(int, nido_with_timeout(0, five, &none), -ETIMEDOUT));
    cr_expect(eq(int, nido_with_deadline(NIDO_NEVER, NULL, NULL), -EINVAL));
    cr_expect(eq(int, nido_with_timeout(1, NULL, NULL), -EINVAL));
    cr_expect(eq(int, nido_with_shield(1, NULL, NULL), -EINVAL));
    cr_expect(eq(int, nido_yield(), 0), "a scope was left open");
}
