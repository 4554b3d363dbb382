/* SPDX-License-Identifier: MIT */
/* The objects to wait for, swept: whatever is struck, nothing is lost and nobody is forgotten. */
#include "sweep_help.h"

/* ---- Semaphores and limiters ---- */

static nido_sem sem;

static int use_permits(uint32_t n)
{
    nido_scope scope;
    int rc;

    ALONE(scope, rc, nido_sem_acquire_n(&sem, n));
    if (rc) return unless_struck(rc);
    rc = nido_yield();
    LAW(nido_sem_release_n(&sem, n) == 0);
    return rc;
}

static int use_one(void *unused)
{
    (void)unused;
    return use_permits(1);
}

static int use_two(void *unused)
{
    (void)unused;
    return use_permits(2);
}

static int share_permits(void *unused)
{
    int rc;

    nido_sem_init(&sem, 2, 2, "permits");
    rc = TOGETHER(unused, use_one, use_two, use_one, use_one);
    LAW(nido_sem_count(&sem) == 2);
    LAW(nido_sem_deinit(&sem) == 0);
    return rc;
}
SWEPT(a_permit_is_never_lost, share_permits)

static bool struck, released;

/* Wants more than there is, so the one behind it waits too, unless this one goes. */
static int want_too_many(void *unused)
{
    nido_scope scope;
    int rc;

    (void)unused;
    ALONE(scope, rc, nido_sem_acquire_n(&sem, 2));
    struck = rc == -EINTR;
    if (rc == 0) LAW(nido_sem_release_n(&sem, 2) == 0);
    return unless_struck(rc);
}

static int want_one_behind(void *unused)
{
    nido_scope scope;
    int rc;

    (void)unused;
    ALONE(scope, rc, nido_sem_acquire(&sem));
    if (rc) return unless_struck(rc);
    LAW(!struck || !released);
    LAW(nido_sem_release(&sem) == 0);
    return 0;
}

static int release_late(void *unused)
{
    int rc = nido_sleep(NIDO_MS(1));

    (void)unused;
    released = true;
    LAW(nido_sem_release(&sem) == 0);
    return rc;
}

static int stand_in_line(void *unused)
{
    int rc;

    struck = released = false;
    nido_sem_init(&sem, 1, 2, "permits");
    rc = TOGETHER(unused, want_too_many, want_one_behind, release_late);
    LAW(nido_sem_count(&sem) == 2);
    LAW(nido_sem_deinit(&sem) == 0);
    return rc;
}
SWEPT(who_leaves_a_line_does_not_hold_it_up, stand_in_line)

static nido_limiter limiter;

static int borrow(void *unused)
{
    nido_limiter_token token = {0};
    nido_scope scope;
    int rc;

    (void)unused;
    ALONE(scope, rc, nido_limiter_acquire(&limiter, &token));
    if (rc) return unless_struck(rc);
    rc = nido_yield();
    LAW(nido_limiter_release(&limiter, &token) == 0);
    return rc;
}

static int borrow_in_turn(void *unused)
{
    int rc;

    nido_limiter_init(&limiter, 1, "places");
    rc = TOGETHER(unused, borrow, borrow, borrow);
    LAW(nido_limiter_deinit(&limiter) == 0);
    return rc;
}
SWEPT(a_borrowed_place_comes_back, borrow_in_turn)

/* ---- Locks ---- */

static nido_mutex mutex;
static int inside;

static int work_alone(void *unused)
{
    nido_scope scope;
    int rc;

    (void)unused;
    ALONE(scope, rc, nido_mutex_lock(&mutex));
    if (rc) return unless_struck(rc);
    LAW(inside++ == 0);
    rc = nido_yield();
    inside--;
    LAW(nido_mutex_unlock(&mutex) == 0);
    return rc;
}

