/* SPDX-License-Identifier: MIT */
/* The kit's sweeps: where they cancel or fail a call, what they find, and what they print. */
#include "abort_help.h"
#include "base/sys.h"
#include "inside_help.h"
#include "testkit/reports.h"
#include "testkit_help.h"

/* Eleven points that park, and one that does not. */
static int pass_twelve_points(void *unused)
{
    int rc = 0;

    (void)unused;
    for (int i = 0; i < 11 && rc == 0; i++) rc = nido_sleep(NIDO_MS(1));
    return rc ? rc : nido_yield();
}

static size_t lines_with(const char *text, const char *words)
{
    size_t n = 0;

    for (; (text = strstr(text, words)) != NULL; text++) n++;
    return n;
}

/* S376 */
NIDO_TEST(testkit_sweep, strikes_each_point_at_each_moment)
{
    struct told it;

    told_begin(&it);
    cr_expect(eq(int, nido_sweep(pass_twelve_points, NULL, &it.options), 0));
    cr_expect(told(&it, "sweep of it: cancels of the run: 12 points, 45 cases, 0 broken"));
    cr_expect(told(&it, "before        parked        at rest       woken         where\n"));
    cr_expect(
        told(&it, "     11  EINTR         EINTR         EINTR         EINTR         nido_sleep"));
    cr_expect(told(
        &it, "     12  EINTR         n/a           n/a           n/a           nido_yield at "));
    cr_expect(eq(sz, lines_with(it.text, "nido_sleep"), 11));
    told_end(&it);
}

static int sleeps;

static int sleep_three_times(void *unused)
{
    int rc = 0;

    (void)unused;
    for (int i = 0; i < 3 && rc == 0; i++) {
        rc = nido_sleep(NIDO_MS(1));
        sleeps += rc == 0;
    }
    return rc;
}

/* Two runs are undisturbed. */
NIDO_TEST(testkit_sweep, a_strike_after_the_wake_comes_too_late_for_its_call)
{
    struct told it;

    told_begin(&it);
    sleeps = 0;
    cr_expect(eq(int, nido_sweep(sleep_three_times, NULL, &it.options), 0));
    cr_expect(eq(int, sleeps, 2 * 3 + (0 + 0 + 0 + 1) + (1 + 1 + 1 + 2) + (2 + 2 + 2 + 3)));
    told_end(&it);
}

static int sleep_in_a_scope(void *unused)
{
    nido_scope scope;

    nido_scope_open(&scope);
    return nido_scope_close(&scope, sleep_three_times(unused)) == -EINTR ? nido_yield() : 0;
}

NIDO_TEST(testkit_sweep, the_innermost_scope_may_be_cancelled_instead)
{
    struct told it;

    told_begin(&it);
    it.options.flags = NIDO_TEST_INNERMOST;
    cr_expect(eq(int, nido_sweep(sleep_in_a_scope, NULL, &it.options), 0));
    cr_expect(told(&it, "cancels of the innermost scope: 3 points, 12 cases, 0 broken"));
    cr_expect(told(&it, "  1  0             0             0             0   "));
    told_end(&it);
}

static int hold_a_group(void *unused)
{
    nido_group group;
    int rc;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    rc = nido_spawn(&group, sleep_three_times, unused);
    return nido_group_close(&group, rc);
}

NIDO_TEST(testkit_sweep, waits_that_no_cancel_ends_are_cancelled_too)
{
    struct told it;

    told_begin(&it);
    cr_expect(eq(int, nido_sweep(hold_a_group, NULL, &it.options), 0));
    cr_expect(told(&it, "3 points, 13 cases, 0 broken"));
    cr_expect(told(&it, "waits for children of group: no cancel ends it"));
    told_end(&it);
}

NIDO_TEST(testkit_sweep, a_brief_sweep_is_silent_when_all_is_well)
{
    struct told it;

    told_begin(&it);
    it.options.flags = NIDO_TEST_BRIEF;
    cr_expect(eq(int, nido_sweep(pass_twelve_points, NULL, &it.options), 0));
    cr_expect(told(&it, ""));
    cr_expect(eq(sz, it.size, 0));
    told_end(&it);
}

/* ---- What it finds ---- */

/* Descriptors that were left open, to be closed after the sweep. */
static int left[32];
static size_t lefts;

static void close_left(void)
{
    while (lefts > 0) close(left[--lefts]);
}

