/* SPDX-License-Identifier: MIT */
/* What the published tests of Go check of its standard library and of golang.org/x/sync, checked of
 * nido. The comment of each test names the peer's test that it is after, and what nido intends
 * otherwise. */
#include "sync_help.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include "group_help.h"
#include "io_help.h"
#include "proc_help.h"

/* A small generator, so that each run draws the same. */
static uint32_t drawn = 1;

static uint32_t draw_below(uint32_t n)
{
    drawn = drawn * 1664525 + 1013904223;
    return (drawn >> 8) % n;
}

/* ---- context ---- */

/* context, TestDeadline, TestTimeout: of nested deadlines the earliest holds. */
INSIDE(go, of_nested_deadlines_the_earliest_holds)
{
    static const struct {
        int64_t outer, inner; /* ms */
        int inner_rc;
        int64_t end;
    } cases[] = {
        {50, 1000, -ECANCELED, 50},
        {1000, 50, -ETIMEDOUT, 50},
        {1000, 2000, -ECANCELED, 1000},
        {1000, 0, -ETIMEDOUT, 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t start = nido_now();
        nido_scope outer, inner;
        int rc;

        nido_timeout_open(&outer, NIDO_MS(cases[i].outer));
        nido_timeout_open(&inner, NIDO_MS(cases[i].inner));
        rc = nido_scope_close(&inner, nido_sleep(NIDO_NEVER));
        cr_expect(eq(int, rc, cases[i].inner_rc), "case %zu", i);
        nido_scope_close(&outer, rc == -ECANCELED ? rc : 0);
        cr_expect(eq(i64, nido_now() - start, NIDO_MS(cases[i].end)), "case %zu", i);
    }
}

/* context, TestCanceledTimeout: a cancel before the deadline is what it says it is. */
INSIDE(go, a_cancel_before_the_deadline_is_no_timeout)
{
    nido_scope scope;
    nido_cause cause;

    nido_timeout_open(&scope, NIDO_SEC(1));
    nido_scope_cancel(&scope, -ESTALE, "too soon");
    nido_cancel_cause(&cause);
    cr_expect(eq(int, (int)cause.kind, NIDO_CAUSE_CANCEL));
    cr_expect(eq(str, (char *)cause.reason, "too soon"));
    cr_expect(eq(int, nido_scope_close(&scope, nido_sleep(NIDO_SEC(2))), -ESTALE));
}

/* context, TestCause: of two cancels the first is the cause, above and below. */
INSIDE(go, the_first_of_several_cancels_is_the_cause)
{
    for (int outer_first = 0; outer_first < 2; outer_first++) {
        nido_scope scopes[2];
        nido_cause cause;
        int rc;

        for (int i = 0; i < 2; i++) nido_scope_open(&scopes[i]);
        nido_scope_cancel(&scopes[!outer_first], -ESTALE, "first");
        nido_scope_cancel(&scopes[outer_first], -EDOM, "second");
        nido_cancel_cause(&cause);
        cr_expect(eq(int, cause.code, -ESTALE));
        cr_expect(eq(str, (char *)cause.reason, "first"));
        rc = nido_scope_close(&scopes[1], -ECANCELED);
        rc = nido_scope_close(&scopes[0], rc);
        cr_expect(eq(int, rc, outer_first ? -ESTALE : -EDOM), "the outer one absorbs");
        nido_cancel_cause(&cause);
        cr_expect(eq(int, (int)cause.kind, NIDO_CAUSE_NONE));
    }
}

/* context, TestWithoutCancel. In Go nothing ends it; nido's shield has a bound, here none. */
INSIDE(go, a_shield_is_without_the_cancel_and_the_deadline_outside)
{
    nido_scope outer, shield;

    nido_timeout_open(&outer, NIDO_SEC(1));
    nido_scope_cancel(&outer, 0, NULL);
    nido_shield_open(&shield, NIDO_NEVER);
    cr_expect(eq(i64, nido_deadline(), NIDO_NEVER));
    cr_expect(not(nido_cancelled()));
    cr_expect(zero(int, nido_sleep(NIDO_SEC(5))));
    nido_scope_close(&shield, 0);
    cr_expect(nido_cancelled());
    nido_scope_close(&outer, 0);
}

static nido_local key;

static int read_local(void *unused)
{
    (void)unused;
    return nido_local_get(&key) != NULL;
}

/* context, TestValues: Go's values are inherited; nido's belong to one task, which hands on what its
 * children need. */
INSIDE(go, values_belong_to_their_task)
{
    nido_group group;
    nido_task task;
    int rc = 9, value;

    cr_expect(zero(int, nido_local_set(&key, &value)));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    task = begin_kept(&group, read_local, NULL);
    cr_expect(zero(int, nido_join(task, &rc)));
    cr_expect(zero(int, rc));
    cr_expect(eq(ptr, nido_local_get(&key), &value));
    cr_expect(zero(int, nido_group_close(&group, 0)));
}

enum { LAYERS = 50 };

static struct layer {
    nido_scope scope;
    int rc;
} layers[LAYERS];

static int descend(int depth)
{
    struct layer *self = &layers[depth];

    if (depth == LAYERS) return nido_sleep(NIDO_NEVER);
    nido_scope_open(&self->scope);
    return self->rc = nido_scope_close(&self->scope, descend(depth + 1));
}

static int descend_all(void *unused)
{
    (void)unused;
    return descend(0);
}

/* context, TestLayersCancel, TestSimultaneousCancels, TestInterlockedCancels: of many layers some
 * are cancelled, in any order; below the outermost all are, above it none. */
INSIDE(go, of_many_layers_those_below_a_cancelled_one_are_cancelled)
{
    for (int round = 0; round < 50; round++) {
        int outermost = LAYERS;
        nido_group group;

        nido_group_open(&group, NIDO_FAIL_FAST, NULL);
        begin(&group, descend_all, NULL);
        nido_yield();
        for (int i = 0; i < 10; i++) {
            int layer = (int)draw_below(LAYERS);

            nido_scope_cancel(&layers[layer].scope, -ESTALE, NULL);
            if (layer < outermost) outermost = layer;
        }
        cr_expect(eq(int, nido_group_close(&group, 0), -ESTALE), "it came out as a code");
        for (int i = 0; i < LAYERS; i++)
            cr_expect(eq(int, layers[i].rc, i > outermost ? -ECANCELED : -ESTALE), "layer %d", i);
    }
}

/* ---- sync ---- */

enum { HAMMERS = 10, LOOPS = 1000 };

static nido_mutex mutex;
static nido_rwlock rwlock;
static int inside, most_inside, writers, wrong;

static int hammer_mutex(void *unused)
{
    (void)unused;
    for (int i = 0; i < LOOPS; i++) {
        int rc = i % 3 ? nido_mutex_lock(&mutex) : nido_mutex_try_lock(&mutex);

        if (rc == -EAGAIN) continue;
        wrong += rc != 0 || inside++ != 0;
        if (i % 7 == 0) nido_yield();
        inside--;
        wrong += nido_mutex_unlock(&mutex) != 0;
    }
    return 0;
}

/* sync, TestMutex. */
INSIDE(go, a_mutex_that_is_hammered_excludes)
{
    nido_group group;

    nido_mutex_init(&mutex, NULL);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < HAMMERS; i++) begin(&group, hammer_mutex, NULL);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(zero(int, wrong));
    cr_expect(zero(int, inside));
}

