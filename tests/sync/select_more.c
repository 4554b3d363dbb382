/* SPDX-License-Identifier: MIT */
/* Select over everything else that waits: one arm is done, and nothing of the others. */
#include "sync_help.h"

/* A select over some arms, in a task of its own: the index, or the error. */
struct choice {
    nido_arm arms[4];
    size_t n;
};

static int choose(void *arg)
{
    struct choice *choice = arg;

    return nido_select(choice->arms, choice->n, 0);
}

/* Made, and it waits. */
static void choice_make(nido_group *group, struct call *call, struct choice *choice)
{
    call_make(group, call, choose, choice);
    cr_expect(eq(int, call->rc, WAITING));
}

static void expect_done(const struct call *call, const struct choice *choice, int index, int status)
{
    let_run();
    cr_expect(eq(int, call->rc, index));
    if (index >= 0) cr_expect(eq(int, choice->arms[index].status, status));
}

/* Wakes a choice by another arm: its cancel. */
static void expect_cancelled(struct call *call)
{
    call_cancel(call);
    let_run();
    cr_expect(eq(int, call->rc, -ECANCELED));
}

/* ---- Latches ---- */

SYNC_TEST(select_more, a_latch_that_comes_to_nothing)
{
    struct call call;
    nido_latch latch, other;
    struct choice choice = {.n = 2};

    nido_latch_init(&latch, 1, "work");
    nido_latch_init(&other, 1, "other");
    nido_arm_latch(&choice.arms[0], &latch);
    nido_arm_latch(&choice.arms[1], &other);
    choice_make(group, &call, &choice);
    cr_expect(eq(int, nido_latch_deinit(&other), -EBUSY));
    nido_latch_done(&latch);
    cr_expect(eq(int, nido_latch_deinit(&latch), -EBUSY), "the select has not run yet");
    expect_done(&call, &choice, 0, 0);
    cr_expect(zero(int, nido_latch_deinit(&latch)));
    cr_expect(zero(int, nido_latch_deinit(&other)), "it has left the other");
    cr_expect(zero(int, nido_select(choice.arms, 1, 0)), "at 0 it is done at once");
}

/* ---- Broadcasts ---- */

SYNC_TEST(select_more, the_next_item_of_a_broadcast)
{
    struct call call;
    struct choice choice = {.n = 2};
    nido_broadcast_reader reader, idle;
    nido_broadcast *news, *other;
    int item = 0, unused = 0;

    cr_expect(zero(int, nido_broadcast_new(sizeof(int), 2, &news)));
    cr_expect(zero(int, nido_broadcast_new(sizeof(int), 2, &other)));
    nido_broadcast_subscribe(news, &reader);
    nido_broadcast_subscribe(other, &idle);
    nido_arm_broadcast(&choice.arms[0], &reader, &item);
    nido_arm_broadcast(&choice.arms[1], &idle, &unused);
    choice_make(group, &call, &choice);
    cr_expect(eq(int, nido_broadcast_try_recv(&reader, &unused), -EBUSY), "it waits");
    for (int i = 1; i <= 4; i++) nido_broadcast_send(news, &i);
    expect_done(&call, &choice, 0, 0);
    cr_expect(eq(int, item, 1), "the item that woke it");
    cr_expect(eq(int, nido_broadcast_try_recv(&idle, &unused), -EAGAIN),
              "the other reader is free");
    cr_expect(eq(int, nido_select(choice.arms, 2, 0), 0));
    cr_expect(eq(int, choice.arms[0].status, 1), "one was missed");
    cr_expect(eq(int, item, 3));
    nido_broadcast_subscribe(news, &reader);
    choice_make(group, &call, &choice);
    expect_cancelled(&call);
    cr_expect(eq(int, nido_broadcast_try_recv(&reader, &item), -EAGAIN));
    nido_arm_broadcast(&choice.arms[1], &reader, &unused);
    call_make(group, &call, choose, &choice);
    cr_expect(ge(int, call.rc, 0));
    cr_expect(eq(int, choice.arms[call.rc].status, -EBUSY), "one reader waits once");
    nido_broadcast_close(news);
    cr_expect(eq(int, nido_select(choice.arms, 1, 0), 0));
    cr_expect(eq(int, choice.arms[0].status, -EPIPE));
    cr_expect(zero(int, nido_broadcast_free(news)));
    cr_expect(zero(int, nido_broadcast_free(other)));
}

