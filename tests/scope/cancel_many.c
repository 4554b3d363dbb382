/* SPDX-License-Identifier: MIT */
/* Cancelling seen from the loop: who decides first, how much it costs, and who does not listen. */
#include <stdio.h>
#include <string.h>

#include "faults.h"
#include "inside_help.h"

#define HOUR NIDO_SEC(3600)

/* S104 */
INSIDE(cancel_many, a_cancel_returns_before_its_target_runs)
{
    nido_group group;
    struct sleeper child = {.ns = HOUR};

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, sleeper, &child);
    nido_yield();
    nido_group_cancel(&group, 0, NULL);
    cr_expect(eq(int, child.rc, 1), "the target has run inside the cancel");
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, child.rc, -ECANCELED));
}

static int value(void *unused)
{
    (void)unused;
    nido_yield();
    return 7;
}

struct joiner {
    nido_task task;
    int rc, value, next;
};

static int joins(void *arg)
{
    struct joiner *self = arg;

    self->rc = nido_join(self->task, &self->value);
    self->next = nido_yield();
    return 0;
}

static int cancel_group(void *group)
{
    return nido_group_cancel(group, 0, NULL);
}

/* S166 */
INSIDE(cancel_many, a_join_whose_task_ended_first_gives_the_result)
{
    nido_group outer, inner;
    struct joiner joiner = {0};

    nido_group_open(&outer, NIDO_FAIL_FAST, "outer");
    joiner.task = begin_kept(&outer, value, NULL);
    nido_group_open(&inner, NIDO_FAIL_FAST, "inner");
    begin(&inner, joins, &joiner);
    nido_yield();
    begin(&outer, cancel_group, &inner); /* runs right after the joined task has ended */
    cr_expect(eq(int, nido_group_close(&inner, 0), 0));
    cr_expect(eq(int, joiner.rc, 0));
    cr_expect(eq(int, joiner.value, 7));
    cr_expect(eq(int, joiner.next, -ECANCELED));
    cr_expect(eq(int, nido_group_close(&outer, 0), 0));
}

struct waiter {
    nido_event event;
    int rc, next;
};

static int waits(void *arg)
{
    struct waiter *self = arg;

    self->rc = nido_event_wait(&self->event);
    self->next = nido_yield();
    return 0;
}

/* S167 */
INSIDE(cancel_many, an_event_set_before_the_cancel_releases_its_waiter)
{
    nido_group group;
    struct waiter waiter = {.rc = 1};

    nido_event_init(&waiter.event, NULL);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, waits, &waiter);
    nido_yield();
    nido_event_set(&waiter.event);
    nido_group_cancel(&group, 0, NULL);
    nido_group_close(&group, 0);
    cr_expect(eq(int, waiter.rc, 0));
    cr_expect(eq(int, waiter.next, -ECANCELED));
}

INSIDE(cancel_many, a_cancel_before_the_event_is_set_wins)
{
    nido_group group;
    struct waiter waiter = {.rc = 1};

    nido_event_init(&waiter.event, NULL);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, waits, &waiter);
    nido_yield();
    nido_group_cancel(&group, 0, NULL);
    nido_event_set(&waiter.event);
    nido_group_close(&group, 0);
    cr_expect(eq(int, waiter.rc, -ECANCELED));
}

/* ---- Those who do not listen ---- */

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

enum { REFUSALS = 200000 };

struct refusals {
    int refused, turns;
};

static int deaf(void *arg)
{
    struct refusals *seen = arg;

    nido_set_name("stubborn");
    while (seen->refused < REFUSALS)
        if (nido_sleep(1) == -ECANCELED) seen->refused++;
    return 0;
}

static int neighbour(void *arg)
{
    struct refusals *seen = arg;

    for (; seen->refused < REFUSALS; seen->turns++) nido_yield();
    return 0;
}

static int ignore_the_cancel(void *arg)
{
    nido_group outer, inner;

    nido_group_open(&outer, NIDO_FAIL_FAST, "outer");
    begin(&outer, neighbour, arg);
    nido_group_open(&inner, NIDO_FAIL_FAST, "inner");
    begin(&inner, deaf, arg);
    nido_group_cancel(&inner, 0, NULL);
    cr_expect(eq(int, nido_group_close(&inner, 0), 0));
    return nido_group_close(&outer, 0);
}

