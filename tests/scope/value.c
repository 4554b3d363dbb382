/* SPDX-License-Identifier: MIT */
/* Values that everything below inherits. */
#include "abort_help.h"
#include "group_help.h"
#include "inside_help.h"
#include "nido/sugar.h"

static const nido_value_key request = NIDO_VALUE_KEY_INIT("request", NIDO_VALUE_TEXT);
static const nido_value_key user = NIDO_VALUE_KEY_INIT("user", 0);

INSIDE(value, it_is_in_force_from_its_opening_to_its_close)
{
    nido_value outer, inner, other, none;

    cr_expect(zero(ptr, nido_value_get(&request)));
    nido_value_open(&outer, &request, "outer");
    cr_expect(eq(str, nido_value_get(&request), "outer"));
    cr_expect(zero(ptr, nido_value_get(&user)), "another key");
    nido_value_open(&other, &user, &outer);
    nido_value_open(&inner, &request, "inner");
    cr_expect(eq(str, nido_value_get(&request), "inner"));
    cr_expect(eq(ptr, nido_value_get(&user), &outer));
    nido_value_open(&none, &request, NULL);
    cr_expect(zero(ptr, nido_value_get(&request)), "hidden");
    cr_expect(zero(int, nido_value_close(&none)));
    cr_expect(zero(int, nido_value_close(&inner)));
    cr_expect(eq(str, nido_value_get(&request), "outer"));
    cr_expect(zero(int, nido_value_close(&other)));
    cr_expect(zero(int, nido_value_close(&outer)));
    cr_expect(zero(ptr, nido_value_get(&request)));
    cr_expect(zero(ptr, nido_value_get(NULL)));
}

/* ---- What inherits it ---- */

/* What a child sees, and when. */
struct seen {
    const char *at_first, *later;
};

static int looks_twice(void *arg)
{
    struct seen *seen = arg;

    seen->at_first = nido_value_get(&request);
    nido_sleep(NIDO_MS(1));
    seen->later = nido_value_get(&request);
    return 0;
}

static int spawns_one_who_looks(void *seen)
{
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, looks_twice, seen)));
    return nido_group_close(&group, 0);
}

static void expect_seen(const struct seen *seen, const char *text)
{
    cr_expect(eq(str, (char *)seen->at_first, (char *)text));
    cr_expect(eq(str, (char *)seen->later, (char *)text));
}

INSIDE(value, children_grandchildren_and_services_inherit_it)
{
    struct seen child = {0}, grandchild = {0}, service = {0};
    nido_spawn_options options;
    nido_value value;
    nido_group group;

    nido_spawn_options_init(&options);
    options.service = true;
    nido_value_open(&value, &request, "42f1");
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, looks_twice, &child)));
    cr_expect(zero(int, nido_spawn(&group, spawns_one_who_looks, &grandchild)));
    cr_expect(zero(int, nido_spawn_with(&group, looks_twice, &service, &options, NULL)));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(zero(int, nido_value_close(&value)));
    expect_seen(&child, "42f1");
    expect_seen(&grandchild, "42f1");
    expect_seen(&service, "42f1");
}

static int spawns_into(void *group)
{
    static struct seen seen;
    nido_value value;

    nido_value_open(&value, &request, "of the spawner");
    cr_expect(zero(int, nido_spawn(group, looks_twice, &seen)));
    cr_expect(zero(int, nido_value_close(&value)));
    nido_sleep(NIDO_MS(2));
    expect_seen(&seen, "of the group");
    return 0;
}

/* The spawner, and what it has on its stack, may be gone first. */
INSIDE(value, a_task_inherits_from_its_group_and_not_from_its_spawner)
{
    nido_value value, later;
    nido_group group, spawners;
    struct seen seen = {0};

    nido_value_open(&value, &request, "of the group");
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    nido_value_open(&later, &request, "behind the group");
    nido_group_open(&spawners, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&spawners, spawns_into, &group)));
    cr_expect(zero(int, nido_spawn(&group, looks_twice, &seen)));
    cr_expect(zero(int, nido_group_close(&spawners, 0)));
    cr_expect(zero(int, nido_value_close(&later)));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(zero(int, nido_value_close(&value)));
    expect_seen(&seen, "of the group");
}

static int starts_up(void *arg)
{
    struct seen *seen = arg;

    seen->at_first = nido_value_get(&request);
    cr_expect(zero(int, nido_started(0)));
    seen->later = nido_value_get(&request);
    return 0;
}

