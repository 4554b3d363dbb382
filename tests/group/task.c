/* SPDX-License-Identifier: MIT */
/* Single tasks: handles, joining, cancelling one, names, values of a task's own. */
#include <string.h>

#include "group_help.h"

static int spawn_kept(nido_group *group, nido_fn *fn, void *arg, nido_task *out)
{
    return nido_spawn_with(group, fn, arg, NULL, out);
}

struct join {
    nido_task task;
    int err, rc;
    int64_t end;
};

static int join_it(void *arg)
{
    struct join *join = arg;

    join->err = nido_join(join->task, &join->rc);
    join->end = nido_now();
    return 0;
}

static int two_joiners(void *unused)
{
    struct plan child = {.ns = NIDO_SEC(1), .rc = 5};
    struct join joins[2] = {0};
    nido_group group;
    int rc = 0;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, spawn_kept(&group, follow, &child, &joins[0].task)));
    joins[1].task = joins[0].task;
    for (int i = 0; i < 2; i++) cr_expect(zero(int, nido_spawn(&group, join_it, &joins[i])));
    cr_expect(zero(int, nido_yield()));
    cr_expect(eq(int, nido_try_join(joins[0].task, &rc), -EAGAIN));
    cr_expect(zero(int, rc), "untouched");
    cr_expect(zero(int, nido_sleep(NIDO_SEC(2))));
    for (int i = 0; i < 2; i++) {
        cr_expect(zero(int, joins[i].err));
        cr_expect(eq(int, joins[i].rc, 5));
        cr_expect(eq(i64, joins[i].end, NIDO_SEC(2)));
    }
    cr_expect(zero(int, nido_join(joins[0].task, &rc)));
    cr_expect(eq(int, rc, 5));
    cr_expect(zero(int, nido_join(joins[0].task, NULL)));
    cr_expect(zero(int, nido_try_join(joins[0].task, &rc)));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, nido_join(joins[0].task, &rc), -ESRCH), "the group has closed");
    cr_expect(eq(int, nido_try_join(joins[0].task, &rc), -ESRCH));
    return 0;
}

/* S58 */
NIDO_TEST(task, many_may_join_it_before_and_after_its_end)
{
    cr_expect(zero(int, nido_test_run(two_joiners, NULL)));
}

static int join_a_failed_one(void *unused)
{
    nido_group group;
    nido_task task;
    int rc = 0;

    (void)unused;
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    cr_expect(zero(int, spawn_kept(&group, give, result(-EIO), &task)));
    cr_expect(zero(int, nido_join(task, &rc)));
    cr_expect(eq(int, rc, -EIO));
    return nido_group_close(&group, 0);
}

NIDO_TEST(task, joining_does_not_use_its_failure_up)
{
    cr_expect(eq(int, nido_test_run(join_a_failed_one, NULL), -EIO));
}

static int cancelled_join(void *unused)
{
    struct plan child = {.ns = NIDO_SEC(5), .rc = 3};
    nido_group group;
    nido_scope scope;
    nido_task task;
    int rc = 1, err;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, spawn_kept(&group, follow, &child, &task)));
    nido_timeout_open(&scope, NIDO_SEC(1));
    err = nido_join(task, &rc);
    cr_expect(eq(int, err, -ECANCELED));
    cr_expect(eq(int, rc, 1), "untouched");
    cr_expect(eq(int, nido_scope_close(&scope, err), -ETIMEDOUT));
    cr_expect(zero(int, nido_join(task, &rc)));
    cr_expect(eq(int, rc, 3));
    cr_expect(zero(int, child.met));
    return nido_group_close(&group, 0);
}

/* S59 */
NIDO_TEST(task, a_cancelled_join_does_not_disturb_it)
{
    cr_expect(zero(int, nido_test_run(cancelled_join, NULL)));
}

static int join_each_other(void *unused)
{
    struct join joins[2] = {0};
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 2; i++)
        cr_expect(zero(int, spawn_kept(&group, join_it, &joins[i], &joins[1 - i].task)));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(zero(int, joins[0].err));
    cr_expect(zero(int, joins[0].rc));
    cr_expect(eq(int, joins[1].err, -EDEADLK));
    return 0;
}

/* S61 */
NIDO_TEST(task, a_circle_of_joins_is_refused)
{
    cr_expect(zero(int, nido_test_run(join_each_other, NULL)));
}

