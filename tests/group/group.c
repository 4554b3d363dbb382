/* SPDX-License-Identifier: MIT */
/* Groups under the policies that wait for everybody: who is cancelled when, and what the close
 * answers. */
#include "group_help.h"

static void open_and_spawn(nido_group *group, enum nido_policy policy, struct plan *plans, int n)
{
    nido_group_open(group, policy, "tested");
    for (int i = 0; i < n; i++) cr_expect(zero(int, nido_spawn(group, follow, &plans[i])));
}

static int loop_over_empty_groups(void *stop)
{
    nido_group group;

    for (int i = 0; i < 100000 && !*(bool *)stop; i++) {
        nido_group_open(&group, NIDO_FAIL_FAST, NULL);
        cr_expect(eq(int, nido_group_close(&group, 5), 5));
    }
    return *(bool *)stop ? 0 : -EBUSY;
}

static int halt(void *stop)
{
    *(bool *)stop = true;
    return 0;
}

static int empty_groups_beside_another(void *unused)
{
    nido_group group;
    bool stop = false;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, loop_over_empty_groups, &stop)));
    cr_expect(zero(int, nido_spawn(&group, halt, &stop)));
    return nido_group_close(&group, 0);
}

/* S14 */
NIDO_TEST(group, a_loop_of_empty_groups_starves_nobody)
{
    cr_expect(zero(int, nido_test_run(empty_groups_beside_another, NULL)));
}

static int one_fails_one_sleeps(void *unused)
{
    struct plan plans[] = {{.rc = -EIO}, {.ns = NIDO_SEC(3600)}};
    nido_group group;

    (void)unused;
    open_and_spawn(&group, NIDO_FAIL_FAST, plans, 2);
    cr_expect(eq(int, nido_group_close(&group, 0), -EIO));
    cr_expect(eq(int, plans[1].met, -ECANCELED));
    cr_expect(eq(i64, nido_now(), NIDO_SEC(1)));
    return 0;
}

/* S16 */
NIDO_TEST(group, a_failure_cancels_the_siblings)
{
    cr_expect(zero(int, nido_test_run(one_fails_one_sleeps, NULL)));
}

static int body_waits_for_an_event(void *unused)
{
    struct plan child = {.ns = NIDO_SEC(1), .rc = -EIO};
    nido_event event;
    nido_group group;
    int rc;

    (void)unused;
    nido_event_init(&event, "never set");
    open_and_spawn(&group, NIDO_FAIL_FAST, &child, 1);
    rc = nido_event_wait(&event);
    cr_expect(eq(int, rc, -ECANCELED));
    cr_expect(eq(int, nido_group_close(&group, rc), -EIO));
    return nido_event_deinit(&event);
}

/* S17, with an event instead of a channel. */
NIDO_TEST(group, a_failure_cancels_the_body)
{
    cr_expect(zero(int, nido_test_run(body_waits_for_an_event, NULL)));
}

static int sibling_cleans_up(void *met)
{
    *(int *)met = nido_sleep(NIDO_SEC(3600));
    return 0;
}

static int one_fails_one_cleans_up(void *unused)
{
    int met = 0;
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, sibling_cleans_up, &met)));
    cr_expect(zero(int, nido_spawn(&group, give, result(-EIO))));
    cr_expect(eq(int, nido_group_close(&group, 0), -EIO));
    cr_expect(eq(int, met, -ECANCELED));
    cr_expect(zero(ptr, (void *)nido_error_cause(nido_error_last())), "one failure only");
    return 0;
}

/* S22 */
NIDO_TEST(group, a_sibling_that_cleans_up_and_succeeds_adds_no_failure)
{
    cr_expect(zero(int, nido_test_run(one_fails_one_cleans_up, NULL)));
}

static int finish_in_a_shield(void *arg)
{
    int *met = arg;

    met[0] = nido_sleep(NIDO_SEC(3600));
    met[1] = nido_with_shield(NIDO_NEVER, follow, &(struct plan){.ns = NIDO_SEC(1)});
    return 0;
}

static int one_ignores_a_cancel(void *unused)
{
    int met[2] = {1, 1};
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, finish_in_a_shield, met)));
    cr_expect(zero(int, nido_spawn(&group, give, result(-EIO))));
    cr_expect(eq(int, nido_group_close(&group, 0), -EIO));
    cr_expect(eq(int, met[0], -ECANCELED));
    cr_expect(zero(int, met[1]));
    cr_expect(eq(i64, nido_now(), NIDO_SEC(2)));
    return 0;
}

