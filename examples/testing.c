/* SPDX-License-Identifier: MIT */
/* testing: how a program that uses nido is tested with nido/test.h. Above the line is the program,
 * below it are its tests. It is run without arguments and exits with 0 if all is well.
 *
 *     ./example_testing
 */
#include <errno.h>
#include <nido.h>
#include <nido/sugar.h>
#include <nido/test.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Copies from one descriptor to another until the end. */
static int copy(int from, int to)
{
    char buffer[512];
    for (;;) {
        ssize_t n = nido_read(from, buffer, sizeof buffer);
        if (n <= 0) return (int)n;
        int rc = nido_write_all(to, buffer, (size_t)n, NULL);
        if (rc) return rc;
    }
}

/* Tries until it succeeds: after 1 s, 2 s, 4 s and so on, for a minute. */
static int insist(nido_fn *fn, void *arg)
{
    nido_scope minute;
    nido_timeout_open(&minute, NIDO_SEC(60));
    int rc = fn(arg);
    for (int64_t pause = NIDO_SEC(1); rc == -ECONNREFUSED; pause *= 2) {
        rc = nido_sleep(pause);
        if (rc == 0) rc = fn(arg);
    }
    return nido_scope_close(&minute, rc);
}

/* An account that several tasks draw from. */
static struct {
    nido_mutex lock;
    int money;
} account;

static int draw(void *sum)
{
    int rc = nido_mutex_lock(&account.lock);
    if (rc) return rc;
    int money = account.money;
    rc = nido_yield(); /* another task may draw meanwhile */
    if (rc == 0) account.money = money - *(int *)sum;
    nido_mutex_unlock(&account.lock);
    return rc;
}

/* ------------------------------------------------------------------------------------------- */

#define expect(x) \
    ((x) ? (void)0 : (fprintf(stderr, "%s:%d: %s is not so\n", __FILE__, __LINE__, #x), exit(1)))

static int say_hello(void *fd)
{
    int rc = nido_write_all(*(int *)fd, "hello", 5, NULL);
    nido_close(*(int *)fd);
    return rc;
}

/* A copy between two pipes, with a task at one end. */
static int copy_hello(void *unused)
{
    (void)unused;
    int in[2], out[2];
    int rc = nido_pipe(in);
    if (rc) return rc;
    NIDO_SCOPED_FD from = in[0];
    rc = nido_pipe(out);
    if (rc) nido_close(in[1]);
    if (rc) return rc;
    NIDO_SCOPED_FD to = out[1], end = out[0];

    NIDO_SCOPED_GROUP(group, NIDO_FAIL_FAST);
    rc = nido_spawn(&group, say_hello, &in[1]);
    if (rc) nido_close(in[1]);
    if (rc == 0) rc = copy(from, to);
    char got[5];
    if (rc == 0) rc = nido_read_full(end, got, 5, NULL);
    if (rc == 0 && memcmp(got, "hello", 5)) rc = -EBADMSG;
    return nido_group_close(&group, rc);
}

/* Wherever a cancel or a failure comes, nothing is left behind. */
static void test_copy(void)
{
    expect(NIDO_SWEEP(copy_hello, NULL) == 0);
}

/* The second read fails, as if the peer had gone. */
static int copy_with_a_failure(void *unused)
{
    nido_test_disturb("read", 2, -ECONNRESET);
    return copy_hello(unused);
}

static void test_copy_failure(void)
{
    expect(nido_test_run_with(copy_with_a_failure, NULL, NULL) == -ECONNRESET);
}

static int attempts;

static int refuse(void *unused)
{
    (void)unused;
    attempts++;
    return -ECONNREFUSED;
}

static int insist_in_vain(void *unused)
{
    return insist(refuse, unused);
}

/* A minute passes, in no time. */
static void test_insist(void)
{
    attempts = 0;
    expect(nido_test_run(insist_in_vain, NULL) == -ETIMEDOUT);
    expect(attempts == 6); /* at 0, 1, 3, 7, 15 and 31 s */
}

/* The test moves the clock, and looks in between. */
static int watch_it_insist(void *unused)
{
    attempts = 0;
    NIDO_SCOPED_GROUP(group, NIDO_FAIL_FAST);
    int rc = nido_spawn(&group, insist_in_vain, unused);
    if (rc == 0) rc = nido_test_advance(NIDO_MS(999));
    expect(attempts == 1);
    if (rc == 0) rc = nido_test_advance(NIDO_MS(1));
    expect(attempts == 2);
    nido_group_cancel(&group, 0, "seen enough");
    return nido_group_close(&group, rc);
}

static void test_insist_step_by_step(void)
{
    nido_test_options options;
    nido_test_options_init(&options);
    options.run.clock = NIDO_CLOCK_MANUAL;
    expect(nido_test_run_with(watch_it_insist, NULL, &options) == 0);
}

static int draw_twice(void *unused)
{
    (void)unused;
    int sums[2] = {30, 50};
    account.money = 100;
    nido_mutex_init(&account.lock, "account");
    NIDO_SCOPED_GROUP(group, NIDO_FAIL_FAST);
    int rc = 0;
    for (int i = 0; i < 2 && rc == 0; i++) rc = nido_spawn(&group, draw, &sums[i]);
    rc = nido_group_close(&group, rc);
    if (rc == 0 && account.money != 20) rc = -EBADMSG;
    return rc;
}

/* In any order; a failure would name the seed that repeats it. */
static void test_draw_in_any_order(void)
{
    nido_test_options options;
    nido_test_options_init(&options);
    options.run.flags |= NIDO_RUN_SHUFFLE;
    for (options.run.seed = 1; options.run.seed <= 20; options.run.seed++)
        expect(nido_test_run_with(draw_twice, NULL, &options) == 0);
}

/* After each run: no sum is drawn by half. */
static int whole_sums(void *ctx, int rc)
{
    (void)ctx, (void)rc;
    int drawn = 100 - account.money;
    return drawn == 0 || drawn == 30 || drawn == 50 || drawn == 80 ? 0 : -EBADMSG;
}

static void test_draw_and_cancel(void)
{
    nido_test_options options;
    nido_test_options_init(&options);
    options.name = "draw_twice";
    options.check = whole_sums;
    expect(nido_sweep(draw_twice, NULL, &options) == 0);
}

static int ask_for_points(void *unused)
{
    (void)unused;
    int sum = 1;
    nido_mutex_init(&account.lock, "account");
    expect(NIDO_TEST_IS_POINT(draw(&sum)));
    expect(NIDO_TEST_IS_NO_POINT(nido_mutex_try_lock(&account.lock)));
    return nido_mutex_unlock(&account.lock);
}

static void test_points(void)
{
    expect(nido_test_run(ask_for_points, NULL) == 0);
}

int main(void)
{
    test_copy();
    test_copy_failure();
    test_insist();
    test_insist_step_by_step();
    test_draw_in_any_order();
    test_draw_and_cancel();
    test_points();
    puts("all is well");
    return 0;
}