static int exclude_each_other(void *unused)
{
    int rc;

    inside = 0;
    nido_mutex_init(&mutex, "mutex");
    rc = TOGETHER(unused, work_alone, work_alone, work_alone);
    LAW(nido_mutex_deinit(&mutex) == 0);
    return rc;
}
SWEPT(a_mutex_is_free_in_the_end, exclude_each_other)

static nido_rwlock rwlock;

static int look(void *unused)
{
    nido_scope scope;
    int rc;

    (void)unused;
    ALONE(scope, rc, nido_rwlock_read_lock(&rwlock));
    if (rc) return unless_struck(rc);
    rc = nido_yield();
    LAW(nido_rwlock_read_unlock(&rwlock) == 0);
    return rc;
}

static int change(void *unused)
{
    nido_scope scope;
    int rc;

    (void)unused;
    ALONE(scope, rc, nido_rwlock_write_lock(&rwlock));
    if (rc) return unless_struck(rc);
    LAW(inside++ == 0);
    rc = nido_yield();
    inside--;
    LAW(nido_rwlock_write_unlock(&rwlock) == 0);
    return rc;
}

static int look_and_change(void *unused)
{
    int rc;

    inside = 0;
    nido_rwlock_init(&rwlock, "rwlock");
    rc = TOGETHER(unused, look, change, look, look, change, look);
    LAW(nido_rwlock_deinit(&rwlock) == 0);
    return rc;
}
SWEPT(readers_and_writers_leave_a_free_lock, look_and_change)

/* ---- Conditions ---- */

static nido_cond cond;
static int things, waiting;
static bool over;

static int wait_for_thing(void)
{
    int rc = 0;

    while (!things && !over && rc == 0) {
        waiting++;
        rc = nido_cond_wait(&cond, &mutex);
        waiting--;
    }
    return rc;
}

static bool has_thing(void *unused)
{
    (void)unused;
    return things || over;
}

static int wait_until_thing(void)
{
    int rc;

    waiting++;
    rc = nido_cond_wait_until(&cond, &mutex, has_thing, NULL);
    waiting--;
    return rc;
}

static int take_thing_by(int (*wait)(void))
{
    nido_scope scope;
    int rc;

    rc = nido_mutex_lock(&mutex);
    if (rc) return rc;
    ALONE(scope, rc, wait());
    if (rc == 0 && things) things--;
    LAW(nido_mutex_unlock(&mutex) == 0);
    return unless_struck(rc);
}

static int take_thing(void *unused)
{
    (void)unused;
    return take_thing_by(wait_for_thing);
}

static int take_thing_when(void *unused)
{
    (void)unused;
    return take_thing_by(wait_until_thing);
}

/* One thing for the two: if it is left, then because nobody waits. */
static int give_thing(void *unused)
{
    nido_scope scope;
    int rc;

    (void)unused;
    ALONE(scope, rc, nido_sleep(NIDO_MS(1)));
    things = 1;
    LAW(nido_cond_notify(&cond) == 0);
    if (unless_struck(rc) == 0) ALONE(scope, rc, nido_sleep(NIDO_MS(1)));
    LAW(rc || !things || !waiting);
    over = true;
    LAW(nido_cond_notify_all(&cond) == 0);
    return unless_struck(rc);
}

static int give_and_take(void *unused)
{
    int rc;

    things = waiting = 0;
    over = false;
    nido_mutex_init(&mutex, "mutex");
    nido_cond_init(&cond, "things");
    rc = TOGETHER(unused, take_thing, take_thing_when, give_thing);
    LAW(waiting == 0);
    LAW(nido_cond_deinit(&cond) == 0);
    LAW(nido_mutex_deinit(&mutex) == 0);
    return rc;
}
SWEPT(a_notification_is_never_lost, give_and_take)

/* ---- Events, latches, barriers, onces ---- */

static nido_event event;

static int await_event(void *unused)
{
    nido_scope scope;
    int rc;

    (void)unused;
    ALONE(scope, rc, nido_event_wait(&event));
    LAW(rc < 0 || nido_event_is_set(&event));
    return unless_struck(rc);
}

