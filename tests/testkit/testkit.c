/* SPDX-License-Identifier: MIT */
/* The test kit's runs: time, order, what is left behind, calls that go wrong by order. */
#include <fcntl.h>
#include <sched.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "inside_help.h"
#include "testkit/kit.h"
#include "testkit_help.h"

/* ---- Waiting until all is quiet ---- */

static int stage;

static int climb(void *event)
{
    int rc = nido_yield();

    for (int i = 0; i < 5 && !rc; i++) rc = nido_yield();
    if (!rc) stage++;
    if (!rc) rc = nido_event_wait(event);
    if (!rc) stage++;
    return rc;
}

INSIDE(testkit, who_waits_until_all_are_parked_goes_on_when_they_are)
{
    nido_group group;
    nido_event event;

    stage = 0;
    nido_event_init(&event, NULL);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, climb, &event);
    begin(&group, climb, &event);
    cr_expect(zero(int, nido_test_wait_all_parked()));
    cr_expect(eq(int, stage, 2));
    nido_event_set(&event);
    cr_expect(eq(int, stage, 2));
    cr_expect(zero(int, nido_test_wait_all_parked()));
    cr_expect(eq(int, stage, 4));
    cr_expect(zero(int, nido_group_close(&group, 0)));
}

static int sleep_a_day(void *unused)
{
    (void)unused;
    return nido_sleep(NIDO_SEC(86400));
}

INSIDE(testkit, time_stands_still_for_who_waits_until_all_are_parked)
{
    int64_t before = nido_now();
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, sleep_a_day, NULL);
    cr_expect(zero(int, nido_test_wait_all_parked()));
    cr_expect(eq(i64, nido_now(), before));
    nido_group_cancel(&group, 0, NULL);
    cr_expect(zero(int, nido_group_close(&group, 0)));
}

static int settle_and_count(void *order)
{
    int rc = nido_test_wait_all_parked();

    if (rc) return rc;
    ++*(int *)order;
    rc = nido_yield();
    for (int i = 0; i < 3 && !rc; i++) rc = nido_yield();
    cr_expect(eq(int, stage++, *(int *)order - 1), "the other still waits");
    return rc;
}

INSIDE(testkit, of_two_who_wait_until_all_are_parked_one_goes_on_at_a_time)
{
    nido_group group;
    int order = 0;

    stage = 0;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, settle_and_count, &order);
    begin(&group, settle_and_count, &order);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, order, 2));
}

static int read_one(void *fd)
{
    char c;

    stage = (int)nido_read(*(int *)fd, &c, 1);
    return 0;
}

INSIDE(testkit, bytes_on_their_way_arrive_before_all_are_parked)
{
    nido_group group;
    int fds[2];

    stage = 0;
    cr_expect(zero(int, nido_pipe(fds)));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, read_one, &fds[0]);
    cr_expect(zero(int, nido_test_wait_all_parked()));
    cr_expect(eq(i64, write(fds[1], "x", 1), 1));
    cr_expect(zero(int, nido_test_wait_all_parked()));
    cr_expect(eq(int, stage, 1));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    nido_close(fds[0]);
    nido_close(fds[1]);
}

INSIDE(testkit, waiting_until_all_are_parked_can_be_cancelled)
{
    nido_scope scope;

    nido_timeout_open(&scope, 0);
    cr_expect(eq(int, nido_test_wait_all_parked(), -ECANCELED));
    cr_expect(eq(int, nido_test_advance(1), -ECANCELED));
    cr_expect(eq(int, nido_scope_close(&scope, -ECANCELED), -ETIMEDOUT));
    cr_expect(eq(sz, nido_test_tasks(), 1));
}

/* ---- The manual clock ---- */

static int run_by_hand(nido_fn *fn)
{
    nido_test_options options;

    nido_test_options_init(&options);
    options.run.clock = NIDO_CLOCK_MANUAL;
    return nido_test_run_with(fn, NULL, &options);
}

static int tick(void *ticks)
{
    int rc;

    do rc = nido_sleep(NIDO_SEC(1));
    while (rc == 0 && ++*(int *)ticks);
    return rc;
}

static int move_time(void *unused)
{
    int64_t before = nido_now();
    nido_group group;
    int ticks = 0;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, tick, &ticks);
    cr_expect(zero(int, nido_test_advance(NIDO_MS(999))));
    cr_expect(zero(int, ticks));
    cr_expect(zero(int, nido_test_advance(NIDO_MS(1))));
    cr_expect(eq(int, ticks, 1));
    cr_expect(zero(int, nido_test_advance(NIDO_MS(3500))));
    cr_expect(eq(int, ticks, 4), "each at its own time");
    cr_expect(eq(i64, nido_now() - before, NIDO_MS(4500)));
    cr_expect(eq(int, nido_test_advance(-1), -EINVAL));
    nido_group_cancel(&group, 0, NULL);
    return nido_group_close(&group, 0);
}

