/* SPDX-License-Identifier: MIT */
/* A group that stays open: waiting for its children, its limit, its counts. */
#include <string.h>

#include "group_help.h"

/* The virtual clock begins at one second. */
static int64_t passed(int64_t when)
{
    return when - NIDO_SEC(1);
}

static void open_limited(nido_group *group, enum nido_policy policy, uint32_t limit)
{
    nido_group_options options;

    nido_group_options_init(&options);
    options.policy = policy;
    options.limit = limit;
    options.name = "pages";
    nido_group_open_with(group, &options);
}

/* ---- Waiting ---- */

static int work_in_rounds(void *unused)
{
    struct plan plans[] = {{.ns = NIDO_SEC(1)}, {.ns = NIDO_SEC(3)}, {.ns = NIDO_SEC(2)}};
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, "rounds");
    cr_expect(zero(int, nido_group_wait(&group)), "no child: it is idle");
    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < 3; i++) cr_expect(zero(int, nido_spawn(&group, follow, &plans[i])));
        cr_expect(zero(int, nido_group_wait(&group)));
        cr_expect(eq(i64, passed(nido_now()), round * NIDO_SEC(3)), "the slowest has ended");
        cr_expect(eq(sz, nido_group_live(&group), 0));
        for (int i = 0; i < 3; i++) cr_expect(eq(int, plans[i].runs, round));
    }
    return nido_group_close(&group, 0);
}

NIDO_TEST(body, it_waits_for_all_children_and_the_group_goes_on)
{
    cr_expect(zero(int, nido_test_run(work_in_rounds, NULL)));
}

struct family {
    nido_group *group;
    struct plan child;
};

static int beget(void *arg)
{
    struct family *family = arg;
    int rc = nido_sleep(NIDO_SEC(1));

    return rc ? rc : nido_spawn(family->group, follow, &family->child);
}

static int wait_for_grandchildren(void *unused)
{
    nido_group group;
    struct family family = {.group = &group, .child.ns = NIDO_SEC(1)};

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, beget, &family)));
    cr_expect(zero(int, nido_group_wait(&group)));
    cr_expect(eq(i64, passed(family.child.end), NIDO_SEC(2)));
    cr_expect(eq(i64, passed(nido_now()), NIDO_SEC(2)));
    return nido_group_close(&group, 0);
}

NIDO_TEST(body, children_that_come_meanwhile_are_waited_for_too)
{
    cr_expect(zero(int, nido_test_run(wait_for_grandchildren, NULL)));
}

static int wait_beside_a_service(void *unused)
{
    struct plan service = {.ns = NIDO_NEVER}, child = {.ns = NIDO_SEC(1)};
    nido_spawn_options options;
    nido_group group;

    (void)unused;
    nido_spawn_options_init(&options);
    options.service = true;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn_with(&group, follow, &service, &options, NULL)));
    cr_expect(zero(int, nido_spawn(&group, follow, &child)));
    cr_expect(zero(int, nido_group_wait(&group)));
    cr_expect(eq(i64, passed(nido_now()), NIDO_SEC(1)));
    cr_expect(zero(i64, service.end), "it goes on");
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, service.met, -ECANCELED));
    return 0;
}

NIDO_TEST(body, services_are_not_waited_for)
{
    cr_expect(zero(int, nido_test_run(wait_beside_a_service, NULL)));
}

static int start_slowly(void *unused)
{
    int rc = nido_sleep(NIDO_SEC(1));

    (void)unused;
    if (!rc) rc = nido_started(7);
    return rc ? rc : nido_sleep(NIDO_SEC(1));
}

static int start_one(void *group)
{
    return nido_start(group, start_slowly, NULL, NULL);
}

static int wait_for_a_start(void *unused)
{
    nido_group around, group;

    (void)unused;
    nido_group_open(&around, NIDO_FAIL_FAST, NULL);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&around, start_one, &group)));
    nido_sleep(1);
    cr_expect(zero(int, nido_group_wait(&group)));
    cr_expect(eq(i64, passed(nido_now()), NIDO_SEC(2)), "until what was started has ended");
    cr_expect(zero(int, nido_group_close(&group, 0)));
    return nido_group_close(&around, 0);
}

NIDO_TEST(body, a_start_under_way_counts)
{
    cr_expect(zero(int, nido_test_run(wait_for_a_start, NULL)));
}