static int set_event(void *unused)
{
    int rc = nido_test_wait_all_parked();

    (void)unused;
    LAW(nido_event_set(&event) == 0);
    return rc;
}

static int await_together(void *unused)
{
    int rc;

    nido_event_init(&event, "event");
    rc = TOGETHER(unused, await_event, set_event, await_event);
    LAW(nido_event_deinit(&event) == 0);
    return rc;
}
SWEPT(an_event_forgets_nobody, await_together)

static nido_latch latch;

static int count_down(void *unused)
{
    int rc = nido_yield();

    (void)unused;
    LAW(nido_latch_done(&latch) == 0);
    return rc;
}

static int await_latch(void *unused)
{
    nido_scope scope;
    int rc;

    (void)unused;
    rc = nido_latch_try_wait(&latch);
    if (rc == -EAGAIN) ALONE(scope, rc, nido_latch_wait(&latch));
    return unless_struck(rc);
}

static int await_the_last(void *unused)
{
    int rc;

    nido_latch_init(&latch, 2, "latch");
    rc = TOGETHER(unused, await_latch, count_down, count_down, await_latch);
    LAW(nido_latch_deinit(&latch) == 0);
    return rc;
}
SWEPT(a_latch_lets_everybody_go, await_the_last)

static nido_barrier barrier;

/* Who is struck spoils it for the others, or they would wait for ever. */
static int meet(void *unused)
{
    nido_scope scope;
    int rc;

    (void)unused;
    ALONE(scope, rc, nido_barrier_wait(&barrier));
    if (rc == -EINTR) nido_barrier_abort(&barrier);
    return rc == -EPIPE ? 0 : unless_struck(rc);
}

static int meet_at_the_barrier(void *unused)
{
    int rc;

    nido_barrier_init(&barrier, 3, 0, "barrier");
    rc = TOGETHER(unused, meet, meet, meet);
    LAW(nido_barrier_deinit(&barrier) == 0);
    return rc;
}
SWEPT(a_barrier_is_left_by_all, meet_at_the_barrier)

static nido_once once;
static int makings;

static int make(void *unused)
{
    int rc = nido_sleep(NIDO_MS(1));

    (void)unused;
    if (!rc) makings++;
    return rc;
}

static int make_once(void *unused)
{
    nido_scope scope;
    int rc;

    ALONE(scope, rc, nido_once_do(&once, make, unused));
    LAW(rc < 0 || makings == 1);
    return unless_struck(rc);
}

static int make_together(void *unused)
{
    int rc;

    makings = 0;
    nido_once_init(&once, "once");
    rc = TOGETHER(unused, make_once, make_once, make_once);
    LAW(rc < 0 || makings == 1);
    LAW(nido_once_deinit(&once) == 0);
    return rc;
}
SWEPT(a_once_is_done_once_by_whoever_is_left, make_together)

static int share_making(void *unused)
{
    nido_scope scope;
    int rc;

    ALONE(scope, rc, nido_once_do_shared(&once, make, unused));
    return unless_struck(rc);
}

/* What was made before the forget, or is being made then, is not what a later call gets. */
static int forget_and_make(void *unused)
{
    nido_scope scope;
    int before = makings, rc;

    LAW(nido_once_forget(&once) == 0);
    ALONE(scope, rc, nido_once_do(&once, make, unused));
    LAW(rc < 0 || makings > before);
    return unless_struck(rc);
}

static int make_forget_and_make(void *unused)
{
    int rc;

    makings = 0;
    nido_once_init(&once, "once");
    rc = TOGETHER(unused, share_making, forget_and_make, share_making);
    LAW(rc < 0 || makings == 1 || makings == 2);
    LAW(nido_once_deinit(&once) == 0);
    return rc;
}
SWEPT(a_once_that_is_forgotten_is_done_again, make_forget_and_make)
