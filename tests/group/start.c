/* SPDX-License-Identifier: MIT */
/* nido_start: a task that says when it is ready, and to whom it counts before and after. */
#include "group_help.h"

struct server {
    int64_t warm_up;
    int told;  /* what nido_started answered */
    int met;   /* what it met afterwards */
    int again; /* what a second nido_started answered */
    int rc;
};

static int serve(void *arg)
{
    struct server *server = arg;
    int err = nido_sleep(server->warm_up);

    if (err) return err;
    server->told = nido_started(42);
    server->again = nido_started(43);
    server->met = nido_sleep(NIDO_SEC(10));
    return server->met ? server->met : server->rc;
}

static int start_and_go_on(void *unused)
{
    struct server server = {.warm_up = NIDO_SEC(1)};
    nido_group group;
    intptr_t value = 0;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_start(&group, serve, &server, &value)));
    cr_expect(eq(int, (int)value, 42));
    cr_expect(eq(i64, nido_now(), NIDO_SEC(2)));
    cr_expect(eq(sz, nido_group_live(&group), 1));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(i64, nido_now(), NIDO_SEC(12)));
    cr_expect(zero(int, server.told));
    cr_expect(eq(int, server.again, -EALREADY));
    cr_expect(zero(int, server.met));
    return 0;
}

NIDO_TEST(start, returns_when_the_task_is_ready_and_leaves_it_to_the_group)
{
    cr_expect(zero(int, nido_test_run(start_and_go_on, NULL)));
}

static int fail_in_words(void *unused)
{
    (void)unused;
    return nido_fail(-EIO, "no socket");
}

static int start_failures(void *unused)
{
    struct plan sibling = {.ns = NIDO_SEC(1)};
    nido_group group;
    intptr_t value = 5;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, follow, &sibling)));
    cr_expect(eq(int, nido_start(&group, fail_in_words, NULL, &value), -EIO));
    cr_expect(eq(str, (char *)nido_error_text(nido_error_last()), "no socket"));
    cr_expect(eq(int, (int)value, 5));
    cr_expect(zero(int, nido_yield()), "the group is not cancelled");
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(zero(int, sibling.met));
    return 0;
}

/* S49 */
NIDO_TEST(start, a_failure_before_ready_is_the_starters)
{
    cr_expect(zero(int, nido_test_run(start_failures, NULL)));
}

static int start_without_ready(void *unused)
{
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_start(&group, give, result(0), NULL), -EPROTO));
    cr_expect(eq(int, nido_start(&group, give, result(3), NULL), -EPROTO));
    return nido_group_close(&group, 0);
}

/* S50 */
NIDO_TEST(start, an_end_before_ready_breaks_a_rule)
{
    cr_expect(zero(int, nido_test_run(start_without_ready, NULL)));
}

struct request {
    nido_group *group;
    struct server *server;
    int rc;
};

static int start_elsewhere(void *arg)
{
    struct request *request = arg;

    request->rc = nido_start(request->group, serve, request->server, NULL);
    return 0;
}

static int close_over_a_start(void *unused)
{
    struct server server = {.warm_up = NIDO_SEC(1)};
    nido_group around, group;
    struct request request = {&group, &server, 1};

    (void)unused;
    nido_group_open(&around, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&around, start_elsewhere, &request)));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_yield()));
    cr_expect(zero(sz, nido_group_live(&group)), "it does not count to the group yet");
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(i64, nido_now(), NIDO_SEC(12)));
    cr_expect(zero(int, server.met));
    cr_expect(zero(int, request.rc));
    return nido_group_close(&around, 0);
}

/* S52 */
NIDO_TEST(start, a_pending_start_keeps_the_group_open)
{
    cr_expect(zero(int, nido_test_run(close_over_a_start, NULL)));
}

static int close_over_a_failing_start(void *unused)
{
    struct server server = {.warm_up = -1};
    nido_group around, group;
    struct request request = {&group, &server, 1};

    (void)unused;
    nido_group_open(&around, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&around, start_elsewhere, &request)));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_yield()));
    cr_expect(zero(int, nido_group_cancel(&around, 0, NULL)));
    cr_expect(zero(int, nido_group_close(&group, 0)), "the start failed, nobody is left");
    cr_expect(eq(int, request.rc, -ECANCELED));
    return nido_group_close(&around, 0);
}

NIDO_TEST(start, a_start_that_fails_lets_the_group_close)
{
    cr_expect(zero(int, nido_test_run(close_over_a_failing_start, NULL)));
}

