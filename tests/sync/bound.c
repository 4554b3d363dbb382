/* SPDX-License-Identifier: MIT */
/* An object belongs to the thread whose run used it first, until it is initialised again. */
#include "sync_help.h"

/* One call of each kind of object, as any task may make it when nobody waits. */
static union {
    nido_mutex mutex;
    nido_rwlock rwlock;
    nido_sem sem;
    nido_limiter limiter;
    nido_event event;
    nido_cond cond;
    nido_barrier barrier;
    nido_latch latch;
    nido_once once;
    nido_watch watch;
    nido_broadcast broadcast;
    nido_chan chan;
} it;
static int value;
static int places[2];

static void make_mutex(void)
{
    nido_mutex_init(&it.mutex, NULL);
}

static int use_mutex(void *unused)
{
    int rc = nido_mutex_lock(&it.mutex);

    (void)unused;
    return rc ? rc : nido_mutex_unlock(&it.mutex);
}

static int try_mutex(void *unused)
{
    int rc = nido_mutex_try_lock(&it.mutex);

    (void)unused;
    return rc ? rc : nido_mutex_unlock(&it.mutex);
}

static int unlock_mutex(void *unused)
{
    int rc = nido_mutex_unlock(&it.mutex);

    (void)unused;
    return rc == -EPERM ? 0 : rc; /* not its owner */
}

static void make_rwlock(void)
{
    nido_rwlock_init(&it.rwlock, NULL);
}

static int use_rwlock(void *unused)
{
    int rc = nido_rwlock_read_lock(&it.rwlock);

    (void)unused;
    return rc ? rc : nido_rwlock_read_unlock(&it.rwlock);
}

static int try_rwlock(void *unused)
{
    int rc = nido_rwlock_try_write_lock(&it.rwlock);

    (void)unused;
    return rc ? rc : nido_rwlock_write_unlock(&it.rwlock);
}

static void make_sem(void)
{
    nido_sem_init(&it.sem, 1, 2, NULL);
}

static int use_sem(void *unused)
{
    int rc = nido_sem_acquire(&it.sem);

    (void)unused;
    return rc ? rc : nido_sem_release(&it.sem);
}

static int give_sem(void *unused)
{
    int rc = nido_sem_release(&it.sem);

    (void)unused;
    return rc ? rc : nido_sem_try_acquire(&it.sem);
}

static void make_limiter(void)
{
    nido_limiter_init(&it.limiter, 1, NULL);
}

static int use_limiter(void *unused)
{
    nido_limiter_token token = {0};
    int rc = nido_limiter_acquire(&it.limiter, &token);

    (void)unused;
    return rc ? rc : nido_limiter_release(&it.limiter, &token);
}

static int resize_limiter(void *unused)
{
    (void)unused;
    return nido_limiter_resize(&it.limiter, 2);
}

static void make_event(void)
{
    nido_event_init(&it.event, NULL);
}

static int use_event(void *unused)
{
    it.event.set = 1;
    (void)unused;
    return nido_event_wait(&it.event);
}

static int set_event(void *unused)
{
    (void)unused;
    return nido_event_set(&it.event);
}

static int select_event(void *unused)
{
    nido_arm arm;

    it.event.set = 1;
    (void)unused;
    nido_arm_event(&arm, &it.event);
    return nido_select(&arm, 1, 0) == 0 ? arm.status : 1;
}

static void make_cond(void)
{
    nido_cond_init(&it.cond, NULL);
}

static int use_cond(void *unused)
{
    (void)unused;
    return nido_cond_notify_all(&it.cond);
}

static void make_barrier(void)
{
    nido_barrier_init(&it.barrier, 1, 0, NULL);
}

static int use_barrier(void *unused)
{
    int rc = nido_barrier_wait(&it.barrier);

    (void)unused;
    return rc > 0 ? 0 : rc;
}

static void make_latch(void)
{
    nido_latch_init(&it.latch, 0, NULL);
}

static int use_latch(void *unused)
{
    (void)unused;
    return nido_latch_wait(&it.latch);
}

static int add_to_latch(void *unused)
{
    int rc = nido_latch_add(&it.latch, 1);

    (void)unused;
    return rc ? rc : nido_latch_done(&it.latch);
}

static void make_once(void)
{
    nido_once_init(&it.once, NULL);
}

static int nothing(void *unused)
{
    (void)unused;
    return 0;
}

static int use_once(void *unused)
{
    return nido_once_do(&it.once, nothing, unused);
}

static void make_watch(void)
{
    nido_watch_init(&it.watch, &value, sizeof value, NULL);
}

static int use_watch(void *unused)
{
    uint64_t seen = 0;
    int got;

    (void)unused;
    return nido_watch_wait(&it.watch, &got, &seen);
}

static int set_watch(void *unused)
{
    (void)unused;
    return nido_watch_set(&it.watch, &(int){1});
}

