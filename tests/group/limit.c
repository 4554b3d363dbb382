/* SPDX-License-Identifier: MIT */
/* A group's limit of living children, and waiting for a place under it. */
#include <string.h>

#include "group_help.h"

static void open_limited(nido_group *group, enum nido_policy policy, uint32_t limit)
{
    nido_group_options options;

    nido_group_options_init(&options);
    options.policy = policy;
    options.limit = limit;
    nido_group_open_with(group, &options);
}

/* One who wants a place for `child`. */
struct candidate {
    nido_group *group;
    struct plan child;
    int rc;
    int64_t admitted;
};

static int apply(void *arg)
{
    struct candidate *candidate = arg;

    candidate->rc = nido_spawn_wait(candidate->group, follow, &candidate->child);
    candidate->admitted = nido_now();
    return 0;
}

static int four_in_three_places(void *unused)
{
    struct plan plans[] = {{.ns = NIDO_SEC(3)}, {.ns = NIDO_SEC(1)}, {.ns = NIDO_SEC(2)}},
                fourth = {.ns = NIDO_SEC(10)};
    nido_group group;

    (void)unused;
    open_limited(&group, NIDO_FAIL_FAST, 3);
    for (int i = 0; i < 3; i++) cr_expect(zero(int, nido_spawn_wait(&group, follow, &plans[i])));
    cr_expect(eq(i64, nido_now(), NIDO_SEC(1)), "there was room");
    cr_expect(eq(int, nido_spawn(&group, follow, &fourth), -EAGAIN));
    cr_expect(ne(ptr, strstr(nido_error_text(nido_error_last()), "limit"), NULL));
    cr_expect(zero(int, nido_spawn_wait(&group, follow, &fourth)));
    cr_expect(eq(i64, nido_now(), NIDO_SEC(2)));
    cr_expect(eq(sz, nido_group_live(&group), 3));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, fourth.runs, 1));
    cr_expect(eq(i64, nido_now(), NIDO_SEC(12)));
    return 0;
}

/* S47 */
NIDO_TEST(limit, the_fourth_waits_for_a_place)
{
    cr_expect(zero(int, nido_test_run(four_in_three_places, NULL)));
}

static int three_candidates(void *unused)
{
    nido_group around, group;
    struct candidate candidates[3];
    struct plan first = {.ns = NIDO_SEC(1)};

    (void)unused;
    open_limited(&group, NIDO_FAIL_FAST, 1);
    cr_expect(zero(int, nido_spawn(&group, follow, &first)));
    nido_group_open(&around, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 3; i++) {
        candidates[i] = (struct candidate){.group = &group, .child.ns = NIDO_SEC(1), .rc = 1};
        cr_expect(zero(int, nido_spawn(&around, apply, &candidates[i])));
    }
    cr_expect(zero(int, nido_group_close(&around, 0)));
    for (int i = 0; i < 3; i++) {
        cr_expect(zero(int, candidates[i].rc));
        cr_expect(eq(i64, candidates[i].admitted, NIDO_SEC(2 + i)));
    }
    return nido_group_close(&group, 0);
}

/* S47 */
NIDO_TEST(limit, places_are_given_in_the_order_of_asking)
{
    cr_expect(zero(int, nido_test_run(three_candidates, NULL)));
}

/* Order of the queue: the body, the candidate, a child. So the candidate waits when the child ends,
 * and has not run again when the body looks. */
static int barge_past_a_waiter(void *unused)
{
    nido_group around, group;
    struct candidate candidate = {.group = &group, .child.ns = NIDO_SEC(5), .rc = 1};
    struct plan child = {.ns = 0};

    (void)unused;
    open_limited(&group, NIDO_FAIL_FAST, 1);
    nido_group_open(&around, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, follow, &child)));
    cr_expect(zero(int, nido_spawn(&around, apply, &candidate)));
    cr_expect(zero(int, nido_yield()));
    cr_expect(eq(sz, nido_group_live(&group), 1));
    cr_expect(zero(int, nido_yield()));
    cr_expect(zero(sz, nido_group_live(&group)));
    cr_expect(eq(int, nido_spawn(&group, give, NULL), -EAGAIN), "the place is promised");
    cr_expect(zero(int, nido_group_close(&around, 0)));
    cr_expect(zero(int, candidate.rc));
    return nido_group_close(&group, 0);
}

NIDO_TEST(limit, nobody_barges_past_who_was_given_a_place)
{
    cr_expect(zero(int, nido_test_run(barge_past_a_waiter, NULL)));
}