/* S97 */
NIDO_TEST(cancel_many, who_ignores_a_cancel_is_reported_once_and_starves_nobody)
{
    nido_options options = nido_test_virtual();
    struct refusals seen = {0};

    memset(&heard, 0, sizeof heard);
    options.on_report = hear;
    cr_expect(eq(int, nido_run(ignore_the_cancel, &seen, &options), 0));
    cr_expect(eq(int, heard.reports, 1));
    cr_expect(ne(ptr, strstr(heard.text, "\"stubborn\""), NULL), "%s", heard.text);
    cr_expect(ne(ptr, strstr(heard.text, "ignores its cancel"), NULL), "%s", heard.text);
    cr_expect(ge(int, seen.turns, REFUSALS / 128));
}

enum { MOST_REFUSALS_UNTOLD = 9999 };

/* Waits now and then, behind a shield, as clean-up does. */
static int wait_in_between(void *unused)
{
    (void)unused;
    for (int round = 0; round < 3; round++) {
        nido_scope shield;

        for (int i = 0; i < MOST_REFUSALS_UNTOLD; i++)
            cr_expect(eq(int, nido_sleep(1), -ECANCELED));
        nido_shield_open(&shield, NIDO_NEVER);
        cr_expect(zero(int, nido_sleep(1)));
        nido_scope_close(&shield, 0);
    }
    return 0;
}

static int clean_up_at_length(void *unused)
{
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, wait_in_between, NULL);
    nido_group_cancel(&group, 0, NULL);
    return nido_group_close(&group, 0);
}

NIDO_TEST(cancel_many, refusals_count_in_a_row_only)
{
    nido_options options = nido_test_virtual();

    memset(&heard, 0, sizeof heard);
    options.on_report = hear;
    cr_expect(zero(int, nido_run(clean_up_at_length, NULL, &options)));
    cr_expect(zero(int, heard.reports), "%s", heard.text);
}

/* ---- Cost ---- */

static int tidy_up_slowly(void *unused)
{
    nido_scope shield;

    (void)unused;
    nido_shield_open(&shield, NIDO_NEVER);
    for (int i = 0; i < 5; i++) nido_sleep(NIDO_SEC(1));
    return nido_scope_close(&shield, 0);
}

/* S98 A handle on the runtime makes the loop ask the kernel before each jump of the clock. */
INSIDE(cancel_many, a_cancelled_tree_that_waits_for_its_children_does_not_spin)
{
    nido_rt *peer = nido_rt_self();
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, tidy_up_slowly, NULL);
    nido_yield();
    nido_group_cancel(&group, 0, NULL);
    faults_begin();
    faults_fail(FAULT_backend_wait, FAULT_ALWAYS, 0);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(le(ulong, faults_count(FAULT_backend_wait), 5));
    cr_expect(gt(ulong, faults_count(FAULT_backend_wait), 0));
    faults_end();
    nido_rt_release(peer);
}

enum { MANY = 10000 };

/* S103 (that the cost is linear is shown by the benchmarks) */
INSIDE(cancel_many, ten_thousand_sleepers_end_and_cancelling_takes_no_memory)
{
    static struct sleeper children[MANY];
    nido_group group;
    int cancelled = 0;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < MANY; i++) {
        children[i] = (struct sleeper){.ns = HOUR};
        begin(&group, sleeper, &children[i]);
    }
    nido_yield();
    faults_begin();
    faults_fail(FAULT_memory, FAULT_ALWAYS, 0);
    cr_expect(eq(int, nido_group_cancel(&group, -ENODATA, NULL), 0));
    cr_expect(eq(int, nido_group_close(&group, 0), -ENODATA));
    faults_end();
    for (int i = 0; i < MANY; i++) cancelled += children[i].rc == -ECANCELED;
    cr_expect(eq(int, cancelled, MANY));
}

struct nest {
    int depth, home;
};

static int nest(void *arg)
{
    struct nest *self = arg;
    nido_group group;
    int rc = 0;

    if (self->depth++ == 3000) return nido_sleep(HOUR);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, nest, self);
    rc = nido_group_close(&group, 0);
    self->home += rc == -ECANCELED;
    return rc;
}

INSIDE(cancel_many, a_cancel_goes_down_a_deep_tree_on_a_small_stack)
{
    struct nest self = {0};
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, nest, &self);
    while (self.depth <= 3000) nido_yield();
    cr_expect(eq(int, nido_group_cancel(&group, 0, NULL), 0));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, self.home, 3000));
}
