/* SPDX-License-Identifier: MIT */
/* Services: children that nobody waits for, and that go last. */
#include "group_help.h"

static int spawn_service(nido_group *group, nido_fn *fn, void *arg)
{
    nido_spawn_options options;

    nido_spawn_options_init(&options);
    options.service = true;
    return nido_spawn_with(group, fn, arg, &options, NULL);
}

static int normal_ones_end(void *unused)
{
    struct plan service = {.ns = NIDO_SEC(3600)},
                normal[] = {{.ns = NIDO_SEC(1)}, {.ns = NIDO_SEC(2)}};
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, spawn_service(&group, follow, &service)));
    for (int i = 0; i < 2; i++) cr_expect(zero(int, nido_spawn(&group, follow, &normal[i])));
    cr_expect(eq(sz, nido_group_live(&group), 2), "services are not counted");
    cr_expect(eq(int, nido_group_close(&group, 6), 6));
    cr_expect(eq(int, service.met, -ECANCELED));
    cr_expect(eq(i64, nido_now(), NIDO_SEC(3)));
    return 0;
}

/* S55 */
NIDO_TEST(service, it_is_cancelled_when_body_and_children_are_done)
{
    cr_expect(zero(int, nido_test_run(normal_ones_end, NULL)));
}

static int clean_up_slowly(void *arg)
{
    struct plan *plan = arg;

    plan->met = nido_sleep(NIDO_SEC(3600));
    nido_with_shield(NIDO_NEVER, follow, &(struct plan){.ns = plan->ns});
    plan->end = nido_now();
    return plan->met;
}

static int group_cancelled(void *unused)
{
    struct plan service = {.ns = NIDO_SEC(3600)}, normal = {.ns = NIDO_SEC(1)};
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, spawn_service(&group, follow, &service)));
    cr_expect(zero(int, nido_spawn(&group, clean_up_slowly, &normal)));
    cr_expect(zero(int, nido_yield()));
    cr_expect(zero(int, nido_group_cancel(&group, -ENODATA, NULL)));
    cr_expect(eq(int, nido_group_close(&group, 0), -ENODATA));
    cr_expect(eq(i64, normal.end, NIDO_SEC(2)));
    cr_expect(eq(int, service.met, -ECANCELED));
    cr_expect(eq(i64, service.end, NIDO_SEC(2)));
    return 0;
}

/* S56 */
NIDO_TEST(service, a_cancel_reaches_it_after_the_normal_children_have_ended)
{
    cr_expect(zero(int, nido_test_run(group_cancelled, NULL)));
}

static int root_with_a_service(void *arg)
{
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, spawn_service(&group, clean_up_slowly, arg)));
    cr_expect(zero(int, nido_yield()));
    return nido_group_close(&group, 7);
}

/* S8 */
NIDO_TEST(service, the_run_ends_after_its_clean_up)
{
    struct plan service = {.ns = NIDO_SEC(5)};

    cr_expect(eq(int, nido_test_run(root_with_a_service, &service), 7));
    cr_expect(eq(int, service.met, -ECANCELED));
    cr_expect(eq(i64, service.end, NIDO_SEC(6)));
}

static int service_fails(void *policy)
{
    struct plan child = {.ns = NIDO_SEC(3600)};
    nido_group group;

    nido_group_open(&group, *(enum nido_policy *)policy, NULL);
    cr_expect(zero(int, nido_spawn(&group, follow, &child)));
    cr_expect(zero(int, spawn_service(&group, give, result(-EIO))));
    cr_expect(eq(int, nido_sleep(NIDO_SEC(1)), -ECANCELED));
    cr_expect(eq(int, nido_group_close(&group, -ECANCELED), -EIO));
    cr_expect(eq(int, child.met, -ECANCELED));
    return 0;
}

NIDO_TEST(service, its_failure_fails_the_group_under_every_policy)
{
    for (enum nido_policy policy = NIDO_FAIL_FAST; policy <= NIDO_RACE; policy++)
        cr_expect(zero(int, nido_test_run(service_fails, &policy)), "policy %d", (int)policy);
}

static int fail_at_the_end(void *unused)
{
    (void)unused;
    cr_expect(eq(int, nido_sleep(NIDO_SEC(3600)), -ECANCELED));
    return -EIO;
}