static int cancelled_candidate(void *unused)
{
    nido_group around, group;
    struct candidate candidates[2];
    struct plan first = {.ns = NIDO_SEC(2)};
    nido_task task;

    (void)unused;
    open_limited(&group, NIDO_FAIL_FAST, 1);
    cr_expect(zero(int, nido_spawn(&group, follow, &first)));
    nido_group_open(&around, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 2; i++) {
        candidates[i] = (struct candidate){.group = &group, .child.ns = NIDO_SEC(1), .rc = 1};
        cr_expect(zero(
            int, nido_spawn_with(&around, apply, &candidates[i], NULL, i == 0 ? &task : NULL)));
    }
    cr_expect(zero(int, nido_sleep(NIDO_SEC(1))));
    cr_expect(zero(int, nido_task_cancel(task, 0, NULL)));
    cr_expect(zero(int, nido_group_close(&around, 0)));
    cr_expect(eq(int, candidates[0].rc, -ECANCELED));
    cr_expect(zero(int, candidates[0].child.runs));
    cr_expect(zero(int, candidates[1].rc));
    cr_expect(eq(i64, candidates[1].admitted, NIDO_SEC(3)));
    return nido_group_close(&group, 0);
}

NIDO_TEST(limit, a_cancelled_candidate_leaves_no_hole)
{
    cr_expect(zero(int, nido_test_run(cancelled_candidate, NULL)));
}

static int cancel_who_was_admitted(void *unused)
{
    nido_group around, group;
    struct candidate candidate = {.group = &group, .rc = 1};
    struct plan child = {.ns = 0};
    nido_task task;

    (void)unused;
    open_limited(&group, NIDO_FAIL_FAST, 1);
    nido_group_open(&around, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, follow, &child)));
    cr_expect(zero(int, nido_spawn_with(&around, apply, &candidate, NULL, &task)));
    cr_expect(zero(int, nido_yield()));
    cr_expect(zero(int, nido_yield()));
    cr_expect(zero(sz, nido_group_live(&group)));
    cr_expect(zero(int, nido_task_cancel(task, 0, NULL)));
    cr_expect(zero(int, nido_group_close(&around, 0)));
    cr_expect(zero(int, candidate.rc), "a place that was given is not lost");
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, candidate.child.runs, 1));
    return 0;
}

NIDO_TEST(limit, a_place_that_was_given_survives_a_cancel)
{
    cr_expect(zero(int, nido_test_run(cancel_who_was_admitted, NULL)));
}

static int cancel_the_group(void *unused)
{
    nido_group around, group;
    struct candidate candidates[2];
    struct plan first = {.ns = NIDO_SEC(5)};

    (void)unused;
    nido_group_open(&around, NIDO_FAIL_FAST, NULL);
    open_limited(&group, NIDO_FAIL_FAST, 1);
    cr_expect(zero(int, nido_spawn(&group, follow, &first)));
    for (int i = 0; i < 2; i++) {
        candidates[i] = (struct candidate){.group = &group, .rc = 1};
        cr_expect(zero(int, nido_spawn(&around, apply, &candidates[i])));
    }
    cr_expect(zero(int, nido_sleep(NIDO_SEC(1))));
    cr_expect(zero(int, nido_group_cancel(&group, 0, NULL)));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(zero(int, nido_group_close(&around, 0)));
    for (int i = 0; i < 2; i++) {
        cr_expect(eq(int, candidates[i].rc, -ESHUTDOWN));
        cr_expect(zero(int, candidates[i].child.runs));
    }
    return 0;
}

NIDO_TEST(limit, a_cancelled_group_turns_its_candidates_away)
{
    cr_expect(zero(int, nido_test_run(cancel_the_group, NULL)));
}

static int close_over_candidates(void *unused)
{
    nido_group around, group;
    struct candidate candidates[2];
    struct plan first = {.ns = NIDO_SEC(1)};

    (void)unused;
    nido_group_open(&around, NIDO_FAIL_FAST, NULL);
    open_limited(&group, NIDO_FAIL_FAST, 1);
    cr_expect(zero(int, nido_spawn(&group, follow, &first)));
    for (int i = 0; i < 2; i++) {
        candidates[i] = (struct candidate){.group = &group, .child.ns = NIDO_SEC(1), .rc = 1};
        cr_expect(zero(int, nido_spawn(&around, apply, &candidates[i])));
    }
    cr_expect(zero(int, nido_yield()));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(i64, nido_now(), NIDO_SEC(4)), "a group with candidates is not over");
    for (int i = 0; i < 2; i++) cr_expect(eq(int, candidates[i].child.runs, 1));
    return nido_group_close(&around, 0);
}

NIDO_TEST(limit, a_closing_group_still_admits_who_waited)
{
    cr_expect(zero(int, nido_test_run(close_over_candidates, NULL)));
}
