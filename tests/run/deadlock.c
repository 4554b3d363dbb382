/* SPDX-License-Identifier: MIT */
/* The end of all hope: nothing could ever wake anybody. It is reported and cancelled, unless
 * somebody may yet come. */
#include <string.h>

#include "abort_help.h"
#include "coro/runtime/loop.h"
#include "faults.h"
#include "group_help.h"

struct report {
    int count, parked;
    char text[8192];
};

static void keep(void *ctx, const char *text)
{
    struct report *report = ctx;

    report->count++;
    report->parked = nido_yield();
    snprintf(report->text, sizeof report->text, "%s", text);
}

static int run_reporting(nido_fn *fn, void *arg, struct report *report)
{
    nido_options options = nido_test_virtual();

    options.on_report = keep;
    options.ctx = report;
    return nido_run(fn, arg, &options);
}

static void expect_said(const struct report *report, const char *words)
{
    cr_expect(ne(ptr, strstr(report->text, words), NULL), "\"%s\" is missing in\n%s", words,
              report->text);
}

static int wait_for_ever(void *event)
{
    nido_set_name("hopeful");
    return nido_event_wait(event);
}

static int all_wait(void *unused)
{
    nido_event event;
    nido_task task;
    nido_group group;
    int rc;

    (void)unused;
    nido_set_name("patient");
    nido_event_init(&event, "godot");
    nido_group_open(&group, NIDO_FAIL_FAST, "waiters");
    cr_expect(zero(int, nido_spawn_with(&group, wait_for_ever, &event, NULL, &task)));
    rc = nido_join(task, NULL);
    cr_expect(eq(int, rc, -ECANCELED));
    return nido_group_close(&group, rc);
}

NIDO_TEST(deadlock, it_is_reported_with_tasks_objects_and_places)
{
    struct report report = {0};

    cr_expect(eq(int, run_reporting(all_wait, NULL, &report), -EDEADLK));
    cr_expect(eq(int, report.count, 1));
    cr_expect(eq(int, report.parked, -EDEADLK), "nothing may park in a report");
    expect_said(&report, "DEADLOCK");
    expect_said(&report, "\"hopeful\"  waits for event \"godot\"");
    expect_said(&report, "\"patient\"  waits for end of task #");
    expect_said(&report, "spawned at ");
    expect_said(&report, "+0x");
    expect_said(&report, "└─ group \"waiters\"  fail-fast  1 child\n   └─ #");
}

static int close_over_a_waiter(void *unused)
{
    nido_event event;
    nido_group group;

    (void)unused;
    nido_event_init(&event, NULL);
    nido_group_open(&group, NIDO_FAIL_FAST, "waiters");
    cr_expect(zero(int, nido_spawn(&group, wait_for_ever, &event)));
    return nido_group_close(&group, 0);
}

NIDO_TEST(deadlock, a_close_is_reported_with_its_group)
{
    struct report report = {0};

    cr_expect(eq(int, run_reporting(close_over_a_waiter, NULL, &report), -EDEADLK));
    expect_said(&report, "waits for children of group \"waiters\"");
}

static int handle_it(void *cause)
{
    nido_event event;

    nido_event_init(&event, NULL);
    cr_expect(eq(int, nido_event_wait(&event), -ECANCELED));
    nido_cancel_cause(cause);
    return 5;
}

NIDO_TEST(deadlock, a_root_that_succeeds_nevertheless_does_not_hide_it)
{
    struct report report = {0};
    nido_cause cause;

    cr_expect(eq(int, run_reporting(handle_it, &cause, &report), -EDEADLK));
    cr_expect(eq(int, cause.kind, NIDO_CAUSE_DEADLOCK));
    cr_expect(eq(int, cause.code, -EDEADLK));
}

static int fail_after_it(void *unused)
{
    nido_event event;

    (void)unused;
    nido_event_init(&event, NULL);
    cr_expect(eq(int, nido_event_wait(&event), -ECANCELED));
    return -EIO;
}

