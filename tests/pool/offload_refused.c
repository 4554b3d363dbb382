/* SPDX-License-Identifier: MIT */
/* Who may not offload, and what for. */
#include "pool_help.h"

static ssize_t count(void *arg)
{
    return ++*(int *)arg;
}

static struct dropped dropped;
static int n;

/* `code` from each way to offload; who handed something over gets it dropped, here. */
static void expect_refusal(int code)
{
    nido_offload_options options = abandoning(&dropped);
    bool ran = true;

    dropped_init(&dropped);
    options.ran = &ran;
    cr_expect(eq(int, (int)nido_offload(count, &n), code));
    cr_expect(eq(int, (int)nido_offload_abandon(count, &n, note_drop, &dropped), code));
    cr_expect(eq(int, (int)nido_offload_with(count, &n, &options), code));
    cr_expect(not(ran));
    cr_expect(eq(int, drops(&dropped), 2));
    cr_expect(eq(int, dropped.result, code));
    cr_expect(eq(ptr, dropped.arg, &n));
    cr_expect(dropped_here(&dropped));
    cr_expect(zero(int, n));
}

NIDO_TEST(offload_refused, outside_a_run)
{
    expect_refusal(-EPERM);
    cr_expect(eq(int, nido_call_in_loop(NULL, NULL), -EPERM));
    cr_expect(not(nido_job_cancelled()));
}

/* A callback; also what it says in it counts. */
static int in_callback(void *over)
{
    expect_refusal(-EDEADLK);
    nido_event_set(over);
    return 0;
}

INSIDE(offload_refused, in_callbacks_of_the_library)
{
    nido_rt *rt = nido_rt_self();
    nido_event over;

    nido_event_init(&over, "over");
    cr_expect(zero(int, nido_post(rt, in_callback, &over)));
    cr_expect(zero(int, nido_event_wait(&over)));
    nido_rt_release(rt);
}

/* No matters of Criterion's on other threads: what the calls said, for the test to look at. */
struct said {
    int offload, abandon, sleep, read, drops;
};

static ssize_t offload_in_job(void *arg)
{
    struct said *said = arg;
    char byte;

    said->offload = (int)nido_offload(count, &n);
    said->abandon = (int)nido_offload_abandon(count, &n, note_drop, &dropped);
    said->drops = drops(&dropped);
    said->sleep = nido_sleep(1);
    said->read = (int)nido_read(0, &byte, 1);
    return 0;
}

INSIDE(offload_refused, in_a_job)
{
    struct said said;

    dropped_init(&dropped);
    cr_expect(zero(int, (int)nido_offload(offload_in_job, &said)));
    cr_expect(eq(int, said.offload, -EPERM));
    cr_expect(eq(int, said.abandon, -EPERM));
    cr_expect(eq(int, said.drops, 1));
    cr_expect(eq(int, said.sleep, -EPERM));
    cr_expect(eq(int, said.read, -EPERM));
    cr_expect(zero(int, n));
}

static void no_drop_is_refused(nido_job_fn *fn)
{
    nido_offload_options options = in_mode(NIDO_OFFLOAD_ABANDON);

    cr_expect(eq(int, (int)nido_offload_abandon(fn, &n, NULL, NULL), -EINVAL));
    cr_expect(eq(int, (int)nido_offload_with(fn, &n, &options), -EINVAL));
}

INSIDE(offload_refused, nothing_to_call_or_nobody_to_drop)
{
    dropped_init(&dropped);
    cr_expect(eq(int, (int)nido_offload(NULL, &n), -EINVAL));
    cr_expect(zero(int, drops(&dropped)));
    cr_expect(eq(int, (int)nido_offload_abandon(NULL, &n, note_drop, &dropped), -EINVAL));
    cr_expect(eq(int, drops(&dropped), 1));
    cr_expect(eq(int, dropped.result, -EINVAL));
    no_drop_is_refused(NULL);
    no_drop_is_refused(count);
    cr_expect(zero(int, n));
}

INSIDE(offload_refused, bad_options)
{
    const nido_offload_options good = abandoning(&dropped);
    nido_offload_options bad[3] = {good, good, good};

    dropped_init(&dropped);
    bad[0].size = 0;
    bad[1].mode = (enum nido_offload_mode)(NIDO_OFFLOAD_INTERRUPT + 1);
    bad[2].mode = (enum nido_offload_mode) - 1;
    for (int i = 0; i < 3; i++)
        cr_expect(eq(int, (int)nido_offload_with(count, &n, &bad[i]), -EINVAL));
    cr_expect(zero(int, drops(&dropped)), "nobody can tell what they mean");
    cr_expect(zero(int, n));
    cr_expect(eq(int, (int)nido_offload_with(count, &n, NULL), 1), "none is fine");
}