static int forget_to_close(void *unused)
{
    int fds[2], rc = nido_pipe(fds);

    (void)unused;
    if (rc) return rc;
    nido_close(fds[1]);
    rc = nido_sleep(NIDO_MS(1));
    if (rc) left[lefts++] = fds[0];
    return rc ? rc : nido_close(fds[0]);
}

NIDO_TEST(testkit_sweep, finds_a_descriptor_that_a_cancel_leaves_open)
{
    struct told it;

    told_begin(&it);
    it.options.flags = NIDO_TEST_BRIEF;
    cr_expect(eq(int, nido_sweep(forget_to_close, NULL, &it.options), 3));
    cr_expect(told(&it, "the first broken case: cancels of the run, point 1, before (nido_sleep"));
    cr_expect(told(&it, "(pipe:["));
    cr_expect(told(&it, "is left open"));
    close_left();
    told_end(&it);
}

static nido_chan *chan;

static int forget_to_free(void *unused)
{
    int rc = nido_chan_new(1, 1, NULL, NULL, &chan);

    (void)unused;
    if (!rc) rc = nido_sleep(NIDO_MS(1));
    return rc ? rc : nido_chan_free(chan);
}

/* What fn leaves on purpose may be cleared away by the check. */
static int free_late(void *freed, int rc)
{
    if (rc == -EINTR) *(int *)freed += nido_chan_free(chan) == 0;
    return 0;
}

NIDO_TEST(testkit_sweep, finds_memory_that_a_cancel_leaves_behind)
{
    struct told it;
    int freed = 0;

    told_begin(&it);
    it.options.check = free_late;
    it.options.ctx = &freed;
    cr_expect(eq(int, nido_sweep(forget_to_free, NULL, &it.options), 0));
    cr_expect(eq(int, freed, 3), "the fourth has ended well");
    told_end(&it);
}

static nido_mutex mutex;

static int forget_to_unlock(void *unused)
{
    int rc;

    (void)unused;
    nido_mutex_init(&mutex, "mutex");
    rc = nido_mutex_lock(&mutex);
    if (!rc) rc = nido_sleep(NIDO_MS(1));
    return rc ? rc : nido_mutex_unlock(&mutex);
}

NIDO_TEST(testkit_sweep, finds_a_lock_that_dies_with_its_owner)
{
    struct told it;

    told_begin(&it);
    cr_expect(eq(int, nido_sweep(forget_to_unlock, NULL, &it.options), 3));
    cr_expect(told(&it, "ended while it held a lock or a token"));
    told_end(&it);
}

static int make_up_a_cancel(void *unused)
{
    nido_scope scope;
    int rc;

    (void)unused;
    nido_scope_open(&scope);
    rc = nido_scope_close(&scope, nido_sleep(NIDO_MS(1)));
    return rc == -EINTR ? -ECANCELED : rc;
}

NIDO_TEST(testkit_sweep, finds_a_cancel_that_was_made_up)
{
    struct told it;

    told_begin(&it);
    it.options.flags = NIDO_TEST_INNERMOST;
    cr_expect(eq(int, nido_sweep(make_up_a_cancel, NULL, &it.options), 3));
    cr_expect(told(&it, "the cancel became -EPROTO"));
    told_end(&it);
}

static int wait_for_who_was_struck(void *unused)
{
    nido_event event;
    nido_scope scope;
    int rc;

    (void)unused;
    nido_event_init(&event, "never set");
    nido_scope_open(&scope);
    rc = nido_scope_close(&scope, nido_sleep(NIDO_MS(1)));
    return rc == -EINTR ? nido_event_wait(&event) : rc;
}

NIDO_TEST(testkit_sweep, finds_a_wait_for_ever)
{
    struct told it;

    told_begin(&it);
    it.options.flags = NIDO_TEST_INNERMOST;
    cr_expect(eq(int, nido_sweep(wait_for_who_was_struck, NULL, &it.options), 3));
    cr_expect(told(&it, "it reported: nido: DEADLOCK: 1 task"));
    told_end(&it);
}

static int refuse(void *ctx, int rc)
{
    (void)ctx;
    return rc == -EINTR ? -1 : 0;
}

NIDO_TEST(testkit_sweep, asks_the_check_after_each_run)
{
    struct told it;

    told_begin(&it);
    it.options.check = refuse;
    cr_expect(eq(int, nido_sweep(pass_twelve_points, NULL, &it.options), 45));
    cr_expect(told(&it, "the check refused the result -4"));
    told_end(&it);
}

static int another_way(void *runs)
{
    return ++*(int *)runs > 2 ? 0 : nido_sleep(NIDO_MS(1));
}