NIDO_TEST(testkit, only_the_test_moves_the_manual_clock)
{
    cr_expect(zero(int, run_by_hand(move_time)));
}

static int sleep_alone(void *unused)
{
    (void)unused;
    return nido_sleep(1);
}

static void hear_nothing(void *ctx, const char *text)
{
    (void)ctx, (void)text;
}

NIDO_TEST(testkit, a_sleep_under_the_manual_clock_that_nobody_ends_is_a_deadlock)
{
    nido_options options = nido_test_virtual();

    options.clock = NIDO_CLOCK_MANUAL;
    options.on_report = hear_nothing;
    cr_expect(eq(int, nido_run(sleep_alone, NULL, &options), -EDEADLK));
}

static int advance_to_a_deadline(void *unused)
{
    nido_scope scope;
    int rc;

    (void)unused;
    nido_timeout_open(&scope, NIDO_SEC(1));
    rc = nido_test_advance(NIDO_SEC(5));
    cr_expect(eq(int, rc, -ECANCELED));
    return nido_scope_close(&scope, rc);
}

NIDO_TEST(testkit, a_deadline_of_the_caller_stops_the_clock)
{
    cr_expect(eq(int, run_by_hand(advance_to_a_deadline), -ETIMEDOUT));
}

static int advance_the_real_clock(void *unused)
{
    (void)unused;
    cr_expect(zero(int, nido_test_wait_all_parked()));
    return nido_test_advance(1);
}

NIDO_TEST(testkit, the_real_clock_moves_by_itself)
{
    cr_expect(eq(int, nido_run(advance_the_real_clock, NULL, NULL), -EINVAL));
    cr_expect(eq(int, nido_test_advance(1), -EPERM));
    cr_expect(eq(int, nido_test_wait_all_parked(), -EPERM));
    cr_expect(zero(sz, nido_test_tasks()));
}

/* ---- The order ---- */

enum { RUNNERS = 5 };
static char order[4 * RUNNERS + 1];
static size_t steps;

static int leave_mark(void *mark)
{
    int rc = 0;

    for (int i = 0; i < 3 && !rc; i++) {
        order[steps++] = (char)(intptr_t)mark;
        rc = nido_yield();
    }
    return rc;
}

static int run_in_order(void *unused)
{
    nido_group group;

    (void)unused;
    memset(order, 0, sizeof order);
    steps = 0;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (intptr_t i = 0; i < RUNNERS; i++) begin(&group, leave_mark, (void *)('a' + i));
    return nido_group_close(&group, 0);
}

static void run_shuffled(uint64_t seed)
{
    nido_options options = nido_test_virtual();

    options.flags = NIDO_RUN_SHUFFLE;
    options.seed = seed;
    cr_expect(zero(int, nido_run(run_in_order, NULL, &options)));
}

/* S373 */
NIDO_TEST(testkit, the_same_seed_gives_the_same_order)
{
    char first[sizeof order];
    int orders = 0;

    for (uint64_t seed = 0; seed < 100; seed++) {
        run_shuffled(seed);
        memcpy(first, order, sizeof order);
        run_shuffled(seed);
        cr_expect(eq(str, order, first));
        orders += strcmp(order, "abcdeabcdeabcde") != 0;
    }
    cr_expect(gt(int, orders, 90), "and others give others");
}

NIDO_TEST(testkit, who_is_ready_runs_before_anybody_runs_twice)
{
    for (uint64_t seed = 0; seed < 100; seed++) {
        run_shuffled(seed);
        for (int round = 0; round < 3; round++)
            for (char mark = 'a'; mark < 'a' + RUNNERS; mark++)
                cr_expect(ne(ptr, memchr(order + round * RUNNERS, mark, RUNNERS), NULL),
                          "seed %d: %s", (int)seed, order);
    }
}

NIDO_TEST(testkit, without_the_flag_the_order_is_that_of_becoming_ready)
{
    cr_expect(zero(int, nido_test_run(run_in_order, NULL)));
    cr_expect(eq(str, order, "abcdeabcdeabcde"));
}

static int run_in_order_and_fail(void *unused)
{
    int rc = run_in_order(unused);

    return rc ? rc : -EIO;
}