static int join_the_waiting_parent(void *arg)
{
    return nido_join(*(nido_task *)arg, NULL);
}

static int join_oneself(void *unused)
{
    nido_task self = nido_self();
    nido_group group;

    (void)unused;
    cr_expect(eq(int, nido_join(self, NULL), -EDEADLK));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, join_the_waiting_parent, &self)));
    cr_expect(eq(int, nido_group_close(&group, 0), -EDEADLK));
    return 0;
}

NIDO_TEST(task, joining_oneself_or_who_waits_for_us_is_refused)
{
    cr_expect(zero(int, nido_test_run(join_oneself, NULL)));
}

static int show_self(void *out)
{
    *(nido_task *)out = nido_self();
    return nido_sleep(NIDO_SEC(1));
}

static int unkept_handle(void *unused)
{
    nido_task task = {0};
    nido_group group;
    int rc = 1;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, show_self, &task)));
    cr_expect(zero(int, nido_yield()));
    cr_expect(eq(int, nido_task_forget(task), -ESRCH), "was not asked for");
    cr_expect(zero(int, nido_join(task, &rc)), "while it lives it can be joined");
    cr_expect(zero(int, rc));
    cr_expect(eq(int, nido_join(task, NULL), -ESRCH));
    cr_expect(eq(int, nido_join((nido_task){0}, NULL), -ESRCH));
    return nido_group_close(&group, 0);
}

NIDO_TEST(task, a_handle_that_was_not_asked_for_ends_with_the_task)
{
    cr_expect(zero(int, nido_test_run(unkept_handle, NULL)));
}

static int forget_handles(void *unused)
{
    struct plan child = {.ns = NIDO_SEC(1)};
    nido_task tasks[3];
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 3; i++)
        cr_expect(zero(
            int, spawn_kept(&group, i == 1 ? follow : give, i == 1 ? &child : NULL, &tasks[i])));
    cr_expect(zero(int, nido_yield()));
    cr_expect(zero(int, nido_task_forget(tasks[0])));
    cr_expect(eq(int, nido_task_forget(tasks[0]), -ESRCH));
    cr_expect(eq(int, nido_join(tasks[0], NULL), -ESRCH));
    cr_expect(zero(int, nido_task_forget(tasks[1])), "also while it lives");
    cr_expect(zero(int, nido_join(tasks[1], NULL)));
    cr_expect(eq(int, nido_join(tasks[1], NULL), -ESRCH));
    cr_expect(zero(int, nido_join(tasks[2], NULL)), "the others are kept");
    return nido_group_close(&group, 0);
}

NIDO_TEST(task, a_forgotten_handle_is_stale)
{
    cr_expect(zero(int, nido_test_run(forget_handles, NULL)));
}

static int slots_in_use_again(void *unused)
{
    nido_task old, task;
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, spawn_kept(&group, give, NULL, &old)));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 100; i++) {
        cr_expect(zero(int, spawn_kept(&group, give, NULL, &task)));
        cr_expect(ne(ulong, task.id, old.id));
        cr_expect(eq(int, nido_task_cancel(old, 0, NULL), -ESRCH));
    }
    return nido_group_close(&group, 0);
}

NIDO_TEST(task, a_stale_handle_never_means_another_task)
{
    cr_expect(zero(int, nido_test_run(slots_in_use_again, NULL)));
}

static int cancel_one(void *unused)
{
    struct plan plans[] = {{.ns = NIDO_SEC(5)}, {.ns = NIDO_SEC(2)}};
    nido_task tasks[2];
    nido_group group;
    int rc = 0;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 2; i++)
        cr_expect(zero(int, spawn_kept(&group, follow, &plans[i], &tasks[i])));
    cr_expect(zero(int, nido_yield()));
    cr_expect(eq(int, nido_task_cancel(tasks[0], 1, NULL), -EINVAL));
    cr_expect(eq(int, nido_task_cancel(tasks[0], -ECANCELED, NULL), -EINVAL));
    cr_expect(zero(int, nido_task_cancel(tasks[0], -ENODATA, "not wanted")));
    cr_expect(eq(int, nido_task_cancel(tasks[0], -EIO, NULL), -EALREADY));
    cr_expect(not(nido_task_was_cancelled(tasks[0])), "it has not ended yet");
    cr_expect(zero(int, nido_join(tasks[0], &rc)));
    cr_expect(eq(int, rc, -ENODATA));
    cr_expect(nido_task_was_cancelled(tasks[0]));
    cr_expect(eq(int, nido_task_cancel(tasks[0], 0, NULL), -ESRCH));
    cr_expect(zero(int, nido_join(tasks[1], &rc)));
    cr_expect(not(nido_task_was_cancelled(tasks[1])));
    cr_expect(eq(int, plans[0].met, -ECANCELED));
    cr_expect(zero(int, plans[1].met));
    return nido_group_close(&group, 6);
}