/* ---- Failures and cancels ---- */

static int fail_and_go_on(void *unused)
{
    struct plan fails = {.ns = NIDO_SEC(1), .rc = -EIO}, late = {.ns = NIDO_SEC(2)};
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    cr_expect(zero(int, nido_spawn(&group, follow, &fails)));
    cr_expect(zero(int, nido_spawn(&group, follow, &late)));
    cr_expect(eq(int, nido_group_wait(&group), -EIO));
    cr_expect(eq(int, nido_error_code(nido_error_last()), -EIO));
    cr_expect(eq(i64, passed(late.end), NIDO_SEC(2)), "all were waited for");
    cr_expect(zero(int, nido_spawn(&group, follow, &late)), "it is still open");
    cr_expect(eq(int, nido_group_wait(&group), -EIO), "the first failure so far");
    return nido_group_close(&group, 0);
}

NIDO_TEST(body, a_failure_is_told_and_the_group_stays_open)
{
    cr_expect(eq(int, nido_test_run(fail_and_go_on, NULL), -EIO));
}

static int pass_it_on(void *unused)
{
    nido_group group;
    int rc;

    (void)unused;
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    cr_expect(zero(int, nido_spawn(&group, give, result(-EIO))));
    rc = nido_group_close(&group, nido_group_wait(&group));
    cr_expect(eq(int, rc, -EIO));
    cr_expect(zero(sz, nido_error_suppressed_count(nido_error_last())), "one failure, told twice");
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    cr_expect(zero(int, nido_spawn(&group, give, result(-EIO))));
    cr_expect(eq(int, nido_group_wait(&group), -EIO));
    cr_expect(eq(int, nido_group_close(&group, -EPIPE), -EIO));
    cr_expect(eq(sz, nido_error_suppressed_count(nido_error_last()), 1), "the body's is another");
    return 0;
}

NIDO_TEST(body, a_failure_that_is_passed_on_to_the_close_counts_once)
{
    cr_expect(zero(int, nido_test_run(pass_it_on, NULL)));
}

static int fail_fast(void *unused)
{
    struct plan fails = {.ns = NIDO_SEC(1), .rc = -EIO}, late = {.ns = NIDO_SEC(9)};
    nido_group group;
    int rc;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, follow, &fails)));
    cr_expect(zero(int, nido_spawn(&group, follow, &late)));
    rc = nido_group_wait(&group);
    cr_expect(eq(int, rc, -ECANCELED), "the failure cancels the body too");
    cr_expect(eq(i64, passed(nido_now()), NIDO_SEC(1)));
    rc = nido_group_close(&group, rc);
    cr_expect(eq(int, late.met, -ECANCELED));
    return rc;
}

NIDO_TEST(body, a_failure_that_cancels_the_group_ends_the_wait)
{
    cr_expect(eq(int, nido_test_run(fail_fast, NULL), -EIO));
}

static int wait_too_long(void *unused)
{
    struct plan late = {.ns = NIDO_SEC(9)};
    nido_group group;
    nido_scope scope;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, follow, &late)));
    nido_timeout_open(&scope, NIDO_SEC(1));
    cr_expect(eq(int, nido_scope_close(&scope, nido_group_wait(&group)), -ETIMEDOUT));
    cr_expect(zero(i64, late.end), "the children do not feel it");
    cr_expect(zero(int, nido_group_wait(&group)), "another wait is fine");
    cr_expect(eq(i64, passed(nido_now()), NIDO_SEC(9)));
    return nido_group_close(&group, 0);
}

NIDO_TEST(body, a_wait_that_is_cancelled_leaves_the_children_alone)
{
    cr_expect(zero(int, nido_test_run(wait_too_long, NULL)));
}

static int race_is_over(void *unused)
{
    struct plan wins = {.ns = NIDO_SEC(1), .rc = 5}, late = {.ns = NIDO_SEC(9)};
    nido_group group;
    nido_scope shield;

    (void)unused;
    nido_group_open(&group, NIDO_RACE, NULL);
    cr_expect(zero(int, nido_spawn(&group, give, result(-EIO))));
    cr_expect(zero(int, nido_spawn(&group, follow, &wins)));
    cr_expect(zero(int, nido_spawn(&group, follow, &late)));
    nido_shield_open(&shield, NIDO_NEVER);
    cr_expect(zero(int, nido_group_wait(&group)), "failures before the winner are forgotten");
    nido_scope_close(&shield, 0);
    cr_expect(eq(i64, passed(nido_now()), NIDO_SEC(1)));
    cr_expect(eq(int, nido_group_wait(&group), -ECANCELED));
    return nido_group_close(&group, 0);
}

