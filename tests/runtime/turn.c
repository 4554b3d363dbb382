/* SPDX-License-Identifier: MIT */
/* Turns: between two looks at the world lies a bound in time, and what came first wins. Work takes
 * time here by moving the virtual clock without reading it. */
#include <fcntl.h>
#include <unistd.h>

#include "coro/runtime/loop.h"
#include "faults.h"
#include "inside_help.h"
#include "io_help.h"

static void work(int64_t ns)
{
    struct nidoi_clock *clock = &nidoi_loop_self()->clock;

    nidoi_clock_jump(clock, clock->now + ns);
}

/* ---- Deadlines over tasks that compute ---- */

enum { MOST = 1000 };

static int computes(void *yields)
{
    int rc = 0;

    for (int *n = yields; !rc && *n < MOST; ++*n) {
        work(NIDO_MS(10));
        rc = nido_yield();
    }
    return rc;
}

/* Nothing else exists: no descriptor, no timer, no other task. */
INSIDE(turn, a_task_that_computes_and_yields_meets_its_deadline)
{
    int yields = 0;

    cr_expect(eq(int, nido_with_timeout(NIDO_MS(20), computes, &yields), -ETIMEDOUT));
    cr_expect(le(int, yields, 4));
}

static int some_compute(void *yields)
{
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 4; i++) begin(&group, computes, &((int *)yields)[i]);
    return nido_group_close(&group, 0);
}

INSIDE(turn, so_do_several)
{
    int yields[4] = {0};

    cr_expect(eq(int, nido_with_timeout(NIDO_MS(200), some_compute, yields), -ETIMEDOUT));
    for (int i = 0; i < 4; i++) cr_expect(le(int, yields[i], 8));
}

static int sends_to_itself(void *arg)
{
    nido_chan *chan = NULL;
    int rc = nido_chan_new(sizeof(int), 1, NULL, NULL, &chan);

    for (int *n = arg; !rc && *n < MOST; ++*n) {
        work(NIDO_MS(10));
        rc = nido_chan_send(chan, n);
        if (!rc) rc = nido_chan_recv(chan, n);
        if (!rc) rc = nido_yield();
    }
    nido_chan_free(chan);
    return rc;
}

INSIDE(turn, so_does_one_whose_calls_need_not_wait)
{
    int sent = 0;

    cr_expect(eq(int, nido_with_timeout(NIDO_MS(20), sends_to_itself, &sent), -ETIMEDOUT));
    cr_expect(le(int, sent, 4));
}

/* ---- Batches ---- */

struct reading {
    int ends[2], slices, late;
    bool over;
};

/* Every tenth slice brings a byte. */
static int computes_and_writes(void *arg)
{
    struct reading *self = arg;

    while (!self->over) {
        if (++self->slices % 10 == 0) cr_expect(eq(long, (long)write(self->ends[1], "x", 1), 1));
        work(NIDO_MS(5));
        nido_yield();
    }
    return 0;
}

static int reads(void *arg)
{
    struct reading *self = arg;
    char byte;

    for (int i = 1; i <= 30; i++) {
        cr_expect(eq(long, (long)nido_read(self->ends[0], &byte, 1), 1));
        if (i > 5 && self->slices - i * 10 > self->late) self->late = self->slices - i * 10;
    }
    self->over = true;
    return 0;
}

/* The only watch is gone while its task runs: what runs beside it is no less seen. */
INSIDE(turn, a_loop_with_one_watch_is_not_alone)
{
    struct reading self = {0};

    cr_expect(eq(int, nido_pipe(self.ends), 0));
    cr_expect(eq(int, TOGETHER(&self, computes_and_writes, reads), 0));
    cr_expect(le(int, self.late, 4));
    io_close_pair(self.ends);
}

static int takes_3_ms(void *ran)
{
    ++*(int *)ran;
    work(NIDO_MS(3));
    return 0;
}

static int spawns_64(void *ran)
{
    nido_group group;

    nido_sleep(NIDO_MS(20));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 64; i++) begin(&group, takes_3_ms, ran);
    return nido_group_close(&group, 0);
}

/* A runtime inside another loop, whose clock the test moves. */
static nido_rt *stepped(nido_fn *fn, void *arg)
{
    nido_rt *rt = NULL;

    cr_assert(eq(int, nido_rt_new(NULL, &rt), 0));
    nidoi_loop_self()->clock.is_virtual = true;
    cr_expect(eq(int, nido_rt_start(rt, fn, arg), 0));
    return rt;
}

NIDO_TEST(turn, after_idling_a_step_runs_few_tasks_that_take_long)
{
    int ran = 0, before = 0, most = 0;
    nido_rt *rt = stepped(spawns_64, &ran);

    while (nido_rt_step(rt) == 1) {
        if (ran - before > most) most = ran - before;
        before = ran;
        if (nido_rt_timeout(rt) > 0) work(nido_rt_timeout(rt));
    }
    cr_expect(eq(int, ran, 64));
    cr_expect(le(int, most, 2));
    cr_expect(eq(int, nido_rt_free(rt), 0));
}

static int yields_on(void *over)
{
    while (!*(bool *)over) nido_yield();
    return 0;
}

NIDO_TEST(turn, the_time_of_the_outer_loop_is_not_counted)
{
    bool over = false;
    nido_rt *rt = stepped(yields_on, &over);
    int batch;

    for (int i = 0; i < 10; i++) nido_rt_step(rt);
    batch = nidoi_loop_self()->batch;
    work(NIDO_SEC(1));
    nido_rt_step(rt);
    cr_expect(eq(int, nidoi_loop_self()->batch, batch));
    over = true;
    while (nido_rt_step(rt) == 1) continue;
    cr_expect(eq(int, nido_rt_free(rt), 0));
}

