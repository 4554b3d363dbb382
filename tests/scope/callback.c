/* SPDX-License-Identifier: MIT */
/* What the library calls must not wait; and what a wait leaves as it was. */
#include "inside_help.h"

static int forbidden(void *unused)
{
    (void)unused;
    cr_expect(false, "this task must not run");
    return 0;
}

/* How many of the calls that wait answered something else than -EDEADLK. */
static int calls_let_through(void)
{
    nido_event event;
    nido_ticker ticker;
    int end = 0;

    nido_event_init(&event, NULL);
    nido_event_set(&event);
    nido_ticker_init(&ticker, 1, NIDO_SKIP);
    end += nido_sleep(1) != -EDEADLK;
    end += nido_sleep_until(0) != -EDEADLK;
    end += nido_yield() != -EDEADLK;
    end += nido_event_wait(&event) != -EDEADLK;
    end += nido_ticker_wait(&ticker) != -EDEADLK;
    end += nido_join(nido_self(), NULL) != -EDEADLK;
    end += nido_wait_fd(0, NIDO_IN) != -EDEADLK;
    return end;
}

struct seen {
    int calls, let_through;
};

static void look(struct seen *seen)
{
    seen->calls++;
    seen->let_through += calls_let_through();
}

static void drop(void *ctx, void *unused, int result)
{
    (void)unused;
    (void)result;
    look(ctx);
}

static int win(void *unused)
{
    (void)unused;
    return 1;
}

/* S367 */
INSIDE(callback, a_drop_that_waits_is_refused)
{
    nido_group_options options;
    nido_group group;
    struct seen seen = {0};

    nido_group_options_init(&options);
    options.policy = NIDO_RACE;
    options.drop = drop;
    options.drop_ctx = &seen;
    nido_group_open_with(&group, &options);
    begin(&group, win, NULL);
    begin(&group, win, NULL);
    cr_expect(eq(int, nido_group_close(&group, 0), 1));
    cr_expect(eq(int, seen.calls, 1));
    cr_expect(eq(int, seen.let_through, 0));
    cr_expect(eq(int, nido_sleep(1), 0), "the ban is the callback's, not ours");
}

static int posted(void *seen)
{
    nido_group group;

    look(seen);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_spawn(&group, forbidden, NULL), -EPERM));
    cr_expect(eq(int, nido_group_close(&group, 0), -EPERM));
    return 0;
}

INSIDE(callback, a_posted_function_that_waits_is_refused)
{
    nido_rt *rt = nido_rt_self();
    struct seen seen = {0};

    cr_expect(eq(int, nido_post(rt, posted, &seen), 0));
    cr_expect(eq(int, nido_sleep(1), 0));
    cr_expect(eq(int, seen.calls, 1));
    cr_expect(eq(int, seen.let_through, 0));
    nido_rt_release(rt);
}

static void report(void *ctx, const char *unused)
{
    (void)unused;
    look(ctx);
}

static void error(void *ctx, const nido_error *unused)
{
    (void)unused;
    look(ctx);
}

static int wait_in_vain(void *unused)
{
    nido_event event;

    (void)unused;
    nido_event_init(&event, NULL);
    return nido_event_wait(&event);
}

NIDO_TEST(callback, a_report_that_waits_is_refused)
{
    nido_options options = nido_test_virtual();
    struct seen seen = {0};

    options.on_report = report;
    options.ctx = &seen;
    cr_expect(eq(int, nido_run(wait_in_vain, NULL, &options), -EDEADLK));
    cr_expect(eq(int, seen.calls, 1));
    cr_expect(eq(int, seen.let_through, 0));
}

static int fail(void *unused)
{
    (void)unused;
    return nido_fail(-EIO, "on purpose");
}

NIDO_TEST(callback, an_error_hook_that_waits_is_refused)
{
    nido_options options = nido_test_virtual();
    struct seen seen = {0};

    options.on_error = error;
    options.ctx = &seen;
    cr_expect(eq(int, nido_run(fail, NULL, &options), -EIO));
    cr_expect(eq(int, seen.calls, 1));
    cr_expect(eq(int, seen.let_through, 0));
}

static int spoil_errno(void *unused)
{
    (void)unused;
    for (int i = 0; i < 4; i++) {
        errno = 99;
        cr_expect(eq(int, nido_yield(), 0));
        cr_expect(eq(int, errno, 99));
    }
    return 0;
}

/* S364 */
INSIDE(callback, a_wait_that_switches_keeps_errno)
{
    nido_group group;
    nido_event event;

    nido_event_init(&event, NULL);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, spoil_errno, NULL);
    errno = 42;
    cr_expect(eq(int, nido_yield(), 0));
    cr_expect(eq(int, errno, 42));
    cr_expect(eq(int, nido_sleep(10), 0));
    cr_expect(eq(int, errno, 42));
    nido_event_set(&event);
    cr_expect(eq(int, nido_event_wait(&event), 0));
    cr_expect(eq(int, errno, 42));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, errno, 42));
}