/* S23 */
NIDO_TEST(group, the_close_waits_for_who_is_slow_to_go)
{
    cr_expect(zero(int, nido_test_run(one_ignores_a_cancel, NULL)));
}

static int failures_under_wait_all(void *unused)
{
    struct plan plans[] = {{.ns = 1, .rc = -EIO}, {.ns = NIDO_SEC(5)}, {.ns = 2, .rc = -EPERM}};
    nido_group group;

    (void)unused;
    open_and_spawn(&group, NIDO_WAIT_ALL, plans, 3);
    cr_expect(zero(int, nido_sleep(NIDO_SEC(1))), "the body is not disturbed either");
    cr_expect(eq(int, nido_group_close(&group, 0), -EIO));
    cr_expect(zero(int, plans[1].met));
    cr_expect(eq(i64, nido_now(), NIDO_SEC(6)));
    return 0;
}

NIDO_TEST(group, under_wait_all_a_failure_touches_nobody)
{
    cr_expect(zero(int, nido_test_run(failures_under_wait_all, NULL)));
}

static int body_fails(void *policy)
{
    struct plan child = {.ns = NIDO_SEC(3600)};
    nido_group group;

    open_and_spawn(&group, *(enum nido_policy *)policy, &child, 1);
    cr_expect(zero(int, nido_yield()));
    cr_expect(eq(int, nido_group_close(&group, -EIO), -EIO));
    cr_expect(eq(int, child.met, -ECANCELED));
    return 0;
}

/* S25, and the same for the other policies. */
NIDO_TEST(group, a_failing_body_cancels_the_children_under_every_policy)
{
    for (enum nido_policy policy = NIDO_FAIL_FAST; policy <= NIDO_RACE; policy++)
        cr_expect(zero(int, nido_test_run(body_fails, &policy)), "policy %d", (int)policy);
}

static int cancelled_with(void *code)
{
    struct plan child = {.ns = NIDO_SEC(3600)};
    nido_group group;
    int rc;

    open_and_spawn(&group, NIDO_FAIL_FAST, &child, 1);
    cr_expect(zero(int, nido_yield()));
    cr_expect(zero(int, nido_group_cancel(&group, (int)(intptr_t)code, "enough")));
    rc = nido_group_close(&group, 0);
    cr_expect(eq(int, child.met, -ECANCELED));
    cr_expect(zero(ptr, (void *)nido_error_last()), "a cancel is no failure");
    return rc;
}

/* S31, S32 */
NIDO_TEST(group, the_close_answers_the_code_of_the_groups_own_cancel)
{
    cr_expect(zero(int, nido_test_run(cancelled_with, result(0))));
    cr_expect(eq(int, nido_test_run(cancelled_with, result(-ENODATA)), -ENODATA));
}

static int cancel_that_nobody_feels(void *unused)
{
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, give, result(3))));
    cr_expect(zero(int, nido_group_cancel(&group, -ENODATA, NULL)));
    return nido_group_close(&group, 9);
}

NIDO_TEST(group, a_cancel_that_nobody_felt_leaves_the_bodys_result)
{
    cr_expect(eq(int, nido_test_run(cancel_that_nobody_feels, NULL), 9));
}

static int bad_cancels(void *unused)
{
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_group_cancel(&group, 1, NULL), -EINVAL));
    cr_expect(eq(int, nido_group_cancel(&group, -ECANCELED, NULL), -EINVAL));
    cr_expect(zero(int, nido_check()), "a refused cancel does nothing");
    cr_expect(zero(int, nido_group_cancel(&group, -EIO, NULL)));
    cr_expect(eq(int, nido_group_cancel(&group, -EPERM, NULL), -EALREADY));
    cr_expect(eq(int, nido_group_close(&group, -ECANCELED), -EIO), "the first cancel's code");
    cr_expect(eq(int, nido_group_cancel(&group, 0, NULL), -ESRCH));
    return 0;
}

NIDO_TEST(group, a_cancel_has_a_sound_code_and_happens_once)
{
    cr_expect(zero(int, nido_test_run(bad_cancels, NULL)));
}

