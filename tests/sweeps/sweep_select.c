/* SPDX-License-Identifier: MIT */
/* Select over everything that waits, swept: what it took is given back, and the rest is as it was. */
#include "sweep_help.h"

enum { MUTEX, READ, WRITE, LIMITER, LATCH, WATCH, NEWS, WAKER, OFF, LIMIT, ARMS };

static struct {
    nido_mutex mutex;
    nido_rwlock lock;
    nido_limiter limiter;
    nido_latch latch;
    nido_watch watch;
    nido_broadcast *news;
    nido_waker *waker;
    int value;
} things;

static void give_back(int index, nido_limiter_token *token)
{
    if (index == MUTEX) LAW(nido_mutex_unlock(&things.mutex) == 0);
    if (index == READ) LAW(nido_rwlock_read_unlock(&things.lock) == 0);
    if (index == WRITE) LAW(nido_rwlock_write_unlock(&things.lock) == 0);
    if (index == LIMITER) LAW(nido_limiter_release(&things.limiter, token) == 0);
}

/* `only`: this one and the time limit; < 0: all. */
static int choose(int only)
{
    nido_broadcast_reader reader;
    nido_limiter_token token = {0};
    nido_arm arms[ARMS];
    nido_scope scope;
    int rc, value, item;
    uint64_t seen = 1;

    nido_broadcast_subscribe(things.news, &reader);
    nido_arm_mutex(&arms[MUTEX], &things.mutex);
    nido_arm_rwlock_read(&arms[READ], &things.lock);
    nido_arm_rwlock_write(&arms[WRITE], &things.lock);
    nido_arm_limiter(&arms[LIMITER], &things.limiter, &token);
    nido_arm_latch(&arms[LATCH], &things.latch);
    nido_arm_watch(&arms[WATCH], &things.watch, &value, &seen);
    nido_arm_broadcast(&arms[NEWS], &reader, &item);
    nido_arm_waker(&arms[WAKER], things.waker);
    nido_arm_off(&arms[OFF]);
    nido_arm_timeout(&arms[LIMIT], NIDO_SEC(1));
    for (int i = 0; i < LIMIT && only >= 0; i++)
        if (i != only) nido_arm_off(&arms[i]);
    ALONE(scope, rc, nido_select(arms, ARMS, NIDO_PRIORITY));
    if (rc >= 0) give_back(rc, &token);
    return rc >= 0 ? 0 : unless_struck(rc);
}

static int choose_any(void *unused)
{
    (void)unused;
    return choose(-1);
}

static int choose_each(void *unused)
{
    int rc = 0;

    (void)unused;
    for (int i = 0; i < LIMIT && !rc; i++) rc = choose(i);
    return rc;
}

/* Holds all that can be held, and lets each go in its turn. */
static int let_go(void *unused)
{
    nido_limiter_token token = {0};
    int rc;

    (void)unused;
    LAW(nido_mutex_try_lock(&things.mutex) == 0);
    LAW(nido_rwlock_try_write_lock(&things.lock) == 0);
    LAW(nido_limiter_try_acquire(&things.limiter, &token) == 0);
    rc = nido_test_wait_all_parked();
    LAW(nido_mutex_unlock(&things.mutex) == 0);
    if (!rc) rc = nido_test_wait_all_parked();
    LAW(nido_rwlock_write_unlock(&things.lock) == 0);
    if (!rc) rc = nido_test_wait_all_parked();
    LAW(nido_limiter_release(&things.limiter, &token) == 0);
    if (!rc) rc = nido_test_wait_all_parked();
    LAW(nido_latch_done(&things.latch) == 0);
    LAW(nido_watch_set(&things.watch, &(int){1}) == 0);
    LAW(nido_broadcast_send(things.news, &(int){1}) == 0);
    LAW(nido_waker_wake(things.waker) == 0);
    return rc;
}

static int things_make(void)
{
    int rc = nido_broadcast_new(sizeof(int), 2, &things.news);

    if (!rc) rc = nido_waker_new(&things.waker);
    if (rc) {
        nido_broadcast_free(things.news);
        return rc;
    }
    nido_mutex_init(&things.mutex, "mutex");
    nido_rwlock_init(&things.lock, "lock");
    nido_limiter_init(&things.limiter, 1, "limiter");
    nido_latch_init(&things.latch, 1, "latch");
    nido_watch_init(&things.watch, &things.value, sizeof things.value, "watch");
    return 0;
}

static int choose_together(void *unused)
{
    int rc;

    things.news = NULL;
    things.waker = NULL;
    rc = things_make();
    if (rc) return rc;
    rc = TOGETHER(unused, let_go, choose_any, choose_each, choose_any);
    LAW(nido_mutex_deinit(&things.mutex) == 0);
    LAW(nido_rwlock_deinit(&things.lock) == 0);
    LAW(nido_limiter_deinit(&things.limiter) == 0);
    LAW(nido_latch_deinit(&things.latch) == 0);
    LAW(nido_watch_deinit(&things.watch) == 0);
    LAW(nido_broadcast_free(things.news) == 0);
    nido_waker_release(things.waker);
    return rc;
}
SWEPT(a_select_gives_back_all_that_it_did_not_take, choose_together)

/* ---- Groups ---- */

static int work(void *unused)
{
    (void)unused;
    return nido_sleep(NIDO_MS(1));
}

static int choose_a_group(void *unused)
{
    nido_group group;
    nido_scope scope;
    nido_arm arms[2];
    int rc;

    nido_group_open(&group, NIDO_FAIL_FAST, "children");
    rc = nido_spawn(&group, work, unused);
    nido_arm_group(&arms[0], &group);
    nido_arm_timeout(&arms[1], NIDO_SEC(1));
    if (!rc) ALONE(scope, rc, nido_select(arms, 2, 0));
    if (rc == 0) LAW(nido_group_live(&group) == 0);
    return nido_group_close(&group, unless_struck(rc));
}
SWEPT(a_select_over_a_group_leaves_it_open, choose_a_group)
