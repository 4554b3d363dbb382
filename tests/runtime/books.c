/* SPDX-License-Identifier: MIT */
/* The check at the end of a run: each count that can be out, and what is rightly out. */
#include "abort_help.h"
#include "coro/runtime/loop.h"
#include "inside_help.h"
#include "nido/offload.h"
#include "nido/proc.h"

static struct nidoi_fd *input_slot(void)
{
    struct nidoi_fd *slot;

    nidoi_reactor_slot(&nidoi_loop_self()->reactor, 0, &slot);
    return slot;
}

static int expects_too_much(void *unused)
{
    (void)unused;
    nidoi_loop_expect(nidoi_loop_self(), 1);
    return 0;
}

static int counts_a_wait(void *unused)
{
    (void)unused;
    nidoi_loop_outside(nidoi_loop_self(), 2);
    return 0;
}

static int leaves_a_call_under_way(void *unused)
{
    (void)unused;
    input_slot()->busy = 1;
    return 0;
}

static int leaves_a_turn_untaken(void *unused)
{
    (void)unused;
    input_slot()->called[NIDOI_WRITING] = 1;
    return 0;
}

static int lends_for_ever(void *unused)
{
    (void)unused;
    input_slot()->jobs = 1;
    return 0;
}

static int stays_in_a_callback(void *unused)
{
    (void)unused;
    nidoi_no_parking_begin(&nidoi_loop_self()->sched);
    return 0;
}

static int takes_a_stack(void *unused)
{
    (void)unused;
    nidoi_loop_self()->stacks.in_use++;
    return 0;
}

static int takes_a_record(void *unused)
{
    static struct nidoi_task nobody;
    struct nidoi_loop *loop = nidoi_loop_self();

    (void)unused;
    nidoi_slots_make(&loop->slots);
    nidoi_slots_take(&loop->slots, &nobody);
    nobody.slot->task = NULL;
    return 0;
}

static const struct {
    nido_fn *crime;
    const char *left;
} crimes[] = {
    {expects_too_much, "1 jobs or children that are expected to end"},
    {counts_a_wait, "2 waits for the outside world"},
    {leaves_a_call_under_way, "1 descriptors with a call under way"},
    {leaves_a_turn_untaken, "1 descriptors with a caller whose turn it is"},
    {lends_for_ever, "1 descriptors in use by a job"},
    {stays_in_a_callback, "1 callbacks"},
    {takes_a_stack, "1 stacks"},
    {takes_a_record, "1 records of tasks"},
};

Test(books, what_is_left_at_the_end_of_a_run_is_named)
{
    for (size_t i = 0; i < sizeof crimes / sizeof *crimes; i++)
        EXPECT_LAST_WORDS(crimes[i].crime,
                          "nido: the run is over, but some of it is left:", crimes[i].left);
}

/* ---- What is rightly out ---- */

static ssize_t nap(void *unused)
{
    (void)unused;
    usleep(100000);
    return 0;
}

static void drop(void *ctx, void *arg, int result)
{
    (void)ctx;
    (void)arg;
    (void)result;
}

static int abandon_a_job_and_a_child(void *unused)
{
    static char *const argv[] = {"sleep", "0.2", NULL};
    nido_proc_options options;
    nido_scope scope;
    nido_proc child;

    (void)unused;
    nido_proc_options_init(&options);
    options.argv = argv;
    cr_expect(eq(int, nido_proc_spawn(&child, &options), 0));
    nido_deadline_open(&scope, nido_after(NIDO_MS(5)));
    cr_expect(eq(long, (long)nido_offload_abandon(nap, NULL, drop, NULL), -ECANCELED));
    cr_expect(eq(int, nido_scope_close(&scope, -ECANCELED), -ETIMEDOUT));
    return 0;
}

Test(books, jobs_and_children_may_outlive_a_run)
{
    nido_options options;

    nido_options_init(&options);
    options.flags = NIDO_RUN_STRICT;
    options.pool_grace_ns = NIDO_MS(1);
    cr_expect(eq(int, nido_run(abandon_a_job_and_a_child, NULL, &options), 0));
}