/* ---- Posts ---- */

enum { POSTS = 500 };

struct posted {
    int number;
    int *called;
};

static int takes_10_us(void *arg)
{
    struct posted *self = arg;

    cr_expect(eq(int, self->number, *self->called));
    ++*self->called;
    work(NIDO_US(10));
    return 0;
}

INSIDE(turn, posts_take_a_turn_and_the_rest_waits)
{
    static struct posted posts[POSTS];
    nido_rt *rt = nido_rt_self();
    int called = 0, turns = 0;

    for (int i = 0; i < POSTS; i++) {
        posts[i] = (struct posted){i, &called};
        cr_expect(eq(int, nido_post(rt, takes_10_us, &posts[i]), 0));
    }
    for (int before = 0; called < POSTS && turns < 64 * POSTS; before = called, turns++) {
        cr_expect(eq(int, nido_yield(), 0));
        cr_expect(le(int, called - before, 21));
    }
    cr_expect(eq(int, called, POSTS));
    nido_rt_release(rt);
}

static int posts_and_leaves(void *called)
{
    static struct posted posts[POSTS];
    nido_rt *rt = nido_rt_self();

    for (int i = 0; i < POSTS; i++) {
        posts[i] = (struct posted){i, called};
        cr_expect(eq(int, nido_post(rt, takes_10_us, &posts[i]), 0));
    }
    nido_rt_release(rt);
    return nido_sleep(1);
}

NIDO_TEST(turn, posts_that_wait_at_the_end_of_the_run_are_called)
{
    int called = 0;

    cr_expect(eq(int, nido_test_run(posts_and_leaves, &called), 0));
    cr_expect(eq(int, called, POSTS));
}

/* ---- What came first wins ---- */

static struct {
    int (*wait)(int backend, backend_event *events, int n, int64_t ns);
    int to, answer;
    int64_t until;
} stopped;

/* As if the process had been stopped in a wait, or right behind it: the byte came before `until`. */
static int wait_and_stop(int backend, backend_event *events, int n, int64_t ns)
{
    if (stopped.to < 0 || ns <= 0) return stopped.wait(backend, events, n, ns);
    if (write(stopped.to, "x", 1) != 1) return -EIO;
    stopped.to = -1;
    while (nidoi_sys_now() < stopped.until) continue;
    return stopped.answer;
}

static int read_while_stopped(void *answer)
{
    int ends[2], rc;
    nido_scope scope;
    char byte;

    cr_expect(eq(int, nido_pipe(ends), 0));
    stopped.answer = *(int *)answer;
    stopped.to = ends[1];
    stopped.until = nido_after(NIDO_MS(10));
    stopped.wait = nidoi_sys.BACKEND_WAIT;
    nidoi_sys.BACKEND_WAIT = wait_and_stop;
    nido_deadline_open(&scope, stopped.until - NIDO_MS(5));
    rc = nido_scope_close(&scope, (int)nido_read(ends[0], &byte, 1));
    nidoi_sys.BACKEND_WAIT = stopped.wait;
    io_close_pair(ends);
    return rc;
}

NIDO_TEST(turn, an_interrupted_wait_looks_again_before_deadlines_fire)
{
    cr_expect(eq(int, nido_run(read_while_stopped, &(int){-EINTR}, NULL), 1));
}

NIDO_TEST(turn, a_wait_that_ends_late_looks_again_before_deadlines_fire)
{
    cr_expect(eq(int, nido_run(read_while_stopped, &(int){0}, NULL), 1));
}

enum { MANY = 600 }; /* more than one call of the kernel brings */

static struct {
    int ends[2], got;
} many;

static int reads_one(void *unused)
{
    char byte;
    int fd = dup(many.ends[0]), rc = nido_fd_own(fd);
    nido_scope scope;

    (void)unused;
    nido_timeout_open(&scope, NIDO_SEC(1));
    if (!rc) rc = (int)nido_read(fd, &byte, 1);
    many.got += rc == 1;
    nido_close(fd);
    return nido_scope_close(&scope, rc);
}

static int dawdles(void *unused)
{
    static const char bytes[MANY];

    (void)unused;
    nido_sleep(NIDO_MS(1));
    cr_expect(eq(long, (long)write(many.ends[1], bytes, MANY), MANY));
    work(NIDO_SEC(10));
    return 0;
}

INSIDE(turn, all_that_has_come_is_claimed_before_deadlines_fire)
{
    nido_group group;

    many.got = 0;
    cr_expect(eq(int, nido_pipe(many.ends), 0));
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    for (int i = 0; i < MANY; i++) begin(&group, reads_one, NULL);
    begin(&group, dawdles, NULL);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, many.got, MANY));
    io_close_pair(many.ends);
}

/* ---- Bytes ---- */

struct moved {
    int ends[2], times, when_others_ran;
};

static int moves_much(void *arg)
{
    static char block[48 << 10];
    struct moved *self = arg;

    for (; self->times < 200; self->times++) {
        cr_expect(eq(int, nido_write_all(self->ends[1], block, sizeof block, NULL), 0));
        cr_expect(eq(int, nido_read_full(self->ends[0], block, sizeof block, NULL), 0));
    }
    return 0;
}

static int notes(void *arg)
{
    struct moved *self = arg;

    self->when_others_ran = self->times;
    return 0;
}

INSIDE(turn, a_call_that_moves_much_is_charged_for_its_bytes)
{
    struct moved self = {0};

    cr_expect(eq(int, nido_pipe(self.ends), 0));
    cr_expect(eq(int, TOGETHER(&self, moves_much, notes), 0));
    cr_expect(le(int, self.when_others_ran, 20), "128 calls of 16 KiB");
    io_close_pair(self.ends);
}
