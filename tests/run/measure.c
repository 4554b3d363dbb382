/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
/* Measured runs: lengths of time in buckets, what the tasks of a group do for how long, processor time. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "coro/runtime/loop.h"
#include "faults.h"
#include "measured_help.h"

/* The running task takes so long. */
static void compute(int64_t ns)
{
    struct nidoi_clock *clock = &nidoi_loop_self()->clock;

    nidoi_clock_jump(clock, clock->now + ns);
}

static nido_histogram histogram(enum nido_histogram_kind kind)
{
    nido_histogram histogram;

    nido_histogram_init(&histogram);
    cr_expect(zero(int, nido_histogram_get(kind, &histogram)));
    return histogram;
}

static void expect_buckets(const nido_histogram *histogram, uint64_t count, uint64_t sum)
{
    uint64_t all = 0;

    for (int i = 0; i < NIDO_HISTOGRAM_BUCKETS; i++) all += histogram->of[i];
    cr_expect(eq(u64, all, histogram->count));
    cr_expect(eq(u64, histogram->count, count));
    cr_expect(eq(u64, histogram->sum_ns, sum));
}

static nido_times times_of(int (*get)(nido_times *out, size_t n), const char *name)
{
    nido_times times[NIDO_TIMES_MOST];
    int n = get(times, NIDO_TIMES_MOST);

    cr_expect(ge(int, n, 0));
    for (int i = 0; i < n; i++)
        if (!strcmp(times[i].name, name)) return times[i];
    return (nido_times){.name = "no such"};
}

/* ---- Histograms ---- */

static int computes(void *ns)
{
    compute(*(int64_t *)ns);
    return 0;
}

static int computes_and_yields(void *ns)
{
    compute(*(int64_t *)ns);
    return nido_yield();
}

MEASURED(measure, how_long_ready_tasks_wait_is_in_its_bucket)
{
    int64_t lengths[] = {1, 1024, 1025, NIDO_SEC(1)};
    nido_histogram now;
    nido_group group;

    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    for (int i = 0; i < 4; i++) begin(&group, computes, &lengths[i]);
    compute(300);
    cr_expect(
        zero(int, nido_group_close(&group, 0))); /* parks, and is woken by the last one's end */
    now = histogram(NIDO_HISTOGRAM_READY);
    /* The root twice; the children after the root and those before them. */
    expect_buckets(&now, 6, 300 + 301 + 1325 + 2350);
    cr_expect(eq(u64, now.of[0], 2));
    cr_expect(eq(u64, now.of[9], 2)); /* 257 to 512 */
    cr_expect(eq(u64, now.of[11], 1));
    cr_expect(eq(u64, now.of[12], 1));
    cr_expect(eq(u64, now.most_ns, 2350));
}

MEASURED(measure, a_yield_is_a_wait_for_the_next_turn_too)
{
    int64_t length = 1000;
    nido_histogram now;
    nido_group group;

    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    begin(&group, computes_and_yields, &length);
    begin(&group, computes_and_yields, &length);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    now = histogram(NIDO_HISTOGRAM_READY);
    expect_buckets(&now, 6, 1000 + 1000);
    cr_expect(eq(u64, now.of[10], 2));
}

MEASURED(measure, the_length_of_each_turn_is_counted)
{
    nido_stats stats;
    nido_histogram now;

    cr_expect(zero(int, nido_sleep(NIDO_MS(1))));
    compute(5000);
    cr_expect(zero(int, nido_sleep(NIDO_MS(1))));
    compute(70000);
    cr_expect(zero(int, nido_sleep(NIDO_SEC(100))));
    now = histogram(NIDO_HISTOGRAM_TURN);
    nido_stats_init(&stats);
    cr_expect(zero(int, nido_stats_get(&stats)));
    expect_buckets(&now, stats.turns - 1, 75000); /* the present one is not over */
    cr_expect(eq(u64, now.of[13], 1));
    cr_expect(eq(u64, now.of[17], 1));
    cr_expect(eq(u64, now.of[0], now.count - 2));
}

static int sleeps(void *ns)
{
    return nido_sleep(*(int64_t *)ns);
}

