/* SPDX-License-Identifier: MIT */
/* Groups, tasks and time, swept: whoever is struck, every task ends and every result arrives. */
#include "sweep_help.h"

static int began, ended;

static int work(void *unused)
{
    int rc;

    (void)unused;
    began++;
    rc = nido_sleep(NIDO_MS(1));
    ended++;
    return rc;
}

/* ---- Time ---- */

static int spend_time(void *unused)
{
    nido_ticker ticker;
    int rc = nido_ticker_init(&ticker, NIDO_MS(1), NIDO_SKIP);

    (void)unused;
    if (!rc) rc = nido_sleep(NIDO_MS(1));
    if (!rc) rc = nido_sleep_until(nido_after(NIDO_SEC(1)));
    if (!rc) rc = nido_yield();
    if (!rc) rc = nido_sleep(0);
    if (!rc) rc = nido_ticker_wait(&ticker);
    if (rc > 0) rc = nido_test_wait_all_parked();
    if (!rc) rc = nido_test_advance(NIDO_SEC(1));
    return rc;
}
SWEPT(no_sleep_leaves_a_timer, spend_time)

static int work_in_time(void *unused)
{
    int rc = nido_with_timeout(NIDO_MS(2), work, unused);

    if (!rc) rc = nido_with_timeout(0, work, unused);
    if (rc == -ETIMEDOUT) rc = nido_with_shield(NIDO_SEC(1), work, unused);
    return rc;
}
SWEPT(no_deadline_is_left_armed, work_in_time)

/* ---- Groups ---- */

static int work_in_groups(void *unused)
{
    nido_group outer, inner;
    int rc;

    began = ended = 0;
    nido_group_open(&outer, NIDO_FAIL_FAST, "outer");
    rc = nido_spawn(&outer, work, unused);
    nido_group_open(&inner, NIDO_WAIT_ALL, "inner");
    if (!rc) rc = nido_spawn(&inner, work, unused);
    if (!rc) rc = nido_spawn(&outer, work, unused);
    rc = nido_group_close(&inner, rc);
    rc = nido_group_close(&outer, rc);
    LAW(began == ended);
    return rc;
}
SWEPT(every_task_that_began_has_ended, work_in_groups)

/* A wait that is cancelled alone takes nothing from the group. */
static int work_in_rounds(void *unused)
{
    nido_group_options options;
    nido_group group;
    int rc = 0;

    began = ended = 0;
    nido_group_options_init(&options);
    options.limit = 1;
    nido_group_open_with(&group, &options);
    for (int round = 0; round < 2 && !rc; round++) {
        nido_scope scope;

        rc = nido_spawn_wait(&group, work, unused);
        if (!rc) rc = nido_group_set_limit(&group, 2);
        if (!rc) rc = nido_spawn(&group, work, unused);
        if (rc) break;
        ALONE(scope, rc, nido_group_wait(&group));
        if (rc == 0) LAW(nido_group_live(&group) == 0);
        rc = unless_struck(rc);
        if (!rc) rc = nido_group_wait(&group);
    }
    rc = nido_group_close(&group, rc);
    LAW(began == ended);
    return rc;
}
SWEPT(a_wait_in_the_body_is_over_when_the_group_is_idle, work_in_rounds)

static int won, given_back;

static int win(void *ms)
{
    int rc = nido_sleep(NIDO_MS((intptr_t)ms));

    if (rc) return rc;
    won++;
    return (int)(intptr_t)ms;
}

static void give_back(void *ctx, void *arg, int result)
{
    (void)ctx, (void)arg, (void)result;
    given_back++;
}

static int race(void *unused)
{
    nido_group_options options;
    nido_group group;
    int rc = 0;

    (void)unused;
    won = given_back = 0;
    nido_group_options_init(&options);
    options.policy = NIDO_RACE;
    options.drop = give_back;
    nido_group_open_with(&group, &options);
    for (intptr_t i = 1; i < 4 && !rc; i++) rc = nido_spawn(&group, win, (void *)(i / 2 + 1));
    rc = nido_group_close(&group, rc);
    LAW(won == given_back + (rc > 0));
    return rc;
}
SWEPT(a_race_keeps_one_result_and_gives_back_the_rest, race)