NIDO_TEST(deadlock, a_real_failure_of_the_root_is_its_result)
{
    struct report report = {0};

    cr_expect(eq(int, run_reporting(fail_after_it, NULL, &report), -EIO));
    cr_expect(eq(int, report.count, 1));
}

/* ---- What forbids it ---- */

static int sleep_and_set(void *event)
{
    int err = nido_sleep(NIDO_SEC(3600));

    return err ? err : nido_event_set(event);
}

static int wait_beside_a_timer(void *unused)
{
    nido_event event;
    nido_group group;
    int rc;

    (void)unused;
    nido_event_init(&event, NULL);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, sleep_and_set, &event)));
    rc = nido_event_wait(&event);
    return nido_group_close(&group, rc);
}

NIDO_TEST(deadlock, a_timer_is_hope)
{
    struct report report = {0};

    cr_expect(zero(int, run_reporting(wait_beside_a_timer, NULL, &report)));
    cr_expect(zero(int, report.count));
}

static int wait_under_a_deadline(void *event)
{
    nido_scope scope;

    nido_timeout_open(&scope, NIDO_SEC(3600));
    return nido_scope_close(&scope, nido_event_wait(event));
}

NIDO_TEST(deadlock, a_deadline_is_hope)
{
    struct report report = {0};
    nido_event event;

    nido_event_init(&event, NULL);
    cr_expect(eq(int, run_reporting(wait_under_a_deadline, &event, &report), -ETIMEDOUT));
    cr_expect(zero(int, report.count));
}

/* Whoever comes from outside comes when the loop has gone to sleep for good: not before it has had
 * the chance to give up. The table of system calls tells when that is. */
static int (*real_wait)(int fd, backend_event *out, int n, int64_t ns);
static void (*comer)(void);
static int waits;

static int wait_and_come(int fd, backend_event *out, int n, int64_t ns)
{
    if (ns < 0) {
        waits++;
        comer();
    }
    return real_wait(fd, out, n, ns);
}

static void come_when_asleep(void (*fn)(void))
{
    comer = fn;
    waits = 0;
    real_wait = nidoi_sys.BACKEND_WAIT;
    nidoi_sys.BACKEND_WAIT = wait_and_come;
}

static nido_event event;
static nido_rt *remote;

static int set_event(void *unused)
{
    (void)unused;
    return nido_event_set(&event);
}

static void post_from_outside(void)
{
    cr_expect(zero(int, nido_post(remote, set_event, NULL)));
}

static int wait_with_a_handle_out(void *unused)
{
    int rc;

    (void)unused;
    nido_event_init(&event, NULL);
    remote = nido_rt_self();
    rc = nido_event_wait(&event);
    nido_rt_release(remote);
    return rc;
}

NIDO_TEST(deadlock, a_held_handle_is_hope)
{
    struct report report = {0};

    come_when_asleep(post_from_outside);
    cr_expect(zero(int, run_reporting(wait_with_a_handle_out, NULL, &report)));
    cr_expect(eq(int, waits, 1), "it slept");
    cr_expect(zero(int, report.count));
}

static void release_from_outside(void)
{
    nido_rt_release(remote);
}

static int wait_with_a_handle_lost(void *unused)
{
    (void)unused;
    nido_event_init(&event, NULL);
    remote = nido_rt_self();
    return nido_event_wait(&event);
}

NIDO_TEST(deadlock, when_the_last_handle_is_released_hope_is_gone)
{
    struct report report = {0};

    come_when_asleep(release_from_outside);
    cr_expect(eq(int, run_reporting(wait_with_a_handle_lost, NULL, &report), -EDEADLK));
    cr_expect(eq(int, waits, 1), "it slept as long as one was held");
    cr_expect(eq(int, report.count, 1));
}

static void let_go(void)
{
    nidoi_loop_expect(nidoi_loop_self(), -1);
    cr_expect(zero(int, nido_post(remote, set_event, NULL)));
}

