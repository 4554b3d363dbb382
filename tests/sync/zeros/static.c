/* SPDX-License-Identifier: MIT */
/* Objects that no call has initialised: by their macros, and by zeros. The suites beside this one show
 * that they are what the calls make. */
#include "sync_help.h"

static nido_mutex mutex = NIDO_MUTEX_INIT("mutex"), plain_mutex;
static nido_rwlock rwlock = NIDO_RWLOCK_INIT("rwlock"), plain_rwlock;
static nido_cond cond = NIDO_COND_INIT("cond"), plain_cond;
static nido_event event = NIDO_EVENT_INIT("event"), plain_event;
static nido_latch latch = NIDO_LATCH_INIT(1, "latch"), plain_latch;
static nido_once once = NIDO_ONCE_INIT("once"), plain_once;
static nido_sem sem = NIDO_SEM_INIT(1, 2, "sem");
static nido_limiter limiter = NIDO_LIMITER_INIT(1, "limiter"), plain_limiter;
static nido_barrier barrier = NIDO_BARRIER_INIT(2, NIDO_BARRIER_BREAKS, "barrier");

static int lock_both(void *unused)
{
    (void)unused;
    cr_expect(eq(int, nido_mutex_lock(&mutex), 0));
    cr_expect(eq(int, nido_mutex_lock(&plain_mutex), 0));
    cr_expect(eq(int, nido_rwlock_write_lock(&rwlock), 0));
    return nido_rwlock_read_lock(&plain_rwlock);
}

static int is_set(void *event_)
{
    return nido_event_wait(event_);
}

static int answer(void *unused)
{
    (void)unused;
    return 42;
}

SYNC_TEST(static_objects, they_work_as_they_are)
{
    struct call locker, waiter;
    nido_limiter_token token = {0};

    call_make(group, &locker, lock_both, NULL);
    cr_expect(eq(int, locker.rc, 0));
    cr_expect(eq(int, nido_mutex_lock(&mutex), -EOWNERDEAD), "its owner has ended");
    cr_expect(eq(int, nido_mutex_lock(&plain_mutex), -EOWNERDEAD));
    cr_expect(eq(int, nido_rwlock_read_lock(&rwlock), -EOWNERDEAD));
    call_make(group, &waiter, is_set, &plain_event);
    cr_expect(eq(int, waiter.rc, WAITING));
    cr_expect(eq(int, nido_event_set(&plain_event), 0));
    let_run();
    cr_expect(eq(int, waiter.rc, 0));
    cr_expect(eq(int, nido_latch_done(&latch), 0));
    cr_expect(eq(int, nido_latch_wait(&latch), 0));
    cr_expect(eq(int, nido_latch_wait(&plain_latch), 0));
    cr_expect(eq(int, nido_once_do(&once, answer, NULL), 42));
    cr_expect(eq(int, nido_once_do(&plain_once, answer, NULL), 42));
    cr_expect(eq(int, nido_sem_acquire(&sem), 0));
    cr_expect(eq(int, nido_sem_release_n(&sem, 3), -EOVERFLOW));
    cr_expect(eq(int, nido_limiter_acquire(&limiter, &token), 0));
    cr_expect(eq(int, nido_limiter_release(&limiter, &token), 0));
    cr_expect(eq(int, nido_limiter_try_acquire(&plain_limiter, &token), -EAGAIN), "paused");
    cr_expect(eq(u32, nido_barrier_waiting(&barrier), 0));
}

NIDO_TEST(static_objects, without_a_run_they_can_be_used_and_ended)
{
    cr_expect(eq(int, nido_event_set(&event), 0));
    cr_expect(nido_event_is_set(&event));
    cr_expect(eq(int, nido_cond_notify(&cond), 0));
    cr_expect(eq(int, nido_sem_try_acquire(&sem), 0));
    cr_expect(eq(int, nido_sem_release(&sem), 0));
    cr_expect(eq(int, nido_latch_add(&plain_latch, 1), 0));
    cr_expect(eq(int, nido_barrier_abort(&barrier), 0));
    cr_expect(eq(int, nido_mutex_unlock(&mutex), -EPERM));
    cr_expect(eq(int, nido_mutex_deinit(&mutex), 0));
    cr_expect(eq(int, nido_mutex_deinit(&plain_mutex), 0));
    cr_expect(eq(int, nido_rwlock_deinit(&rwlock), 0));
    cr_expect(eq(int, nido_rwlock_deinit(&plain_rwlock), 0));
    cr_expect(eq(int, nido_cond_deinit(&plain_cond), 0));
    cr_expect(eq(int, nido_event_deinit(&plain_event), 0));
    cr_expect(eq(int, nido_latch_deinit(&latch), 0));
    cr_expect(eq(int, nido_once_deinit(&once), 0));
    cr_expect(eq(int, nido_limiter_deinit(&plain_limiter), 0));
}