NIDO_TEST(testkit, a_shuffled_run_that_fails_names_a_seed_that_repeats_it)
{
    char before[sizeof order];
    struct told it;
    const char *seed;

    told_begin(&it);
    it.options.run.flags |= NIDO_RUN_SHUFFLE;
    cr_expect(eq(int, nido_test_run_with(run_in_order_and_fail, NULL, &it.options), -EIO));
    cr_expect(told(&it, "its tasks were shuffled; NIDO_TEST_SEED="));
    memcpy(before, order, sizeof order);
    seed = strstr(it.text, "SEED=");
    setenv("NIDO_TEST_SEED", seed ? strtok((char *)seed + 5, " ") : "", 1);
    cr_expect(eq(int, nido_test_run(run_in_order_and_fail, NULL), -EIO));
    cr_expect(eq(str, order, before));
    unsetenv("NIDO_TEST_SEED");
    told_end(&it);
}

/* ---- What is left behind ---- */

static int leave_descriptor(void *fd)
{
    *(int *)fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return 3;
}

NIDO_TEST(testkit, a_descriptor_left_open_is_told)
{
    struct told it;
    int fd = -1;

    told_begin(&it);
    cr_expect(eq(int, nido_test_run_with(leave_descriptor, &fd, &it.options), -ENOTEMPTY));
    cr_expect(told(&it, "(/dev/null) is left open"));
    close(fd);
    told_end(&it);
}

static int close_descriptor(void *fd)
{
    close(*(int *)fd);
    return 3;
}

NIDO_TEST(testkit, a_descriptor_that_is_closed_is_told)
{
    struct told it;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    told_begin(&it);
    cr_expect(eq(int, nido_test_run_with(close_descriptor, &fd, &it.options), -ENOTEMPTY));
    cr_expect(told(&it, "open before, is closed"));
    told_end(&it);
}

static int wait_for_silence(void *fd)
{
    return nido_wait_fd(*(int *)fd, NIDO_IN);
}

/* The patience is real time, and over at once. */
NIDO_TEST(testkit, silence_on_a_descriptor_does_not_last_for_ever)
{
    struct told it;
    int fds[2];

    cr_expect(zero(int, pipe2(fds, O_CLOEXEC)));
    told_begin(&it);
    it.options.patience_ns = 1;
    cr_expect(eq(int, nido_test_run_with(wait_for_silence, &fds[0], &it.options), -ENOTEMPTY));
    cr_expect(told(&it, "it reported: nido: DEADLOCK"));
    told_end(&it);
    close(fds[0]);
    close(fds[1]);
}

/* What woke the wait and left nothing is no silence: a signal here, a late wake-up. */
static int wait_though_interrupted(void *fd)
{
    nido_test_disturb("epoll_wait", 1, -EINTR);
    nido_test_disturb("kevent_wait", 1, -EINTR);
    return nido_wait_fd(*(int *)fd, NIDO_IN);
}

NIDO_TEST(testkit, patience_is_not_used_up_by_an_interrupted_wait)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    struct itimerspec soon = {.it_value.tv_nsec = 10000000};

    cr_expect(zero(int, timerfd_settime(fd, 0, &soon, NULL)));
    cr_expect(eq(int, nido_test_run_with(wait_though_interrupted, &fd, NULL), NIDO_IN));
    close(fd);
}

static void set_patience(int64_t ns)
{
    nidoi_watch_external_wait(ns);
    nidoi_loop_self()->external_wait_ns = ns;
}

/* The child reads what nobody writes. It gets all the time that it needs to begin and to end. */
static int wait_while_a_child_is_out(void *unused)
{
    nido_proc_options options;
    nido_event event;
    nido_proc child;
    int rc;

    (void)unused;
    nido_proc_options_init(&options);
    options.argv = (char *[]){(char *)"cat", NULL};
    options.in.kind = NIDO_STDIO_PIPE;
    set_patience(NIDO_NEVER);
    cr_expect(zero(int, nido_proc_spawn(&child, &options)));
    set_patience(1);
    nido_event_init(&event, "never set");
    rc = nido_event_wait(&event);
    set_patience(NIDO_NEVER);
    cr_expect(zero(int, nido_proc_stop(&child, NULL)));
    nido_proc_release(&child);
    return rc;
}

NIDO_TEST(testkit, silence_with_a_child_out_does_not_last_for_ever)
{
    struct told it;

    told_begin(&it);
    cr_expect(
        eq(int, nido_test_run_with(wait_while_a_child_is_out, NULL, &it.options), -ENOTEMPTY));
    cr_expect(told(&it, "DEADLOCK: 1 task, and jobs or child processes are out"));
    told_end(&it);
}