static int wait_for_a_job(void *unused)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    (void)unused;
    nido_event_init(&event, NULL);
    remote = loop->remote; /* no handle: what is expected alone must do */
    nidoi_loop_expect(loop, 1);
    return nido_event_wait(&event);
}

NIDO_TEST(deadlock, a_job_or_child_that_is_out_is_hope)
{
    struct report report = {0};

    come_when_asleep(let_go);
    cr_expect(zero(int, run_reporting(wait_for_a_job, NULL, &report)));
    cr_expect(eq(int, waits, 1));
    cr_expect(zero(int, report.count));
}

/* ---- When the cancel wakes nobody ---- */

static int wait_in_a_shield(void *unused)
{
    nido_scope shield;

    (void)unused;
    nido_set_name("walled in");
    nido_event_init(&event, "unreachable");
    nido_shield_open(&shield, NIDO_NEVER);
    return nido_scope_close(&shield, nido_event_wait(&event));
}

NIDO_TEST(deadlock, one_that_no_cancel_can_end_ends_the_program)
{
    EXPECT_LAST_WORDS(wait_in_a_shield, "DEADLOCK",
                      "\"walled in\"  waits for event \"unreachable\"", "without a bound");
}

static int bounded_shield(void *unused)
{
    nido_scope shield;

    (void)unused;
    nido_event_init(&event, NULL);
    nido_shield_open(&shield, NIDO_SEC(5));
    return nido_scope_close(&shield, nido_event_wait(&event));
}

NIDO_TEST(deadlock, the_bound_of_a_shield_is_hope)
{
    struct report report = {0};

    cr_expect(eq(int, run_reporting(bounded_shield, NULL, &report), -ETIMEDOUT));
    cr_expect(zero(int, report.count));
}

static int many_wait(void *unused)
{
    nido_group group;

    (void)unused;
    nido_event_init(&event, NULL);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 500; i++) cr_expect(zero(int, nido_spawn(&group, wait_for_ever, &event)));
    return nido_group_close(&group, 0);
}

NIDO_TEST(deadlock, a_crowd_is_counted_rather_than_listed)
{
    struct report report = {0};

    cr_expect(eq(int, run_reporting(many_wait, NULL, &report), -EDEADLK));
    expect_said(&report, "501 tasks");
    expect_said(&report, "└─ 499 more like #2");
}

/* ---- Why ---- */

static nido_mutex accounts;

/* Cannot be refused: the close comes after the wait, and it is no lock. */
static int locks_after_it(void *unused)
{
    int err;

    (void)unused;
    nido_set_name("clerk");
    err = nido_mutex_lock(&accounts);
    return err ? err : nido_mutex_unlock(&accounts);
}

static int close_while_it_holds(void *unused)
{
    nido_group group;
    int rc;

    (void)unused;
    nido_set_name("chief");
    nido_mutex_init(&accounts, "accounts");
    nido_mutex_lock(&accounts);
    nido_group_open(&group, NIDO_FAIL_FAST, "clerks");
    cr_expect(zero(int, nido_spawn(&group, locks_after_it, NULL)));
    nido_yield();
    rc = nido_group_close(&group, 0);
    nido_mutex_unlock(&accounts);
    return rc;
}

NIDO_TEST(deadlock, a_ring_of_waits_is_told_once_with_its_objects_and_owners)
{
    struct report report = {0};
    char *ring;

    run_reporting(close_while_it_holds, NULL, &report);
    expect_said(&report,
                "\nring: #2 \"clerk\" waits for mutex \"accounts\" of #1; #1 \"chief\" waits for "
                "children of group \"clerks\"\n");
    ring = strstr(report.text, "ring: ");
    cr_expect(eq(ptr, ring ? strstr(ring + 1, "ring: ") : NULL, NULL), "%s", report.text);
}

static int sends_for_ever(void *chan)
{
    int err, item = 1;

    while ((err = nido_chan_send(chan, &item)) == 0) continue;
    return err;
}