static void make_broadcast(void)
{
    nido_broadcast_init(&it.broadcast, sizeof(int), 2, places, NULL);
}

static int use_broadcast(void *unused)
{
    (void)unused;
    return nido_broadcast_send(&it.broadcast, &(int){1});
}

static void make_chan(void)
{
    nido_chan_init(&it.chan, sizeof(int), 2, places, NULL, NULL, NULL);
}

static int use_chan(void *unused)
{
    int got, rc = nido_chan_send(&it.chan, &(int){1});

    (void)unused;
    return rc ? rc : nido_chan_recv(&it.chan, &got);
}

static int retain_chan(void *unused)
{
    (void)unused;
    return nido_chan_retain_send(&it.chan);
}

static const struct {
    const char *name;
    void (*make)(void);
    nido_fn *uses[3];
} objects[] = {
    {"mutex", make_mutex, {use_mutex, try_mutex, unlock_mutex}},
    {"rwlock", make_rwlock, {use_rwlock, try_rwlock}},
    {"semaphore", make_sem, {use_sem, give_sem}},
    {"limiter", make_limiter, {use_limiter, resize_limiter}},
    {"event", make_event, {use_event, set_event, select_event}},
    {"condition", make_cond, {use_cond}},
    {"barrier", make_barrier, {use_barrier}},
    {"latch", make_latch, {use_latch, add_to_latch}},
    {"once", make_once, {use_once}},
    {"watch", make_watch, {use_watch, set_watch}},
    {"broadcast", make_broadcast, {use_broadcast}},
    {"channel", make_chan, {use_chan, retain_chan}},
};
enum { OBJECTS = sizeof objects / sizeof objects[0] };

SYNC_TEST(bound, an_idle_object_stays_with_the_thread_that_used_it_first)
{
    for (int i = 0; i < OBJECTS; i++) {
        objects[i].make();
        cr_expect(zero(int, objects[i].uses[0](NULL)), "%s", objects[i].name);
        for (int use = 0; use < 3 && objects[i].uses[use]; use++)
            cr_expect(eq(int, in_other_runtime(objects[i].uses[use], NULL), -EXDEV), "%s, use %d",
                      objects[i].name, use);
        cr_expect(zero(int, objects[i].uses[0](NULL)), "%s", objects[i].name);
    }
}

SYNC_TEST(bound, each_call_of_a_run_can_be_the_first)
{
    for (int i = 0; i < OBJECTS; i++)
        for (int use = 0; use < 3 && objects[i].uses[use]; use++) {
            objects[i].make();
            cr_expect(zero(int, in_other_runtime(objects[i].uses[use], NULL)), "%s, use %d",
                      objects[i].name, use);
            cr_expect(eq(int, objects[i].uses[use](NULL), -EXDEV), "%s, use %d", objects[i].name,
                      use);
        }
}

SYNC_TEST(bound, initialised_again_it_is_free_for_any_thread)
{
    for (int i = 0; i < OBJECTS; i++) {
        objects[i].make();
        cr_expect(zero(int, objects[i].uses[0](NULL)), "%s", objects[i].name);
        objects[i].make();
        cr_expect(zero(int, in_other_runtime(objects[i].uses[0], NULL)), "%s", objects[i].name);
    }
}

/* ---- Two at once ---- */

enum { TURNS = 20000 };

static struct {
    nido_mutex mutex;
    int here;    /* atomic: runs that have begun */
    int inside;  /* that have it locked */
    int winners; /* atomic */
} shared;

static int lock_and_unlock(void *unused)
{
    int locked = 0, rc;

    (void)unused;
    __atomic_add_fetch(&shared.here, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&shared.here, __ATOMIC_SEQ_CST) < 2) nido_yield();
    for (int i = 0; i < TURNS; i++) {
        rc = i % 2 ? nido_mutex_try_lock(&shared.mutex) : nido_mutex_lock(&shared.mutex);
        if (rc == -EXDEV) continue;
        cr_expect(zero(int, rc));
        cr_expect(eq(int, ++shared.inside, 1));
        shared.inside--;
        cr_expect(zero(int, nido_mutex_unlock(&shared.mutex)));
        locked++;
    }
    cr_expect(locked == 0 || locked == TURNS, "%d", locked);
    if (locked) __atomic_add_fetch(&shared.winners, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static void *run_elsewhere(void *unused)
{
    cr_expect(zero(int, nido_run(lock_and_unlock, unused, NULL)));
    return NULL;
}

NIDO_TEST(bound, of_two_runs_that_begin_at_once_one_has_the_mutex_and_the_other_is_told)
{
    pthread_t thread;

    for (int i = 0; i < 20; i++) {
        shared.here = shared.winners = 0;
        nido_mutex_init(&shared.mutex, "shared");
        cr_assert(zero(int, pthread_create(&thread, NULL, run_elsewhere, NULL)));
        run_elsewhere(NULL);
        pthread_join(thread, NULL);
        cr_expect(eq(int, shared.winners, 1));
    }
}
