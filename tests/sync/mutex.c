/* SPDX-License-Identifier: MIT */
#include "sync_help.h"

static int lock(void *mutex)
{
    return nido_mutex_lock(mutex);
}

static int try_lock(void *mutex)
{
    return nido_mutex_try_lock(mutex);
}

static int unlock(void *mutex)
{
    return nido_mutex_unlock(mutex);
}

static int repair(void *mutex)
{
    return nido_mutex_repair(mutex);
}

static void holder_lock(nido_group *group, struct holder *holder, nido_mutex *mutex)
{
    holder_make(group, holder, mutex, lock, unlock);
}

SYNC_TEST(mutex, it_is_handed_over_in_the_order_of_asking)
{
    struct holder holders[3];
    nido_mutex mutex;

    nido_mutex_init(&mutex, "m");
    for (int i = 0; i < 3; i++) holder_lock(group, &holders[i], &mutex);
    for (int i = 0; i < 3; i++) {
        cr_expect(eq(int, holders[i].rc, 0));
        if (i < 2) cr_expect(eq(int, holders[i + 1].rc, WAITING));
        holder_go(&holders[i]);
        cr_expect(eq(int, holders[i].gave, 0));
    }
    cr_expect(eq(int, nido_mutex_deinit(&mutex), 0));
}

/* S172 */
SYNC_TEST(mutex, its_owner_cannot_lock_it_again)
{
    nido_mutex mutex;

    nido_mutex_init(&mutex, "m");
    cr_expect(eq(int, nido_mutex_lock(&mutex), 0));
    cr_expect(eq(int, nido_mutex_lock(&mutex), -EDEADLK));
    cr_expect(ne(ptr, strstr(nido_error_text(nido_error_last()), "the task holds mutex \""), NULL));
    cr_expect(eq(int, nido_mutex_try_lock(&mutex), -EDEADLK));
    cr_expect(eq(int, nido_mutex_unlock(&mutex), 0));
    cr_expect(eq(int, nido_mutex_try_lock(&mutex), 0));
    cr_expect(eq(int, nido_mutex_unlock(&mutex), 0));
}

/* S173 */
SYNC_TEST(mutex, only_its_owner_unlocks_it)
{
    struct holder holder;
    nido_mutex mutex;

    nido_mutex_init(&mutex, "m");
    cr_expect(eq(int, nido_mutex_unlock(&mutex), -EPERM));
    holder_lock(group, &holder, &mutex);
    cr_expect(eq(int, nido_mutex_unlock(&mutex), -EPERM));
    cr_expect(eq(int, nido_mutex_repair(&mutex), -EPERM));
    cr_expect(eq(int, nido_mutex_try_lock(&mutex), -EAGAIN));
    holder_go(&holder);
    cr_expect(eq(int, holder.gave, 0), "it has kept it");
}

/* S175 */
SYNC_TEST(mutex, a_waiter_cancelled_as_it_is_unlocked_leaves_no_hole)
{
    struct holder owner, next;
    struct call head;
    nido_mutex mutex;

    nido_mutex_init(&mutex, "m");
    holder_lock(group, &owner, &mutex);
    call_make(group, &head, lock, &mutex);
    holder_lock(group, &next, &mutex);
    nido_event_set(&owner.go); /* it unlocks in the turn in which the head is called home */
    call_cancel(&head);
    let_run();
    cr_expect(eq(int, head.rc, -ECANCELED));
    cr_expect(eq(int, next.rc, 0));
    holder_go(&next);
}

SYNC_TEST(mutex, who_was_handed_it_has_it_though_cancelled)
{
    struct holder first, second;
    nido_mutex mutex;

    nido_mutex_init(&mutex, "m");
    nido_mutex_lock(&mutex);
    holder_lock(group, &first, &mutex);
    holder_lock(group, &second, &mutex);
    cr_expect(eq(int, nido_mutex_unlock(&mutex), 0));
    holder_cancel(&first);
    let_run();
    cr_expect(eq(int, first.rc, 0));
    cr_expect(eq(int, first.next, -ECANCELED));
    cr_expect(eq(int, second.rc, WAITING));
    holder_go(&first);
    cr_expect(eq(int, second.rc, 0));
    holder_go(&second);
}

SYNC_TEST(mutex, a_call_refused_at_its_entry_locks_nothing)
{
    struct call call;
    nido_mutex mutex;

    nido_mutex_init(&mutex, "m");
    call_spawn(group, &call, lock, &mutex);
    call_cancel(&call);
    let_run();
    cr_expect(eq(int, call.rc, -ECANCELED));
    cr_expect(eq(int, nido_mutex_deinit(&mutex), 0));
}

/* S178 */
SYNC_TEST(mutex, nobody_snatches_it_on_its_way)
{
    struct holder holder;
    nido_mutex mutex;

    nido_mutex_init(&mutex, "m");
    nido_mutex_lock(&mutex);
    holder_lock(group, &holder, &mutex);
    nido_mutex_unlock(&mutex);
    cr_expect(eq(int, nido_mutex_try_lock(&mutex), -EAGAIN));
    let_run();
    cr_expect(eq(int, holder.rc, 0));
    holder_go(&holder);
}

