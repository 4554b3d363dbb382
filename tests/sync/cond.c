/* SPDX-License-Identifier: MIT */
#include "sync_help.h"

/* A condition and its mutex. */
struct room {
    nido_cond cond;
    nido_mutex mutex;
};

static struct room *room_init(struct room *room)
{
    nido_cond_init(&room->cond, "news");
    nido_mutex_init(&room->mutex, "room");
    return room;
}

/* Locks, waits for news. The caller of the holder unlocks. */
static int enter_and_wait(void *arg)
{
    struct room *room = arg;

    cr_expect(eq(int, nido_mutex_lock(&room->mutex), 0));
    return nido_cond_wait(&room->cond, &room->mutex);
}

static int leave(void *arg)
{
    return nido_mutex_unlock(&((struct room *)arg)->mutex);
}

static void waiter(nido_group *group, struct holder *holder, struct room *room)
{
    holder_make(group, holder, room, enter_and_wait, leave);
}

static int notify(void *arg)
{
    return nido_cond_notify(&((struct room *)arg)->cond);
}

static int notify_all(void *arg)
{
    return nido_cond_notify_all(&((struct room *)arg)->cond);
}

static int wait_only(void *arg)
{
    struct room *room = arg;

    return nido_cond_wait(&room->cond, &room->mutex);
}

/* S185 */
SYNC_TEST(cond, who_is_notified_returns_with_the_mutex)
{
    struct holder holder;
    struct room room;

    waiter(group, &holder, room_init(&room));
    cr_expect(eq(int, holder.rc, WAITING));
    cr_expect(eq(int, nido_mutex_lock(&room.mutex), 0), "the wait has unlocked it");
    cr_expect(eq(int, nido_cond_notify(&room.cond), 0));
    let_run();
    cr_expect(eq(int, holder.rc, WAITING), "the notifier has the mutex");
    cr_expect(eq(int, nido_mutex_unlock(&room.mutex), 0));
    cr_expect(eq(int, nido_mutex_try_lock(&room.mutex), -EAGAIN), "it was handed over");
    let_run();
    cr_expect(eq(int, holder.rc, 0));
    holder_go(&holder);
    cr_expect(eq(int, holder.gave, 0));
}

SYNC_TEST(cond, the_notifier_need_not_own_the_mutex)
{
    struct holder holder;
    struct room room;

    waiter(group, &holder, room_init(&room));
    cr_expect(eq(int, nido_cond_notify(&room.cond), 0));
    cr_expect(eq(int, nido_mutex_try_lock(&room.mutex), -EAGAIN));
    let_run();
    cr_expect(eq(int, holder.rc, 0));
    holder_go(&holder);
    cr_expect(eq(int, holder.gave, 0));
}

/* ---- Until something holds ---- */

static int news; /* of the room */

static bool has_news(void *wanted)
{
    cr_expect(eq(int, nido_yield(), -EDEADLK), "it must not park");
    return news >= *(const int *)wanted;
}

static int wait_for_two(void *arg)
{
    struct room *room = arg;
    int two = 2, rc;

    cr_expect(eq(int, nido_mutex_lock(&room->mutex), 0));
    rc = nido_cond_wait_until(&room->cond, &room->mutex, has_news, &two);
    cr_expect(eq(int, nido_mutex_unlock(&room->mutex), 0));
    return rc;
}

static void bring_news(struct room *room)
{
    news++;
    cr_expect(eq(int, nido_cond_notify_all(&room->cond), 0));
}

SYNC_TEST(cond, a_wait_until_something_holds_ends_when_it_does)
{
    struct call call;
    struct room room;

    news = 0;
    call_make(group, &call, wait_for_two, room_init(&room));
    bring_news(&room);
    let_run();
    cr_expect(eq(int, call.rc, WAITING));
    bring_news(&room);
    let_run();
    cr_expect(eq(int, call.rc, 0));
    cr_expect(eq(int, wait_for_two(&room), 0), "it holds already");
    cr_expect(eq(int, nido_cond_wait_until(&room.cond, &room.mutex, has_news, &news), -EPERM));
    cr_expect(zero(int, nido_mutex_lock(&room.mutex)));
    cr_expect(eq(int, nido_cond_wait_until(&room.cond, &room.mutex, NULL, NULL), -EINVAL));
    cr_expect(zero(int, nido_mutex_unlock(&room.mutex)));
}