/* ---- Watches ---- */

SYNC_TEST(select_more, a_change_of_a_watch)
{
    struct call call;
    struct choice choice = {.n = 1};
    nido_watch watch;
    int value = 1, out = 0;
    uint64_t seen = 0;

    cr_expect(zero(int, nido_watch_init(&watch, &value, sizeof value, "settings")));
    nido_arm_watch(&choice.arms[0], &watch, &out, &seen);
    cr_expect(zero(int, nido_select(choice.arms, 1, 0)));
    cr_expect(eq(int, out, 1));
    cr_expect(eq(u64, seen, 1));
    choice_make(group, &call, &choice);
    nido_watch_set(&watch, &(int){2});
    nido_watch_set(&watch, &(int){3});
    expect_done(&call, &choice, 0, 0);
    cr_expect(eq(int, out, 3), "the latest");
    cr_expect(eq(u64, seen, 3));
    choice_make(group, &call, &choice);
    nido_watch_set(&watch, &(int){4});
    cr_expect(zero(int, nido_watch_deinit(&watch)), "before the select runs");
    memset(&watch, 0x55, sizeof watch);
    expect_done(&call, &choice, 0, 0);
    cr_expect(eq(int, out, 4));
    nido_watch_init(&watch, &value, sizeof value, "settings");
    seen = 1;
    choice_make(group, &call, &choice);
    nido_watch_close(&watch);
    expect_done(&call, &choice, 0, -EPIPE);
}

/* ---- Locks and limiters ---- */

/* Takes the lock by the arm, and gives it back. */
struct user {
    nido_mutex *mutex;
    struct choice choice;
};

static int use_mutex(void *arg)
{
    struct user *user = arg;
    int index = nido_select(user->choice.arms, user->choice.n, 0);

    if (index == 0 && user->choice.arms[0].status == 0)
        cr_expect(zero(int, nido_mutex_unlock(user->mutex)), "it is the select's task's");
    return index;
}

SYNC_TEST(select_more, a_mutex_is_taken_for_the_task)
{
    struct call first, second;
    struct user users[2];
    nido_mutex mutex, other;
    nido_arm again;

    nido_mutex_init(&mutex, "m");
    nido_mutex_init(&other, "n");
    cr_expect(zero(int, nido_mutex_lock(&mutex)));
    cr_expect(zero(int, nido_mutex_lock(&other)));
    for (int i = 0; i < 2; i++) {
        users[i] = (struct user){&mutex, {.n = 2}};
        nido_arm_mutex(&users[i].choice.arms[0], &mutex);
        nido_arm_mutex(&users[i].choice.arms[1], &other);
    }
    call_make(group, &first, use_mutex, &users[0]);
    call_make(group, &second, use_mutex, &users[1]);
    nido_arm_mutex(&again, &mutex);
    cr_expect(zero(int, nido_select(&again, 1, 0)));
    cr_expect(eq(int, again.status, -EDEADLK), "the caller has it");
    cr_expect(zero(int, nido_mutex_unlock(&mutex)));
    let_run();
    cr_expect(zero(int, first.rc));
    cr_expect(zero(int, second.rc));
    cr_expect(zero(int, nido_mutex_unlock(&other)));
    cr_expect(zero(int, nido_mutex_deinit(&mutex)));
    cr_expect(zero(int, nido_mutex_deinit(&other)), "no one took it");
}

static int read_lock(void *lock)
{
    return nido_rwlock_read_lock(lock);
}