NIDO_TEST(testkit_sweep, a_strike_that_found_no_place_is_no_success)
{
    struct told it;
    int runs_made = 0;

    told_begin(&it);
    cr_expect(eq(int, nido_sweep(another_way, &runs_made, &it.options), 4));
    cr_expect(told(&it, "the run differed this time"));
    told_end(&it);
}

/* A loose sweep tries again. */
NIDO_TEST(testkit_sweep, a_strike_of_a_loose_sweep_that_found_no_place_is_left_out)
{
    struct told it;
    int runs_made = 0;

    told_begin(&it);
    it.options.flags = NIDO_TEST_LOOSE;
    cr_expect(eq(int, nido_sweep(another_way, &runs_made, &it.options), 0));
    cr_expect(eq(int, runs_made, 2 + 4 * 10));
    cr_expect(told(&it, "1 points, 0 cases, 0 broken, 4 left out\n"));
    cr_expect(told(&it, "  1  left out      left out      left out      left out  "));
    told_end(&it);
}

/* Sleeps in every third run only. */
static int another_way_at_times(void *runs)
{
    return ++*(int *)runs % 3 != 2 ? 0 : nido_sleep(NIDO_MS(1));
}

NIDO_TEST(testkit_sweep, a_strike_of_a_loose_sweep_is_tried_again)
{
    struct told it;
    int runs_made = 0;

    told_begin(&it);
    it.options.flags = NIDO_TEST_LOOSE;
    cr_expect(eq(int, nido_sweep(another_way_at_times, &runs_made, &it.options), 0));
    cr_expect(told(&it, "1 points, 4 cases, 0 broken\n"));
    cr_expect(eq(int, runs_made, 2 + 4 * 3));
    told_end(&it);
}

static int leak_always(void *unused)
{
    (void)unused;
    return nido_chan_new(1, 1, NULL, NULL, &chan);
}

static int free_always(void *leaks, int rc)
{
    if (++*(int *)leaks == 2) return rc;
    return nido_chan_free(chan);
}

NIDO_TEST(testkit_sweep, what_is_broken_undisturbed_is_not_swept)
{
    struct told it;
    int leaks = 0;

    told_begin(&it);
    it.options.check = free_always;
    it.options.ctx = &leaks;
    cr_expect(eq(int, nido_sweep(leak_always, NULL, &it.options), 1));
    cr_expect(eq(int, leaks, 2));
    cr_expect(told(&it, "broken before anything was disturbed: 1 blocks of the library's memory"));
    cr_expect(zero(int, nido_chan_free(chan)));
    told_end(&it);
}

static int go_on(void *unused)
{
    (void)unused;
    for (;;)
        if (nido_sleep(NIDO_MS(1)) == -EPERM) return 0;
}

static int stop_at_three(void *unused)
{
    return ++sleeps <= 6 ? sleep_three_times(unused) : go_on(unused);
}

static void sweep_without_end(void)
{
    sleeps = 0;
    setrlimit(RLIMIT_CORE, &(struct rlimit){0});
    nido_sweep(stop_at_three, NULL, NULL);
}

Test(testkit_sweep, a_run_that_cannot_be_stopped_ends_the_process, .signal = SIGABRT)
{
    sweep_without_end();
}

/* ---- Memory and system calls ---- */

static int talk(void *unused)
{
    char in[6];
    int fds[2], rc = nido_pipe(fds);

    (void)unused;
    if (rc) return rc;
    rc = nido_write_all(fds[1], "hello", 6, NULL);
    if (!rc) rc = nido_read_full(fds[0], in, 6, NULL);
    nido_close(fds[0]);
    nido_close(fds[1]);
    return rc;
}

NIDO_TEST(testkit_sweep, each_allocation_fails_once)
{
    struct told it;

    told_begin(&it);
    cr_expect(eq(int, nido_sweep_memory(talk, NULL, &it.options), 0));
    cr_expect(told(&it, "ENOMEM        allocation 1, in nido_run\n"));
    cr_expect(told(&it, ", in nido_pipe at "));
    told_end(&it);
}

NIDO_TEST(testkit_sweep, each_system_call_fails_once_and_is_short_once)
{
    struct told it;

    told_begin(&it);
    cr_expect(eq(int, nido_sweep_calls(talk, NULL, &it.options), 0));
    cr_expect(told(&it, "EIO           0             read 1, in nido_read_full at "));
    cr_expect(told(&it, "EIO           0             write 1, in nido_write_all at "));
    cr_expect(told(&it, "EMFILE        n/a           pipe 1, in nido_pipe at "));
    told_end(&it);
}