SYNC_TEST(cond, what_was_brought_before_the_cancel_counts)
{
    struct call brought, not_yet;
    struct room room;

    news = 1;
    call_make(group, &brought, wait_for_two, room_init(&room));
    bring_news(&room);
    call_cancel(&brought);
    let_run();
    cr_expect(eq(int, brought.rc, 0));
    cr_expect(eq(int, brought.next, -ECANCELED));
    news = 0;
    call_make(group, &not_yet, wait_for_two, &room);
    bring_news(&room);
    call_cancel(&not_yet);
    let_run();
    cr_expect(eq(int, not_yet.rc, -ECANCELED));
    cr_expect(eq(int, nido_mutex_deinit(&room.mutex), 0));
}

SYNC_TEST(cond, notify_n_wakes_so_many_in_order)
{
    struct holder holders[3];
    struct room room;

    room_init(&room);
    for (int i = 0; i < 3; i++) waiter(group, &holders[i], &room);
    cr_expect(eq(int, nido_cond_notify_n(&room.cond, 0), 0));
    cr_expect(eq(int, nido_cond_notify_n(&room.cond, 2), 0));
    for (int i = 0; i < 2; i++) holder_go(&holders[i]);
    for (int i = 0; i < 3; i++) cr_expect(eq(int, holders[i].rc, i < 2 ? 0 : WAITING));
    cr_expect(eq(int, nido_cond_notify_n(&room.cond, UINT32_MAX), 0));
    holder_go(&holders[2]);
    cr_expect(eq(int, holders[2].rc, 0));
}

/* S187 */
SYNC_TEST(cond, a_notification_before_the_cancel_is_not_lost)
{
    struct holder first, second;
    struct room room;

    waiter(group, &first, room_init(&room));
    waiter(group, &second, &room);
    nido_cond_notify(&room.cond);
    holder_cancel(&first);
    let_run();
    cr_expect(eq(int, first.rc, 0));
    cr_expect(eq(int, first.next, -ECANCELED));
    cr_expect(eq(int, second.rc, WAITING));
    holder_go(&first);
    cr_expect(eq(int, first.gave, 0));
    nido_cond_notify(&room.cond);
    holder_go(&second);
}

SYNC_TEST(cond, a_cancel_while_in_line_for_the_mutex_is_not_heard)
{
    struct holder holder;
    struct room room;

    waiter(group, &holder, room_init(&room));
    nido_mutex_lock(&room.mutex);
    nido_cond_notify(&room.cond);
    let_run();
    holder_cancel(&holder);
    let_run();
    cr_expect(eq(int, holder.rc, WAITING));
    nido_mutex_unlock(&room.mutex);
    let_run();
    cr_expect(eq(int, holder.rc, 0), "it was notified");
    cr_expect(eq(int, holder.next, -ECANCELED));
    holder_go(&holder);
    cr_expect(eq(int, holder.gave, 0));
}

/* S188 */
SYNC_TEST(cond, a_cancelled_waiter_is_not_notified)
{
    struct holder first, second;
    struct room room;

    waiter(group, &first, room_init(&room));
    waiter(group, &second, &room);
    holder_cancel(&first);
    nido_cond_notify(&room.cond);
    let_run();
    cr_expect(eq(int, first.rc, -ECANCELED));
    holder_go(&first);
    cr_expect(eq(int, first.gave, 0), "it had the mutex");
    cr_expect(eq(int, second.rc, 0));
    holder_go(&second);
}

struct late {
    struct room room;
    int64_t back; /* when the wait returned */
};

static int wait_and_look_at_the_clock(void *arg)
{
    struct late *late = arg;
    int rc = enter_and_wait(&late->room);

    late->back = nido_now();
    cr_expect(eq(int, nido_mutex_unlock(&late->room.mutex), 0), "it has the mutex");
    return rc;
}