SYNC_TEST(select_more, a_select_that_leaves_as_the_writer_lets_readers_in)
{
    struct call writer, reader;
    struct choice choice = {.n = 2};
    nido_rwlock lock;
    nido_event stop;

    nido_rwlock_init(&lock, "l");
    nido_event_init(&stop, "stop");
    cr_expect(zero(int, nido_rwlock_read_lock(&lock)));
    nido_arm_rwlock_write(&choice.arms[0], &lock);
    nido_arm_event(&choice.arms[1], &stop);
    choice_make(group, &writer, &choice);
    call_make(group, &reader, read_lock, &lock);
    cr_expect(eq(int, reader.rc, WAITING), "behind the writer that waits");
    nido_event_set(&stop);
    expect_done(&writer, &choice, 1, 0);
    cr_expect(zero(int, reader.rc));
    cr_expect(zero(int, nido_rwlock_read_unlock(&lock)));
    nido_arm_rwlock_read(&choice.arms[0], &lock);
    cr_expect(zero(int, nido_select(choice.arms, 1, 0)));
    cr_expect(zero(int, choice.arms[0].status));
    for (int i = 0; i < 2; i++) cr_expect(zero(int, nido_rwlock_read_unlock(&lock)));
    nido_arm_rwlock_write(&choice.arms[0], &lock);
    cr_expect(zero(int, nido_select(choice.arms, 1, 0)));
    cr_expect(zero(int, nido_rwlock_write_unlock(&lock)));
    cr_expect(zero(int, nido_rwlock_deinit(&lock)));
}

struct borrower {
    nido_limiter *limiter;
    nido_limiter_token token;
    struct choice choice;
};

static int borrow(void *arg)
{
    struct borrower *borrower = arg;
    int index = nido_select(borrower->choice.arms, borrower->choice.n, 0);

    if (index == 0) cr_expect(zero(int, nido_limiter_release(borrower->limiter, &borrower->token)));
    return index;
}

SYNC_TEST(select_more, a_permit_of_a_limiter_is_lent_to_the_task)
{
    struct call call;
    nido_limiter limiter;
    nido_limiter_token token = {0};
    nido_event stop;
    struct borrower borrower = {.limiter = &limiter, .choice.n = 2};

    nido_event_init(&stop, "stop");
    cr_expect(zero(int, nido_limiter_init(&limiter, 1, "l")));
    cr_expect(zero(int, nido_limiter_acquire(&limiter, &token)));
    nido_arm_limiter(&borrower.choice.arms[0], &limiter, &borrower.token);
    nido_arm_event(&borrower.choice.arms[1], &stop);
    call_make(group, &call, borrow, &borrower);
    cr_expect(eq(int, call.rc, WAITING));
    cr_expect(zero(int, nido_limiter_release(&limiter, &token)));
    let_run();
    cr_expect(zero(int, call.rc));
    cr_expect(zero(int, nido_limiter_acquire(&limiter, &token)), "it was given back");
    call_make(group, &call, borrow, &borrower);
    nido_event_set(&stop);
    let_run();
    cr_expect(eq(int, call.rc, 1));
    cr_expect(zero(int, nido_limiter_release(&limiter, &token)));
    cr_expect(zero(int, nido_limiter_deinit(&limiter)));
}

/* ---- Groups ---- */

static int sleep_and_return(void *rc)
{
    int err = nido_sleep(NIDO_SEC(1));

    return err ? err : (int)(intptr_t)rc;
}

