/* SPDX-License-Identifier: MIT */
#include "sync_help.h"

static int read_lock(void *lock)
{
    return nido_rwlock_read_lock(lock);
}

static int write_lock(void *lock)
{
    return nido_rwlock_write_lock(lock);
}

static int try_read(void *lock)
{
    return nido_rwlock_try_read_lock(lock);
}

static int try_write(void *lock)
{
    return nido_rwlock_try_write_lock(lock);
}

static int read_unlock(void *lock)
{
    return nido_rwlock_read_unlock(lock);
}

static int write_unlock(void *lock)
{
    return nido_rwlock_write_unlock(lock);
}

static void reader(nido_group *group, struct holder *holder, nido_rwlock *lock)
{
    holder_make(group, holder, lock, read_lock, read_unlock);
}

static void writer(nido_group *group, struct holder *holder, nido_rwlock *lock)
{
    holder_make(group, holder, lock, write_lock, write_unlock);
}

SYNC_TEST(rwlock, many_read_or_one_writes)
{
    nido_rwlock lock;

    nido_rwlock_init(&lock, "book");
    cr_expect(eq(int, nido_rwlock_read_lock(&lock), 0));
    cr_expect(eq(int, nido_rwlock_try_read_lock(&lock), 0));
    cr_expect(eq(int, nido_rwlock_try_write_lock(&lock), -EAGAIN));
    cr_expect(eq(int, nido_rwlock_deinit(&lock), -EBUSY));
    cr_expect(eq(int, nido_rwlock_read_unlock(&lock), 0));
    cr_expect(eq(int, nido_rwlock_read_unlock(&lock), 0));
    cr_expect(eq(int, nido_rwlock_try_write_lock(&lock), 0));
    cr_expect(eq(int, nido_rwlock_deinit(&lock), -EBUSY));
    cr_expect(eq(int, nido_rwlock_write_unlock(&lock), 0));
    cr_expect(eq(int, nido_rwlock_deinit(&lock), 0));
}

SYNC_TEST(rwlock, a_waiting_writer_keeps_later_readers_out)
{
    struct holder first, second, third;
    nido_rwlock lock;

    nido_rwlock_init(&lock, "book");
    reader(group, &first, &lock);
    writer(group, &second, &lock);
    reader(group, &third, &lock);
    cr_expect(eq(int, second.rc, WAITING));
    cr_expect(eq(int, third.rc, WAITING));
    cr_expect(eq(int, nido_rwlock_try_read_lock(&lock), -EAGAIN));
    holder_go(&first);
    cr_expect(eq(int, second.rc, 0));
    cr_expect(eq(int, third.rc, WAITING));
    holder_go(&second);
    cr_expect(eq(int, third.rc, 0));
    holder_go(&third);
}

/* S181 */
SYNC_TEST(rwlock, readers_behind_a_cancelled_writer_get_in_at_once)
{
    struct holder readers[3], fourth;
    struct call waiting;
    nido_rwlock lock;

    nido_rwlock_init(&lock, "book");
    for (int i = 0; i < 3; i++) reader(group, &readers[i], &lock);
    call_make(group, &waiting, write_lock, &lock);
    reader(group, &fourth, &lock);
    cr_expect(eq(int, fourth.rc, WAITING));
    call_cancel(&waiting);
    let_run();
    cr_expect(eq(int, waiting.rc, -ECANCELED));
    cr_expect(eq(int, fourth.rc, 0));
    holder_go(&fourth);
    for (int i = 0; i < 3; i++) holder_go(&readers[i]);
    cr_expect(eq(int, nido_rwlock_deinit(&lock), 0));
}

/* S182 */
SYNC_TEST(rwlock, neighbouring_readers_enter_together)
{
    struct holder owner, a, b, next, late;
    nido_rwlock lock;

    nido_rwlock_init(&lock, "book");
    writer(group, &owner, &lock);
    reader(group, &a, &lock);
    reader(group, &b, &lock);
    writer(group, &next, &lock);
    reader(group, &late, &lock);
    holder_go(&owner);
    cr_expect(eq(int, owner.gave, 0));
    cr_expect(eq(int, a.rc, 0));
    cr_expect(eq(int, b.rc, 0));
    cr_expect(eq(int, next.rc, WAITING));
    holder_go(&a);
    cr_expect(eq(int, next.rc, WAITING));
    holder_go(&b);
    cr_expect(eq(int, next.rc, 0));
    cr_expect(eq(int, late.rc, WAITING));
    holder_go(&next);
    cr_expect(eq(int, late.rc, 0));
    holder_go(&late);
}

