/* SPDX-License-Identifier: MIT */
/* Shields: what they keep out, for how long, and for whom. */
#include <stdio.h>
#include <string.h>

#include "inside_help.h"

#define HOUR NIDO_SEC(3600)

struct shielded {
    int64_t max_ns, sleep_ns;
    int slept, closed, after; /* what the sleep, the close and the next call gave */
    int64_t at;               /* when the sleep was over */
};

static int sleep_shielded(void *arg)
{
    struct shielded *self = arg;
    nido_scope shield;

    nido_shield_open(&shield, self->max_ns);
    self->slept = nido_sleep(self->sleep_ns);
    self->at = nido_now();
    self->closed = nido_scope_close(&shield, self->slept);
    self->after = nido_check();
    return self->after;
}

/* S112 S125 */
INSIDE(shield, a_cancel_from_outside_is_delivered_after_the_shield)
{
    struct shielded child = {.max_ns = HOUR, .sleep_ns = 50};
    nido_group group;
    int64_t start = nido_now();

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, sleep_shielded, &child);
    nido_sleep(10);
    cr_expect(eq(int, nido_group_cancel(&group, 0, NULL), 0));
    cr_expect(eq(i64, nido_now(), start + 10), "the canceller waited");
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, child.slept, 0));
    cr_expect(eq(i64, child.at, start + 50));
    cr_expect(eq(int, child.closed, 0));
    cr_expect(eq(int, child.after, -ECANCELED));
}

/* S113 */
INSIDE(shield, a_shield_that_is_cancelled_itself_fails_inside)
{
    nido_scope shield;

    nido_shield_open(&shield, NIDO_NEVER);
    cr_expect(eq(int, nido_scope_cancel(&shield, -ENODATA, NULL), 0));
    cr_expect(eq(int, nido_yield(), -ECANCELED));
    cr_expect(eq(int, nido_scope_close(&shield, -ECANCELED), -ENODATA));
    cr_expect(eq(int, nido_yield(), 0));
}

/* S115 */
INSIDE(shield, a_shield_that_outlives_its_bound_times_out)
{
    struct shielded self = {.max_ns = NIDO_SEC(1), .sleep_ns = NIDO_SEC(5)};
    int64_t start = nido_now();

    cr_expect(eq(int, sleep_shielded(&self), 0));
    cr_expect(eq(int, self.slept, -ECANCELED));
    cr_expect(eq(int, self.closed, -ETIMEDOUT));
    cr_expect(eq(i64, self.at, start + NIDO_SEC(1)));
}

INSIDE(shield, an_expired_shield_in_a_cancelled_scope_passes_the_cancel_on)
{
    struct shielded self = {.max_ns = NIDO_SEC(1), .sleep_ns = NIDO_SEC(5)};
    nido_scope scope;

    nido_scope_open(&scope);
    nido_scope_cancel(&scope, -ENODATA, NULL);
    cr_expect(eq(int, sleep_shielded(&self), -ECANCELED));
    cr_expect(eq(int, self.slept, -ECANCELED));
    cr_expect(eq(int, self.closed, -ECANCELED));
    cr_expect(eq(int, nido_scope_close(&scope, -ECANCELED), -ENODATA));
}

INSIDE(shield, a_shield_without_time_has_expired)
{
    nido_scope shield;

    for (int64_t ns = -1; ns <= 0; ns++) {
        nido_shield_open(&shield, ns);
        cr_expect(eq(int, nido_yield(), -ECANCELED));
        cr_expect(eq(int, nido_scope_close(&shield, -ECANCELED), -ETIMEDOUT));
    }
}

/* S119 */
INSIDE(shield, a_deadline_inside_works_while_the_outside_is_cancelled)
{
    nido_scope scope, shield, deadline;
    int64_t start = nido_now();

    nido_scope_open(&scope);
    nido_scope_cancel(&scope, 0, NULL);
    nido_shield_open(&shield, NIDO_NEVER);
    nido_timeout_open(&deadline, 10);
    cr_expect(eq(int, nido_scope_close(&deadline, nido_sleep(HOUR)), -ETIMEDOUT));
    cr_expect(eq(i64, nido_now(), start + 10));
    cr_expect(eq(int, nido_sleep(10), 0));
    cr_expect(eq(int, nido_scope_close(&shield, 0), 0));
    cr_expect(eq(int, nido_scope_close(&scope, nido_yield()), 0));
}