static int believe_in_whole_reads(void *unused)
{
    char in[6];
    int fds[2], rc = nido_pipe(fds);

    (void)unused;
    if (rc) return rc;
    rc = nido_write_all(fds[1], "hello", 6, NULL);
    if (!rc) rc = nido_read(fds[0], in, 6) == 6 ? 0 : -EBADMSG;
    nido_close(fds[0]);
    nido_close(fds[1]);
    return rc;
}

static int write_at_times(void *runs)
{
    int fds[2], rc = nido_pipe(fds);

    if (rc) return rc;
    if (++*(int *)runs % 3 == 2) rc = nido_write_all(fds[1], "x", 1, NULL);
    nido_close(fds[0]);
    nido_close(fds[1]);
    return rc;
}

NIDO_TEST(testkit_sweep, a_call_that_comes_at_times_fails_in_a_loose_sweep)
{
    struct told it;
    int runs_made = 0;

    told_begin(&it);
    it.options.flags = NIDO_TEST_LOOSE;
    cr_expect(eq(int, nido_sweep_calls(write_at_times, &runs_made, &it.options), 0));
    cr_expect(told(&it, "EIO           0             write 1, in nido_write_all at "));
    it.options.flags = 0;
    runs_made = 0;
    cr_expect(ge(int, nido_sweep_calls(write_at_times, &runs_made, &it.options), 1));
    cr_expect(told(&it, "the run differed this time"));
    told_end(&it);
}

static int no_bad_message(void *unused, int rc)
{
    (void)unused;
    return rc == -EBADMSG ? rc : 0;
}

NIDO_TEST(testkit_sweep, finds_code_that_takes_a_read_for_whole)
{
    struct told it;

    told_begin(&it);
    it.options.check = no_bad_message;
    cr_expect(eq(int, nido_sweep_calls(believe_in_whole_reads, NULL, &it.options), 2),
              "a read that fails, and one that is short");
    told_end(&it);
}

static int sweep_inside(void *unused)
{
    cr_expect(eq(int, nido_sweep(talk, unused, NULL), -EBUSY));
    cr_expect(eq(int, nido_sweep_memory(talk, unused, NULL), -EBUSY));
    cr_expect(eq(int, nido_sweep_calls(talk, unused, NULL), -EBUSY));
    cr_expect(eq(int, NIDO_SWEEP(talk, unused), -EBUSY));
    return nido_test_run_with(talk, unused, NULL);
}

NIDO_TEST(testkit_sweep, misuse_is_refused)
{
    nido_test_options options = {0};

    cr_expect(eq(int, nido_test_run(sweep_inside, NULL), -EBUSY));
    cr_expect(eq(int, nido_sweep(NULL, NULL, NULL), -EINVAL));
    cr_expect(eq(int, nido_sweep(talk, NULL, &options), -EINVAL), "no size");
    nido_test_options_init(&options);
    options.flags = 64;
    cr_expect(eq(int, nido_sweep_memory(talk, NULL, &options), -EINVAL));
    cr_expect(eq(int, nido_test_run_with(talk, NULL, &options), -EINVAL));
    cr_expect(eq(int, nido_sweep_calls(NULL, NULL, NULL), -EINVAL));
}

/* ---- Reports at another time ---- */

static struct nidoi_sys real;
static int ends[2];
static bool said;

/* What another process sends right after the answer that there is nothing. */
static int poll_and_send(struct pollfd *fds, nfds_t n, int timeout)
{
    int ready = real.poll(fds, n, timeout);

    if (!ready && !said && n == 1 && fds->fd == ends[0]) said = write(ends[1], "x", 1) == 1;
    return ready;
}

static int wait_for_a_byte(void *unused)
{
    int rc = nido_pipe(ends);

    (void)unused;
    said = false;
    if (rc) return rc;
    rc = nido_wait_fd(ends[0], NIDO_IN);
    nido_close(ends[0]);
    nido_close(ends[1]);
    return rc < 0 ? rc : 0;
}

NIDO_TEST(testkit_sweep, no_report_is_heard_between_the_answer_of_a_poll_and_its_watch)
{
    struct told it;

    told_begin(&it);
    real = nidoi_sys;
    nidoi_sys.poll = poll_and_send;
    cr_expect(eq(int, nidoi_sweep_reports(wait_for_a_byte, NULL, &it.options), 0));
    nidoi_sys = real;
    told_end(&it);
}