/* sync, TestMutexMisuse, TestWaitGroupMisuse, and the same of other objects. Go ends the program; in
 * nido they are errors. */
INSIDE(go, what_is_not_held_cannot_be_given_back)
{
    nido_latch latch;

    nido_mutex_init(&mutex, NULL);
    nido_rwlock_init(&rwlock, NULL);
    nido_latch_init(&latch, 1, NULL);
    cr_expect(eq(int, nido_mutex_unlock(&mutex), -EPERM));
    cr_expect(eq(int, nido_rwlock_read_unlock(&rwlock), -EPERM));
    cr_expect(eq(int, nido_rwlock_write_unlock(&rwlock), -EPERM));
    nido_rwlock_read_lock(&rwlock);
    cr_expect(eq(int, nido_rwlock_write_unlock(&rwlock), -EPERM));
    nido_rwlock_read_unlock(&rwlock);
    cr_expect(zero(int, nido_latch_done(&latch)));
    cr_expect(eq(int, nido_latch_done(&latch), -EINVAL));
}

static bool stop;

static int hog(void *unused)
{
    (void)unused;
    while (!stop) {
        nido_mutex_lock(&mutex);
        nido_sleep(NIDO_US(100));
        nido_mutex_unlock(&mutex);
    }
    return 0;
}

/* sync, TestMutexFairness. */
INSIDE(go, a_task_that_locks_again_at_once_starves_no_other)
{
    nido_group group;

    nido_mutex_init(&mutex, NULL);
    stop = false;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, hog, NULL);
    for (int i = 0; i < 10; i++) {
        int64_t start;

        nido_sleep(NIDO_US(50));
        start = nido_now();
        cr_expect(zero(int, nido_mutex_lock(&mutex)));
        cr_expect(le(i64, nido_now() - start, NIDO_US(100)),
                  "after the one that held it, it is ours");
        nido_mutex_unlock(&mutex);
    }
    stop = true;
    cr_expect(zero(int, nido_group_close(&group, 0)));
}

static int read_some(void *unused)
{
    (void)unused;
    for (int i = 0; i < 100; i++) {
        nido_rwlock_read_lock(&rwlock);
        wrong += writers != 0;
        if (++inside > most_inside) most_inside = inside;
        nido_yield();
        inside--;
        nido_rwlock_read_unlock(&rwlock);
    }
    return 0;
}

static int write_some(void *unused)
{
    (void)unused;
    for (int i = 0; i < 100; i++) {
        nido_rwlock_write_lock(&rwlock);
        wrong += writers++ != 0 || inside != 0;
        nido_yield();
        writers--;
        nido_rwlock_write_unlock(&rwlock);
    }
    return 0;
}

/* sync, TestRWMutex, TestParallelReaders. */
INSIDE(go, many_read_at_once_and_one_writes_alone)
{
    for (int n = 0; n < 3; n++) {
        nido_group group;

        nido_rwlock_init(&rwlock, NULL);
        inside = most_inside = writers = wrong = 0;
        nido_group_open(&group, NIDO_FAIL_FAST, NULL);
        for (int i = 0; i < 10; i++) begin(&group, i < n ? write_some : read_some, NULL);
        cr_expect(zero(int, nido_group_close(&group, 0)));
        cr_expect(zero(int, wrong));
        if (n == 0) cr_expect(eq(int, most_inside, 10), "readers alone are all inside");
    }
}

static int once_calls;
static nido_once once;

static int count_and_fail(void *rc)
{
    once_calls++;
    nido_yield();
    return (int)(intptr_t)rc;
}

static int do_once(void *rc)
{
    return nido_once_do(&once, count_and_fail, rc);
}

/* sync, TestOnce, TestOncePanic; singleflight, TestDo, TestDoErr, TestDoDupSuppress. A call of Go
 * that panicked counts as done; in nido the next in line tries. */
SYNC_TEST(go, work_is_done_once_and_again_only_after_a_failure)
{
    for (int fails = 0; fails < 2; fails++) {
        struct call calls[10];

        once_calls = 0;
        nido_once_init(&once, NULL);
        for (int i = 0; i < 10; i++)
            call_spawn(group, &calls[i], do_once, result(fails && i == 0 ? -EIO : 7));
        let_run();
        cr_expect(eq(int, once_calls, 1 + fails));
        for (int i = 0; i < 10; i++) cr_expect(eq(int, calls[i].rc, fails &&i == 0 ? -EIO : 7));
    }
}

