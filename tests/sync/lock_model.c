/* SPDX-License-Identifier: MIT */
/* Locks, conditions and permits under random cancels: at most one is inside, readers never beside a writer, every
 * notification that found a waiter ends one wait with 0, and in the end everything has been given back. */
#include <errno.h>

#include "coro/task/sched.h"
#include "inside_help.h"
#include "nido_test.h"
#include "seeded.h"

enum { ACTORS = 12, ROUNDS = 2000, SEEDS = 45, PERMITS = 3 };

static struct {
    struct seeded seeded;
    nido_mutex mutex;
    nido_cond cond;
    nido_rwlock rwlock;
    nido_sem sem;
    nido_scope *scopes[ACTORS]; /* each actor's, while a round of it runs */
    int inside, readers, writers, permits, done;
    long notified, woken; /* notifications that found a waiter, waits that returned 0 */
    long operations, wrong;
} world;

static uint32_t draw(uint32_t below)
{
    return (uint32_t)seeded_below(&world.seeded, below);
}

static void must(bool holds)
{
    if (!holds) world.wrong++;
}

/* Others get their turn, perhaps, while we hold something. */
static void dawdle(void)
{
    for (uint32_t i = draw(3); i > 0; i--) nido_yield();
}

static void enter(void)
{
    must(world.inside == 0);
    world.inside++;
}

static void notify_one(void)
{
    if (!nidoi_waitq_empty(&world.cond.sync.waiters)) world.notified++;
    must(nido_cond_notify(&world.cond) == 0);
}

static void wait_inside(void)
{
    int rc;

    world.inside--;
    rc = nido_cond_wait(&world.cond, &world.mutex);
    enter(); /* whatever it returned, the mutex is ours */
    must(rc == 0 || rc == -ECANCELED);
    if (rc == 0) world.woken++;
}

static int use_mutex(void)
{
    int rc = nido_mutex_lock(&world.mutex);

    if (rc) return rc;
    enter();
    dawdle();
    if (draw(4) == 0) wait_inside();
    if (draw(2)) notify_one();
    world.inside--;
    must(nido_mutex_unlock(&world.mutex) == 0);
    return 0;
}

static int read_locked(void)
{
    int rc = nido_rwlock_read_lock(&world.rwlock);

    if (rc) return rc;
    world.readers++;
    must(world.writers == 0);
    dawdle();
    world.readers--;
    must(nido_rwlock_read_unlock(&world.rwlock) == 0);
    return 0;
}

static int write_locked(void)
{
    int rc = nido_rwlock_write_lock(&world.rwlock);

    if (rc) return rc;
    world.writers++;
    must(world.writers == 1 && world.readers == 0);
    dawdle();
    world.writers--;
    must(nido_rwlock_write_unlock(&world.rwlock) == 0);
    return 0;
}

static int use_permits(void)
{
    uint32_t n = 1 + draw(PERMITS);
    int rc = nido_sem_acquire_n(&world.sem, n);

    if (rc) return rc;
    world.permits += (int)n;
    must(world.permits <= PERMITS);
    dawdle();
    world.permits -= (int)n;
    must(nido_sem_release_n(&world.sem, n) == 0);
    return 0;
}

static int (*const deeds[])(void) = {use_mutex, read_locked, write_locked, use_permits};

/* The first in line must not wait for what lies there: one who left may have stood before him. */
static bool has_a_hole(void)
{
    const struct nidoi_node *first = nidoi_waitq_first(&world.sem.sync.waiters);

    return first && (uint32_t)first->n <= nido_sem_count(&world.sem);
}

static void cancel_somebody(void)
{
    nido_scope *scope = world.scopes[draw(ACTORS)];

    if (scope && draw(3) == 0) nido_scope_cancel(scope, 0, "drawn");
    must(!has_a_hole());
}

static int act(void *number)
{
    nido_scope **mine = &world.scopes[*(int *)number];

    for (int i = 0; i < ROUNDS; i++) {
        nido_scope scope;
        int rc;

        nido_scope_open(&scope);
        *mine = &scope;
        cancel_somebody();
        rc = deeds[draw(4)]();
        *mine = NULL;
        must(rc == 0 || rc == -ECANCELED);
        must(nido_scope_close(&scope, rc) == 0);
        world.operations++;
    }
    world.done++;
    return 0;
}

static void expect_all_given_back(void)
{
    must(world.inside == 0 && world.readers == 0 && world.writers == 0 && world.permits == 0);
    must(world.woken == world.notified);
    must(nido_sem_count(&world.sem) == PERMITS && nido_sem_deinit(&world.sem) == 0);
    must(nido_mutex_deinit(&world.mutex) == 0);
    must(nido_rwlock_deinit(&world.rwlock) == 0);
}

static void play(uint32_t seed)
{
    nido_group actors;

    world.seeded = (struct seeded){seed};
    world.notified = world.woken = world.done = 0;
    nido_mutex_init(&world.mutex, "mutex");
    nido_cond_init(&world.cond, "cond");
    nido_rwlock_init(&world.rwlock, "rwlock");
    nido_sem_init(&world.sem, PERMITS, PERMITS, "sem");
    nido_group_open(&actors, NIDO_FAIL_FAST, "actors");
    for (int i = 0; i < ACTORS; i++) must(nido_spawn_copy(&actors, act, &i, sizeof i) == 0);
    while (world.done < ACTORS) { /* nobody waits for ever */
        notify_one();
        nido_yield();
    }
    must(nido_group_close(&actors, 0) == 0);
    expect_all_given_back();
}

INSIDE(lock_model, a_million_operations_conserve_locks_permits_and_notifications)
{
    for (uint32_t seed = 1; seed <= SEEDS; seed++) {
        play(seed);
        cr_expect(eq(i64, world.wrong, 0), "seed %u", seed);
        if (world.wrong) return;
    }
    cr_expect(ge(i64, world.operations, 1000000));
}
