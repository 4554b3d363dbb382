/* SPDX-License-Identifier: MIT */
/* What other threads may have to do with, swept: channels, events and permits for any thread, wakers,
 * tasks that run elsewhere. */
#include "nido/cross.h"
#include "nido/offload.h"
#include "nido/thread.h"
#include "sweep_help.h"

/* ---- A channel ---- */

static struct {
    nido_xchan *chan;
    int sent, received, dropped;
} books;

static void drop(void *ctx, void *item, int result)
{
    (void)ctx, (void)item, (void)result;
    books.dropped++;
}

static int send_items(void *unused)
{
    int rc = 0;

    (void)unused;
    for (int i = 0; i < 3 && rc == 0; i++) {
        nido_scope scope;

        ALONE(scope, rc, nido_xchan_send(books.chan, &i));
        books.sent += rc == 0;
        rc = unless_struck(rc);
    }
    nido_xchan_close(books.chan);
    return rc;
}

static int receive_items(void *unused)
{
    int rc = 0, item;

    (void)unused;
    while (rc == 0) {
        nido_scope scope;

        ALONE(scope, rc, nido_xchan_recv(books.chan, &item));
        books.received += rc == 0;
        rc = unless_struck(rc);
    }
    return rc == -EPIPE ? 0 : rc;
}

static int pass_items(size_t room)
{
    int rc = nido_xchan_new(sizeof(int), room, drop, NULL, &books.chan);

    if (rc) return rc;
    books.sent = books.received = books.dropped = 0;
    rc = TOGETHER(NULL, send_items, receive_items);
    nido_xchan_free(books.chan);
    LAW(books.sent == books.received + books.dropped);
    return rc;
}

static int pass_hand_to_hand(void *unused)
{
    (void)unused;
    return pass_items(0);
}
SWEPT(an_item_for_any_thread_is_never_lost, pass_hand_to_hand)

static int pass_by_buffer(void *unused)
{
    (void)unused;
    return pass_items(1);
}
SWEPT(an_item_in_a_buffer_for_any_thread_is_never_lost, pass_by_buffer)

/* ---- An event and permits ---- */

static nido_xevent *event;
static nido_xsem *sem;

static int wait_for_event(void *unused)
{
    nido_scope scope;
    int rc;

    (void)unused;
    ALONE(scope, rc, nido_xevent_wait(event));
    return unless_struck(rc);
}

static int set_event(void *unused)
{
    int rc = nido_test_wait_all_parked();

    (void)unused;
    nido_xevent_set(event);
    return rc;
}

static int share_an_event(void *unused)
{
    int rc = nido_xevent_new(&event);

    if (rc) return rc;
    rc = TOGETHER(unused, wait_for_event, set_event, wait_for_event);
    nido_xevent_free(event);
    return rc;
}
SWEPT(an_event_for_any_thread_leaves_nobody_behind, share_an_event)

static int use_permit(void *unused)
{
    nido_scope scope;
    int rc;

    (void)unused;
    ALONE(scope, rc, nido_xsem_acquire(sem));
    if (rc) return unless_struck(rc);
    rc = nido_yield();
    LAW(nido_xsem_release(sem, 1) == 0);
    return rc;
}

static int share_a_permit_of_threads(void *unused)
{
    int rc = nido_xsem_new(1, &sem);

    if (rc) return rc;
    rc = TOGETHER(unused, use_permit, use_permit, use_permit);
    LAW(nido_xsem_try_acquire(sem) == 0);
    LAW(nido_xsem_try_acquire(sem) == -EAGAIN);
    nido_xsem_free(sem);
    return rc;
}
SWEPT(a_permit_for_any_thread_is_never_lost, share_a_permit_of_threads)

/* ---- A waker ---- */

static nido_waker *waker;
static int woken;

static int wait_to_be_woken(void *unused)
{
    nido_scope scope;
    int rc;

    (void)unused;
    ALONE(scope, rc, nido_waker_wait(waker));
    woken += rc == 0;
    return unless_struck(rc);
}

static ssize_t wake_from_elsewhere(void *unused)
{
    (void)unused;
    return nido_waker_wake(waker);
}

/* The wait of the last is for a wake that somebody who was struck did not take. */
static int wake_one(void *unused)
{
    int rc = nido_test_wait_all_parked();

    LAW(nido_waker_wake(waker) == 0);
    return rc ? rc : (int)nido_offload(wake_from_elsewhere, unused);
}

static int wake_and_wait(void *unused)
{
    int rc = nido_waker_new(&waker);

    if (rc) return rc;
    woken = 0;
    rc = TOGETHER(unused, wait_to_be_woken, wake_one);
    LAW(rc || woken == 1 || nido_waker_wait(waker) != -EXDEV);
    nido_waker_release(waker);
    return rc;
}
SWEPT_LOOSELY(a_wake_is_taken_or_kept, wake_and_wait)

/* ---- Running elsewhere ---- */

static nido_rt *home;
static int began, ended;

static int visit(void *unused)
{
    int rc;

    (void)unused;
    began++;
    rc = nido_yield();
    ended++;
    return rc;
}

static int call_visit(void *unused)
{
    int rc;

    (void)unused;
    began = ended = 0;
    home = nido_rt_self();
    if (!home) return -ENOMEM;
    rc = nido_run_on(home, visit, NULL);
    LAW(began == ended);
    nido_rt_release(home);
    return rc;
}
SWEPT(a_guest_has_ended_when_its_call_returns, call_visit)

/* Two runtimes on two threads of their own; each sends a guest to the one that is swept. */
static int run_shard(unsigned shard, void *unused)
{
    int rc = nido_run_on(home, visit, unused);

    (void)shard;
    return rc == -ECANCELED ? -ESHUTDOWN : rc; /* of another run: none of ours */
}

static ssize_t run_shards(void *unused)
{
    return nido_shards(2, run_shard, unused, NULL);
}

static int invite_shards(void *unused)
{
    int rc;

    began = ended = 0;
    home = nido_rt_self();
    if (!home) return -ENOMEM;
    rc = (int)nido_offload(run_shards, unused);
    LAW(began == ended);
    nido_rt_release(home);
    return rc;
}
SWEPT_LOOSELY(guests_of_other_threads_have_ended_when_their_calls_return, invite_shards)