/* Most likely it is still out when the run ends, which waits for it. */
static ssize_t linger(void *unused)
{
    (void)unused;
    while (!nido_job_cancelled()) sched_yield();
    for (int i = 0; i < 1000; i++) sched_yield();
    return 0;
}

static void drop_nothing(void *ctx, void *arg, int result)
{
    (void)ctx, (void)arg, (void)result;
}

static int abandon_a_job(void *unused)
{
    nido_scope scope;

    nido_timeout_open(&scope, NIDO_MS(1));
    return nido_scope_close(&scope, (int)nido_offload_abandon(linger, unused, drop_nothing, NULL));
}

/* By the real clock: the virtual one waits for the job. */
NIDO_TEST(testkit, a_job_that_was_abandoned_is_not_left_behind)
{
    nido_test_options options;

    nido_test_options_init(&options);
    options.run.clock = NIDO_CLOCK_REAL;
    for (int i = 0; i < 20; i++)
        cr_expect(eq(int, nido_test_run_with(abandon_a_job, NULL, &options), -ETIMEDOUT));
}

NIDO_TEST(testkit, what_leaves_nothing_gives_its_result)
{
    cr_expect(eq(int, nido_test_run_with(run_in_order, NULL, NULL), 0));
    cr_expect(eq(int, nido_test_run_with(run_in_order_and_fail, NULL, NULL), -EIO));
}

/* ---- Calls that go wrong by order ---- */

static int read_five_times(void *unused)
{
    int fds[2];
    char c;

    (void)unused;
    cr_expect(zero(int, nido_pipe(fds)));
    cr_expect(zero(int, nido_write_all(fds[1], "abcde", 5, NULL)));
    cr_expect(zero(int, nido_test_disturb("read", 3, -ECONNRESET)));
    for (int i = 1; i <= 5; i++)
        cr_expect(eq(i64, nido_read(fds[0], &c, 1), i == 3 ? -ECONNRESET : 1), "read %d", i);
    cr_expect(eq(i64, nido_test_count("read"), 5));
    cr_expect(eq(int, c, 'd'), "the one that failed took nothing");
    nido_close(fds[0]);
    nido_close(fds[1]);
    return 0;
}

/* S374 */
NIDO_TEST(testkit, exactly_the_call_that_was_meant_fails)
{
    cr_expect(zero(int, nido_test_run(read_five_times, NULL)));
    nido_test_forget();
    cr_expect(zero(i64, nido_test_count("read")));
    nido_test_forget();
}

static int read_in_pieces(void *unused)
{
    int fds[2];
    char in[8] = "";

    (void)unused;
    cr_expect(zero(int, nido_pipe(fds)));
    cr_expect(zero(int, nido_write_all(fds[1], "abcde", 5, NULL)));
    cr_expect(zero(int, nido_test_disturb("read", 1, 2)));
    cr_expect(eq(i64, nido_read(fds[0], in, 5), 2));
    cr_expect(eq(i64, nido_read(fds[0], in + 2, 5), 3));
    cr_expect(eq(str, in, "abcde"));
    nido_close(fds[0]);
    nido_close(fds[1]);
    return 0;
}

NIDO_TEST(testkit, a_short_read_loses_nothing)
{
    cr_expect(zero(int, nido_test_run_with(read_in_pieces, NULL, NULL)));
}

static int spawn_without_memory(void *unused)
{
    nido_chan *chan = NULL;

    (void)unused;
    cr_expect(zero(int, nido_test_disturb("memory", 1, -1)));
    cr_expect(eq(int, nido_chan_new(1, 1, NULL, NULL, &chan), -ENOMEM));
    cr_expect(zero(int, nido_chan_new(1, 1, NULL, NULL, &chan)));
    return nido_chan_free(chan);
}

NIDO_TEST(testkit, memory_fails_by_order_too)
{
    cr_expect(zero(int, nido_test_run_with(spawn_without_memory, NULL, NULL)));
}

NIDO_TEST(testkit, orders_that_make_no_sense_are_refused)
{
    cr_expect(eq(int, nido_test_disturb("reed", 1, -EIO), -EINVAL));
    cr_expect(eq(int, nido_test_disturb("read", 0, -EIO), -EINVAL));
    cr_expect(eq(int, nido_test_disturb("read", 1, 0), -EINVAL));
    cr_expect(eq(int, nido_test_disturb("accept", 1, 1), -EINVAL));
    cr_expect(eq(i64, nido_test_count("reed"), -EINVAL));
}