static nido_cond cond;
static int order[100], ordered;

static int wait_in_order(void *number)
{
    nido_mutex_lock(&mutex);
    nido_cond_wait(&cond, &mutex);
    order[ordered++] = (int)(intptr_t)number;
    return nido_mutex_unlock(&mutex);
}

/* sync, TestCondSignal, TestCondSignalGenerations, TestCondBroadcast, TestCondSignalStealing. */
SYNC_TEST(go, signals_wake_in_order_and_no_later_waiter_takes_one)
{
    nido_mutex_init(&mutex, NULL);
    nido_cond_init(&cond, NULL);
    for (int i = 0; i < 100; i++) {
        begin(group, wait_in_order, result(i));
        if (i >= 10) nido_cond_notify(&cond);
        nido_test_wait_all_parked();
    }
    nido_test_wait_all_parked();
    cr_expect(eq(int, ordered, 90));
    nido_cond_notify_all(&cond);
    nido_test_wait_all_parked();
    cr_expect(eq(int, ordered, 100));
    for (int i = 0; i < 100; i++) cr_expect(eq(int, order[i], i));
}

static int finish(void *latch)
{
    nido_yield();
    return nido_latch_done(latch);
}

static int wait_latch(void *latch)
{
    return nido_latch_wait(latch);
}

/* sync, TestWaitGroup. */
SYNC_TEST(go, a_wait_group_counts_down_again_and_again)
{
    nido_latch latch;

    nido_latch_init(&latch, 0, NULL);
    for (int round = 0; round < 8; round++) {
        struct call calls[2];

        nido_latch_add(&latch, 16);
        for (int i = 0; i < 2; i++) call_spawn(group, &calls[i], wait_latch, &latch);
        nido_yield();
        for (int i = 0; i < 16; i++) begin(group, finish, &latch);
        cr_expect(eq(int, calls[0].rc, WAITING));
        cr_expect(eq(int, calls[1].rc, WAITING));
        let_run();
        cr_expect(zero(int, calls[0].rc));
        cr_expect(zero(int, calls[1].rc));
    }
}

/* ---- golang.org/x/sync ---- */

/* errgroup, TestZeroGroup, TestWithContext: the first error of the calls, and the context with it. */
INSIDE(go, an_error_group_keeps_the_first_error)
{
    static const struct {
        int codes[3], n, rc;
    } cases[] = {{{0}, 0, 0},
                 {{0}, 1, 0},
                 {{-EIO}, 1, -EIO},
                 {{-EIO, 0}, 2, -EIO},
                 {{0, -EIO, -EDOM}, 3, -EIO}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nido_group group;

        nido_group_open(&group, NIDO_FAIL_FAST, NULL);
        for (int n = 0; n < cases[i].n; n++) begin(&group, give, result(cases[i].codes[n]));
        nido_sleep(0);
        cr_expect(eq(int, nido_cancelled(), cases[i].rc < 0), "case %zu", i);
        cr_expect(eq(int, nido_group_close(&group, 0), cases[i].rc), "case %zu", i);
    }
}

static int enter_and_leave(void *unused)
{
    (void)unused;
    if (++inside > most_inside) most_inside = inside;
    nido_yield();
    inside--;
    return 0;
}

/* errgroup, TestTryGo, TestGoLimit. */
INSIDE(go, a_limited_group_refuses_or_waits)
{
    nido_group_options options;
    struct plan plan = {.ns = 1};
    nido_group group;

    nido_group_options_init(&options);
    options.limit = 10;
    nido_group_open_with(&group, &options);
    for (int i = 0; i < 10; i++) begin(&group, follow, &plan);
    cr_expect(eq(int, nido_spawn(&group, follow, &plan), -EAGAIN));
    for (int i = 0; i < 100; i++)
        cr_expect(zero(int, nido_spawn_wait(&group, enter_and_leave, NULL)));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(gt(int, most_inside, 1));
    cr_expect(le(int, most_inside, 10));
}

static nido_sem sem;
static uint32_t in_use, most_in_use;

static int hammer_sem(void *arg)
{
    uint32_t n = (uint32_t)(intptr_t)arg;

    for (int i = 0; i < 100; i++) {
        wrong += nido_sem_acquire_n(&sem, n) != 0;
        in_use += n;
        if (in_use > most_in_use) most_in_use = in_use;
        nido_yield();
        in_use -= n;
        nido_sem_release_n(&sem, n);
    }
    return 0;
}

/* semaphore, TestWeighted. */
INSIDE(go, weighted_permits_are_never_more_than_there_are)
{
    nido_group group;

    wrong = 0;
    nido_sem_init(&sem, 8, 8, NULL);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 16; i++) begin(&group, hammer_sem, result(1 + i % 8));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(zero(int, wrong));
    cr_expect(eq(u32, most_in_use, 8));
    cr_expect(eq(u32, nido_sem_count(&sem), 8));
}

static int acquire(void *n)
{
    return nido_sem_acquire_n(&sem, (uint32_t)(intptr_t)n);
}

/* semaphore, TestWeightedTryAcquire, TestWeightedDoesntBlockIfTooBig, TestWeightedAcquireCanceled. A
 * request for more than there will ever be waits for the context's end in Go; nido refuses it. */
INSIDE(go, requests_that_cannot_be_met_take_nothing)
{
    nido_scope scope;

    nido_sem_init(&sem, 2, 2, NULL);
    cr_expect(eq(int, nido_sem_acquire_n(&sem, 3), -EINVAL));
    cr_expect(zero(int, nido_sem_try_acquire(&sem)));
    cr_expect(eq(int, nido_sem_try_acquire_n(&sem, 2), -EAGAIN));
    nido_timeout_open(&scope, NIDO_MS(10));
    cr_expect(eq(int, nido_scope_close(&scope, nido_sem_acquire_n(&sem, 2)), -ETIMEDOUT));
    nido_scope_open(&scope);
    nido_scope_cancel(&scope, 0, NULL);
    cr_expect(eq(int, nido_sem_acquire(&sem), -ECANCELED), "though one is free");
    nido_scope_close(&scope, 0);
    cr_expect(eq(u32, nido_sem_count(&sem), 1));
}

