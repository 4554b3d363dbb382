/* SPDX-License-Identifier: MIT */
/* The tree of scopes beside its definition (scope_model.h).
 *
 * A crowd of tasks does random things: opens and closes scopes, deadlines, shields and groups,
 * spawns, sleeps, waits, cancels and moves what others have opened. After each step every scope is
 * compared, and nobody may sleep under a cancelled one. In half of the runs tasks also let time
 * pass while they run: then a deadline may have passed that nobody has noticed yet. */
#include "scope_model.h"

enum { STEPS = 2000, SEEDS = 15 };

/* ---- What tasks do ---- */

static int live(int self);

/* What a close makes of a result; the scope is closed already, those around it are not. */
static int verdict(int i, int rc)
{
    int64_t now = nido_now();

    if (rc != -ECANCELED) return rc;
    learn();
    if (effective(at(i)->parent) <= now) return -ECANCELED;
    if (at(i)->cancelled) return at(i)->code;
    return bounded(i) <= now ? -ETIMEDOUT : -EPROTO;
}

static void leave(int i)
{
    at(base_of(i))->innermost = at(i)->parent;
    at(i)->live = false;
}

static int in_scope(int self)
{
    nido_scope scope;
    int64_t length = NIDO_MS(seeded_below(&world.seeded, 12)), deadline = nido_after(length);
    int kind = (int)seeded_below(&world.seeded, 4), i, rc, result, wanted;

    if (at(self)->depth >= MOST_DEPTH || place() < 0) return 0;
    if (kind == 0) {
        nido_scope_open(&scope);
        deadline = NIDO_NEVER;
    } else if (kind == 1) {
        nido_deadline_open(&scope, deadline);
    } else if (kind == 2) {
        nido_timeout_open(&scope, length);
    } else {
        if (chance(2)) length = NIDO_NEVER;
        deadline = nido_after(length);
        nido_shield_open(&scope, length);
    }
    i = add_inner(&scope, self, deadline);
    at(i)->shield = kind == 3;
    rc = chance(30) ? -ECANCELED : live(i);
    learn();
    at(i)->live = false;
    result = nido_scope_close(&scope, rc);
    wanted = verdict(i, rc);
    expect(result == wanted, "scope %d: close gives %d, not %d", i, result, wanted);
    leave(i);
    return result;
}

static void judge_body(int i, int rc)
{
    if (rc == -ECANCELED && effective(i) > nido_now()) rc = -EPROTO;
    if (rc == -ECANCELED) at(i)->seen = true;
    if (rc >= 0 || rc == -ECANCELED) return;
    if (!at(i)->failure) at(i)->failure = rc;
    cancel(i, rc);
}

static int in_group(int self)
{
    nido_group group;
    int i, rc, result, wanted;

    if (at(self)->depth >= MOST_DEPTH || place() < 0) return 0;
    nido_group_open(&group, chance(2) ? NIDO_FAIL_FAST : NIDO_WAIT_ALL, NULL);
    i = add_inner(&group.scope, self, NIDO_NEVER);
    at(i)->open_body = true;
    at(i)->policy = (enum nido_policy)group.policy;
    rc = chance(30) ? -ECANCELED : live(i);
    learn();
    judge_body(i, rc);
    at(i)->open_body = false;
    result = nido_group_close(&group, rc);
    at(i)->live = false;
    wanted = at(i)->failure ? at(i)->failure : at(i)->seen ? verdict(i, -ECANCELED) : rc;
    expect(at(i)->unsure || result == wanted, "group %d: close gives %d, not %d", i, result,
           wanted);
    leave(i);
    return result;
}

/* How a task's result is judged, a moment before the library does. */
static void judge_child(int base, int rc)
{
    int group = at(base)->parent;
    int64_t now = nido_now();

    learn();
    if (rc == -ECANCELED && effective(base) > now) rc = -EPROTO;
    if (rc == -ECANCELED && effective(group) == INT64_MIN) at(group)->seen = true;
    /* Its own cancel, or the deadline of the group that has just passed? Both are true. */
    if (rc == -ECANCELED && effective(group) != INT64_MIN && effective(group) <= now)
        at(group)->unsure = true;
    if (rc >= 0 || rc == -ECANCELED) return;
    if (!at(group)->failure) at(group)->failure = rc;
    if (at(group)->policy == NIDO_FAIL_FAST) cancel(group, rc);
}