/* The starter is no part of the group: its own scope is not cancelled when the group is. */
static int cancel_the_target(void *unused)
{
    struct server server = {.warm_up = NIDO_SEC(1)};
    nido_group around, group;
    struct request request = {&group, &server, 1};

    (void)unused;
    nido_group_open(&around, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&around, start_elsewhere, &request)));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_yield()));
    cr_expect(zero(int, nido_group_cancel(&group, -ENODATA, NULL)));
    cr_expect(eq(int, nido_group_close(&group, 0), -ENODATA));
    cr_expect(zero(int, request.rc));
    cr_expect(zero(int, server.told));
    cr_expect(eq(int, server.met, -ECANCELED));
    cr_expect(eq(i64, nido_now(), NIDO_SEC(2)));
    return nido_group_close(&around, 0);
}

/* S53 */
NIDO_TEST(start, who_becomes_ready_in_a_cancelled_group_is_cancelled)
{
    cr_expect(zero(int, nido_test_run(cancel_the_target, NULL)));
}

static int start_late(void *arg)
{
    struct server *server = arg;
    int err = nido_sleep(NIDO_SEC(1));

    cr_expect(eq(int, err, -ECANCELED));
    server->told = nido_started(42);
    server->again = nido_started(42);
    return server->told;
}

static int cancelled_starter(void *unused)
{
    struct server server = {0};
    nido_group group;
    nido_scope scope;
    intptr_t value = 5;
    int rc;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    nido_timeout_open(&scope, NIDO_MS(1));
    rc = nido_start(&group, start_late, &server, &value);
    cr_expect(eq(int, rc, -ECANCELED));
    cr_expect(eq(int, server.told, -ECANCELED));
    cr_expect(eq(int, server.again, -ECANCELED));
    cr_expect(eq(int, (int)value, 5));
    cr_expect(eq(int, nido_scope_close(&scope, rc), -ETIMEDOUT));
    cr_expect(zero(sz, nido_group_live(&group)));
    return nido_group_close(&group, 0);
}

NIDO_TEST(start, a_cancel_of_the_starter_cancels_the_task)
{
    cr_expect(zero(int, nido_test_run(cancelled_starter, NULL)));
}

static int fail_when_ready(void *unused)
{
    (void)unused;
    cr_expect(zero(int, nido_started(1)));
    return -EIO;
}

static int start_and_fail_later(void *unused)
{
    nido_group group;
    intptr_t value = 0;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_start(&group, fail_when_ready, NULL, &value)));
    cr_expect(eq(int, (int)value, 1), "ready was decided before the failure");
    cr_expect(eq(int, nido_yield(), -ECANCELED));
    return nido_group_close(&group, 0);
}

NIDO_TEST(start, a_failure_after_ready_is_the_groups)
{
    cr_expect(eq(int, nido_test_run(start_and_fail_later, NULL), -EIO));
}

static int not_started_so(void *unused)
{
    (void)unused;
    return nido_started(1);
}

static int started_by_spawn(void *unused)
{
    nido_group group;

    (void)unused;
    cr_expect(eq(int, nido_started(1), -EPERM), "the root");
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, not_started_so, NULL)));
    return nido_group_close(&group, 0);
}

NIDO_TEST(start, only_a_started_task_may_say_that_it_is_ready)
{
    cr_expect(eq(int, nido_test_run(started_by_spawn, NULL), -EPERM));
}

static int start_under_a_limit(void *unused)
{
    struct server first = {0}, second = {0};
    nido_group_options options;
    nido_group group;

    (void)unused;
    nido_group_options_init(&options);
    options.limit = 1;
    nido_group_open_with(&group, &options);
    cr_expect(zero(int, nido_start(&group, serve, &first, NULL)));
    cr_expect(eq(int, nido_start(&group, serve, &second, NULL), -EAGAIN));
    return nido_group_close(&group, 0);
}

NIDO_TEST(start, the_limit_holds_for_starts_too)
{
    cr_expect(zero(int, nido_test_run(start_under_a_limit, NULL)));
}

static int deadlines_after_the_move(void *unused)
{
    struct server server = {.warm_up = NIDO_SEC(1)};
    nido_group_options options;
    nido_group around, group;
    struct request request = {&group, &server, 1};

    (void)unused;
    nido_group_open(&around, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&around, start_elsewhere, &request)));
    nido_group_options_init(&options);
    options.deadline = nido_after(NIDO_SEC(3));
    nido_group_open_with(&group, &options);
    cr_expect(zero(int, nido_yield()));
    cr_expect(eq(int, nido_group_close(&group, 0), -ETIMEDOUT));
    cr_expect(eq(int, server.met, -ECANCELED));
    cr_expect(eq(i64, nido_now(), NIDO_SEC(4)));
    return nido_group_close(&around, 0);
}

NIDO_TEST(start, after_ready_the_groups_deadline_holds)
{
    cr_expect(zero(int, nido_test_run(deadlines_after_the_move, NULL)));
}

/* ---- Cancelled with the starter ---- */