SYNC_TEST(rwlock, who_was_let_in_is_in_though_cancelled)
{
    struct holder read, write, last;
    nido_rwlock lock;

    nido_rwlock_init(&lock, "book");
    nido_rwlock_write_lock(&lock);
    reader(group, &read, &lock);
    writer(group, &write, &lock);
    nido_rwlock_write_unlock(&lock);
    holder_cancel(&read);
    let_run();
    cr_expect(eq(int, read.rc, 0));
    cr_expect(eq(int, read.next, -ECANCELED));
    cr_expect(eq(int, write.rc, WAITING));
    reader(group, &last, &lock);
    nido_event_set(&read.go);
    nido_yield(); /* it leaves, which gives the lock to the writer */
    holder_cancel(&write);
    let_run();
    cr_expect(eq(int, write.rc, 0));
    cr_expect(eq(int, write.next, -ECANCELED));
    cr_expect(eq(int, last.rc, WAITING));
    holder_go(&write);
    holder_go(&last);
    cr_expect(eq(int, last.rc, 0));
}

SYNC_TEST(rwlock, a_call_refused_at_its_entry_does_not_enter)
{
    struct call read, write;
    nido_rwlock lock;

    nido_rwlock_init(&lock, "book");
    call_spawn(group, &read, read_lock, &lock);
    call_spawn(group, &write, write_lock, &lock);
    nido_group_cancel(group, 0, "test");
    let_run();
    cr_expect(eq(int, read.rc, -ECANCELED));
    cr_expect(eq(int, write.rc, -ECANCELED));
    cr_expect(eq(int, nido_rwlock_deinit(&lock), 0));
}

SYNC_TEST(rwlock, the_writer_is_known)
{
    struct holder holder;
    nido_rwlock lock;

    nido_rwlock_init(&lock, "book");
    cr_expect(eq(int, nido_rwlock_read_unlock(&lock), -EPERM));
    cr_expect(eq(int, nido_rwlock_write_unlock(&lock), -EPERM));
    nido_rwlock_write_lock(&lock);
    cr_expect(eq(int, nido_rwlock_write_lock(&lock), -EDEADLK));
    cr_expect(eq(int, nido_rwlock_read_lock(&lock), -EDEADLK));
    cr_expect(eq(int, nido_rwlock_try_read_lock(&lock), -EDEADLK));
    cr_expect(eq(int, nido_rwlock_read_unlock(&lock), -EPERM));
    cr_expect(eq(int, nido_rwlock_repair(&lock), -EINVAL));
    nido_rwlock_write_unlock(&lock);
    writer(group, &holder, &lock);
    cr_expect(eq(int, nido_rwlock_write_unlock(&lock), -EPERM));
    cr_expect(eq(int, nido_rwlock_repair(&lock), -EPERM));
    holder_go(&holder);
    cr_expect(eq(int, holder.gave, 0));
}

struct pair {
    nido_rwlock lock;
    nido_mutex mutex;
};

static int write_then_lock(void *arg)
{
    struct pair *pair = arg;

    cr_expect(eq(int, nido_rwlock_write_lock(&pair->lock), 0));
    cr_expect(eq(int, nido_mutex_lock(&pair->mutex), 0));
    nido_mutex_unlock(&pair->mutex);
    return nido_rwlock_write_unlock(&pair->lock);
}

SYNC_TEST(rwlock, a_ring_through_the_writer_is_found)
{
    struct call other;
    struct pair pair;

    nido_rwlock_init(&pair.lock, "book");
    nido_mutex_init(&pair.mutex, "m");
    nido_mutex_lock(&pair.mutex);
    call_make(group, &other, write_then_lock, &pair);
    cr_expect(eq(int, nido_rwlock_read_lock(&pair.lock), -EDEADLK));
    cr_expect(eq(int, nido_rwlock_write_lock(&pair.lock), -EDEADLK));
    nido_mutex_unlock(&pair.mutex);
    let_run();
    cr_expect(eq(int, other.rc, 0));
}