static int child(void *arg)
{
    int base = (int)(intptr_t)arg, rc = chance(30) ? -ECANCELED : live(base);

    if (rc > 0) rc = 0;
    judge_child(base, rc);
    at(base)->live = false;
    world.tasks--;
    return rc;
}

static bool takes_children(const struct node *node)
{
    return node->open_body;
}

static int spawn(int self)
{
    int group = pick(takes_children), rc, wanted = 0;
    nido_task handle;

    if (group < 0 || world.tasks >= MOST_TASKS || place() < 0) return 0;
    if (effective(group) <= nido_now())
        wanted = encloses(group, self) || effective(self) == INT64_MIN ? -ECANCELED : -ESHUTDOWN;
    rc = nido_spawn_with((nido_group *)(void *)at(group)->scope, child, NULL, NULL, &handle);
    expect(rc == wanted, "group %d: spawn gives %d, not %d", group, rc, wanted);
    if (rc == 0)
        add_task(nidoi_slots_get(&nidoi_loop_self()->slots, handle.slot)->task, handle, group);
    return 0;
}

/* A wait that has been cancelled was so by right; one in a cancelled scope is. */
static int waited(int self, int64_t before, int64_t now, int rc)
{
    learn();
    expect(rc == 0 || rc == -ECANCELED, "a wait gives %d", rc);
    if (rc)
        expect(effective(self) == INT64_MIN, "a wait in scope %d is cancelled, but not it", self);
    if (before == INT64_MIN || (before <= now && !world.work))
        expect(rc == -ECANCELED, "scope %d was due, but a wait succeeds", self);
    return rc;
}

static int sleep_a_while(int self)
{
    int64_t now = nido_now(), before = effective(self);
    int64_t when = now + NIDO_MS(seeded_below(&world.seeded, 10));
    int rc = waited(self, before, now, nido_sleep_until(when));

    expect(rc || nido_now() >= when, "a sleep ends early");
    expect(rc || world.work || nido_now() == when, "a sleep ends late");
    return rc;
}

static int wait_for_event(int self)
{
    int64_t now = nido_now(), before = effective(self);

    return waited(self, before, now,
                  nido_event_wait(&world.events[seeded_below(&world.seeded, EVENTS)]));
}

static int change_event(int self)
{
    nido_event *event = &world.events[seeded_below(&world.seeded, EVENTS)];

    (void)self;
    return chance(2) ? nido_event_set(event) : nido_event_reset(event);
}

/* Not the root, nor what keeps the runs going. */
static bool cancellable(const struct node *node)
{
    return node->depth > 2;
}

static int cancel_something(int self)
{
    int i = pick(cancellable), code = chance(2) ? 0 : -ENODATA, rc, wanted;

    (void)self;
    if (i < 0 || !chance(3)) return 0; /* or too little would live */
    wanted = at(i)->cancelled ? -EALREADY : 0;
    rc = at(i)->task ? nido_task_cancel(at(i)->handle, code, "model")
                     : nido_scope_cancel(at(i)->scope, code, "model");
    expect(rc == wanted, "scope %d: cancel gives %d, not %d", i, rc, wanted);
    cancel(i, code);
    return 0;
}

static bool movable(const struct node *node)
{
    return cancellable(node) && !node->task;
}

static int move_something(int self)
{
    int i = pick(movable), rc, wanted;
    int64_t now = nido_now();
    int64_t to = now + NIDO_MS(1 + seeded_below(&world.seeded, 20)) - (world.work ? NIDO_MS(3) : 0);

    (void)self;
    if (i < 0) return 0;
    wanted = at(i)->cancelled || bounded(i) <= now ? -EALREADY : 0;
    if (chance(8)) to = NIDO_NEVER;
    rc = nido_scope_move(at(i)->scope, to);
    expect(rc == wanted, "scope %d: move gives %d, not %d", i, rc, wanted);
    if (rc == 0) at(i)->deadline = to;
    return 0;
}