/* semaphore, TestLargeAcquireDoesntStarve, TestAllocCancelDoesntStarve. */
SYNC_TEST(go, a_large_request_is_not_starved_and_starves_none_when_it_leaves)
{
    struct call large, small;

    nido_sem_init(&sem, 1, 10, NULL);
    call_make(group, &large, acquire, result(10));
    call_make(group, &small, acquire, result(1));
    cr_expect(eq(int, large.rc, WAITING));
    cr_expect(eq(int, small.rc, WAITING));
    call_cancel(&large);
    let_run();
    cr_expect(eq(int, large.rc, -ECANCELED));
    cr_expect(zero(int, small.rc));
    call_make(group, &large, acquire, result(10));
    for (int i = 0; i < 9; i++) {
        nido_sem_release(&sem);
        cr_expect(eq(int, nido_sem_try_acquire(&sem), -EAGAIN));
    }
    nido_sem_release(&sem);
    let_run();
    cr_expect(zero(int, large.rc));
}

/* ---- channels and select ---- */

static nido_chan *chan;

static void chan_new(size_t capacity)
{
    cr_assert(zero(int, nido_chan_new(sizeof(int), capacity, NULL, NULL, &chan)));
}

static int send_hundred(void *unused)
{
    (void)unused;
    for (int i = 0; i < 100; i++) nido_chan_send(chan, &i);
    return nido_chan_close_send(chan);
}

/* runtime, TestChan, of each capacity; test/chan/fifo.go. */
INSIDE(go, a_channel_of_any_capacity_blocks_keeps_order_and_closes)
{
    for (size_t capacity = 0; capacity < 20; capacity++) {
        nido_scope scope;
        nido_group group;
        int item = 0;

        chan_new(capacity);
        cr_expect(eq(int, nido_chan_try_recv(chan, &item), -EAGAIN));
        for (size_t i = 0; i < capacity; i++) cr_expect(zero(int, nido_chan_send(chan, &item)));
        cr_expect(eq(int, nido_chan_try_send(chan, &item), -EAGAIN));
        nido_timeout_open(&scope, 1);
        cr_expect(eq(int, nido_scope_close(&scope, nido_chan_send(chan, &item)), -ETIMEDOUT));
        for (size_t i = 0; i < capacity; i++) cr_expect(zero(int, nido_chan_recv(chan, &item)));
        nido_group_open(&group, NIDO_FAIL_FAST, NULL);
        begin(&group, send_hundred, NULL);
        for (int i = 0; i < 100; i++) {
            cr_expect(zero(int, nido_chan_recv(chan, &item)));
            cr_expect(eq(int, item, i));
        }
        cr_expect(eq(int, nido_chan_recv(chan, &item), -EPIPE));
        cr_expect(zero(int, nido_group_close(&group, 0)));
        nido_chan_free(chan);
    }
}

/* test/chan/perm.go, test/chan/select3.go: what waits, what does not, and what is refused. Go panics
 * at a send into a closed channel. */
INSIDE(go, selects_that_can_go_on_do)
{
    enum { EMPTY, FULL, CLOSED };
    static const struct {
        int state;
        bool send;
        int rc, status;
    } cases[] = {
        {EMPTY, true, 0, 0}, {EMPTY, false, -EAGAIN, 0}, {FULL, true, -EAGAIN, 0},
        {FULL, false, 0, 0}, {CLOSED, false, 0, -EPIPE}, {CLOSED, true, 0, -EPIPE},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nido_arm arm;
        int item = 1;

        chan_new(1);
        if (cases[i].state == FULL) nido_chan_send(chan, &item);
        if (cases[i].state == CLOSED) nido_chan_close_send(chan);
        if (cases[i].send) nido_arm_send(&arm, chan, &item);
        if (!cases[i].send) nido_arm_recv(&arm, chan, &item);
        cr_expect(eq(int, nido_select(&arm, 1, NIDO_POLL), cases[i].rc), "case %zu", i);
        if (cases[i].rc == 0) cr_expect(eq(int, arm.status, cases[i].status), "case %zu", i);
        nido_chan_free(chan);
    }
}

static int select_both_ways(void *id)
{
    int sent = 0, got = 0;

    while (sent < 200 || got < 200) {
        int item = (int)(intptr_t)id, other = -1, n = 0;
        nido_arm arms[2];

        if (sent < 200) nido_arm_send(&arms[n++], chan, &item);
        if (got < 200) nido_arm_recv(&arms[n++], chan, &other);
        switch (nido_select(arms, (size_t)n, 0)) {
        case 0:
            if (sent < 200) {
                sent++;
                continue;
            }
            break;
        default:
            break;
        }
        got++;
        wrong += other == item;
    }
    return 0;
}

/* runtime, TestSelfSelect: two tasks send and receive on one channel, and neither meets itself. */
INSIDE(go, a_select_never_receives_what_it_sends)
{
    nido_group group;

    wrong = 0;
    chan_new(0);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 2; i++) begin(&group, select_both_ways, result(i));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(zero(int, wrong));
    nido_chan_free(chan);
}

/* runtime, TestSelectFairness, TestPseudoRandomSend: of two that are always ready each has its share. */
INSIDE(go, of_two_ready_arms_each_is_drawn_about_half_the_time)
{
    int counts[2] = {0};

    chan_new(1);
    for (int i = 0; i < 1000; i++) {
        nido_event events[2];
        nido_arm arms[2];

        for (int n = 0; n < 2; n++) {
            nido_event_init(&events[n], NULL);
            nido_event_set(&events[n]);
            nido_arm_event(&arms[n], &events[n]);
        }
        counts[nido_select(arms, 2, 0)]++;
    }
    cr_expect(gt(int, counts[0], 300));
    cr_expect(gt(int, counts[1], 300));
    nido_chan_free(chan);
}