/* The other loop's time between two steps is no turn's. */
NIDO_TEST(measure, inside_another_loop_turns_are_the_steps)
{
    int64_t begun, slept = 0, before, nap = NIDO_MS(2);
    uint64_t steps = 0;
    nido_histogram now;
    nido_options options;
    nido_rt *rt;

    nido_options_init(&options);
    options.flags = NIDO_RUN_MEASURE;
    cr_assert(zero(int, nido_rt_new(&options, &rt)));
    cr_assert(zero(int, nido_rt_start(rt, sleeps, &nap)));
    nido_histogram_init(&now);
    begun = nido_now();
    while (nido_rt_step(rt) == 1) {
        cr_expect(zero(int, nido_histogram_get(NIDO_HISTOGRAM_TURN, &now)));
        cr_expect(eq(u64, now.count, ++steps));
        before = nido_now();
        usleep(5000);
        slept += nido_now() - before;
    }
    cr_expect(ge(i64, slept, NIDO_MS(5)));
    cr_expect(le(i64, (int64_t)now.sum_ns, nido_now() - begun - slept + NIDO_MS(1)));
    nido_rt_free(rt);
}

/* ---- Times by name ---- */

static void spawn_named(nido_group *group, nido_fn *fn, void *arg, const char *name)
{
    nido_spawn_options options;

    nido_spawn_options_init(&options);
    options.name = name;
    cr_expect(zero(int, nido_spawn_with(group, fn, arg, &options, NULL)));
}

MEASURED(measure, what_the_tasks_of_a_group_did_is_told_by_its_name)
{
    int64_t nap = NIDO_MS(10), work = 2000;
    nido_times crew, own;
    nido_group group;

    nido_group_open(&group, NIDO_WAIT_ALL, "crew");
    for (int i = 0; i < 3; i++) begin(&group, sleeps, &nap);
    begin(&group, computes, &work);
    begin(&group, computes, &work);
    compute(7);
    cr_expect(zero(int, nido_sleep(NIDO_MS(1))));
    crew = times_of(nido_times_get, "crew"); /* in the middle of their sleep */
    cr_expect(eq(u64, crew.tasks, 5));
    cr_expect(eq(u64, crew.running_ns, 4000));
    cr_expect(eq(u64, crew.ready_ns, 5 * 7 + 2000));
    cr_expect(eq(u64, crew.waiting_ns, 3 * NIDO_MS(1)));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    crew = times_of(nido_times_get, "crew");
    cr_expect(eq(u64, crew.waiting_ns, 3 * NIDO_MS(10)));
    own = times_of(nido_times_get, ""); /* the root: it has no name */
    cr_expect(eq(u64, own.tasks, 1));
    cr_expect(eq(u64, own.running_ns, 7));
    cr_expect(zero(u64, own.cpu_ns | crew.cpu_ns));
}

MEASURED(measure, a_task_without_a_named_group_counts_by_its_own_name)
{
    int64_t nap = NIDO_MS(2);
    nido_group group;
    nido_times main, child;

    compute(100);
    nido_set_name("main");
    compute(20);
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    spawn_named(&group, sleeps, &nap, "napper");
    cr_expect(zero(int, nido_group_close(&group, 0)));
    main = times_of(nido_times_get, "main");
    child = times_of(nido_times_get, "napper");
    cr_expect(eq(u64, times_of(nido_times_get, "").running_ns, 100));
    cr_expect(eq(u64, main.running_ns, 20));
    cr_expect(eq(u64, main.waiting_ns, (uint64_t)nap));
    cr_expect(eq(u64, child.waiting_ns, (uint64_t)nap));
}

MEASURED(measure, names_beyond_the_table_are_one_entry)
{
    int64_t work = 10;
    char name[40];
    nido_times times[NIDO_TIMES_MOST];
    nido_group group;

    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "task %d of a name with 31 bytes or more", i);
        spawn_named(&group, computes, &work, name);
    }
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, nido_times_get(NULL, 0), NIDO_TIMES_MOST));
    cr_expect(eq(int, nido_times_get(times, NIDO_TIMES_MOST), NIDO_TIMES_MOST));
    cr_expect(eq(str, times[1].name, (char *)"task 0 of a name with 31 bytes "));
    cr_expect(eq(u64, times[1].running_ns, 10));
    cr_expect(eq(str, times[NIDO_TIMES_MOST - 1].name, (char *)"other"));
    cr_expect(eq(u64, times[NIDO_TIMES_MOST - 1].tasks, 50 - (NIDO_TIMES_MOST - 2)));
    cr_expect(eq(u64, times[NIDO_TIMES_MOST - 1].running_ns, 10 * (50 - (NIDO_TIMES_MOST - 2))));
}