/* S179 */
SYNC_TEST(mutex, one_in_use_is_not_ended)
{
    nido_mutex mutex;

    nido_mutex_init(&mutex, "m");
    nido_mutex_lock(&mutex);
    cr_expect(eq(int, nido_mutex_deinit(&mutex), -EBUSY));
    nido_mutex_unlock(&mutex);
    cr_expect(eq(int, nido_mutex_deinit(&mutex), 0));
}

/* S184 */
SYNC_TEST(mutex, a_deadline_ends_the_wait_without_the_lock)
{
    struct holder holder;
    nido_scope scope;
    nido_mutex mutex;
    int64_t start = nido_now();
    int rc;

    nido_mutex_init(&mutex, "m");
    holder_lock(group, &holder, &mutex);
    nido_timeout_open(&scope, NIDO_SEC(5));
    rc = nido_mutex_lock(&mutex);
    cr_expect(eq(int, rc, -ECANCELED));
    cr_expect(eq(i64, nido_now() - start, NIDO_SEC(5)));
    cr_expect(eq(int, nido_scope_close(&scope, rc), -ETIMEDOUT));
    cr_expect(eq(int, nido_mutex_unlock(&mutex), -EPERM));
    holder_go(&holder);
    cr_expect(eq(int, nido_mutex_deinit(&mutex), 0));
}

/* ---- Owners that wait for each other ---- */

struct crossing {
    nido_mutex first, second, third;
    nido_task other;
};

static int take_second_then_first(void *arg)
{
    struct crossing *crossing = arg;

    cr_expect(eq(int, nido_mutex_lock(&crossing->second), 0));
    nido_yield();
    cr_expect(eq(int, nido_mutex_lock(&crossing->first), 0));
    nido_mutex_unlock(&crossing->first);
    return nido_mutex_unlock(&crossing->second);
}

static int take_third_then_second(void *arg)
{
    struct crossing *crossing = arg;

    cr_expect(eq(int, nido_mutex_lock(&crossing->third), 0));
    cr_expect(eq(int, nido_mutex_lock(&crossing->second), 0));
    nido_mutex_unlock(&crossing->second);
    return nido_mutex_unlock(&crossing->third);
}

SYNC_TEST(mutex, owners_that_would_wait_in_a_ring_are_found)
{
    struct crossing crossing;
    struct call a, b;

    nido_mutex_init(&crossing.first, "first");
    nido_mutex_init(&crossing.second, "second");
    nido_mutex_init(&crossing.third, "third");
    nido_mutex_lock(&crossing.first);
    call_make(group, &a, take_second_then_first, &crossing);
    call_make(group, &b, take_third_then_second, &crossing);
    cr_expect(eq(int, nido_mutex_lock(&crossing.third), -EDEADLK));
    cr_expect(eq(int, nido_mutex_lock(&crossing.second), -EDEADLK));
    nido_mutex_unlock(&crossing.first);
    let_run();
    cr_expect(eq(int, a.rc, 0));
    cr_expect(eq(int, b.rc, 0));
}

static int close_a_group_around_a_locker(void *arg)
{
    nido_group group;
    struct call child;

    cr_expect(eq(int, nido_mutex_lock(arg), 0));
    nido_group_open(&group, NIDO_WAIT_ALL, "inner");
    call_spawn(&group, &child, lock, arg);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, child.rc, -EDEADLK));
    return nido_mutex_unlock(arg);
}

SYNC_TEST(mutex, a_parent_that_waits_for_the_locker_is_found)
{
    struct call parent;
    nido_mutex mutex;

    nido_mutex_init(&mutex, "m");
    call_make(group, &parent, close_a_group_around_a_locker, &mutex);
    cr_expect(eq(int, parent.rc, 0));
}

/* Locks the first and joins whoever waits for it: a ring that this page does not know of. */
static int lock_and_join(void *arg)
{
    struct crossing *crossing = arg;

    cr_expect(eq(int, nido_mutex_lock(&crossing->first), 0));
    nido_yield();
    nido_join(crossing->other, NULL);
    return nido_mutex_unlock(&crossing->first);
}

static int lock_first(void *arg)
{
    struct crossing *crossing = arg;

    return nido_mutex_lock(&crossing->first);
}

SYNC_TEST(mutex, a_ring_of_others_does_not_catch_the_search)
{
    struct crossing crossing;
    struct call a, b;

    nido_mutex_init(&crossing.first, "first");
    call_spawn(group, &a, lock_and_join, &crossing);
    call_spawn(group, &b, lock_first, &crossing);
    crossing.other = b.task;
    let_run();
    if (a.rc == WAITING) {
        nido_scope scope;

        nido_timeout_open(&scope, NIDO_SEC(1));
        cr_expect(eq(int, nido_scope_close(&scope, nido_mutex_lock(&crossing.first)), -ETIMEDOUT));
        call_cancel(&b);
    }
    let_run();
}