/* S121 S122 */
INSIDE(shield, a_child_is_shielded_if_its_group_is)
{
    nido_group outer, inner;
    nido_scope shield;
    struct sleeper outside = {.ns = HOUR}, inside = {.ns = 10};

    nido_group_open(&outer, NIDO_FAIL_FAST, "outer");
    nido_shield_open(&shield, NIDO_NEVER);
    nido_group_open(&inner, NIDO_FAIL_FAST, "inner");
    begin(&outer, sleeper, &outside);
    begin(&inner, sleeper, &inside);
    nido_yield();
    nido_group_cancel(&outer, -ENODATA, NULL);
    cr_expect(eq(int, nido_group_close(&inner, 0), 0));
    cr_expect(eq(int, inside.rc, 0));
    cr_expect(eq(int, outside.rc, -ECANCELED));
    cr_expect(eq(int, nido_scope_close(&shield, 0), 0));
    cr_expect(eq(int, nido_group_close(&outer, 0), -ENODATA));
}

/* S101 */
INSIDE(shield, a_group_opened_in_a_shield_takes_children_in_a_cancelled_task)
{
    nido_scope scope, shield;
    nido_group group;
    struct sleeper child = {.ns = 10};

    nido_scope_open(&scope);
    nido_scope_cancel(&scope, 0, NULL);
    nido_shield_open(&shield, NIDO_SEC(1));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, sleeper, &child);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, child.rc, 0));
    nido_scope_close(&shield, 0);
    nido_scope_close(&scope, 0);
}

/* S124 */
INSIDE(shield, the_effective_deadline_is_the_shields_own)
{
    nido_scope deadline, shield;
    int64_t now = nido_now();

    nido_deadline_open(&deadline, now + 10);
    nido_shield_open(&shield, NIDO_NEVER);
    cr_expect(eq(i64, nido_deadline(), NIDO_NEVER));
    nido_scope_close(&shield, 0);
    nido_shield_open(&shield, 30);
    cr_expect(eq(i64, nido_deadline(), now + 30));
    cr_expect(eq(int, nido_sleep(20), 0));
    nido_scope_close(&shield, 0);
    cr_expect(eq(i64, nido_deadline(), INT64_MIN));
    cr_expect(eq(int, nido_scope_close(&deadline, -ECANCELED), -ETIMEDOUT));
}

INSIDE(shield, the_end_of_a_shield_moves_both_ways)
{
    nido_scope shield;
    int64_t start = nido_now();

    nido_shield_open(&shield, 10);
    cr_expect(eq(int, nido_scope_move(&shield, start + 30), 0));
    cr_expect(eq(int, nido_sleep_until(start + 20), 0));
    cr_expect(eq(int, nido_scope_move(&shield, start + 25), 0));
    cr_expect(eq(int, nido_sleep(HOUR), -ECANCELED));
    cr_expect(eq(i64, nido_now(), start + 25));
    cr_expect(eq(int, nido_scope_close(&shield, -ECANCELED), -ETIMEDOUT));
}

/* ---- Grace ---- */

static int run_with_grace(nido_fn *fn, int64_t grace)
{
    nido_options options = nido_test_virtual();

    options.grace_ns = grace;
    return nido_run(fn, NULL, &options);
}

static int nested_shields(void *unused)
{
    nido_scope scope, outer;
    struct shielded inner = {.max_ns = NIDO_SEC(10), .sleep_ns = HOUR};
    int64_t start = nido_now();

    (void)unused;
    nido_scope_open(&scope);
    nido_shield_open(&outer, NIDO_SEC(10));
    nido_scope_cancel(&scope, 0, NULL);
    cr_expect(eq(int, sleep_shielded(&inner), -ECANCELED));
    cr_expect(eq(int, inner.closed, -ECANCELED));
    cr_expect(eq(i64, inner.at, start + NIDO_SEC(2)));
    cr_expect(eq(int, nido_scope_close(&outer, -ECANCELED), -ECANCELED));
    return nido_scope_close(&scope, -ECANCELED);
}

/* S116 */
NIDO_TEST(shield, nested_shields_share_one_grace)
{
    cr_expect(eq(int, run_with_grace(nested_shields, NIDO_SEC(2)), 0));
}

static int parked_in_shields(void *unused)
{
    nido_group group;
    struct shielded early = {.max_ns = NIDO_NEVER, .sleep_ns = HOUR};
    struct shielded short_one = {.max_ns = NIDO_SEC(1), .sleep_ns = HOUR};
    int64_t start = nido_now();

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, sleep_shielded, &early);
    begin(&group, sleep_shielded, &short_one);
    nido_yield();
    nido_group_cancel(&group, 0, NULL);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(i64, early.at, start + NIDO_SEC(2)));
    cr_expect(eq(i64, short_one.at, start + NIDO_SEC(1)));
    return 0;
}