static int send_and_receive_for_ever(void *unused)
{
    nido_chan *work, *results;
    nido_group group;
    int item, rc;

    (void)unused;
    cr_assert(zero(int, nido_chan_new(sizeof(int), 4, NULL, NULL, &work)));
    cr_assert(zero(int, nido_chan_new(sizeof(int), 0, NULL, NULL, &results)));
    nido_chan_set_name(work, "work");
    nido_chan_set_name(results, "results");
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 2; i++) cr_expect(zero(int, nido_spawn(&group, sends_for_ever, work)));
    rc = nido_chan_recv(results, &item);
    rc = nido_group_close(&group, rc);
    nido_chan_free(work);
    nido_chan_free(results);
    return rc;
}

NIDO_TEST(deadlock, of_each_object_it_is_told_what_no_task_can_do_any_more)
{
    struct report report = {0};

    run_reporting(send_and_receive_for_ever, NULL, &report);
    expect_said(
        &report,
        "\nhint: #1 waits for an item of channel \"results\"; no task can send to it any more: "
        "nido_chan_close_send");
    expect_said(
        &report,
        "\nhint: #2 (and 1 more) waits for room in channel \"work\"; no task can receive from it "
        "any more: nido_chan_close_recv");
}

static int receives_once(void *chan)
{
    int item;

    nido_set_name("consumer");
    return nido_chan_recv(chan, &item);
}

static int send_to_an_ended_receiver(void *unused)
{
    nido_group group;
    nido_chan *work;
    int rc;

    (void)unused;
    cr_assert(zero(int, nido_chan_new(sizeof(int), 1, NULL, NULL, &work)));
    nido_chan_set_name(work, "work");
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, receives_once, work)));
    cr_expect(zero(int, nido_sleep(NIDO_MS(1))));
    cr_expect(zero(int, nido_chan_send(work, &(int){1})));
    cr_expect(zero(int, nido_sleep(NIDO_MS(200))));
    cr_expect(zero(int, nido_spawn(&group, sends_for_ever, work)));
    rc = nido_group_close(&group, 0);
    nido_chan_free(work);
    return rc;
}

NIDO_TEST(deadlock, if_asked_the_last_users_of_an_object_are_told)
{
    struct report report = {0};

    setenv("NIDO_DEBUG", "users", 1);
    run_reporting(send_to_an_ended_receiver, NULL, &report);
    expect_said(
        &report,
        "\n      last used by #1 \"\" 0.2 s ago; #2 \"consumer\" 0.2 s ago, which has ended\n");
    unsetenv("NIDO_DEBUG");
    run_reporting(send_to_an_ended_receiver, NULL, &report);
    cr_expect(eq(ptr, strstr(report.text, "last used by"), NULL), "%s", report.text);
}

/* ---- The tree that is shown may be what is broken ---- */

#ifndef NIDOI_ASAN /* which ends the program at the first bad address, whoever handles SIGSEGV */
static int break_the_tree(void *unused)
{
    nido_group group;

    (void)unused;
    nido_set_name("victim");
    nido_group_open(&group, NIDO_FAIL_FAST, "broken");
    group.children.next = (struct nidoi_link *)16;
    group.live = 3;
    nidoi_panic("%s", "the law is broken");
}

NIDO_TEST(deadlock, a_broken_tree_does_not_hide_what_broke)
{
    EXPECT_LAST_WORDS(break_the_tree, "the law is broken", "\"victim\"  runs",
                      "(the tree of tasks is broken)\n  #1 \"victim\" runs, the root\n");
}
#endif

static int turn_the_tree_into_a_circle(void *unused)
{
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, "broken");
    cr_expect(zero(int, nido_spawn(&group, wait_for_ever, &event)));
    group.children.next->next = group.children.next;
    group.live = 1 << 20;
    nidoi_panic("%s", "the law is broken");
}

NIDO_TEST(deadlock, nor_does_a_tree_without_end)
{
    EXPECT_LAST_WORDS(turn_the_tree_into_a_circle, "the law is broken", "└─ #2 \"\"  is ready");
}