/* S190 */
SYNC_TEST(cond, who_is_cancelled_still_waits_for_the_mutex)
{
    struct late late;
    struct call call;
    int64_t start = nido_now();

    room_init(&late.room);
    call_make(group, &call, wait_and_look_at_the_clock, &late);
    nido_mutex_lock(&late.room.mutex);
    call_cancel(&call);
    let_run();
    cr_expect(eq(int, call.rc, WAITING));
    nido_sleep(NIDO_SEC(1));
    nido_mutex_unlock(&late.room.mutex);
    let_run();
    cr_expect(eq(int, call.rc, -ECANCELED));
    cr_expect(eq(i64, late.back - start, NIDO_SEC(1)));
}

SYNC_TEST(cond, a_wait_refused_at_its_entry_keeps_the_mutex)
{
    struct room room;
    nido_scope scope;

    room_init(&room);
    nido_mutex_lock(&room.mutex);
    nido_scope_open(&scope);
    nido_scope_cancel(&scope, 0, "test");
    cr_expect(eq(int, nido_cond_wait(&room.cond, &room.mutex), -ECANCELED));
    cr_expect(eq(int, nido_mutex_unlock(&room.mutex), 0));
    cr_expect(eq(int, nido_scope_close(&scope, -ECANCELED), 0));
    cr_expect(eq(int, nido_cond_deinit(&room.cond), 0));
}

SYNC_TEST(cond, a_deadline_ends_the_wait_with_the_mutex)
{
    struct room room;
    nido_scope scope;

    room_init(&room);
    nido_mutex_lock(&room.mutex);
    nido_timeout_open(&scope, NIDO_MS(5));
    cr_expect(eq(int, nido_scope_close(&scope, wait_only(&room)), -ETIMEDOUT));
    cr_expect(eq(int, nido_mutex_unlock(&room.mutex), 0));
}

/* S191 */
SYNC_TEST(cond, a_notification_without_waiters_is_forgotten)
{
    struct holder holder;
    struct room room;

    room_init(&room);
    cr_expect(eq(int, nido_cond_notify(&room.cond), 0));
    cr_expect(eq(int, nido_cond_notify_all(&room.cond), 0));
    waiter(group, &holder, &room);
    cr_expect(eq(int, holder.rc, WAITING));
    nido_cond_notify(&room.cond);
    holder_go(&holder);
}

/* S193 */
SYNC_TEST(cond, the_mutex_must_be_the_callers)
{
    struct holder holder;
    struct room room;

    room_init(&room);
    cr_expect(eq(int, wait_only(&room), -EPERM));
    waiter(group, &holder, &room);
    nido_cond_notify(&room.cond);
    let_run();
    cr_expect(eq(int, wait_only(&room), -EPERM), "another task has it");
    holder_go(&holder);
}

/* S194 */
SYNC_TEST(cond, nobody_wakes_for_nothing)
{
    struct holder holder;
    struct room room;

    waiter(group, &holder, room_init(&room));
    for (int i = 0; i < 60; i++) {
        nido_mutex_lock(&room.mutex);
        nido_sleep(NIDO_SEC(60));
        nido_mutex_unlock(&room.mutex);
    }
    cr_expect(eq(int, holder.rc, WAITING));
    nido_cond_notify(&room.cond);
    holder_go(&holder);
}

SYNC_TEST(cond, notify_all_wakes_all_in_order_and_none_that_come_later)
{
    struct holder holders[4];
    struct room room;

    room_init(&room);
    for (int i = 0; i < 3; i++) waiter(group, &holders[i], &room);
    cr_expect(eq(int, nido_cond_notify_all(&room.cond), 0));
    holder_spawn(group, &holders[3], &room, enter_and_wait, leave);
    for (uint32_t i = 0; i < 3; i++) {
        let_run();
        cr_expect(eq(int, holders[i].rc, 0));
        cr_expect(eq(u32, holders[i].end, i + 1));
        holder_go(&holders[i]);
    }
    cr_expect(eq(int, holders[3].rc, WAITING));
    nido_cond_notify(&room.cond);
    holder_go(&holders[3]);
}