NIDO_TEST(shield, a_cancel_cuts_the_shields_short_in_which_tasks_sleep)
{
    cr_expect(eq(int, run_with_grace(parked_in_shields, NIDO_SEC(2)), 0));
}

static int one_after_the_other(void *unused)
{
    nido_scope scope;
    struct shielded first = {.max_ns = NIDO_SEC(5), .sleep_ns = NIDO_SEC(1)};
    struct shielded second = {.max_ns = NIDO_SEC(5), .sleep_ns = NIDO_SEC(4)};
    int64_t start = nido_now();

    (void)unused;
    nido_timeout_open(&scope, NIDO_SEC(1));
    cr_expect(eq(int, nido_sleep(HOUR), -ECANCELED));
    sleep_shielded(&first);
    cr_expect(eq(int, first.slept, 0));
    sleep_shielded(&second);
    cr_expect(eq(int, second.slept, -ECANCELED));
    cr_expect(eq(i64, second.at, start + NIDO_SEC(3)));
    return nido_scope_close(&scope, -ECANCELED);
}

NIDO_TEST(shield, the_grace_of_a_deadline_counts_from_its_instant)
{
    cr_expect(eq(int, run_with_grace(one_after_the_other, NIDO_SEC(2)), -ETIMEDOUT));
}

static int deadline_passes_outside(void *unused)
{
    nido_scope deadline;
    struct shielded self = {.max_ns = NIDO_NEVER, .sleep_ns = HOUR};
    int64_t start = nido_now();

    (void)unused;
    nido_timeout_open(&deadline, NIDO_SEC(1));
    cr_expect(eq(int, sleep_shielded(&self), -ECANCELED));
    cr_expect(eq(i64, self.at, start + NIDO_SEC(3)));
    return nido_scope_close(&deadline, -ECANCELED);
}

NIDO_TEST(shield, a_deadline_that_passes_outside_starts_the_grace)
{
    cr_expect(eq(int, run_with_grace(deadline_passes_outside, NIDO_SEC(2)), -ETIMEDOUT));
}

static int moved_past_the_grace(void *unused)
{
    nido_scope scope, shield;
    int64_t start = nido_now();

    (void)unused;
    nido_scope_open(&scope);
    nido_scope_cancel(&scope, 0, NULL);
    nido_shield_open(&shield, NIDO_SEC(1));
    cr_expect(eq(int, nido_scope_move(&shield, start + NIDO_SEC(10)), 0));
    cr_expect(eq(int, nido_sleep(HOUR), -ECANCELED));
    cr_expect(eq(i64, nido_now(), start + NIDO_SEC(2)));
    nido_scope_close(&shield, -ECANCELED);
    return nido_scope_close(&scope, -ECANCELED);
}

NIDO_TEST(shield, moving_the_end_of_a_shield_does_not_get_round_the_grace)
{
    cr_expect(eq(int, run_with_grace(moved_past_the_grace, NIDO_SEC(2)), 0));
}

static struct {
    int reports;
    char text[512];
} heard;

static void hear(void *unused, const char *text)
{
    (void)unused;
    heard.reports++;
    snprintf(heard.text, sizeof heard.text, "%s", text);
}

static int hold_on(void *unused)
{
    nido_scope scope, shield;
    int64_t start = nido_now();

    (void)unused;
    nido_set_name("holder");
    nido_scope_open(&scope);
    nido_scope_cancel(&scope, 0, NULL);
    nido_shield_open(&shield, NIDO_NEVER);
    cr_expect(eq(int, nido_sleep(HOUR), -ECANCELED));
    cr_expect(eq(i64, nido_now(), start + NIDO_SEC(1)));
    for (int i = 0; i < 20000; i++) nido_yield();
    nido_scope_close(&shield, 0);
    return nido_scope_close(&scope, 0);
}

/* S118 */
NIDO_TEST(shield, who_holds_the_tree_after_the_grace_is_reported_once)
{
    nido_options options = nido_test_virtual();

    memset(&heard, 0, sizeof heard);
    options.grace_ns = NIDO_SEC(1);
    options.on_report = hear;
    cr_expect(eq(int, nido_run(hold_on, NULL, &options), 0));
    cr_expect(eq(int, heard.reports, 1));
    cr_expect(ne(ptr, strstr(heard.text, "\"holder\""), NULL), "%s", heard.text);
    cr_expect(ne(ptr, strstr(heard.text, "opened at"), NULL), "%s", heard.text);
}