/* Both note wakes, and the trace may end first. */
MEASURED(measure, a_trace_begins_and_ends_meanwhile)
{
    int64_t nap = NIDO_MS(2);
    nido_group group;

    nido_group_open(&group, NIDO_WAIT_ALL, "crew");
    for (int i = 0; i < 4; i++) {
        begin(&group, sleeps, &nap);
        if (i % 2 == 0) cr_expect(zero(int, nido_trace_start(NULL)));
        if (i % 2 == 1) cr_expect(zero(int, nido_trace_stop()));
        cr_expect(zero(int, nido_sleep(NIDO_MS(1))));
    }
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(u64, times_of(nido_times_get, "crew").waiting_ns, 4 * (uint64_t)nap));
}

/* ---- The process, and who is told nothing ---- */

static int naps_in_a_group(void *name)
{
    int64_t nap = NIDO_MS(3);
    nido_group group;

    nido_group_open(&group, NIDO_WAIT_ALL, name);
    begin(&group, sleeps, &nap);
    return nido_group_close(&group, 0);
}

static uint64_t ready_in_process(void)
{
    nido_histogram sum;

    nido_histogram_init(&sum);
    cr_expect(zero(int, nido_histogram_process(NIDO_HISTOGRAM_READY, &sum)));
    return sum.count;
}

static int sums_meanwhile(void *name)
{
    int rc = naps_in_a_group(name);

    cr_expect(eq(u64, times_of(nido_times_process, "sum").waiting_ns, 3 * (uint64_t)NIDO_MS(3)));
    return rc;
}

NIDO_TEST(measure, the_process_keeps_what_ended_runs_have_measured)
{
    char name[] = "sum";

    cr_expect(zero(u64, ready_in_process()));
    run_with(naps_in_a_group, name, NIDO_RUN_MEASURE);
    run_with(naps_in_a_group, name, 0);
    run_with(naps_in_a_group, name, NIDO_RUN_MEASURE);
    cr_expect(eq(u64, ready_in_process(), 2 * 4));
    cr_expect(eq(u64, times_of(nido_times_process, name).tasks, 2));
    run_with(sums_meanwhile, name, NIDO_RUN_MEASURE);
}

static int expects_numbers(void *rc)
{
    nido_histogram now;

    nido_histogram_init(&now);
    cr_expect(eq(int, nido_histogram_get(NIDO_HISTOGRAM_READY, &now), *(int *)rc));
    cr_expect(eq(int, nido_times_get(NULL, 0) < 0 ? -ENODATA : 0, *(int *)rc));
    return 0;
}

NIDO_TEST(measure, the_environment_can_ask_for_it)
{
    static const char *const words[] = {"measure", "1", "all", "cpu", "dump"};
    int on = 0, off = -ENODATA;

    run_with(expects_numbers, &off, 0);
    for (int i = 0; i < 5; i++) {
        setenv("NIDO_DEBUG", words[i], 1);
        run_with(expects_numbers, i == 4 ? &off : &on, 0);
    }
    unsetenv("NIDO_DEBUG");
}

NIDO_TEST(measure, what_makes_no_sense_is_refused)
{
    nido_histogram now;

    nido_histogram_init(&now);
    cr_expect(eq(int, nido_histogram_get(NIDO_HISTOGRAM_TURN, &now), -EPERM));
    cr_expect(eq(int, nido_histogram_get(NIDO_HISTOGRAMS, &now), -EINVAL));
    cr_expect(eq(int, nido_histogram_get(NIDO_HISTOGRAM_TURN, NULL), -EINVAL));
    cr_expect(eq(int, nido_histogram_process(NIDO_HISTOGRAM_TURN, NULL), -EINVAL));
    cr_expect(eq(int, nido_times_get(NULL, 0), -EPERM));
    cr_expect(eq(int, nido_times_get(NULL, 1), -EINVAL));
    cr_expect(eq(int, nido_times_process(NULL, 1), -EINVAL));
    now.size = 3;
    cr_expect(eq(int, nido_histogram_process(NIDO_HISTOGRAM_TURN, &now), -EINVAL));
}