static int serve(void *unused)
{
    int rc = nido_sleep(NIDO_NEVER);

    (void)unused;
    ended++;
    return rc;
}

static int work_with_a_service(void *unused)
{
    nido_spawn_options options;
    nido_group group;
    int rc;

    began = ended = 0;
    nido_spawn_options_init(&options);
    options.service = true;
    nido_group_open(&group, NIDO_FAIL_FAST, "service");
    rc = nido_spawn_with(&group, serve, unused, &options, NULL);
    if (!rc) rc = nido_spawn(&group, work, unused);
    return nido_group_close(&group, rc);
}
SWEPT(a_service_ends_with_its_group, work_with_a_service)

/* ---- Joining, starting, waiting for a place ---- */

static int join_twice(nido_task task)
{
    nido_scope scope;
    int rc, result = 1;

    ALONE(scope, rc, nido_join(task, &result));
    if (rc == -EINTR) rc = nido_join(task, &result);
    LAW(rc || result <= 0);
    return rc;
}

static int spawn_and_join(void *unused)
{
    nido_group group;
    nido_task task;
    int rc;

    began = ended = 0;
    nido_group_open(&group, NIDO_WAIT_ALL, "join");
    rc = nido_spawn_with(&group, work, unused, NULL, &task);
    if (!rc) rc = join_twice(task);
    rc = nido_group_close(&group, rc);
    LAW(began == ended);
    return rc;
}
SWEPT(a_join_that_is_struck_can_be_made_again, spawn_and_join)

static int select_the_end(void *unused)
{
    nido_group group;
    nido_scope scope;
    nido_task task;
    nido_arm arm;
    int rc;

    nido_group_open(&group, NIDO_WAIT_ALL, "select");
    rc = nido_spawn_with(&group, work, unused, NULL, &task);
    if (!rc) {
        nido_arm_join(&arm, task);
        ALONE(scope, rc, nido_select(&arm, 1, 0));
        rc = unless_struck(rc);
    }
    return nido_group_close(&group, rc);
}
SWEPT(the_end_of_a_task_can_be_selected, select_the_end)

static int become_ready(void *unused)
{
    int rc = nido_sleep(NIDO_MS(1));

    (void)unused;
    began++;
    if (!rc) rc = nido_started(1);
    if (!rc) rc = nido_sleep(NIDO_MS(1));
    ended++;
    return rc;
}

static int start_two(void *unused)
{
    nido_group group;
    nido_scope scope;
    int rc = 0;

    began = ended = 0;
    nido_group_open(&group, NIDO_FAIL_FAST, "start");
    for (int i = 0; i < 2 && !rc; i++) {
        ALONE(scope, rc, nido_start(&group, become_ready, unused, NULL));
        rc = rc == -EPROTO ? 0 : unless_struck(rc); /* the child alone was struck, and went home */
    }
    rc = nido_group_close(&group, rc);
    LAW(began == ended);
    return rc;
}
SWEPT(a_start_is_decided_one_way_or_the_other, start_two)

static int spawn_in_turn(void *unused)
{
    nido_group_options options;
    nido_group group;
    nido_scope scope;
    int rc = 0, spawned = 0;

    began = ended = 0;
    nido_group_options_init(&options);
    options.limit = 1;
    nido_group_open_with(&group, &options);
    for (int i = 0; i < 3 && !rc; i++) {
        ALONE(scope, rc, nido_spawn_wait(&group, work, unused));
        spawned += rc == 0;
        rc = unless_struck(rc);
    }
    rc = nido_group_close(&group, rc);
    LAW(began == spawned && ended == spawned);
    return rc;
}
SWEPT(a_place_in_a_group_is_never_lost, spawn_in_turn)