static nido_chan *first_chan, *second_chan;

static int feed_first_or_second(void *unused)
{
    int i = 0;

    (void)unused;
    for (; i < 1000; i++) {
        nido_arm arms[2];

        nido_arm_send(&arms[0], first_chan, &i);
        nido_arm_send(&arms[1], second_chan, &i);
        if (nido_select(arms, 2, 0) < 0) return -EIO;
    }
    nido_chan_close_send(first_chan);
    return nido_chan_close_send(second_chan);
}

static bool seen[1000];

static int drain(void *from)
{
    int item;

    while (nido_chan_recv(from, &item) == 0) {
        wrong += seen[item];
        seen[item] = true;
    }
    return 0;
}

/* test/chan/doubleselect.go: no item goes out by both arms. */
INSIDE(go, a_select_sends_by_one_arm_alone)
{
    nido_group group;

    wrong = 0;
    nido_chan_new(sizeof(int), 0, NULL, NULL, &first_chan);
    nido_chan_new(sizeof(int), 0, NULL, NULL, &second_chan);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, drain, first_chan);
    begin(&group, drain, second_chan);
    begin(&group, feed_first_or_second, NULL);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    for (int i = 0; i < 1000; i++) wrong += !seen[i];
    cr_expect(zero(int, wrong));
    nido_chan_free(first_chan);
    nido_chan_free(second_chan);
}

struct stage {
    nido_chan *in, *out;
    int prime;
};

static int filter(void *arg)
{
    struct stage *self = arg;
    int item, rc;

    while ((rc = nido_chan_recv(self->in, &item)) == 0)
        if (item % self->prime && (rc = nido_chan_send(self->out, &item)) < 0) break;
    return rc;
}

static int generate(void *out)
{
    for (int i = 2;; i++) {
        int rc = nido_chan_send(out, &i);

        if (rc < 0) return rc;
    }
}

/* test/chan/sieve1.go. */
INSIDE(go, a_sieve_of_channels_finds_primes_and_ends_when_cancelled)
{
    enum { PRIMES = 25 };
    struct stage stages[PRIMES];
    nido_chan *chans[PRIMES + 1];
    nido_group group;
    int item = 0;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    nido_chan_new(sizeof(int), 0, NULL, NULL, &chans[0]);
    begin(&group, generate, chans[0]);
    for (int i = 0; i < PRIMES; i++) {
        cr_expect(zero(int, nido_chan_recv(chans[i], &item)));
        nido_chan_new(sizeof(int), 0, NULL, NULL, &chans[i + 1]);
        stages[i] = (struct stage){chans[i], chans[i + 1], item};
        begin(&group, filter, &stages[i]);
    }
    cr_expect(eq(int, item, 97));
    nido_group_cancel(&group, 0, NULL);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    for (int i = 0; i <= PRIMES; i++) nido_chan_free(chans[i]);
}

static int try_receive(void *unused)
{
    int item = 0;

    (void)unused;
    return nido_chan_try_recv(chan, &item);
}

/* runtime, TestNonblockRecvRace: an item that was sent before the close is there for a try. */
INSIDE(go, a_try_finds_what_was_sent_before_the_close)
{
    for (int i = 0; i < 100; i++) {
        nido_group group;
        nido_task task;
        int rc = 1;

        chan_new(1);
        nido_chan_send(chan, &i);
        nido_group_open(&group, NIDO_WAIT_ALL, NULL);
        task = begin_kept(&group, try_receive, NULL);
        nido_chan_close_send(chan);
        cr_expect(zero(int, nido_join(task, &rc)));
        cr_expect(zero(int, rc));
        cr_expect(eq(int, try_receive(NULL), -EPIPE));
        cr_expect(zero(int, nido_group_close(&group, 0)));
        nido_chan_free(chan);
    }
}

/* ---- time ---- */

/* time, TestAfterQueuing, TestSleepZeroDeadlock, TestOverflowSleep. */
INSIDE(go, sleeps_wake_in_order_and_a_huge_one_is_no_past_one)
{
    static const int64_t slots[] = {5, 3, 6, 6, 6, 1, 1, 2, 7, 9, 4, 8, 0};
    enum { SLOTS = sizeof slots / sizeof *slots };
    struct plan plans[SLOTS] = {0};
    int64_t start = nido_now();
    nido_scope scope;
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < SLOTS; i++) {
        plans[i].ns = NIDO_MS(slots[i]);
        begin(&group, follow, &plans[i]);
    }
    cr_expect(zero(int, nido_group_close(&group, 0)));
    for (int i = 0; i < SLOTS; i++) cr_expect(eq(i64, plans[i].end - start, NIDO_MS(slots[i])));
    nido_timeout_open(&scope, NIDO_MS(25));
    cr_expect(eq(int, nido_scope_close(&scope, nido_sleep(INT64_MAX - 1)), -ETIMEDOUT));
    cr_expect(zero(int, nido_sleep(INT64_MIN)));
}

/* time, TestReset, TestTimerModifiedEarlier, TestAdjustTimers: many timers are moved, and each ends
 * at the last instant it was given. */
struct timer {
    nido_scope scope;
    int64_t end;
};

static int run_timer(void *arg)
{
    struct timer *self = arg;
    int rc;

    nido_timeout_open(&self->scope, NIDO_SEC(100));
    rc = nido_scope_close(&self->scope, nido_sleep(NIDO_NEVER));
    self->end = nido_now();
    return rc == -ETIMEDOUT ? 0 : -EIO;
}