SYNC_TEST(cond, it_goes_with_one_mutex_at_a_time)
{
    struct holder holder;
    struct room room;
    nido_mutex other;

    nido_mutex_init(&other, "other");
    waiter(group, &holder, room_init(&room));
    nido_mutex_lock(&other);
    cr_expect(eq(int, nido_cond_wait(&room.cond, &other), -EINVAL));
    cr_expect(eq(int, nido_mutex_unlock(&other), 0), "it has kept it");
    nido_cond_notify(&room.cond);
    holder_go(&holder);
    nido_mutex_lock(&other);
    nido_scope scope;
    nido_timeout_open(&scope, 1);
    cr_expect(eq(int, nido_scope_close(&scope, nido_cond_wait(&room.cond, &other)), -ETIMEDOUT),
              "nobody waits: another mutex is as good");
    nido_mutex_unlock(&other);
}

SYNC_TEST(cond, neither_it_nor_the_mutex_ends_while_tasks_wait)
{
    struct holder holder;
    struct room room;

    waiter(group, &holder, room_init(&room));
    cr_expect(eq(int, nido_cond_deinit(&room.cond), -EBUSY));
    cr_expect(eq(int, nido_mutex_deinit(&room.mutex), -EBUSY));
    nido_cond_notify(&room.cond);
    cr_expect(eq(int, nido_cond_deinit(&room.cond), 0));
    holder_go(&holder);
    cr_expect(eq(int, nido_mutex_deinit(&room.mutex), 0));
}

static int die_in_the_room(void *arg)
{
    return nido_mutex_lock(&((struct room *)arg)->mutex);
}

static int wait_for_a_dead_owner(void *arg)
{
    struct room *room = arg;
    struct holder told, cancelled;
    struct call dead;
    nido_group group;

    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    waiter(&group, &told, room);
    waiter(&group, &cancelled, room);
    call_make(&group, &dead, die_in_the_room, room);
    nido_cond_notify(&room->cond);
    holder_cancel(&cancelled);
    let_run();
    cr_expect(eq(int, told.rc, -EOWNERDEAD));
    holder_go(&told);
    cr_expect(eq(int, cancelled.rc, -ECANCELED), "what ended the wait comes first");
    holder_go(&cancelled);
    return nido_group_close(&group, 0);
}

NIDO_TEST(cond, a_dead_owner_is_told_of_to_the_notified)
{
    char report[4096];
    struct room room;

    cr_expect(eq(int, run_for_report(wait_for_a_dead_owner, room_init(&room), report), 0));
    cr_expect(strstr(report, "has ended and left mutex") != NULL, "%s", report);
}

SYNC_TEST(cond, another_thread_may_not_touch_it_while_tasks_wait)
{
    struct holder holder;
    struct room room;

    waiter(group, &holder, room_init(&room));
    cr_expect(eq(int, in_other_runtime(notify, &room), -EXDEV));
    cr_expect(eq(int, in_other_runtime(notify_all, &room), -EXDEV));
    cr_expect(eq(int, in_other_runtime(wait_only, &room), -EXDEV));
    cr_expect(eq(int, on_plain_thread(notify, &room), -EPERM));
    cr_expect(eq(int, on_plain_thread(notify_all, &room), -EPERM));
    cr_expect(eq(int, on_plain_thread(wait_only, &room), -EPERM));
    nido_cond_notify(&room.cond);
    holder_go(&holder);
}

static int wait_and_leave(void *arg)
{
    int rc = enter_and_wait(arg);

    leave(arg);
    return rc;
}

NIDO_TEST(cond, a_deadlock_names_it)
{
    char report[4096];
    struct room room;

    cr_expect(eq(int, run_for_report(wait_and_leave, room_init(&room), report), -EDEADLK));
    cr_expect(strstr(report, "waits for condition \"news\"") != NULL, "%s", report);
}