NIDO_TEST(task, one_can_be_cancelled_and_that_is_no_failure)
{
    cr_expect(eq(int, nido_test_run(cancel_one, NULL), 6));
}

static int fail_when_cancelled(void *unused)
{
    (void)unused;
    cr_expect(eq(int, nido_sleep(NIDO_SEC(1)), -ECANCELED));
    return -EIO;
}

static int cancel_one_that_fails(void *unused)
{
    nido_group group;
    nido_task task;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, spawn_kept(&group, fail_when_cancelled, NULL, &task)));
    cr_expect(zero(int, nido_yield()));
    cr_expect(zero(int, nido_task_cancel(task, 0, NULL)));
    cr_expect(eq(int, nido_join(task, NULL), -ECANCELED), "its failure cancels us");
    cr_expect(not(nido_task_was_cancelled(task)));
    return nido_group_close(&group, 0);
}

NIDO_TEST(task, a_cancelled_task_may_still_fail)
{
    cr_expect(eq(int, nido_test_run(cancel_one_that_fails, NULL), -EIO));
}

static int cancel_self(void *unused)
{
    (void)unused;
    cr_expect(zero(int, nido_task_cancel(nido_self(), -ENODATA, NULL)));
    return nido_yield();
}

NIDO_TEST(task, the_root_may_cancel_itself)
{
    cr_expect(eq(int, nido_test_run(cancel_self, NULL), -ENODATA));
}

/* ---- Names and places ---- */

static int name_myself(void *unused)
{
    (void)unused;
    cr_expect(eq(str, (char *)nido_task_name(nido_self()), "given"));
    nido_set_name("worker %d of the large and long list", 7);
    cr_expect(eq(str, (char *)nido_task_name(nido_self()), "worker 7 of the large and long "));
    return nido_sleep(NIDO_SEC(1));
}

static int ask_for_names(void *unused)
{
    nido_spawn_options options;
    nido_group group;
    nido_task task;

    (void)unused;
    cr_expect(eq(str, (char *)nido_task_name(nido_self()), ""));
    cr_expect(ne(ptr, nido_task_spawn_place(nido_self()), NULL), "where the run began");
    cr_expect(eq(ulong, nido_task_id(nido_self()), nido_self().id));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    nido_spawn_options_init(&options);
    options.name = "given";
    cr_expect(zero(int, nido_spawn_with(&group, name_myself, NULL, &options, &task)));
    cr_expect(eq(str, (char *)nido_task_name(task), "given"));
    cr_expect(ne(ptr, nido_task_spawn_place(task), NULL));
    cr_expect(zero(int, nido_yield()));
    cr_expect(eq(int, (int)strlen(nido_task_name(task)), 31));
    cr_expect(zero(int, nido_join(task, NULL)));
    cr_expect(eq(str, (char *)nido_task_name(task), ""));
    cr_expect(zero(ptr, nido_task_spawn_place(task)));
    return nido_group_close(&group, 0);
}

NIDO_TEST(task, names_last_as_long_as_the_task)
{
    cr_expect(zero(int, nido_test_run(ask_for_names, NULL)));
}

/* ASan may lay out variables elsewhere (detect_stack_use_after_return). */
static __attribute__((no_sanitize("address"))) int use_stack(void *unused)
{
    size_t before = nido_stack_used();
    volatile char much[20000];

    (void)unused;
    much[before % sizeof much] = 0; /* a place that no compiler foresees, so all of it is there */
    if (nido_sleep(1)) return -EIO;
    cr_expect(ge(sz, nido_stack_used(), before + sizeof much - 4096));
    cr_expect(lt(sz, nido_stack_used(), 65536));
    return much[before % sizeof much];
}

static int below_one_that_parks(void *unused)
{
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, use_stack, NULL)));
    return nido_group_close(&group, 0);
}

/* S350 */
NIDO_TEST(task, the_stack_used_is_seen_at_parks)
{
    cr_expect(zero(int, nido_test_run(below_one_that_parks, NULL)));
}