SYNC_TEST(select_more, a_group_that_is_idle_and_its_failure)
{
    nido_group children;
    nido_arm arms[2];

    (void)group;
    nido_group_open(&children, NIDO_WAIT_ALL, "children");
    nido_arm_group(&arms[0], &children);
    cr_expect(zero(int, nido_select(arms, 1, 0)), "it has none");
    cr_expect(zero(int, arms[0].result));
    cr_expect(zero(int, nido_spawn(&children, sleep_and_return, (void *)(intptr_t)-EAGAIN)));
    nido_arm_timeout(&arms[1], NIDO_MS(1));
    cr_expect(eq(int, nido_select(arms, 2, 0), 1));
    nido_arm_timeout(&arms[1], NIDO_SEC(5));
    cr_expect(zero(int, nido_select(arms, 2, 0)));
    cr_expect(zero(int, arms[0].status));
    cr_expect(eq(int, arms[0].result, -EAGAIN), "a failure, whatever its code");
    cr_expect(zero(int, nido_spawn(&children, sleep_and_return, NULL)));
    nido_arm_group(&arms[1], &children);
    cr_expect(ge(int, nido_select(arms, 2, 0), 0));
    cr_expect(arms[0].status == -EBUSY || arms[1].status == -EBUSY, "it waits once");
    cr_expect(eq(int, nido_group_wait(&children), -EAGAIN), "and can be waited for again");
    cr_expect(eq(int, nido_group_close(&children, 0), -EAGAIN));
    cr_expect(zero(int, nido_select(arms, 1, 0)));
    cr_expect(eq(int, arms[0].status, -EBADF));
}

/* ---- Wakers ---- */

static int wake_it(void *waker)
{
    return nido_waker_wake(waker);
}

SYNC_TEST(select_more, a_wake_of_another_thread)
{
    struct call call;
    struct choice choice = {.n = 2};
    nido_waker *waker;
    nido_event stop;

    nido_event_init(&stop, "stop");
    cr_assert(zero(int, nido_waker_new(&waker)));
    nido_arm_waker(&choice.arms[0], waker);
    nido_arm_event(&choice.arms[1], &stop);
    choice_make(group, &call, &choice);
    cr_expect(zero(int, on_plain_thread(wake_it, waker)));
    cr_expect(zero(int, nido_join(call.task, NULL)));
    cr_expect(zero(int, call.rc));
    cr_expect(zero(int, choice.arms[0].status));
    cr_expect(zero(int, on_plain_thread(wake_it, waker)));
    cr_expect(zero(int, nido_select(choice.arms, 1, 0)), "one that came before is kept");
    choice_make(group, &call, &choice);
    nido_event_set(&stop);
    expect_done(&call, &choice, 1, 0);
    nido_waker_release(waker);
}

/* ---- An arm that is off ---- */

SYNC_TEST(select_more, an_arm_that_is_off_is_never_done)
{
    struct call call;
    struct choice choice = {.n = 2};
    nido_event stop;

    nido_event_init(&stop, "stop");
    nido_event_set(&stop);
    nido_arm_off(&choice.arms[0]);
    nido_arm_event(&choice.arms[1], &stop);
    for (int i = 0; i < 10; i++) cr_expect(eq(int, nido_select(choice.arms, 2, 0), 1));
    nido_arm_off(&choice.arms[1]);
    cr_expect(eq(int, nido_select(choice.arms, 2, NIDO_POLL), -EAGAIN));
    choice_make(group, &call, &choice);
    expect_cancelled(&call);
}

NIDO_TEST(select_more, a_deadlock_names_them)
{
    char report[4096];
    struct choice choice = {.n = 4};
    nido_latch latch;
    nido_watch watch;
    nido_mutex mutex;
    int value = 0;
    uint64_t seen = 1;

    nido_latch_init(&latch, 1, "work");
    nido_watch_init(&watch, &value, sizeof value, "settings");
    nido_mutex_init(&mutex, NULL);
    nido_arm_latch(&choice.arms[0], &latch);
    nido_arm_watch(&choice.arms[1], &watch, &value, &seen);
    nido_arm_off(&choice.arms[2]);
    nido_arm_timeout(&choice.arms[3], NIDO_NEVER);
    cr_expect(eq(int, run_for_report(choose, &choice, report), -EDEADLK));
    cr_expect(strstr(report, "waits for one of \"work, settings, off, timer\"") != NULL, "%s",
              report);
}
