/* SPDX-License-Identifier: MIT */
#include "sync_help.h"

static int acquire(void *sem)
{
    return nido_sem_acquire(sem);
}

static int acquire_3(void *sem)
{
    return nido_sem_acquire_n(sem, 3);
}

static int release(void *sem)
{
    return nido_sem_release(sem);
}

static int try_acquire(void *sem)
{
    return nido_sem_try_acquire(sem);
}

static int close_it(void *sem)
{
    return nido_sem_close(sem);
}

static nido_sem *sem_init(nido_sem *sem, uint32_t count, uint32_t max)
{
    cr_expect(eq(int, nido_sem_init(sem, count, max, "permits"), 0));
    return sem;
}

SYNC_TEST(sem, permits_are_taken_and_given_back)
{
    nido_sem sem;

    sem_init(&sem, 2, 3);
    cr_expect(eq(int, nido_sem_acquire(&sem), 0));
    cr_expect(eq(int, nido_sem_try_acquire(&sem), 0));
    cr_expect(eq(u32, nido_sem_count(&sem), 0));
    cr_expect(eq(int, nido_sem_try_acquire(&sem), -EAGAIN));
    cr_expect(eq(int, nido_sem_release_n(&sem, 2), 0));
    cr_expect(eq(int, nido_sem_release_n(&sem, 0), 0));
    cr_expect(eq(u32, nido_sem_count(&sem), 2));
    cr_expect(eq(int, nido_sem_try_acquire_n(&sem, 2), 0));
    cr_expect(eq(int, nido_sem_deinit(&sem), 0));
}

NIDO_TEST(sem, impossible_numbers_make_no_semaphore)
{
    nido_sem sem;

    cr_expect(eq(int, nido_sem_init(&sem, 0, 0, NULL), -EINVAL));
    cr_expect(eq(int, nido_sem_init(&sem, 2, 1, NULL), -EINVAL));
    cr_expect(eq(int, nido_sem_init(&sem, 0, UINT32_C(1) << 31, NULL), -EINVAL));
    cr_expect(eq(int, nido_sem_init(&sem, 0, INT32_MAX, NULL), 0));
    cr_expect(eq(int, nido_sem_release_n(&sem, INT32_MAX), 0));
    cr_expect(eq(int, nido_sem_release_n(&sem, UINT32_MAX), -EOVERFLOW));
    cr_expect(eq(u32, nido_sem_count(&sem), INT32_MAX));
}

/* S196 */
SYNC_TEST(sem, nobody_overtakes_the_head_of_the_line)
{
    struct call a, b;
    nido_sem sem;

    sem_init(&sem, 0, 9);
    call_make(group, &a, acquire_3, &sem);
    call_make(group, &b, acquire, &sem);
    nido_sem_release(&sem);
    let_run();
    cr_expect(eq(int, a.rc, WAITING));
    cr_expect(eq(int, b.rc, WAITING));
    cr_expect(eq(int, nido_sem_try_acquire(&sem), -EAGAIN), "one is free, but somebody waits");
    cr_expect(eq(u32, nido_sem_count(&sem), 1), "parts are not taken");
    nido_sem_release_n(&sem, 2);
    let_run();
    cr_expect(eq(int, a.rc, 0));
    cr_expect(eq(int, b.rc, WAITING));
    nido_sem_release(&sem);
    let_run();
    cr_expect(eq(int, b.rc, 0));
}

/* S197 */
SYNC_TEST(sem, those_behind_a_cancelled_head_are_looked_at_again)
{
    struct call a, b, c, d;
    nido_sem sem;

    sem_init(&sem, 0, 9);
    call_make(group, &a, acquire_3, &sem);
    call_make(group, &b, acquire, &sem);
    call_make(group, &c, acquire, &sem);
    call_make(group, &d, acquire_3, &sem);
    nido_sem_release_n(&sem, 2);
    call_cancel(&a);
    let_run();
    cr_expect(eq(int, a.rc, -ECANCELED));
    cr_expect(eq(int, b.rc, 0));
    cr_expect(eq(int, c.rc, 0));
    cr_expect(eq(int, d.rc, WAITING));
    cr_expect(eq(u32, nido_sem_count(&sem), 0));
    nido_sem_release_n(&sem, 3);
    let_run();
}

SYNC_TEST(sem, one_release_serves_all_it_suffices_for_in_order)
{
    struct call calls[4];
    nido_sem sem;

    sem_init(&sem, 0, 9);
    for (int i = 0; i < 4; i++) call_make(group, &calls[i], acquire, &sem);
    nido_sem_release_n(&sem, 3);
    let_run();
    for (uint32_t i = 0; i < 3; i++) cr_expect(eq(u32, calls[i].end, i + 1));
    cr_expect(eq(int, calls[3].rc, WAITING));
    nido_sem_release(&sem);
    let_run();
}

SYNC_TEST(sem, a_permit_given_before_the_cancel_is_kept)
{
    struct call a, b;
    nido_sem sem;

    sem_init(&sem, 0, 9);
    call_make(group, &a, acquire, &sem);
    call_make(group, &b, acquire, &sem);
    nido_sem_release(&sem);
    cr_expect(eq(u32, nido_sem_count(&sem), 0), "it changes hands at once");
    call_cancel(&a);
    let_run();
    cr_expect(eq(int, a.rc, 0));
    cr_expect(eq(int, a.next, -ECANCELED));
    cr_expect(eq(int, b.rc, WAITING));
    nido_sem_release(&sem);
    let_run();
}

