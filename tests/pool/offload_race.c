/* SPDX-License-Identifier: MIT */
/* Jobs, their cancels and their ends, all at once: nothing is lost and nothing happens twice. */
#include "pool_help.h"
#include "seeded.h"

enum { ROUNDS = 100000, AT_ONCE = 4, LONG = 8000 };

/* ---- A job against its cancel ---- */

/* What is handed over; released once, by whoever has it in the end. */
struct parcel {
    unsigned spins; /* how long fn takes */
    int calls;      /* of fn */
};

static int started, released, called; /* atomic */

static void release(struct parcel *parcel)
{
    __atomic_add_fetch(&called, parcel->calls, __ATOMIC_RELAXED);
    __atomic_add_fetch(&released, 1, __ATOMIC_RELAXED);
    free(parcel);
}

static void drop_parcel(void *ctx, void *arg, int result)
{
    (void)ctx, (void)result;
    release(arg);
}

static void spin(unsigned spins)
{
    while (spins-- > 0) __asm__ volatile("" ::: "memory");
}

static ssize_t touch(void *arg)
{
    struct parcel *parcel = arg;

    __atomic_add_fetch(&started, 1, __ATOMIC_RELAXED);
    spin(parcel->spins);
    return ++parcel->calls;
}

struct racer {
    struct seeded seed;
    int kept, ran;
};

static int send_parcel(void *arg)
{
    struct racer *racer = arg;
    struct parcel *parcel = calloc(1, sizeof *parcel);
    nido_offload_options options = in_mode(NIDO_OFFLOAD_ABANDON);
    bool ran = false;
    int rc;

    parcel->spins = seeded_below(&racer->seed, LONG);
    options.drop = drop_parcel;
    options.ran = &ran;
    rc = (int)nido_offload_with(touch, parcel, &options);
    racer->ran += ran;
    if (rc >= 0) {
        cr_expect(ran);
        racer->kept++;
        release(parcel);
    } else {
        cr_expect(eq(int, rc, -ECANCELED));
    }
    return 0;
}

/* Holds the loop until a job begins, but not for ever. */
static void await_start(int before)
{
    for (int i = 0; i < 1000 && __atomic_load_n(&started, __ATOMIC_RELAXED) == before; i++)
        sched_yield();
}

/* Cancels them when they are queued, or run, or are over. */
static void race(struct racer *racer)
{
    int before = __atomic_load_n(&started, __ATOMIC_RELAXED);
    nido_group group;

    nido_group_open(&group, NIDO_WAIT_ALL, "race");
    for (int i = 0; i < AT_ONCE; i++) begin(&group, send_parcel, racer);
    nido_yield();
    if (seeded_below(&racer->seed, 2)) await_start(before);
    spin(seeded_below(&racer->seed, LONG));
    nido_group_cancel(&group, 0, "now");
    cr_expect(zero(int, nido_group_close(&group, 0)));
}

static int race_often(void *arg)
{
    for (int i = 0; i < ROUNDS / AT_ONCE; i++) race(arg);
    return 0;
}

NIDO_TEST(offload_race, nothing_is_lost_or_doubled_when_a_cancel_meets_its_job)
{
    struct racer racer = {.seed = {7}};

    cr_expect(zero(int, run_with_workers(race_often, &racer, 3)));
    cr_expect(eq(int, released, ROUNDS), "each once");
    cr_expect(eq(int, called, racer.ran), "fn was called exactly if `ran` says so");
    cr_expect(le(int, racer.kept, racer.ran));
}

/* ---- Several runs, each with a pool ---- */

enum { RUNS = 4, CALLS = 500 };

struct tally {
    int sum;
    int in_loop;
};

static int add_in_loop(void *arg)
{
    ((struct tally *)arg)->in_loop++;
    return 0;
}

static ssize_t one(void *arg)
{
    return nido_call_in_loop(add_in_loop, arg) == 0;
}

static int offload_often(void *arg)
{
    struct tally *tally = arg;

    for (int i = 0; i < CALLS; i++) tally->sum += (int)nido_offload(one, tally);
    return 0;
}

static int offload_beside_each_other(void *tally)
{
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, "callers");
    for (int i = 0; i < 4; i++) begin(&group, offload_often, tally);
    return nido_group_close(&group, 0);
}

static void *run_with_pool(void *tally)
{
    return nido_test_run(offload_beside_each_other, tally) ? tally : NULL;
}

NIDO_TEST(offload_race, several_runs_have_a_pool_each)
{
    struct tally tallies[RUNS] = {{0}};
    pthread_t runners[RUNS];

    for (int i = 0; i < RUNS; i++)
        cr_assert(zero(int, pthread_create(&runners[i], NULL, run_with_pool, &tallies[i])));
    for (int i = 0; i < RUNS; i++) {
        void *failed = NULL;

        cr_expect(zero(int, pthread_join(runners[i], &failed)));
        cr_expect(zero(ptr, failed));
        cr_expect(eq(int, tallies[i].sum, 4 * CALLS));
        cr_expect(eq(int, tallies[i].in_loop, 4 * CALLS), "without a lock: it is one thread");
    }
}