INSIDE(go, timers_that_are_moved_end_at_their_last_instant)
{
    enum { TIMERS = 100 };
    static struct timer timers[TIMERS];
    int64_t wanted[TIMERS] = {0}, start = nido_now();
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < TIMERS; i++) begin(&group, run_timer, &timers[i]);
    nido_yield();
    for (int i = 0; i < TIMERS; i++) wanted[i] = start + NIDO_SEC(100);
    for (int i = 0; i < 10 * TIMERS; i++) {
        uint32_t n = draw_below(TIMERS);

        wanted[n] = start + NIDO_MS(1 + draw_below(1000000));
        nido_scope_move(&timers[n].scope, wanted[n]);
    }
    cr_expect(zero(int, nido_group_close(&group, 0)));
    for (int i = 0; i < TIMERS; i++) cr_expect(eq(i64, timers[i].end, wanted[i]), "timer %d", i);
}

/* ---- net ---- */

static int ends[2];

static void pair_new(int type)
{
    cr_assert(zero(int, nido_socketpair(AF_UNIX, type, 0, ends)));
}

static ssize_t read_within(int64_t ns, char *byte)
{
    nido_scope scope;

    nido_timeout_open(&scope, ns);
    return nido_scope_close(&scope, (int)nido_read(ends[0], byte, 1));
}

/* net, TestReadTimeout, TestReadTimeoutMustNotReturn, TestReadTimeoutFluctuation: bytes that are
 * there are not read after the deadline, and are there for the next. */
INSIDE(go, a_read_ends_at_its_deadline_and_loses_nothing)
{
    static const int64_t timeouts[] = {-1, 0, 1, NIDO_MS(1), NIDO_SEC(1)};
    int64_t start = nido_now();
    char byte = 0;

    pair_new(SOCK_STREAM);
    for (size_t i = 0; i < sizeof timeouts / sizeof *timeouts; i++)
        cr_expect(eq(int, (int)read_within(timeouts[i], &byte), -ETIMEDOUT));
    cr_expect(eq(i64, nido_now() - start, 1 + NIDO_MS(1) + NIDO_SEC(1)));
    nido_write(ends[1], "x", 1);
    cr_expect(eq(int, (int)read_within(0, &byte), -ETIMEDOUT));
    cr_expect(eq(int, (int)read_within(NIDO_NEVER, &byte), 1));
    io_close_pair(ends);
}

static int fill_up(void *done)
{
    static char block[1 << 20];

    return nido_write_all(ends[1], block, sizeof block, done);
}

/* net, TestWriteTimeout, TestSendfileOnWriteTimeoutExceeded: how much went out is told exactly. */
INSIDE(go, a_write_ends_at_its_deadline_and_tells_what_went_out)
{
    size_t done = 0, total = 0;

    pair_new(SOCK_STREAM);
    for (int i = 0; i < 3; i++) {
        cr_expect(eq(int, nido_with_timeout(NIDO_MS(10), fill_up, &done), -ETIMEDOUT));
        total += done;
    }
    cr_expect(eq(sz, io_drain(ends[0]), total));
    io_close_pair(ends);
}

static int read_one(void *fd)
{
    char byte;

    return (int)nido_read(*(int *)fd, &byte, 1);
}

static int accept_one(void *fd)
{
    return nido_accept(*(int *)fd, NULL, NULL);
}

/* net, TestCloseUnblocksRead, TestListenerClose, TestClosingListener, TestListenCloseListen. */
SYNC_TEST(go, a_close_unblocks_and_its_address_is_free_again)
{
    struct call reader, acceptor;
    int listener;

    pair_new(SOCK_STREAM);
    call_make(group, &reader, read_one, &ends[0]);
    nido_close(ends[0]);
    let_run();
    cr_expect(eq(int, reader.rc, -EBADF));
    cr_expect(eq(int, read_one(&ends[0]), -EBADF));
    cr_expect(eq(int, nido_close(ends[0]), -EBADF));
    nido_close(ends[1]);

    listener = nido_listen("127.0.0.1", "0", NULL);
    for (int i = 0; i < 5; i++) {
        struct sockaddr_in address;
        socklen_t length = sizeof address;
        char port[8];

        getsockname(listener, (struct sockaddr *)&address, &length);
        call_make(group, &acceptor, accept_one, &listener);
        nido_close(listener);
        let_run();
        cr_expect(eq(int, acceptor.rc, -EBADF));
        snprintf(port, sizeof port, "%d", ntohs(address.sin_port));
        listener = nido_listen("127.0.0.1", port, NULL);
        cr_expect(ge(int, listener, 0));
    }
    nido_close(listener);
}

/* net, TestAcceptTimeout, TestAcceptTimeoutMustNotReturn: a connection that waits is kept. */
INSIDE(go, an_accept_that_times_out_leaves_the_connection)
{
    int listener = io_listen(), client, server;
    nido_scope scope;

    nido_timeout_open(&scope, NIDO_MS(5));
    cr_expect(eq(int, nido_scope_close(&scope, accept_one(&listener)), -ETIMEDOUT));
    client = io_connect();
    nido_timeout_open(&scope, 0);
    cr_expect(eq(int, nido_scope_close(&scope, accept_one(&listener)), -ETIMEDOUT));
    server = accept_one(&listener);
    cr_expect(ge(int, server, 0));
    nido_close(server);
    close(client);
    nido_close(listener);
    unlink(io_place() + 5);
}

/* net, TestCloseRead, TestCloseWrite. */
INSIDE(go, a_half_that_is_closed_ends_and_the_other_goes_on)
{
    char byte;

    pair_new(SOCK_STREAM);
    shutdown(ends[1], SHUT_WR);
    cr_expect(zero(int, (int)nido_read(ends[0], &byte, 1)));
    cr_expect(zero(int, (int)nido_read(ends[0], &byte, 1)), "an end stays one");
    cr_expect(eq(int, (int)nido_write(ends[1], "x", 1), -EPIPE));
    cr_expect(eq(int, (int)nido_write(ends[0], "y", 1), 1));
    cr_expect(eq(int, read_one(&ends[1]), 1));
    io_close_pair(ends);
}

/* net, TestZeroByteRead, TestUnixgramZeroBytePayload, TestUDPZeroBytePayload, TestUDPReadSizeError:
 * an empty datagram is one, and of one that is too long the rest is gone. */