MEASURED(measure, a_program_of_another_version_gets_what_it_knows)
{
    struct {
        nido_histogram histogram;
        uint64_t newer[2];
    } large;
    nido_histogram small;

    cr_expect(zero(int, nido_yield()));
    memset(&large, 0xff, sizeof large);
    large.histogram.size = sizeof large;
    cr_expect(zero(int, nido_histogram_get(NIDO_HISTOGRAM_READY, &large.histogram)));
    cr_expect(eq(u64, large.histogram.count, 2));
    cr_expect(zero(u64, large.histogram.spare[0] | large.newer[0] | large.newer[1]));
    memset(&small, 0xff, sizeof small);
    small.size = offsetof(nido_histogram, of) + sizeof small.of[0];
    cr_expect(zero(int, nido_histogram_get(NIDO_HISTOGRAM_READY, &small)));
    cr_expect(eq(u64, small.of[0], 2));
    cr_expect(eq(u64, small.of[1], UINT64_MAX));
}

NIDO_TEST(measure, without_memory_no_run_begins)
{
    nido_options options;
    nido_histogram now;

    nido_histogram_init(&now);
    nido_options_init(&options);
    options.flags = NIDO_RUN_MEASURE;
    for (unsigned nth = 1; nth <= 4; nth++) {
        faults_begin();
        faults_fail(FAULT_memory, nth, 0);
        cr_expect(eq(int, nido_run(naps_in_a_group, NULL, &options), -ENOMEM));
        faults_end();
    }
    faults_begin();
    faults_fail(FAULT_memory, 1, 0);
    cr_expect(eq(int, nido_histogram_process(NIDO_HISTOGRAM_TURN, &now), -ENOMEM));
    faults_end();
}

/* ---- Processor time ---- */

static int64_t cpu_of_thread(void)
{
    struct timespec used;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * NIDO_SEC(1) + used.tv_nsec;
}

static int burns(void *ns)
{
    int64_t left = *(int64_t *)ns;

    for (int i = 0; i < 4; i++) {
        int64_t end = cpu_of_thread() + left / 4;

        while (cpu_of_thread() < end) continue;
        if (nido_yield()) return -1;
    }
    return 0;
}

static void expect_about(uint64_t ns, int64_t about)
{
    cr_expect(ge(i64, (int64_t)ns, about));
    cr_expect(le(i64, (int64_t)ns, about + about / 4 + NIDO_MS(2)));
}

/* What the tasks have used together is what the system says of the thread. */
static int burn_in_groups(void *unused)
{
    int64_t much = NIDO_MS(40), little = NIDO_MS(10), before = cpu_of_thread();
    nido_group hot, warm;
    uint64_t all;

    (void)unused;
    nido_group_open(&hot, NIDO_WAIT_ALL, "hot");
    nido_group_open(&warm, NIDO_WAIT_ALL, "warm");
    begin(&hot, burns, &much);
    for (int i = 0; i < 2; i++) begin(&warm, burns, &little);
    nido_group_close(&warm, 0);
    nido_group_close(&hot, 0);
    expect_about(times_of(nido_times_get, "hot").cpu_ns, much);
    expect_about(times_of(nido_times_get, "warm").cpu_ns, 2 * little);
    all = times_of(nido_times_get, "hot").cpu_ns + times_of(nido_times_get, "warm").cpu_ns;
    cr_expect(le(i64, (int64_t)all, cpu_of_thread() - before));
    cr_expect(ge(i64, (int64_t)all, (cpu_of_thread() - before) * 8 / 10));
    return 0;
}

NIDO_TEST(measure, processor_time_is_what_the_system_says)
{
    nido_options options;

    nido_options_init(&options);
    options.flags = NIDO_RUN_CPU_TIME;
    cr_expect(zero(int, nido_run(burn_in_groups, NULL, &options)));
}

static int dumps(void *unused)
{
    char text[2000] = "", json[2000] = "";
    FILE *file = fmemopen(text, sizeof text, "w");
    uint64_t ns = 0;

    (void)unused;
    cr_expect(zero(int, nido_sleep(1)));
    nido_dump(file);
    fclose(file);
    file = fmemopen(json, sizeof json, "w");
    nido_dump_with(file, NIDO_DUMP_JSON);
    fclose(file);
    cr_expect(ne(ptr, strstr(text, "  runs  cpu "), NULL), "%s", text);
    if (strstr(json, "\"cpu_ns\":")) ns = strtoull(strstr(json, "\"cpu_ns\":") + 9, NULL, 10);
    cr_expect(gt(u64, ns, 0), "%s", json);
    cr_expect(le(i64, (int64_t)ns, cpu_of_thread()));
    return 0;
}

NIDO_TEST(measure, a_tree_shows_processor_time)
{
    run_with(dumps, NULL, NIDO_RUN_CPU_TIME);
}