NIDO_TEST(body, a_race_that_is_won_has_no_failure)
{
    cr_expect(eq(int, nido_test_run(race_is_over, NULL), 5));
}

/* ---- Who may wait ---- */

static int wait_as_a_child(void *group)
{
    cr_expect(eq(int, nido_group_wait(group), -EPERM));
    return 0;
}

static int wait_wrongly(void *unused)
{
    nido_group group, faulty;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, wait_as_a_child, &group)));
    cr_expect(zero(int, nido_group_wait(&group)));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, nido_group_wait(&group), -EBADF));
    cr_expect(eq(int, nido_group_set_limit(&group, 1), -EBADF));
    nido_group_open(&faulty, (enum nido_policy)9, NULL);
    cr_expect(eq(int, nido_group_wait(&faulty), -EINVAL));
    cr_expect(eq(int, nido_group_set_limit(&faulty, 1), -EINVAL));
    cr_expect(eq(int, nido_group_counts_get(&faulty, &(nido_group_counts){0}), -EINVAL));
    cr_expect(eq(int, nido_group_close(&faulty, 0), -EINVAL));
    return 0;
}

NIDO_TEST(body, only_the_opener_waits_and_only_while_it_is_open)
{
    nido_group group = {0};

    cr_expect(zero(int, nido_test_run(wait_wrongly, NULL)));
    cr_expect(eq(int, nido_group_wait(&group), -EPERM));
}

struct child {
    nido_mutex *wanted;
    nido_task parent;
};

static int lock_and_join(void *arg)
{
    struct child *child = arg;

    cr_expect(eq(int, nido_mutex_lock(child->wanted), -EDEADLK));
    cr_expect(
        ne(ptr, strstr(nido_error_text(nido_error_last()), "children of group \"family\""), NULL),
        "%s", nido_error_text(nido_error_last()));
    cr_expect(eq(int, nido_join(child->parent, NULL), -EDEADLK));
    return 0;
}

static int serve_a_lock(void *arg)
{
    struct child *child = arg;

    cr_expect(zero(int, nido_mutex_lock(child->wanted)), "the wait does not need a service");
    return nido_mutex_unlock(child->wanted);
}

static int wait_with_a_lock(void *unused)
{
    struct plan slow = {.ns = NIDO_SEC(1)};
    nido_mutex held;
    struct child child = {&held, nido_self()};
    nido_spawn_options options;
    nido_group group;

    (void)unused;
    nido_spawn_options_init(&options);
    options.service = true;
    nido_mutex_init(&held, "held");
    cr_expect(zero(int, nido_mutex_lock(&held)));
    nido_group_open(&group, NIDO_FAIL_FAST, "family");
    cr_expect(zero(int, nido_spawn(&group, lock_and_join, &child)));
    cr_expect(zero(int, nido_spawn_with(&group, serve_a_lock, &child, &options, NULL)));
    cr_expect(zero(int, nido_spawn(&group, follow, &slow)));
    cr_expect(zero(int, nido_group_wait(&group)));
    cr_expect(zero(int, nido_mutex_unlock(&held)));
    return nido_group_close(&group, 0);
}

NIDO_TEST(body, a_child_that_needs_the_waiter_is_told_of_the_ring)
{
    cr_expect(zero(int, nido_test_run(wait_with_a_lock, NULL)));
}

/* ---- The limit ---- */

struct candidate {
    nido_group *group;
    struct plan child;
    int64_t admitted;
};

static int apply(void *arg)
{
    struct candidate *candidate = arg;
    int rc = nido_spawn_wait(candidate->group, follow, &candidate->child);

    candidate->admitted = nido_now();
    return rc;
}

static void expect_counts(const nido_group *group, uint32_t live, uint32_t waiting, uint32_t limit)
{
    nido_group_counts counts;

    cr_expect(zero(int, nido_group_counts_get(group, &counts)));
    cr_expect(eq(u32, counts.live, live));
    cr_expect(eq(u32, counts.waiting, waiting));
    cr_expect(eq(u32, counts.limit, limit));
}

