/* SPDX-License-Identifier: MIT */
/* Who runs next: strictly first come, first served, with bounds that are counted, not timed. */
#include <string.h>

#include "coro/runtime/loop.h"
#include "inside_help.h"

enum { BATCH = 64, BUDGET = 128 };

static struct {
    char order[256];
    int count;
} log_;

static void note(char letter)
{
    log_.order[log_.count++] = letter;
    log_.order[log_.count] = '\0';
}

static void forget(void)
{
    memset(&log_, 0, sizeof log_);
}

static int three_times(void *letter)
{
    for (int i = 0; i < 3; i++) {
        note(*(char *)letter);
        nido_yield();
    }
    return 0;
}

/* S332 */
INSIDE(schedule, tasks_that_yield_take_turns)
{
    char letters[] = "ABC";
    nido_group group;

    forget();
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 3; i++) begin(&group, three_times, &letters[i]);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(str, log_.order, "ABCABCABC"));
}

static int once(void *letter)
{
    note(*(char *)letter);
    return 0;
}

struct queue {
    nido_group *group;
    nido_event *event;
};

static int b_waits(void *arg)
{
    struct queue *self = arg;

    nido_event_wait(self->event);
    note('b');
    return 0;
}

static int a_makes_others_ready(void *arg)
{
    struct queue *self = arg;

    note('a');
    begin(self->group, once, "c"); /* behind d, which is ready */
    nido_event_set(self->event);   /* b, behind c */
    nido_yield();                  /* and we, behind b */
    note('e');
    return 0;
}

INSIDE(schedule, waking_spawning_and_yielding_share_one_queue)
{
    nido_group group;
    nido_event event;
    struct queue queue = {&group, &event};

    forget();
    nido_event_init(&event, NULL);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, b_waits, &queue);
    nido_yield();
    begin(&group, a_makes_others_ready, &queue);
    begin(&group, once, "d");
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(str, log_.order, "adcbe"));
}

INSIDE(schedule, a_spawn_does_not_run_its_task)
{
    nido_group group;

    forget();
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 100; i++) begin(&group, once, "x");
    cr_expect(eq(int, log_.count, 0));
    nido_yield();
    cr_expect(eq(int, log_.count, 100));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
}

/* ---- The budget ---- */

struct calls {
    nido_event *event;
    int made, when_others_ran;
};

static int never_parks(void *arg)
{
    struct calls *self = arg;

    while (self->made < 1000 && nido_event_wait(self->event) == 0) self->made++;
    return 0;
}

static int looks(void *arg)
{
    struct calls *self = arg;

    self->when_others_ran = self->made;
    return 0;
}

INSIDE(schedule, calls_that_need_not_wait_yield_when_the_budget_is_spent)
{
    nido_group group;
    nido_event event;
    struct calls calls = {.event = &event};

    nido_event_init(&event, NULL);
    nido_event_set(&event);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, never_parks, &calls);
    begin(&group, looks, &calls);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, calls.made, 1000));
    cr_expect(le(int, calls.when_others_ran, BUDGET));
    cr_expect(ge(int, calls.when_others_ran, BUDGET - 1));
}

struct forced {
    nido_scope scope;
    int calls, when_cancelled;
};

static int cancel_it(void *arg)
{
    struct forced *self = arg;

    self->when_cancelled = self->calls;
    return nido_scope_cancel(&self->scope, 0, NULL);
}

INSIDE(schedule, the_call_that_is_made_to_yield_notices_a_cancel_that_comes_meanwhile)
{
    nido_group group;
    nido_event event;
    struct forced self = {.calls = 0};

    nido_event_init(&event, NULL);
    nido_event_set(&event);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, cancel_it, &self);
    nido_scope_open(&self.scope);
    while (self.calls < 1000 && nido_event_wait(&event) == 0) self.calls++;
    cr_expect(eq(int, self.calls, self.when_cancelled));
    cr_expect(eq(int, nido_scope_close(&self.scope, -ECANCELED), 0));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
}

/* ---- Batches ---- */

struct storm {
    bool over;
    int turns, seen;
    int64_t step;
};