static int pass(int self)
{
    struct nidoi_clock *clock = &nidoi_loop_self()->clock;
    int64_t before, now;

    if (world.work) nidoi_clock_jump(clock, clock->now + NIDO_MS(seeded_below(&world.seeded, 4)));
    before = effective(self);
    now = nido_now();
    return waited(self, before, now, nido_yield());
}

static int (*const acts[])(int self) = {
    in_scope,       in_scope,      in_scope,      in_group,       in_group,     spawn,
    spawn,          sleep_a_while, sleep_a_while, wait_for_event, change_event, cancel_something,
    move_something, pass};

static int live(int self)
{
    for (int n = 1 + (int)seeded_below(&world.seeded, 12); n > 0 && world.steps > 0; n--) {
        int rc;

        if (--world.steps == 0) finish();
        learn();
        rc = acts[seeded_below(&world.seeded, sizeof acts / sizeof *acts)](self);
        compare();
        if (rc == -ECANCELED && effective(self) == INT64_MIN && !chance(4)) return rc;
        if (chance(100)) return -EIO;
    }
    return 0;
}

/* ---- Runs ---- */

/* Keeps the run going: somebody sets each event now and then. */
static int pulse(void *unused)
{
    (void)unused;
    while (world.steps > 0) {
        nido_sleep(NIDO_MS(3));
        nido_event_set(&world.events[seeded_below(&world.seeded, EVENTS)]);
    }
    return 0;
}

static int root(void *unused)
{
    nido_group group;
    struct nidoi_task *self = nidoi_loop_self()->root;

    (void)unused;
    *at(0) = (struct node){.scope = &self->base, .task = self, .parent = -1, .live = true};
    at(0)->deadline = NIDO_NEVER;
    nido_group_open(&group, NIDO_WAIT_ALL, "everybody");
    add_inner(&group.scope, 0, NIDO_NEVER);
    at(1)->open_body = true;
    at(1)->policy = NIDO_WAIT_ALL;
    cr_expect(eq(int, nido_spawn(&group, pulse, NULL), 0));
    while (world.steps > 0) live(1);
    at(1)->open_body = false;
    nido_group_close(&group, 0);
    return 0;
}

static unsigned long run(unsigned seed, bool works, int64_t grace)
{
    nido_options options = nido_test_virtual();

    memset(&world, 0, sizeof world);
    world.seeded.state = seed;
    world.steps = STEPS;
    world.work = works;
    world.grace = options.grace_ns = grace;
    options.flags = NIDO_RUN_STRICT;
    for (int i = 0; i < EVENTS; i++) nido_event_init(&world.events[i], NULL);
    cr_expect(eq(int, nido_run(root, NULL, &options), 0), "seed %u", seed);
    cr_expect(eq(str, world.complaint, ""), "seed %u", seed);
    return world.checks;
}

static void runs(bool works, int64_t grace)
{
    unsigned long checks = 0;

    for (unsigned seed = 1; seed <= SEEDS; seed++) checks += run(seed, works, grace);
    cr_expect(ge(ulong, checks, 100000));
}

NIDO_TEST(scope_model, every_scope_is_what_the_definition_says)
{
    runs(false, NIDO_NEVER);
}

NIDO_TEST(scope_model, every_scope_is_what_the_definition_says_under_a_grace)
{
    runs(false, NIDO_MS(7));
}

NIDO_TEST(scope_model, every_scope_is_what_the_definition_says_while_tasks_let_time_pass)
{
    runs(true, NIDO_NEVER);
}

NIDO_TEST(scope_model, every_scope_is_what_the_definition_says_with_all_of_it)
{
    runs(true, NIDO_MS(7));
}