static int service_fails_when_released(void *unused)
{
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, spawn_service(&group, fail_at_the_end, NULL)));
    cr_expect(zero(int, nido_yield()));
    return nido_group_close(&group, 0);
}

NIDO_TEST(service, a_failure_on_the_way_out_counts_too)
{
    cr_expect(eq(int, nido_test_run(service_fails_when_released, NULL), -EIO));
}

static int only_a_service(void *unused)
{
    struct plan service = {.ns = NIDO_SEC(3600)};
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, spawn_service(&group, follow, &service)));
    cr_expect(eq(int, nido_group_close(&group, 4), 4));
    cr_expect(eq(int, service.runs, 1), "spawned is run, even if released before its turn");
    cr_expect(eq(int, service.met, -ECANCELED));
    return 0;
}

NIDO_TEST(service, it_runs_once_even_if_released_at_once)
{
    cr_expect(zero(int, nido_test_run(only_a_service, NULL)));
}

struct late {
    nido_group *group;
    int rc;
};

static int spawn_on_the_way_out(void *arg)
{
    struct late *late = arg;

    cr_expect(eq(int, nido_sleep(NIDO_SEC(3600)), -ECANCELED));
    late->rc = nido_spawn(late->group, give, NULL);
    return 0;
}

static int spawn_from_a_released_service(void *unused)
{
    nido_group group;
    struct late late = {&group, 1};

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, spawn_service(&group, spawn_on_the_way_out, &late)));
    cr_expect(zero(int, nido_yield()));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, late.rc, -ESHUTDOWN));
    return 0;
}

NIDO_TEST(service, a_group_that_releases_its_services_takes_nobody)
{
    cr_expect(zero(int, nido_test_run(spawn_from_a_released_service, NULL)));
}

static int see_the_release(void *out)
{
    nido_cause *cause = out;

    cr_expect(eq(int, nido_sleep(NIDO_SEC(3600)), -ECANCELED));
    nido_cancel_cause(cause);
    return -ECANCELED;
}

static int ask_for_the_cause(void *unused)
{
    nido_cause cause;
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, spawn_service(&group, see_the_release, &cause)));
    cr_expect(zero(int, nido_yield()));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, cause.kind, NIDO_CAUSE_RELEASE));
    return 0;
}

NIDO_TEST(service, its_release_is_told_as_the_cause)
{
    cr_expect(zero(int, nido_test_run(ask_for_the_cause, NULL)));
}

static int beside_a_limit(void *unused)
{
    nido_group_options options;
    nido_group group;

    (void)unused;
    nido_group_options_init(&options);
    options.limit = 1;
    nido_group_open_with(&group, &options);
    cr_expect(zero(int, nido_spawn(&group, give, NULL)));
    cr_expect(zero(int, spawn_service(&group, give, NULL)));
    cr_expect(eq(int, nido_spawn(&group, give, NULL), -EAGAIN));
    return nido_group_close(&group, 0);
}

NIDO_TEST(service, the_limit_does_not_count_it)
{
    cr_expect(zero(int, nido_test_run(beside_a_limit, NULL)));
}

/* ---- Why its group ended ---- */

/* Waits for its end, and keeps what it is told of that. */
static int learn_why(void *cause)
{
    int rc = nido_sleep(NIDO_SEC(3600));

    nido_cancel_cause(cause);
    return rc;
}

/* Opens a group with a service that learns why it ends. */
static void open_with_service(nido_group *group, enum nido_policy policy, nido_cause *cause)
{
    nido_group_open(group, policy, "g");
    cr_expect(zero(int, spawn_service(group, learn_why, cause)));
    cr_expect(zero(int, nido_yield()));
}

static void expect_cause(const nido_cause *cause, enum nido_cause_kind kind, int code)
{
    cr_expect(eq(int, cause->kind, kind));
    cr_expect(eq(int, cause->code, code));
}

static int fail_by_name(void *rc)
{
    nido_set_name("culprit");
    return give(rc);
}