/* Tidies up and returns 0, whatever it met; `shielded` keeps it from noticing before it is ready. */
static int tidy_up(void *shielded)
{
    if (!*(bool *)shielded) {
        cr_expect(eq(int, nido_sleep(NIDO_SEC(1)), -ECANCELED));
        return 0;
    }
    nido_with_shield(NIDO_NEVER, follow, &(struct plan){.ns = NIDO_MS(100)});
    cr_expect(eq(int, nido_started(0), -ECANCELED));
    return 0;
}

static int start_under_a_timeout(void *shielded)
{
    nido_group group;
    nido_scope scope;
    int rc;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    nido_timeout_open(&scope, NIDO_MS(50));
    rc = nido_start(&group, tidy_up, shielded, NULL);
    cr_expect(eq(int, rc, -ECANCELED));
    cr_expect(eq(int, nido_scope_close(&scope, rc), -ETIMEDOUT));
    return nido_group_close(&group, 0);
}

NIDO_TEST(start, one_whose_task_was_cancelled_and_tidied_up_is_cancelled)
{
    bool shielded = false;

    cr_expect(zero(int, nido_test_run(start_under_a_timeout, &shielded)));
    shielded = true;
    cr_expect(zero(int, nido_test_run(start_under_a_timeout, &shielded)));
}

static int start_and_fail_when_cancelled(void *unused)
{
    nido_group group;
    nido_scope scope;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    nido_scope_open(&scope);
    nido_scope_cancel(&scope, -ENODATA, NULL);
    cr_expect(eq(int, nido_start(&group, give, result(0), NULL), -ECANCELED), "refused on entry");
    cr_expect(eq(int, nido_scope_close(&scope, -ECANCELED), -ENODATA));
    return nido_group_close(&group, 0);
}

NIDO_TEST(start, one_in_a_cancelled_scope_starts_nothing)
{
    cr_expect(zero(int, nido_test_run(start_and_fail_when_cancelled, NULL)));
}

/* ---- By a service of the group itself ---- */

struct starter {
    nido_group *group;
    bool shielded, nested;
    int64_t child_ns; /* until its child says that it is ready */
    int rc, told;
};

static struct starter *of_child;

static int child_of_service(void *unused)
{
    int rc = nido_sleep(of_child->child_ns);

    (void)unused;
    if (rc) return rc;
    of_child->told = nido_started(1);
    return of_child->told ? 0 : nido_sleep(NIDO_SEC(5));
}

static int start_in_group(void *arg)
{
    struct starter *self = arg;

    self->rc = nido_start(self->group, child_of_service, NULL, NULL);
    return self->rc;
}

static int starting_service(void *arg)
{
    struct starter *self = arg;
    nido_group nested;

    if (self->shielded) return nido_with_shield(NIDO_NEVER, start_in_group, self);
    if (!self->nested) return start_in_group(self);
    nido_group_open(&nested, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&nested, start_in_group, self)));
    return nido_group_close(&nested, 0);
}

/* The body and the other children are done after a second. */
static int close_over_a_starting_service(void *arg)
{
    struct plan other = {.ns = NIDO_SEC(1)};
    nido_spawn_options options;
    struct starter *self = of_child = arg;
    nido_group group;

    self->group = &group;
    self->rc = self->told = 1;
    nido_spawn_options_init(&options);
    options.service = true;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn_with(&group, starting_service, self, &options, NULL)));
    cr_expect(zero(int, nido_spawn(&group, follow, &other)));
    return nido_group_close(&group, 0);
}

NIDO_TEST(start, a_service_that_waits_for_a_child_of_its_own_group_is_released)
{
    struct starter starter = {.child_ns = NIDO_NEVER};

    for (int nested = 0; nested < 2; nested++) {
        starter.nested = nested;
        cr_expect(zero(int, nido_test_run(close_over_a_starting_service, &starter)));
        cr_expect(eq(int, starter.rc, -ECANCELED));
    }
}

NIDO_TEST(start, a_child_that_is_ready_after_its_group_is_over_is_turned_away)
{
    struct starter starter = {.shielded = true, .child_ns = NIDO_SEC(2)};

    cr_expect(eq(int, nido_test_run(close_over_a_starting_service, &starter), -ESHUTDOWN));
    cr_expect(eq(int, starter.rc, -ESHUTDOWN));
    cr_expect(eq(int, starter.told, -ECANCELED));
}

NIDO_TEST(start, a_child_that_a_service_has_started_is_waited_for)
{
    struct starter starter = {.child_ns = NIDO_MS(100)};

    cr_expect(zero(int, nido_test_run(close_over_a_starting_service, &starter)));
    cr_expect(zero(int, starter.rc));
    cr_expect(zero(int, starter.told));
}