INSIDE(go, datagrams_are_whole_also_when_they_are_empty)
{
    char buf[4] = "....";

    pair_new(SOCK_DGRAM);
    cr_expect(zero(int, (int)nido_send(ends[1], "", 0, 0)));
    cr_expect(eq(int, (int)nido_send(ends[1], "abcdefgh", 8, 0), 8));
    cr_expect(eq(int, (int)nido_send(ends[1], "z", 1, 0), 1));
    cr_expect(zero(int, (int)nido_recvfrom(ends[0], buf, 4, 0, NULL, NULL)));
    cr_expect(eq(chr, buf[0], '.'));
    cr_expect(eq(int, (int)nido_recvfrom(ends[0], buf, 4, 0, NULL, NULL), 4));
    cr_expect(eq(int, (int)nido_recvfrom(ends[0], buf, 4, 0, NULL, NULL), 1));
    cr_expect(eq(chr, buf[0], 'z'));
    io_close_pair(ends);
}

static int echo_listener;

static int echo_all(void *unused)
{
    char buf[64];

    (void)unused;
    for (int i = 0; i < 5; i++) {
        int fd = nido_accept(echo_listener, NULL, NULL);

        for (ssize_t n; (n = nido_read(fd, buf, sizeof buf)) > 0;)
            nido_write_all(fd, buf, (size_t)n, NULL);
        nido_close(fd);
    }
    return 0;
}

static int call_echo(void *unused)
{
    char buf[5] = "";
    int fd = nido_dial(io_place(), NULL, NULL), rc;

    (void)unused;
    if (fd < 0) return fd;
    rc = nido_write_all(fd, "hello", 5, NULL);
    if (rc == 0) rc = nido_read_full(fd, buf, 5, NULL);
    nido_close(fd);
    return rc < 0 ? rc : memcmp(buf, "hello", 5) ? -EIO : 0;
}

/* net, TestTCPConcurrentAccept, TestTCPStress: several tasks accept from one listener. */
INSIDE(go, several_accept_from_one_listener_and_serve_all)
{
    nido_group group;

    echo_listener = io_listen();
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 10; i++) begin(&group, echo_all, NULL);
    for (int i = 0; i < 50; i++) begin(&group, call_echo, NULL);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    nido_close(echo_listener);
    unlink(io_place() + 5);
}

/* net, TestBuffers_WriteTo: of any number of parts. */
INSIDE(go, many_parts_are_written_as_one)
{
    static const int counts[] = {0, 1, 2, 50, 2000};
    static struct iovec parts[2000];
    static char bytes[2000], got[2000];

    for (int i = 0; i < 2000; i++) {
        bytes[i] = (char)i;
        parts[i] = (struct iovec){&bytes[i], 1};
    }
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        int n = counts[i], done = 0;

        pair_new(SOCK_STREAM);
        while (done < n) done += (int)nido_writev(ends[1], parts + done, n - done);
        cr_expect(zero(int, nido_read_full(ends[0], got, (size_t)n, NULL)));
        cr_expect(zero(int, memcmp(bytes, got, (size_t)n)));
        io_close_pair(ends);
    }
}

/* net, TestUnixUnlink: Go removes the path of its listener; nido leaves it, for it may be a
 * successor's by then. */
INSIDE(go, the_path_of_a_listener_is_left)
{
    struct stat st;
    int fd = io_listen();

    nido_close(fd);
    cr_expect(zero(int, stat(io_place() + 5, &st)));
    cr_expect(eq(int, nido_listen(io_place(), NULL, NULL), -EADDRINUSE));
    unlink(io_place() + 5);
}

/* ---- os ---- */

/* os, TestReadAt, TestReadAtEOF, TestReadAtNegativeOffset, TestWriteAt, TestReadClosed,
 * TestDoubleCloseError, TestOpenError. */
INSIDE(go, files_are_read_and_written_at_offsets)
{
    char buf[8] = "";
    FILE *file = tmpfile();
    int fd;

    cr_assert(ne(ptr, file, NULL));
    fd = dup(fileno(file));
    cr_expect(eq(int, (int)nido_pwrite(fd, "hello, world", 12, 0), 12));
    cr_expect(eq(int, (int)nido_pwrite(fd, "WORLD", 5, 7), 5));
    cr_expect(eq(int, (int)nido_pread(fd, buf, 5, 7), 5));
    cr_expect(zero(int, memcmp(buf, "WORLD", 5)));
    cr_expect(eq(int, (int)nido_pread(fd, buf, 5, 10), 2));
    cr_expect(zero(int, (int)nido_pread(fd, buf, 5, 12)));
    cr_expect(eq(int, (int)nido_pread(fd, buf, 5, -1), -EINVAL));
    cr_expect(eq(int, (int)nido_pwrite(fd, buf, 5, -1), -EINVAL));
    cr_expect(zero(int, nido_close(fd)));
    cr_expect(eq(int, nido_close(fd), -EBADF));
    cr_expect(eq(int, (int)nido_pread(fd, buf, 5, 0), -EBADF));
    cr_expect(eq(int, nido_open("/nowhere/at/all", O_RDONLY, 0), -ENOENT));
    fclose(file);
}

/* os, TestReaddirNValues, TestReaddirnamesOneAtATime, TestReaddirOfFile. */
INSIDE(go, a_directory_is_read_one_by_one_each_entry_once)
{
    char path[64] = "/tmp/nido-test-XXXXXX", name[80];
    unsigned found = 0;
    nido_dirent entry;
    nido_dir *dir;
    int n = 0;

    cr_assert(ne(ptr, mkdtemp(path), NULL));
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "%s/%02d", path, i);
        close(open(name, O_CREAT | O_CLOEXEC, 0600));
    }
    cr_expect(zero(int, nido_opendir(path, &dir)));
    while (nido_readdir(dir, &entry) == 1) {
        found |= 1U << atoi(entry.name);
        n++;
    }
    cr_expect(eq(int, n, 20));
    cr_expect(eq(u32, found, (1U << 20) - 1));
    cr_expect(zero(int, nido_readdir(dir, &entry)));
    nido_closedir(dir);
    cr_expect(eq(int, nido_opendir(name, &dir), -ENOTDIR));
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "%s/%02d", path, i);
        unlink(name);
    }
    rmdir(path);
}