static int change_the_limit(void *unused)
{
    nido_group around, group;
    struct candidate candidates[6];

    (void)unused;
    open_limited(&group, NIDO_FAIL_FAST, 1);
    nido_group_open(&around, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 6; i++) {
        candidates[i] = (struct candidate){.group = &group, .child.ns = NIDO_SEC(10)};
        cr_expect(zero(int, nido_spawn(&around, apply, &candidates[i])));
    }
    nido_sleep(NIDO_SEC(1));
    expect_counts(&group, 1, 5, 1);
    cr_expect(zero(int, nido_group_set_limit(&group, 3)));
    expect_counts(&group, 1, 5, 3);
    nido_sleep(NIDO_SEC(1));
    expect_counts(&group, 3, 3, 3);
    cr_expect(zero(int, nido_group_set_limit(&group, 2)), "no child ends for it");
    cr_expect(eq(int, nido_spawn(&group, give, NULL), -EAGAIN));
    nido_sleep(NIDO_SEC(8) + 1); /* the first has ended: two are left */
    expect_counts(&group, 2, 3, 2);
    cr_expect(zero(int, nido_group_set_limit(&group, 0)));
    cr_expect(zero(int, nido_group_close(&around, 0)));
    expect_counts(&group, 5, 0, 0);
    cr_expect(zero(int, nido_group_wait(&group)));
    for (int i = 0; i < 6; i++) {
        int64_t when = i == 0 ? 0 : i < 3 ? NIDO_SEC(1) : NIDO_SEC(10) + 1;

        cr_expect(eq(i64, passed(candidates[i].admitted), when), "candidate %d", i);
    }
    return nido_group_close(&group, 0);
}

NIDO_TEST(body, a_limit_may_be_raised_lowered_and_lifted)
{
    cr_expect(zero(int, nido_test_run(change_the_limit, NULL)));
}

/* A place that was given and not used yet keeps the group from being idle. */
static int wait_with_a_place_given(void *unused)
{
    nido_group around, group;
    struct candidate late = {.group = &group, .child.ns = NIDO_SEC(2)};
    struct plan first = {.ns = NIDO_SEC(1)};

    (void)unused;
    open_limited(&group, NIDO_FAIL_FAST, 1);
    nido_group_open(&around, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, follow, &first)));
    cr_expect(zero(int, nido_spawn(&around, apply, &late)));
    cr_expect(zero(int, nido_group_wait(&group)));
    cr_expect(eq(i64, passed(nido_now()), NIDO_SEC(3)));
    cr_expect(zero(int, nido_group_close(&around, 0)));
    return nido_group_close(&group, 0);
}

NIDO_TEST(body, a_place_that_was_given_counts)
{
    cr_expect(zero(int, nido_test_run(wait_with_a_place_given, NULL)));
}

static int count_all(void *unused)
{
    struct plan plan = {.ns = NIDO_SEC(1)}, service = {.ns = NIDO_NEVER};
    nido_group around, group;
    nido_group_counts counts;
    nido_spawn_options options;

    (void)unused;
    nido_spawn_options_init(&options);
    options.service = true;
    nido_group_open(&around, NIDO_FAIL_FAST, NULL);
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    cr_expect(zero(int, nido_spawn(&group, follow, &plan)));
    cr_expect(zero(int, nido_spawn(&group, give, result(-EIO))));
    cr_expect(zero(int, nido_spawn_with(&group, follow, &service, &options, NULL)));
    cr_expect(zero(int, nido_spawn(&around, start_one, &group)));
    nido_sleep(1);
    cr_expect(zero(int, nido_group_counts_get(&group, &counts)));
    cr_expect(eq(u32, counts.live, 1));
    cr_expect(eq(u32, counts.services, 1));
    cr_expect(eq(u32, counts.starting, 1));
    cr_expect(eq(int, counts.failure, -EIO));
    cr_expect(eq(int, nido_group_close(&group, 0), -EIO));
    cr_expect(zero(int, nido_group_counts_get(&group, &counts)));
    cr_expect(zero(u32, counts.live));
    cr_expect(eq(int, counts.failure, -EIO));
    return nido_group_close(&around, 0);
}

NIDO_TEST(body, counts_are_told)
{
    cr_expect(zero(int, nido_test_run(count_all, NULL)));
}