static int outlive_a_writer(void *arg)
{
    nido_rwlock *lock = arg;
    struct holder heir, next;
    struct call dead;
    nido_group group;

    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    call_spawn(&group, &dead, write_lock, lock);
    holder_spawn(&group, &heir, lock, read_lock, read_unlock);
    holder_spawn(&group, &next, lock, write_lock, write_unlock);
    let_run();
    cr_expect(eq(int, heir.rc, -EOWNERDEAD));
    cr_expect(eq(int, next.rc, WAITING));
    holder_go(&heir);
    cr_expect(eq(int, heir.gave, 0));
    cr_expect(eq(int, next.rc, -EOWNERDEAD));
    holder_go(&next);
    cr_expect(eq(int, nido_rwlock_write_lock(lock), -EOWNERDEAD));
    cr_expect(eq(int, nido_rwlock_repair(lock), 0));
    cr_expect(eq(int, nido_rwlock_write_unlock(lock), 0));
    cr_expect(eq(int, nido_rwlock_read_lock(lock), 0));
    cr_expect(eq(int, nido_rwlock_read_unlock(lock), 0));
    return nido_group_close(&group, 0);
}

NIDO_TEST(rwlock, the_heirs_of_a_dead_writer_are_told)
{
    char report[4096];
    nido_rwlock lock;

    nido_rwlock_init(&lock, "book");
    cr_expect(eq(int, run_for_report(outlive_a_writer, &lock, report), 0));
    cr_expect(strstr(report, "has ended and left rwlock") != NULL, "%s", report);
    cr_expect(strstr(report, "\"book\" locked") != NULL, "%s", report);
}

SYNC_TEST(rwlock, another_thread_may_not_touch_one_in_use)
{
    nido_rwlock lock;

    nido_rwlock_init(&lock, "book");
    cr_expect(eq(int, on_plain_thread(read_lock, &lock), -EPERM));
    cr_expect(eq(int, on_plain_thread(try_write, &lock), -EPERM));
    nido_rwlock_read_lock(&lock);
    cr_expect(eq(int, in_other_runtime(read_lock, &lock), -EXDEV));
    cr_expect(eq(int, in_other_runtime(write_lock, &lock), -EXDEV));
    cr_expect(eq(int, in_other_runtime(try_read, &lock), -EXDEV));
    cr_expect(eq(int, in_other_runtime(try_write, &lock), -EXDEV));
    cr_expect(eq(int, in_other_runtime(read_unlock, &lock), -EXDEV));
    cr_expect(eq(int, in_other_runtime(write_unlock, &lock), -EXDEV));
    cr_expect(eq(int, on_plain_thread(read_unlock, &lock), -EPERM));
    cr_expect(eq(int, nido_rwlock_read_unlock(&lock), 0));
}

/* A reader that asks to write waits for itself: nothing knows it, but the deadlock is seen. */
static int upgrade(void *lock)
{
    int rc;

    nido_rwlock_read_lock(lock);
    rc = nido_rwlock_write_lock(lock);
    nido_rwlock_read_unlock(lock);
    return rc;
}

static int write_twice(void *lock)
{
    nido_group group;
    struct call other;
    nido_event never;
    int rc;

    nido_event_init(&never, "never");
    nido_rwlock_write_lock(lock);
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    call_spawn(&group, &other, read_lock, lock);
    rc = nido_event_wait(&never);
    nido_rwlock_write_unlock(lock);
    return nido_group_close(&group, rc);
}

NIDO_TEST(rwlock, a_deadlock_names_it)
{
    char report[4096];
    nido_rwlock lock;

    nido_rwlock_init(&lock, "book");
    cr_expect(eq(int, run_for_report(upgrade, &lock, report), -EDEADLK));
    cr_expect(strstr(report, "waits for rwlock (to write) \"book\",") != NULL, "%s", report);
    cr_expect(eq(int, run_for_report(write_twice, &lock, report), -EDEADLK));
    cr_expect(strstr(report, "waits for rwlock (to read) \"book\" of #") != NULL, "%s", report);
}