/* ---- os/exec, os/signal ---- */

/* os/exec, TestExitStatus, TestExitCode, TestCatGoodAndBadFile, TestOutputStderrCapture. */
CHILDREN(go, a_program_that_failed_tells_its_status_and_what_it_said)
{
    static const struct {
        const char *script;
        int code, signal;
        const char *out, *err;
    } cases[] = {
        {"exit 0", 0, 0, "", ""},
        {"exit 42", 42, 0, "", ""},
        {"echo good; echo bad >&2; exit 1", 1, 0, "good\n", "bad\n"},
        {"kill -TERM $$", -1, SIGTERM, "", ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nido_proc_options options = SHELL((char *)cases[i].script);
        nido_proc_result got;

        cr_expect(zero(int, nido_proc_run(&options, NULL, 0, &got)));
        cr_expect(eq(int, got.status.code, cases[i].code), "case %zu", i);
        cr_expect(eq(int, got.status.signal, cases[i].signal), "case %zu", i);
        cr_expect(eq(str, got.out, (char *)cases[i].out), "case %zu", i);
        cr_expect(eq(str, got.err, (char *)cases[i].err), "case %zu", i);
        nido_proc_result_free(&got);
    }
}

/* os/exec, TestNoExistExecutable, TestNoPath, TestCommandRelativeName. */
CHILDREN(go, a_program_that_is_not_there_is_told)
{
    nido_proc_options missing = PROGRAM("/no-exist-executable"),
                      lost = PROGRAM("no-exist-executable");
    nido_proc_options relative = PROGRAM("sh", "-c", "exit 3");
    nido_proc proc;

    cr_expect(eq(int, nido_proc_spawn(&proc, &missing), -ENOENT));
    cr_expect(eq(int, nido_proc_spawn(&proc, &lost), -ENOENT));
    relative.cwd = "/bin";
    relative.program = "./sh";
    cr_expect(zero(int, nido_proc_spawn(&proc, &relative)));
    expect_exit(&proc, 3);
    let_go(&proc);
}

/* os/exec, TestPipes, TestStdinClose. */
CHILDREN(go, a_child_is_talked_to_through_its_pipes)
{
    nido_proc child = begin_cat();
    char buf[8] = "";

    for (int i = 0; i < 10; i++) {
        cr_expect(zero(int, nido_write_all(nido_proc_stdin(&child), "line", 4, NULL)));
        cr_expect(zero(int, nido_read_full(nido_proc_stdout(&child), buf, 4, NULL)));
        cr_expect(eq(str, (char *)buf, "line"));
    }
    end_input(&child);
    cr_expect(zero(int, (int)nido_read(nido_proc_stdout(&child), buf, 4)));
    expect_exit(&child, 0);
    let_go(&child);
}

/* os/exec, TestContext, TestContextCancel, TestWaitInterrupt: Go kills the child at once; nido asks
 * it to end, and kills it after a grace. */
CHILDREN_IN_TIME(go, a_deadline_ends_the_program)
{
    nido_proc_options heeds = SHELL("echo begun; exec sleep 100");
    nido_proc_options ignores = SHELL("trap '' TERM; echo begun; while :; do sleep 100; done");
    nido_proc_options *both[] = {&heeds, &ignores};

    ignores.kill_grace_ns = NIDO_MS(50);
    ignores.new_group = true;
    for (int i = 0; i < 2; i++) {
        nido_proc_result got;
        nido_scope scope;

        nido_timeout_open(&scope, NIDO_MS(200));
        cr_expect(
            eq(int, nido_scope_close(&scope, nido_proc_run(both[i], NULL, 0, &got)), -ETIMEDOUT));
        cr_expect(eq(int, got.status.signal, i ? SIGKILL : SIGTERM));
        cr_expect(eq(str, got.out, "begun\n"));
        nido_proc_result_free(&got);
    }
}

/* os/exec, TestExtraFiles, TestExtraFilesFDShuffle: Go passes the files it is told to; nido passes
 * none but the three, whatever is open and inheritable. */
CHILDREN(go, a_child_has_no_descriptor_but_three)
{
    nido_proc_options options = SHELL("ls /proc/self/fd | grep -c .");
    int inheritable = dup(0);
    nido_proc_result got;

    cr_expect(zero(int, nido_proc_run(&options, NULL, 0, &got)));
    cr_expect(eq(str, got.out, "4\n"), "ls has the directory itself");
    nido_proc_result_free(&got);
    close(inheritable);
}

static int raised;

static void count_raised(int number)
{
    raised += number == SIGWINCH;
}

/* os/signal, TestSignal, TestStop, TestReset: to the receiver while it is open, and as before then. */
INSIDE(go, a_signal_goes_to_its_receivers_while_they_are_open)
{
    nido_signal receivers[2];
    sigset_t set;

    signal(SIGWINCH, count_raised);
    sigemptyset(&set);
    sigaddset(&set, SIGWINCH);
    for (int i = 0; i < 2; i++) cr_expect(zero(int, nido_signal_open(&receivers[i], &set)));
    raise(SIGWINCH);
    for (int i = 0; i < 2; i++) cr_expect(eq(int, nido_signal_wait(&receivers[i]), SIGWINCH));
    nido_signal_close(&receivers[0]);
    raise(SIGWINCH);
    cr_expect(eq(int, nido_signal_wait(&receivers[1]), SIGWINCH));
    nido_signal_close(&receivers[1]);
    cr_expect(zero(int, raised));
    raise(SIGWINCH);
    cr_expect(eq(int, raised, 1));
    cr_expect(eq(int, nido_signal_wait(&receivers[1]), -EBADF));
}
