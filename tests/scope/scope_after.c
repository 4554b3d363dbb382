/* SPDX-License-Identifier: MIT */
/* What can be asked of a scope after its close, and that time changes it no more. */
#include "inside_help.h"

#define HOUR NIDO_SEC(3600)

INSIDE(scope_after, a_deadline_that_comes_after_the_close_has_not_fired)
{
    nido_scope scope;

    nido_timeout_open(&scope, NIDO_MS(50));
    cr_expect(eq(int, nido_scope_close(&scope, -ETIMEDOUT), -ETIMEDOUT), "of the network");
    cr_expect(not(nido_scope_fired(&scope)));
    cr_expect(zero(int, nido_sleep(NIDO_MS(60))));
    cr_expect(not(nido_scope_fired(&scope)));
    cr_expect(not(nido_scope_was_cancelled(&scope)));
}

INSIDE(scope_after, a_group_and_a_shield_are_decided_at_their_close_too)
{
    nido_group_options options;
    nido_group group;
    nido_scope shield;

    nido_group_options_init(&options);
    options.deadline = nido_after(NIDO_MS(50));
    nido_group_open_with(&group, &options);
    nido_shield_open(&shield, NIDO_MS(50));
    cr_expect(zero(int, nido_scope_close(&shield, 0)));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(zero(int, nido_sleep(NIDO_MS(60))));
    cr_expect(not(nido_scope_fired(&shield)));
    cr_expect(not(nido_scope_fired(nido_group_scope(&group))));
}

INSIDE(scope_after, one_that_was_cancelled_stays_so_whatever_its_close_answers)
{
    nido_scope scope;

    nido_scope_open(&scope);
    cr_expect(not(nido_scope_was_cancelled(&scope)));
    cr_expect(zero(int, nido_scope_cancel(&scope, 0, "enough")));
    cr_expect(nido_scope_was_cancelled(&scope));
    cr_expect(zero(int, nido_scope_close(&scope, nido_sleep(HOUR))), "its code is 0");
    cr_expect(nido_scope_was_cancelled(&scope));
    cr_expect(not(nido_scope_fired(&scope)));
    cr_expect(eq(int, nido_scope_cancel(&scope, 0, NULL), -ESRCH));
    nido_scope_open(&scope);
    cr_expect(not(nido_scope_was_cancelled(&scope)), "opened again");
    cr_expect(eq(int, nido_scope_close(&scope, 7), 7));
    cr_expect(not(nido_scope_was_cancelled(&scope)));
}

INSIDE(scope_after, one_whose_deadline_passed_was_cancelled_by_it)
{
    nido_scope scope;

    for (int waits = 0; waits < 2; waits++) {
        nido_timeout_open(&scope, waits ? NIDO_MS(50) : 0);
        if (waits) cr_expect(eq(int, nido_sleep(HOUR), -ECANCELED));
        cr_expect(zero(int, nido_scope_close(&scope, 0)));
        cr_expect(nido_scope_was_cancelled(&scope) && nido_scope_fired(&scope));
    }
}

INSIDE(scope_after, only_the_cancelled_one_of_two_was_cancelled)
{
    nido_scope outer, inner;

    nido_scope_open(&outer);
    nido_scope_open(&inner);
    nido_scope_cancel(&outer, -ENODATA, NULL);
    cr_expect(eq(int, nido_scope_close(&inner, nido_sleep(HOUR)), -ECANCELED));
    cr_expect(eq(int, nido_scope_close(&outer, -ECANCELED), -ENODATA));
    cr_expect(not(nido_scope_was_cancelled(&inner)));
    cr_expect(nido_scope_was_cancelled(&outer));
}

INSIDE(scope_after, a_group_whose_member_failed_was_cancelled)
{
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_group_close(&group, -EIO), -EIO));
    cr_expect(nido_scope_was_cancelled(nido_group_scope(&group)));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(not(nido_scope_was_cancelled(nido_group_scope(&group))));
}

NIDO_TEST(scope_after, a_faulty_one_has_neither_fired_nor_been_cancelled)
{
    nido_scope scope;

    nido_timeout_open(&scope, 0);
    cr_expect(not(nido_scope_fired(&scope)));
    cr_expect(not(nido_scope_was_cancelled(&scope)));
}