/* ---- Owners that die ---- */

static nido_mutex *bereft;

static int die_holding(void *unused)
{
    (void)unused;
    nido_set_name("forgetful");
    return nido_mutex_lock(bereft);
}

static int outlive(void *unused)
{
    struct holder heir, next;
    struct call dead;
    nido_mutex mutex;
    nido_group group;

    (void)unused;
    bereft = &mutex;
    nido_mutex_init(&mutex, "treasure");
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    call_spawn(&group, &dead, die_holding, NULL);
    holder_spawn(&group, &heir, &mutex, lock, unlock);
    holder_spawn(&group, &next, &mutex, lock, unlock);
    let_run();
    cr_expect(eq(int, dead.rc, 0));
    cr_expect(eq(int, heir.rc, -EOWNERDEAD), "it has the lock, and knows");
    cr_expect(eq(int, next.rc, WAITING));
    holder_go(&heir);
    cr_expect(eq(int, heir.gave, 0), "it was the owner");
    cr_expect(eq(int, next.rc, -EOWNERDEAD), "nobody has repaired it");
    holder_go(&next);
    cr_expect(eq(int, nido_mutex_try_lock(&mutex), -EOWNERDEAD));
    cr_expect(eq(int, nido_mutex_repair(&mutex), 0));
    cr_expect(eq(int, nido_mutex_repair(&mutex), -EINVAL));
    cr_expect(eq(int, nido_mutex_unlock(&mutex), 0));
    cr_expect(eq(int, nido_mutex_lock(&mutex), 0));
    cr_expect(eq(int, nido_mutex_unlock(&mutex), 0));
    cr_expect(eq(int, nido_mutex_deinit(&mutex), 0));
    return nido_group_close(&group, 0);
}

/* S176 */
NIDO_TEST(mutex, the_heir_of_a_dead_owner_is_told)
{
    char report[4096];

    cr_expect(eq(int, run_for_report(outlive, NULL, report), 0));
    cr_expect(strstr(report, "\"forgetful\" has ended and left mutex") != NULL, "%s", report);
    cr_expect(strstr(report, "\"treasure\" locked") != NULL, "%s", report);
}

/* ---- Wrong places, reports ---- */

SYNC_TEST(mutex, another_thread_may_not_touch_a_locked_one)
{
    nido_mutex mutex;

    nido_mutex_init(&mutex, "m");
    cr_expect(eq(int, on_plain_thread(lock, &mutex), -EPERM));
    cr_expect(eq(int, on_plain_thread(try_lock, &mutex), -EPERM));
    cr_expect(eq(int, on_plain_thread(unlock, &mutex), -EPERM));
    nido_mutex_lock(&mutex);
    cr_expect(eq(int, on_plain_thread(unlock, &mutex), -EPERM));
    cr_expect(eq(int, in_other_runtime(lock, &mutex), -EXDEV));
    cr_expect(eq(int, in_other_runtime(try_lock, &mutex), -EXDEV));
    cr_expect(eq(int, in_other_runtime(unlock, &mutex), -EXDEV));
    cr_expect(eq(int, in_other_runtime(repair, &mutex), -EXDEV));
    cr_expect(eq(int, nido_mutex_unlock(&mutex), 0));
}

static int posted(void *mutex)
{
    cr_expect(eq(int, nido_mutex_lock(mutex), -EDEADLK));
    cr_expect(eq(int, nido_mutex_try_lock(mutex), -EDEADLK));
    cr_expect(eq(int, nido_mutex_unlock(mutex), -EPERM));
    return 0;
}

SYNC_TEST(mutex, a_callback_owns_nothing)
{
    nido_mutex mutex;
    nido_rt *rt = nido_rt_self();

    nido_mutex_init(&mutex, "m");
    cr_expect(eq(int, nido_post(rt, posted, &mutex), 0));
    nido_rt_release(rt);
    cr_expect(eq(int, nido_sleep(1), 0));
    cr_expect(eq(int, nido_mutex_deinit(&mutex), 0));
}

static int lock_and_never_unlock(void *mutex)
{
    nido_group group;
    struct call waiter;

    nido_mutex_lock(mutex);
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    call_make(&group, &waiter, lock, mutex);
    nido_sem never;
    nido_sem_init(&never, 0, 1, "never");
    cr_expect(eq(int, nido_sem_acquire(&never), -ECANCELED));
    nido_mutex_unlock(mutex);
    return nido_group_close(&group, -ECANCELED);
}

NIDO_TEST(mutex, a_deadlock_names_it_and_its_owner)
{
    char report[4096];
    nido_mutex mutex;

    nido_mutex_init(&mutex, "m");
    cr_expect(eq(int, run_for_report(lock_and_never_unlock, &mutex, report), -EDEADLK));
    cr_expect(strstr(report, "waits for mutex \"m\" of #") != NULL, "%s", report);
}