static int with_a_deadline(void *unused)
{
    struct plan child = {.ns = NIDO_SEC(3600)};
    nido_group_options options;
    nido_group group;

    (void)unused;
    nido_group_options_init(&options);
    options.deadline = nido_after(NIDO_SEC(2));
    nido_group_open_with(&group, &options);
    cr_expect(zero(int, nido_spawn(&group, follow, &child)));
    cr_expect(eq(int, nido_group_close(&group, 0), -ETIMEDOUT));
    cr_expect(nido_scope_fired(nido_group_scope(&group)));
    cr_expect(eq(int, child.met, -ECANCELED));
    cr_expect(eq(i64, nido_now(), NIDO_SEC(3)));
    return 0;
}

NIDO_TEST(group, its_own_deadline_is_a_timeout)
{
    cr_expect(zero(int, nido_test_run(with_a_deadline, NULL)));
}

static int close_with_a_stray(void *unused)
{
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_group_close(&group, -ECANCELED), -EPROTO));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, give, result(-ECANCELED))));
    cr_expect(eq(int, nido_group_close(&group, 0), -EPROTO));
    cr_expect(eq(int, nido_error_code(nido_error_last()), -EPROTO));
    return 0;
}

NIDO_TEST(group, a_stray_cancel_is_a_broken_rule)
{
    cr_expect(zero(int, nido_test_run(close_with_a_stray, NULL)));
}

static int all_fine_under_a_cancel(void *unused)
{
    nido_scope scope;
    nido_group group;

    (void)unused;
    nido_scope_open(&scope);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, give, NULL)));
    cr_expect(zero(int, nido_scope_cancel(&scope, -ENODATA, NULL)));
    cr_expect(eq(int, nido_group_close(&group, 4), 4));
    cr_expect(eq(int, nido_yield(), -ECANCELED));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_group_close(&group, -ECANCELED), -ECANCELED), "not ours to absorb");
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_group_close(&group, -EIO), -EIO), "no failure is masked");
    return nido_scope_close(&scope, -ECANCELED);
}

NIDO_TEST(group, an_outer_cancel_is_passed_on_only_by_who_felt_it)
{
    cr_expect(eq(int, nido_test_run(all_fine_under_a_cancel, NULL), -ENODATA));
}

static int bad_groups(void *unused)
{
    nido_group_options good, bad;
    nido_group group;

    (void)unused;
    nido_group_open(&group, (enum nido_policy)3, NULL);
    cr_expect(eq(int, nido_spawn(&group, give, NULL), -EINVAL));
    cr_expect(eq(int, nido_group_cancel(&group, 0, NULL), -EINVAL));
    cr_expect(eq(int, nido_group_close(&group, 0), -EINVAL));
    nido_group_options_init(&good);
    cr_expect(eq(sz, good.size, sizeof good));
    bad = good, bad.size = 1;
    nido_group_open_with(&group, &bad);
    cr_expect(eq(int, nido_group_close(&group, 0), -EINVAL));
    bad = good, bad.deadline = -1;
    nido_group_open_with(&group, &bad);
    cr_expect(eq(int, nido_group_close(&group, 0), -EINVAL));
    bad = good, bad.stack_size = SIZE_MAX;
    nido_group_open_with(&group, &bad);
    cr_expect(eq(int, nido_group_close(&group, 0), -EINVAL));
    nido_group_open_with(&group, NULL);
    cr_expect(eq(int, nido_group_close(&group, 0), -EINVAL));
    cr_expect(eq(int, nido_with_group(NIDO_FAIL_FAST, NULL, NULL), -EINVAL));
    return 0;
}

NIDO_TEST(group, bad_options_make_a_faulty_group)
{
    cr_expect(zero(int, nido_test_run(bad_groups, NULL)));
}

static int two_children(nido_group *group, void *plans)
{
    for (int i = 0; i < 2; i++)
        cr_expect(zero(int, nido_spawn(group, follow, &((struct plan *)plans)[i])));
    return 8;
}

static int call_with_group(void *unused)
{
    struct plan plans[] = {{.ns = NIDO_SEC(1)}, {.ns = NIDO_SEC(2)}};

    (void)unused;
    cr_expect(eq(int, nido_with_group(NIDO_FAIL_FAST, two_children, plans), 8));
    cr_expect(eq(i64, nido_now(), NIDO_SEC(3)));
    return 0;
}

NIDO_TEST(group, with_group_closes_after_its_body)
{
    cr_expect(zero(int, nido_test_run(call_with_group, NULL)));
}
