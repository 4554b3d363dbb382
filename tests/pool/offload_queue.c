/* SPDX-License-Identifier: MIT */
/* Which job a worker takes, and which worker comes. */
#include "pool_help.h"

static struct gate gate, other;

static int numbers[16], numbered;

static ssize_t note_number(void *arg)
{
    numbers[numbered++] = *(int *)arg;
    return 0;
}

INSIDE_POOL(offload_queue, jobs_are_taken_first_come_first_served, 1)
{
    enum { JOBS = 10 };
    struct work holder = {.fn = pass, .arg = &gate}, works[JOBS];
    int order[JOBS];
    nido_group group;

    gate_open(&gate);
    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    work_begin(&group, &holder);
    await_starts(&gate, 1);
    for (int i = 0; i < JOBS; i++) {
        order[i] = i;
        works[i] = (struct work){.fn = note_number, .arg = &order[i], .lane = i % 2};
        work_begin(&group, &works[i]);
    }
    nido_yield();
    let_pass(&gate, 1);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    for (int i = 0; i < JOBS; i++) cr_expect(eq(int, numbers[i], i), "over both lanes");
    gate_close(&gate);
}

INSIDE_POOL(offload_queue, there_are_never_more_workers_than_allowed, 3)
{
    enum { JOBS = 7 };
    struct work works[JOBS];
    nido_group group;

    threads_watch();
    gate_open(&gate);
    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    for (int i = 0; i < JOBS; i++) {
        works[i] = (struct work){.fn = pass, .arg = &gate};
        work_begin(&group, &works[i]);
    }
    await_starts(&gate, 3);
    for (int i = 0; i < 10; i++) nido_yield();
    for (int i = 0; i < JOBS; i++) {
        cr_expect(eq(int, runs(&gate), i + 3 < JOBS ? i + 3 : JOBS));
        let_pass(&gate, 1);
        if (i + 3 < JOBS) await_starts(&gate, 1);
    }
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, threads.started, 3));
    gate_close(&gate);
    threads_forget();
}

/* ---- Look-ups of names ---- */

enum { MOST_LOOK_UPS = 64 };

static struct work look_ups[MOST_LOOK_UPS];

static void begin_look_ups(nido_group *group, int n)
{
    for (int i = 0; i < n; i++) {
        look_ups[i] = (struct work){.fn = pass, .arg = &gate, .lane = NIDOI_LANE_NAMES};
        work_begin(group, &look_ups[i]);
    }
}

/* `running` of n look-ups run, and yet a general job gets its turn. */
static void fill_with_look_ups(int n, int running)
{
    struct work general = {.fn = pass, .arg = &other};
    nido_group group;

    gate_open(&gate);
    gate_open(&other);
    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    begin_look_ups(&group, n);
    await_starts(&gate, running);
    work_begin(&group, &general);
    await_starts(&other, 1);
    let_pass(&other, 3);
    while (general.result == UNDECIDED) nido_yield();
    cr_expect(eq(int, runs(&gate), running), "the others wait");
    let_many_pass(&gate, n);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, runs(&gate), n), "until they may");
    gate_close(&gate);
    gate_close(&other);
}

/* S311 */
INSIDE(offload_queue, stuck_look_ups_leave_half_of_the_workers_to_others)
{
    fill_with_look_ups(MOST_LOOK_UPS, 32);
}

INSIDE_POOL(offload_queue, half_of_an_odd_number_is_rounded_down, 3)
{
    fill_with_look_ups(4, 1);
}

INSIDE_POOL(offload_queue, a_single_worker_does_look_ups_too, 1)
{
    struct work work = {.fn = pass, .arg = &gate, .lane = NIDOI_LANE_NAMES};
    nido_group group;

    gate_open(&gate);
    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    let_pass(&gate, 4);
    work_begin(&group, &work);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, work.result, 4));
    gate_close(&gate);
}

/* A drop that holds its worker until the test lets it go on. */
static sem_t dropping, go_on;

static void drop_slowly(void *ctx, void *arg, int result)
{
    (void)ctx, (void)arg, (void)result;
    sem_post(&dropping);
    sem_await(&go_on);
}

/* The second look-up waits for the worker of the first: nobody else would come for it later. */
INSIDE_POOL(offload_queue, a_look_up_that_is_being_dropped_counts_still, 2)
{
    struct work works[2];
    nido_offload_options options = in_mode(NIDO_OFFLOAD_ABANDON);
    nido_group group;

    nidoi_pool_most_surplus = 0;
    sem_init(&dropping, 0, 0);
    sem_init(&go_on, 0, 0);
    options.drop = drop_slowly;
    gate_open(&gate);
    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    for (int i = 0; i < 2; i++) {
        works[i] =
            (struct work){.fn = pass, .arg = &gate, .options = options, .lane = NIDOI_LANE_NAMES};
        work_begin(&group, &works[i]);
    }
    await_starts(&gate, 1);
    work_cancel(&works[0]);
    let_pass(&gate, 1);
    sem_await(&dropping);
    for (int i = 0; i < 10; i++) nido_yield();
    cr_expect(eq(int, runs(&gate), 1), "one of two workers may do look-ups");
    sem_post(&go_on);
    await_starts(&gate, 1);
    let_pass(&gate, 1);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, works[1].result, 1));
    gate_close(&gate);
}

/* No task waits for them, so they hold none up; but how many there may be is bounded. */
INSIDE_POOL(offload_queue, abandoned_look_ups_hold_no_worker_that_others_need, 2)
{
    enum { LOOK_UPS = 5, MOST_SURPLUS = 3 };
    struct work works[LOOK_UPS];
    struct dropped dropped;
    nido_group group;

    nidoi_pool_most_surplus = MOST_SURPLUS;
    dropped_init(&dropped);
    gate_open(&gate);
    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    for (int i = 0; i < LOOK_UPS; i++) {
        works[i] = (struct work){
            .fn = pass, .arg = &gate, .options = abandoning(&dropped), .lane = NIDOI_LANE_NAMES};
        work_begin(&group, &works[i]);
    }
    for (int i = 0; i < MOST_SURPLUS + 1; i++) {
        await_starts(&gate, 1);
        work_cancel(&works[i]);
        while (works[i].result == UNDECIDED) nido_yield();
    }
    for (int i = 0; i < 10; i++) nido_yield();
    cr_expect(eq(int, runs(&gate), MOST_SURPLUS + 1), "so many are surplus, one more counts");
    let_many_pass(&gate, LOOK_UPS);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, works[LOOK_UPS - 1].result, 1));
    while (drops(&dropped) < MOST_SURPLUS + 1) nido_yield();
    gate_close(&gate);
}