SYNC_TEST(sem, a_call_refused_at_its_entry_takes_nothing)
{
    struct call a;
    nido_sem sem;

    sem_init(&sem, 1, 1);
    call_spawn(group, &a, acquire, &sem);
    call_cancel(&a);
    let_run();
    cr_expect(eq(int, a.rc, -ECANCELED));
    cr_expect(eq(u32, nido_sem_count(&sem), 1));
}

SYNC_TEST(sem, a_whole_line_can_be_cancelled_at_once)
{
    struct call calls[5];
    nido_sem sem;

    sem_init(&sem, 0, 9);
    call_make(group, &calls[0], acquire_3, &sem);
    for (int i = 1; i < 5; i++) call_make(group, &calls[i], acquire, &sem);
    nido_sem_release_n(&sem, 2);
    nido_group_cancel(group, 0, "all");
    let_run();
    cr_expect(eq(int, calls[0].rc, -ECANCELED));
    /* The first to be called home made room for two. */
    cr_expect(eq(int, calls[1].rc, 0));
    cr_expect(eq(int, calls[2].rc, 0));
    cr_expect(eq(int, calls[3].rc, -ECANCELED));
    cr_expect(eq(int, calls[4].rc, -ECANCELED));
    cr_expect(eq(u32, nido_sem_count(&sem), 0));
    cr_expect(eq(int, nido_sem_deinit(&sem), 0));
}

/* S199 */
SYNC_TEST(sem, release_above_the_maximum_changes_nothing)
{
    nido_sem sem;

    sem_init(&sem, 1, 2);
    cr_expect(eq(int, nido_sem_release_n(&sem, 2), -EOVERFLOW));
    cr_expect(eq(u32, nido_sem_count(&sem), 1));
    cr_expect(eq(int, nido_sem_release(&sem), 0));
    cr_expect(eq(int, nido_sem_release(&sem), -EOVERFLOW));
    cr_expect(eq(u32, nido_sem_count(&sem), 2));
}

/* S200 */
SYNC_TEST(sem, a_wish_above_the_maximum_is_refused_at_once)
{
    nido_sem sem;

    sem_init(&sem, 2, 2);
    cr_expect(eq(int, nido_sem_acquire_n(&sem, 3), -EINVAL));
    cr_expect(eq(int, nido_sem_acquire_n(&sem, 0), -EINVAL));
    cr_expect(eq(int, nido_sem_try_acquire_n(&sem, UINT32_MAX), -EINVAL));
    cr_expect(eq(int, nido_sem_try_acquire_n(&sem, 0), -EINVAL));
    cr_expect(eq(u32, nido_sem_count(&sem), 2));
}

SYNC_TEST(sem, close_sends_everybody_home)
{
    struct call a, b, late;
    nido_sem sem;

    sem_init(&sem, 1, 9);
    call_make(group, &a, acquire_3, &sem);
    call_make(group, &b, acquire, &sem);
    cr_expect(eq(int, nido_sem_deinit(&sem), -EBUSY));
    cr_expect(eq(int, nido_sem_close(&sem), 0));
    call_make(group, &late, acquire, &sem);
    cr_expect(eq(int, a.rc, -ESHUTDOWN));
    cr_expect(eq(int, b.rc, -ESHUTDOWN));
    cr_expect(eq(int, late.rc, -ESHUTDOWN));
    cr_expect(eq(int, nido_sem_try_acquire(&sem), -ESHUTDOWN));
    cr_expect(eq(int, nido_sem_release(&sem), 0));
    cr_expect(eq(int, nido_sem_close(&sem), 0));
    cr_expect(eq(u32, nido_sem_count(&sem), 2));
    cr_expect(eq(int, nido_sem_deinit(&sem), 0));
}

SYNC_TEST(sem, a_deadline_ends_the_wait_and_takes_nothing)
{
    nido_scope scope;
    nido_sem sem;

    sem_init(&sem, 0, 1);
    nido_timeout_open(&scope, NIDO_SEC(3));
    cr_expect(eq(int, nido_scope_close(&scope, nido_sem_acquire(&sem)), -ETIMEDOUT));
    cr_expect(eq(int, nido_sem_release(&sem), 0));
    cr_expect(eq(u32, nido_sem_count(&sem), 1));
}

SYNC_TEST(sem, another_thread_may_not_touch_it_while_tasks_wait)
{
    struct call a;
    nido_sem sem;

    sem_init(&sem, 0, 9);
    call_make(group, &a, acquire, &sem);
    cr_expect(eq(int, in_other_runtime(acquire, &sem), -EXDEV));
    cr_expect(eq(int, in_other_runtime(try_acquire, &sem), -EXDEV));
    cr_expect(eq(int, in_other_runtime(release, &sem), -EXDEV));
    cr_expect(eq(int, in_other_runtime(close_it, &sem), -EXDEV));
    cr_expect(eq(int, on_plain_thread(acquire, &sem), -EPERM));
    cr_expect(eq(int, on_plain_thread(try_acquire, &sem), -EPERM));
    cr_expect(eq(int, on_plain_thread(release, &sem), -EPERM));
    cr_expect(eq(int, on_plain_thread(close_it, &sem), -EPERM));
    nido_sem_release(&sem);
    let_run();
    cr_expect(eq(int, a.rc, 0));
    cr_expect(zero(int, on_plain_thread(release, &sem)), "nobody waits");
}

NIDO_TEST(sem, a_deadlock_names_it)
{
    char report[4096];
    nido_sem sem;

    sem_init(&sem, 0, 1);
    cr_expect(eq(int, run_for_report(acquire, &sem, report), -EDEADLK));
    cr_expect(strstr(report, "waits for semaphore \"permits\"") != NULL, "%s", report);
}