/* Always ready; each of its turns takes `step` of time. */
static int storms(void *arg)
{
    struct storm *storm = arg;
    struct nidoi_clock *clock = &nidoi_loop_self()->clock;

    while (!storm->over) {
        storm->turns++;
        nidoi_clock_jump(clock, clock->now + storm->step);
        nido_yield();
    }
    return 0;
}

static int posted(void *arg)
{
    struct storm *storm = arg;

    storm->seen = storm->turns;
    return 0;
}

static int posts(void *arg)
{
    struct storm *storm = arg;
    nido_rt *rt = nido_rt_self();
    int from, longest = 0;

    for (int i = 0; i < 50; i++) {
        storm->seen = -1;
        from = storm->turns;
        cr_expect(eq(int, nido_post(rt, posted, storm), 0));
        while (storm->seen < 0) nido_yield();
        if (storm->seen - from > longest) longest = storm->seen - from;
        for (int pause = i % 7; pause > 0; pause--) nido_yield();
    }
    storm->over = true;
    nido_rt_release(rt);
    return longest;
}

INSIDE(schedule, the_world_is_looked_at_after_at_most_64_resumes)
{
    struct storm storm = {.step = 0};
    nido_group group;
    nido_task poster;
    int longest = 0;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 3; i++) begin(&group, storms, &storm);
    poster = begin_kept(&group, posts, &storm);
    cr_expect(eq(int, nido_join(poster, &longest), 0));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(le(int, longest, BATCH));
    cr_expect(gt(int, longest, BATCH / 4), "batches are shorter than need be");
}

INSIDE(schedule, batches_shrink_when_tasks_take_long)
{
    struct storm storm = {.step = NIDO_US(100)};
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, storms, &storm);
    nido_sleep(NIDO_MS(100));
    cr_expect(le(int, nidoi_loop_self()->batch, 2));
    storm.step = 10;
    nido_sleep(NIDO_MS(100));
    cr_expect(eq(int, nidoi_loop_self()->batch, BATCH));
    storm.over = true;
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
}

struct punctual {
    struct storm *storm;
    int64_t latest;
};

static int sleeps_often(void *arg)
{
    struct punctual *self = arg;

    for (int i = 1; i <= 200; i++) {
        int64_t end = nido_after(i);

        nido_sleep_until(end);
        cr_expect(ge(i64, nido_now(), end));
        if (nido_now() - end > self->latest) self->latest = nido_now() - end;
    }
    self->storm->over = true;
    return 0;
}

/* S338 One step is one resume: what is due in the middle of a batch runs in the next one. */
INSIDE(schedule, timers_are_exact_to_one_turn_in_a_storm_of_yields)
{
    struct storm storm = {.step = 1};
    struct punctual punctual = {&storm, 0};
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 3; i++) begin(&group, storms, &storm);
    begin(&group, sleeps_often, &punctual);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(le(i64, punctual.latest, BATCH + 4));
}

INSIDE(schedule, a_deadline_strikes_a_task_that_only_yields_to_itself)
{
    struct storm storm = {.step = 1};
    nido_scope scope;
    int64_t end = nido_after(1000);

    nido_deadline_open(&scope, end);
    while (nido_yield() == 0) nidoi_clock_jump(&nidoi_loop_self()->clock, nido_now() + storm.step);
    cr_expect(le(i64, nido_now(), end + BATCH));
    cr_expect(eq(int, nido_scope_close(&scope, -ECANCELED), -ETIMEDOUT));
}

static int set_it(void *event)
{
    return nido_event_set(event);
}

static int post_and_dawdle(void *event)
{
    nido_rt *rt = nido_rt_self();

    cr_expect(eq(int, nido_post(rt, set_it, event), 0));
    nidoi_clock_jump(&nidoi_loop_self()->clock, nido_after(NIDO_SEC(10)));
    nido_rt_release(rt);
    return 0;
}

INSIDE(schedule, what_has_arrived_beats_a_deadline_of_the_same_turn)
{
    nido_group group;
    nido_event event;
    nido_scope scope;

    nido_event_init(&event, NULL);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, post_and_dawdle, &event);
    nido_timeout_open(&scope, NIDO_SEC(1));
    cr_expect(eq(int, nido_event_wait(&event), 0));
    cr_expect(eq(int, nido_yield(), -ECANCELED));
    cr_expect(eq(int, nido_scope_close(&scope, -ECANCELED), -ETIMEDOUT));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
}
