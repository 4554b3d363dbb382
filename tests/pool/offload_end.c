/* SPDX-License-Identifier: MIT */
/* The end of a run, and jobs that are not over. */
#include "pool_help.h"

static struct gate gate;
static struct dropped dropped;
static char report[16384];
static int reports;

static void keep_report(void *ctx, const char *text)
{
    (void)ctx;
    reports++;
    snprintf(report, sizeof report, "%s", text);
}

static nido_options with_grace(int64_t ns)
{
    nido_options options = nido_test_virtual();

    options.pool_grace_ns = ns;
    options.on_report = keep_report;
    return options;
}

static void set_up(void)
{
    gate_open(&gate);
    dropped_init(&dropped);
    threads_watch();
}

/* Runs abandoned jobs and returns while they run. */
struct leavers {
    nido_job_fn *fn;
    const char *const *names; /* the last is followed by "" */
};

static int leave(void *arg)
{
    const struct leavers *leavers = arg;
    struct work works[64];
    nido_group group;
    int n = 0;

    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    for (; !leavers->names[n] || *leavers->names[n]; n++) {
        works[n] = (struct work){.fn = leavers->fn, .arg = &gate, .options = abandoning(&dropped)};
        works[n].options.name = leavers->names[n];
        work_begin(&group, &works[n]);
    }
    await_starts(&gate, n);
    nido_group_cancel(&group, 0, "enough");
    return nido_group_close(&group, 0);
}

static void expect_in_report(const char *words)
{
    cr_expect(ne(ptr, strstr(report, words), NULL), "\"%s\" is missing in: %s", words, report);
}

/* S313: they end after the run, and find everything they need. */
NIDO_TEST(offload_end, a_stuck_abandoned_job_is_reported_and_left_behind)
{
    const char *names[] = {"backup", NULL, "mirror", ""};
    nido_options options = with_grace(1);

    set_up();
    cr_expect(zero(int, nido_run(leave, &(struct leavers){pass, names}, &options)));
    cr_expect(eq(int, reports, 1));
    expect_in_report("nido: the run ends without waiting for");
    expect_in_report(" abandoned job backup");
    expect_in_report(", abandoned job mirror");
    cr_expect(eq(chr, report[strlen(report) - 1], '\n'));
    cr_expect(zero(int, drops(&dropped)));
    let_many_pass(&gate, 3);
    for (int i = 0; i < 3; i++) sem_await(&threads.ended);
    cr_expect(eq(int, drops(&dropped), 3));
    threads_forget();
    gate_close(&gate);
}

NIDO_TEST(offload_end, a_report_of_very_many_is_cut)
{
    static const char name[] = "a job with a name that is so long that it does not matter any more "
                               "what its end is, and therefore it is cut off";
    const char *names[65];
    nido_options options = with_grace(1);

    for (int i = 0; i < 64; i++) names[i] = name;
    names[64] = "";
    set_up();
    cr_expect(zero(int, nido_run(leave, &(struct leavers){pass, names}, &options)));
    cr_expect(eq(int, reports, 1));
    cr_expect(eq(chr, report[strlen(report) - 1], '\n'));
    expect_in_report(" and more\n");
    let_many_pass(&gate, 64);
    for (int i = 0; i < 64; i++) sem_await(&threads.ended);
    threads_forget();
    gate_close(&gate);
}

/* ---- It does not wait for nothing ---- */

static int call_rc;

static int nothing(void *unused)
{
    (void)unused;
    return 0;
}

/* Stays until the run takes no calls any more. */
static ssize_t outstay(void *arg)
{
    struct gate *out = arg;

    if (write(out->out[1], "s", 1) != 1) return -EIO;
    do call_rc = nido_call_in_loop(nothing, NULL);
    while (call_rc == -ECANCELED && !sched_yield());
    return 1;
}

/* S313 */
NIDO_TEST(offload_end, an_abandoned_job_that_ends_within_the_grace_is_waited_for)
{
    const char *names[] = {"short", ""};
    nido_options options = with_grace(NIDO_NEVER);

    set_up();
    cr_expect(zero(int, nido_run(leave, &(struct leavers){outstay, names}, &options)));
    cr_expect(zero(int, reports));
    cr_expect(eq(int, drops(&dropped), 1), "before the run was over");
    cr_expect(eq(int, dropped.result, 1));
    cr_expect(eq(int, call_rc, -ESHUTDOWN), "the loop is gone");
    threads_forget();
    gate_close(&gate);
}

static int cancelled_in_a_job(void *unused)
{
    struct work work = {.fn = pass, .arg = &gate};
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    work_begin(&group, &work);
    await_starts(&gate, 1);
    work_cancel(&work);
    return nido_group_close(&group, 0);
}

/* S313: the gate opens when the loop has nothing left to do but to wait. */
NIDO_TEST(offload_end, the_run_waits_for_a_job_that_is_waited_for)
{
    nido_options options = with_grace(1);

    set_up();
    open_when_asleep(&gate);
    cr_expect(zero(int, nido_run(cancelled_in_a_job, NULL, &options)));
    open_no_more();
    cr_expect(zero(int, reports));
    cr_expect(eq(int, runs(&gate), 1));
    threads_forget();
    gate_close(&gate);
}

/* ---- The report may look at the world ---- */

static void let_pass_and_join(void *ctx, const char *text)
{
    keep_report(ctx, text);
    let_pass(&gate, 1);
    sem_await(&threads.ended);
}

NIDO_TEST(offload_end, a_report_may_wait_for_the_job_it_is_about)
{
    const char *names[] = {"stuck", ""};
    nido_options options = with_grace(1);

    options.on_report = let_pass_and_join;
    set_up();
    cr_expect(zero(int, nido_run(leave, &(struct leavers){pass, names}, &options)));
    cr_expect(eq(int, reports, 1));
    cr_expect(eq(int, drops(&dropped), 1));
    threads_forget();
    gate_close(&gate);
}

/* ---- And the next run on this thread ---- */

static ssize_t count(void *arg)
{
    return ++*(int *)arg;
}

static int offload_count(void *n)
{
    return (int)nido_offload(count, n);
}

NIDO_TEST(offload_end, the_next_run_has_a_pool_of_its_own)
{
    const char *names[] = {"stuck", ""};
    nido_options options = with_grace(1);
    int n = 0;

    set_up();
    cr_expect(zero(int, nido_run(leave, &(struct leavers){pass, names}, &options)));
    cr_expect(eq(int, nido_run(offload_count, &n, &options), 1));
    cr_expect(eq(int, reports, 1), "the stuck job is not the second run's");
    sem_await(&threads.ended);
    let_pass(&gate, 1);
    sem_await(&threads.ended);
    cr_expect(eq(int, drops(&dropped), 1));
    threads_forget();
    gate_close(&gate);
}