static int learn_of_failures(void *unused)
{
    static const enum nido_policy policies[] = {NIDO_FAIL_FAST, NIDO_WAIT_ALL, NIDO_RACE};
    nido_cause cause;
    nido_group group;

    (void)unused;
    for (int i = 0; i < 3; i++) {
        open_with_service(&group, policies[i], &cause);
        cr_expect(zero(int, nido_spawn(&group, fail_by_name, result(-EIO))));
        cr_expect(eq(int, nido_group_close(&group, 0), -EIO));
        expect_cause(&cause, NIDO_CAUSE_FAILURE, -EIO);
        cr_expect(eq(str, cause.task_name, "culprit"));
        open_with_service(&group, policies[i], &cause);
        cr_expect(eq(int, nido_group_close(&group, -ENOSPC), -ENOSPC));
        expect_cause(&cause, NIDO_CAUSE_FAILURE, -ENOSPC);
        cr_expect(eq(u64, cause.task, nido_self().id));
    }
    return 0;
}

NIDO_TEST(service, it_learns_of_a_failure_under_every_policy)
{
    cr_expect(zero(int, nido_test_run(learn_of_failures, NULL)));
}

static int learn_of_other_ends(void *unused)
{
    nido_cause cause;
    nido_group group;
    nido_scope scope;

    (void)unused;
    open_with_service(&group, NIDO_FAIL_FAST, &cause);
    cr_expect(zero(int, nido_spawn(&group, give, result(3))));
    cr_expect(eq(int, nido_group_close(&group, 7), 7));
    expect_cause(&cause, NIDO_CAUSE_RELEASE, 0);

    open_with_service(&group, NIDO_FAIL_FAST, &cause);
    cr_expect(zero(int, nido_group_cancel(&group, -EINTR, "enough")));
    cr_expect(eq(int, nido_group_close(&group, 0), -EINTR));
    expect_cause(&cause, NIDO_CAUSE_CANCEL, -EINTR);
    cr_expect(eq(str, (char *)cause.reason, "enough"));

    open_with_service(&group, NIDO_RACE, &cause);
    cr_expect(zero(int, nido_spawn(&group, give, result(3))));
    cr_expect(eq(int, nido_group_close(&group, 0), 3));
    expect_cause(&cause, NIDO_CAUSE_RACE, 0);

    nido_timeout_open(&scope, NIDO_SEC(1));
    open_with_service(&group, NIDO_FAIL_FAST, &cause);
    cr_expect(eq(int, nido_group_close(&group, nido_sleep(NIDO_SEC(2))), -ECANCELED));
    cr_expect(eq(int, nido_scope_close(&scope, -ECANCELED), -ETIMEDOUT));
    expect_cause(&cause, NIDO_CAUSE_DEADLINE, -ETIMEDOUT);
    return 0;
}

NIDO_TEST(service, it_learns_of_success_a_cancel_a_race_and_a_deadline_outside)
{
    cr_expect(zero(int, nido_test_run(learn_of_other_ends, NULL)));
}

static int two_services(void *unused)
{
    nido_cause cause;
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    cr_expect(zero(int, spawn_service(&group, give, result(0))));
    cr_expect(zero(int, spawn_service(&group, learn_why, &cause)));
    cr_expect(zero(int, nido_yield()));
    cr_expect(zero(int, nido_spawn(&group, give, result(-EIO))));
    cr_expect(eq(int, nido_group_close(&group, 0), -EIO));
    expect_cause(&cause, NIDO_CAUSE_FAILURE, -EIO);
    return 0;
}

static int join_it(void *service)
{
    int rc = 1;

    cr_expect(zero(int, nido_join(*(nido_task *)service, &rc)));
    cr_expect(zero(int, rc));
    return 0;
}

static int join_a_service(void *unused)
{
    nido_spawn_options options;
    nido_cause cause;
    nido_group group, around;
    nido_task service;

    (void)unused;
    nido_spawn_options_init(&options);
    options.service = true;
    nido_group_open(&around, NIDO_FAIL_FAST, NULL);
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    cr_expect(zero(int, nido_spawn_with(&group, learn_why, &cause, &options, &service)));
    cr_expect(zero(int, nido_spawn(&around, join_it, &service)));
    cr_expect(zero(int, nido_spawn(&group, give, result(-EIO))));
    cr_expect(eq(int, nido_group_close(&group, 0), -EIO));
    return nido_group_close(&around, 0);
}

NIDO_TEST(service, what_it_is_told_is_no_failure_of_its_own)
{
    cr_expect(zero(int, nido_test_run(two_services, NULL)));
    cr_expect(zero(int, nido_test_run(join_a_service, NULL)));
}