INSIDE(value, a_task_in_its_start_sees_those_of_the_caller)
{
    struct seen seen = {0};
    nido_value value, start;
    nido_group group;

    nido_value_open(&value, &request, "of the group");
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    nido_value_open(&start, &request, "of the start");
    cr_expect(zero(int, nido_start(&group, starts_up, &seen, NULL)));
    cr_expect(zero(int, nido_value_close(&start)));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(zero(int, nido_value_close(&value)));
    cr_expect(eq(str, (char *)seen.at_first, "of the start"));
    cr_expect(eq(str, (char *)seen.later, "of the group"));
}

static ssize_t looks_on_a_worker(void *unused)
{
    nido_value value;

    (void)unused;
    nido_value_open(&value, &request, "of a thread without a task");
    cr_expect(zero(ptr, nido_value_get(&request)));
    cr_expect(eq(int, nido_value_close(&value), -EPERM));
    return 0;
}

INSIDE(value, a_job_inherits_nothing)
{
    nido_value value;

    nido_value_open(&value, &request, "42f1");
    cr_expect(zero(int, (int)nido_offload(looks_on_a_worker, NULL)));
    cr_expect(zero(int, nido_value_close(&value)));
}

/* ---- Cancels and deadlines ---- */

INSIDE(value, cancels_and_deadlines_pass_it_as_if_it_were_not_there)
{
    nido_scope scope;
    nido_value value;
    int rc;

    nido_timeout_open(&scope, NIDO_MS(1));
    nido_value_open(&value, &request, "42f1");
    cr_expect(eq(i64, nido_deadline(), nido_now() + NIDO_MS(1)));
    rc = nido_sleep(NIDO_SEC(1));
    cr_expect(eq(int, rc, -ECANCELED));
    cr_expect(eq(str, nido_value_get(&request), "42f1"), "also in a cancelled scope");
    cr_expect(zero(int, nido_value_close(&value)));
    cr_expect(eq(int, nido_scope_close(&scope, rc), -ETIMEDOUT));
}

/* ---- Misuse ---- */

NIDO_TEST(value, outside_a_task_or_without_a_key_it_is_faulty)
{
    nido_value value;

    nido_value_open(&value, &request, "42f1");
    cr_expect(zero(ptr, nido_value_get(&request)));
    cr_expect(eq(int, nido_value_close(&value), -EPERM));
    {
        NIDO_SCOPED_VALUE(unused, &request, "42f1");
    }
}

static int closes(void *value)
{
    return nido_value_close(value);
}

INSIDE(value, only_its_task_closes_it_and_once)
{
    nido_value value;
    nido_group group;

    nido_value_open(&value, NULL, "42f1");
    cr_expect(eq(int, nido_value_close(&value), -EINVAL));
    nido_value_open(&value, &request, "42f1");
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    cr_expect(zero(int, nido_spawn(&group, closes, &value)));
    cr_expect(eq(int, nido_group_close(&group, 0), -EPERM));
    cr_expect(eq(str, nido_value_get(&request), "42f1"));
    cr_expect(zero(int, nido_value_close(&value)));
    cr_expect(eq(int, nido_value_close(&value), -EBADF));
}

static int close_in_the_wrong_order(void *unused)
{
    nido_value outer, inner;

    (void)unused;
    nido_value_open(&outer, &request, "outer");
    nido_value_open(&inner, &request, "inner");
    return nido_value_close(&outer);
}

static int close_the_scope_around(void *unused)
{
    nido_scope outer;
    nido_value inner;

    (void)unused;
    nido_scope_open(&outer);
    nido_value_open(&inner, &request, "inner");
    return nido_scope_close(&outer, 0);
}

static nido_value left;

static int leave_it_open(void *unused)
{
    (void)unused;
    nido_value_open(&left, &request, "42f1");
    return 0;
}

/* A scope that is opened in the last bytes of an open value. */
static int open_a_scope_in_its_tail(void *unused)
{
    static union {
        nido_value value;
        struct {
            char before[sizeof(nido_scope)];
            nido_scope tail;
        } halves;
    } memory;

    (void)unused;
    nido_value_open(&memory.value, &request, "42f1");
    nido_scope_open(&memory.halves.tail);
    return 0;
}

NIDO_TEST(value, what_is_wrong_with_a_scope_is_wrong_with_a_value)
{
    EXPECT_LAST_WORDS(close_in_the_wrong_order, "reverse order", "opened at", "+0x");
    EXPECT_LAST_WORDS(close_the_scope_around, "reverse order", "opened at", "+0x");
    EXPECT_LAST_WORDS(leave_it_open, "without closing", "opened at", "+0x");
    EXPECT_LAST_WORDS(open_a_scope_in_its_tail, "never closed", "in its memory");
}
