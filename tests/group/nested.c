/* SPDX-License-Identifier: MIT */
/* Groups inside groups: who belongs to which, and how far a failure or a cancel reaches. */
#include "group_help.h"

/* A task of the inner group spawns `plan` into the outer one. */
struct bridge {
    nido_group *outer;
    struct plan *plan;
};

static int cross(void *arg)
{
    struct bridge *bridge = arg;

    return nido_spawn(bridge->outer, follow, bridge->plan);
}

static int inner_group_cancelled(void *unused)
{
    struct plan child = {.ns = NIDO_SEC(5)};
    nido_group outer, inner;
    struct bridge bridge = {&outer, &child};

    (void)unused;
    nido_group_open(&outer, NIDO_FAIL_FAST, "outer");
    nido_group_open(&inner, NIDO_FAIL_FAST, "inner");
    cr_expect(zero(int, nido_spawn(&inner, cross, &bridge)));
    cr_expect(zero(int, nido_sleep(NIDO_SEC(1))));
    cr_expect(zero(int, nido_group_cancel(&inner, 0, NULL)));
    cr_expect(zero(int, nido_group_close(&inner, -ECANCELED)));
    cr_expect(zero(int, nido_group_close(&outer, 0)));
    cr_expect(eq(int, child.runs, 1));
    cr_expect(zero(int, child.met));
    cr_expect(eq(i64, nido_now(), NIDO_SEC(6)));
    return 0;
}

/* S40 */
NIDO_TEST(nested, a_task_belongs_to_the_group_it_was_spawned_into)
{
    cr_expect(zero(int, nido_test_run(inner_group_cancelled, NULL)));
}

static int outer_task_fails(void *unused)
{
    struct plan child = {.ns = NIDO_SEC(1), .rc = -EIO}, inside = {.ns = NIDO_SEC(3600)};
    nido_group outer, inner;
    struct bridge bridge = {&outer, &child};
    int rc;

    (void)unused;
    nido_group_open(&outer, NIDO_FAIL_FAST, "outer");
    nido_group_open(&inner, NIDO_FAIL_FAST, "inner");
    cr_expect(zero(int, nido_spawn(&inner, cross, &bridge)));
    cr_expect(zero(int, nido_spawn(&inner, follow, &inside)));
    rc = nido_group_close(&inner, 0);
    cr_expect(eq(int, rc, -ECANCELED), "the inner group has not failed");
    cr_expect(eq(int, inside.met, -ECANCELED));
    cr_expect(eq(int, nido_sleep(1), -ECANCELED), "we are in the outer group");
    cr_expect(eq(int, nido_group_close(&outer, rc), -EIO));
    cr_expect(eq(i64, nido_now(), NIDO_SEC(2)));
    return 0;
}

/* S41 */
NIDO_TEST(nested, a_failure_cancels_the_whole_group_of_the_failed_task)
{
    cr_expect(zero(int, nido_test_run(outer_task_fails, NULL)));
}

static int handled_inside(void *unused)
{
    struct plan sibling = {.ns = NIDO_SEC(1)};
    nido_group outer, inner;

    (void)unused;
    nido_group_open(&outer, NIDO_FAIL_FAST, "outer");
    cr_expect(zero(int, nido_spawn(&outer, follow, &sibling)));
    nido_group_open(&inner, NIDO_FAIL_FAST, "inner");
    cr_expect(zero(int, nido_spawn(&inner, give, result(-EIO))));
    cr_expect(eq(int, nido_group_close(&inner, 0), -EIO));
    cr_expect(zero(int, nido_yield()));
    cr_expect(zero(int, nido_group_close(&outer, 0)));
    cr_expect(zero(int, sibling.met));
    return 0;
}

/* S43 */
NIDO_TEST(nested, a_failure_that_the_body_handles_ends_at_its_group)
{
    cr_expect(zero(int, nido_test_run(handled_inside, NULL)));
}

static int nest(void *depth)
{
    nido_group group;
    int rc = 0;

    if (!depth) return nido_sleep(NIDO_SEC(3600));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    rc = nido_spawn(&group, nest, result((int)(intptr_t)depth - 1));
    return nido_group_close(&group, rc);
}

static int cancel_a_deep_tree(void *unused)
{
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, nest, result(20))));
    cr_expect(zero(int, nido_sleep(NIDO_SEC(1))));
    cr_expect(zero(int, nido_group_cancel(&group, -ENODATA, NULL)));
    cr_expect(eq(int, nido_group_close(&group, 0), -ENODATA));
    cr_expect(eq(i64, nido_now(), NIDO_SEC(2)));
    return 0;
}

NIDO_TEST(nested, a_cancel_reaches_the_leaves_and_is_absorbed_where_it_began)
{
    cr_expect(zero(int, nido_test_run(cancel_a_deep_tree, NULL)));
}

static int fail_deep_down(void *unused)
{
    nido_group outer, inner;
    int rc;

    (void)unused;
    nido_group_open(&outer, NIDO_FAIL_FAST, "outer");
    nido_group_open(&inner, NIDO_FAIL_FAST, "inner");
    cr_expect(zero(int, nido_spawn(&inner, give, result(-EIO))));
    rc = nido_group_close(&inner, 0);
    return nido_group_close(&outer, rc);
}

NIDO_TEST(nested, a_failure_passes_up_as_itself)
{
    cr_expect(eq(int, nido_test_run(fail_deep_down, NULL), -EIO));
}
