/* SPDX-License-Identifier: MIT */
/* Channels and selects, swept: every item goes to one receiver, or is dropped, or stays with its
 * sender. */
#include "sweep_help.h"

/* The books of one run. */
static struct {
    nido_chan *chan, *other;
    int sent, received, dropped;
} books;

static void drop(void *ctx, void *item, int result)
{
    (void)ctx, (void)item, (void)result;
    books.dropped++;
}

static int send_two(void *unused)
{
    int rc = 0;

    (void)unused;
    for (int i = 0; i < 2 && rc == 0; i++) {
        nido_scope scope;

        ALONE(scope, rc, nido_chan_send(books.chan, &i));
        books.sent += rc == 0;
        rc = unless_struck(rc);
    }
    nido_chan_release_send(books.chan);
    return rc;
}

static int receive_all(void *unused)
{
    nido_scope scope;
    int rc = 0, item;

    (void)unused;
    while (rc == 0) {
        ALONE(scope, rc, nido_chan_recv(books.chan, &item));
        books.received += rc == 0;
        rc = unless_struck(rc);
    }
    return rc == -EPIPE ? 0 : rc;
}

/* A spawn that fails leaves an end nobody will release: then the group is cancelled anyway. */
static int transfer(size_t capacity)
{
    int rc;

    books.sent = books.received = books.dropped = 0;
    rc = nido_chan_new(sizeof(int), capacity, drop, NULL, &books.chan);
    if (rc) return rc;
    nido_chan_retain_send(books.chan);
    rc = TOGETHER(NULL, send_two, receive_all, send_two, receive_all);
    LAW(nido_chan_free(books.chan) == 0);
    LAW(books.sent == books.received + books.dropped);
    return rc;
}

static int hand_over(void *unused)
{
    (void)unused;
    return transfer(0);
}
SWEPT(a_rendezvous_neither_loses_nor_doubles, hand_over)

static int buffer(void *unused)
{
    (void)unused;
    return transfer(1);
}
SWEPT(a_buffer_neither_loses_nor_doubles, buffer)

static int reserve_two(void *unused)
{
    int rc = 0;

    (void)unused;
    for (int i = 0; i < 2 && rc == 0; i++) {
        nido_scope scope;

        ALONE(scope, rc, nido_chan_reserve(books.chan));
        if (rc == 0) {
            rc = nido_yield();
            if (rc) LAW(nido_chan_unreserve(books.chan) == 0);
            if (!rc) rc = nido_chan_commit(books.chan, &i);
            books.sent += rc == 0;
        }
        rc = unless_struck(rc);
    }
    nido_chan_release_send(books.chan);
    return rc;
}

static int reserve_places(void *unused)
{
    int rc;

    books.sent = books.received = books.dropped = 0;
    rc = nido_chan_new(sizeof(int), 1, drop, NULL, &books.chan);
    if (rc) return rc;
    nido_chan_retain_send(books.chan);
    rc = TOGETHER(unused, reserve_two, receive_all, reserve_two);
    LAW(books.chan->reserved == 0);
    LAW(nido_chan_free(books.chan) == 0);
    LAW(books.sent == books.received + books.dropped);
    return rc;
}
SWEPT(a_reserved_place_is_used_or_given_back, reserve_places)

/* ---- Select ---- */

static int select_a_place(void *unused)
{
    nido_scope scope;
    nido_arm arm;
    int rc, item = 7;

    (void)unused;
    nido_arm_reserve(&arm, books.chan);
    ALONE(scope, rc, nido_select(&arm, 1, 0));
    if (rc == 0 && arm.status == 0) books.sent += nido_chan_commit(books.chan, &item) == 0;
    nido_chan_release_send(books.chan);
    return unless_struck(rc);
}

static int select_places(void *unused)
{
    int rc;

    books.sent = books.received = books.dropped = 0;
    rc = nido_chan_new(sizeof(int), 1, drop, NULL, &books.chan);
    if (rc) return rc;
    nido_chan_retain_send(books.chan);
    rc = TOGETHER(unused, select_a_place, select_a_place, receive_all);
    LAW(books.chan->reserved == 0);
    LAW(nido_chan_free(books.chan) == 0);
    LAW(books.sent == books.received + books.dropped);
    return rc;
}
SWEPT(a_place_that_was_selected_is_used, select_places)

/* Sends on whichever of the two has room. */
static int select_and_send(void *unused)
{
    int rc = 0, item = 7;

    (void)unused;
    for (int i = 0; i < 2 && rc == 0; i++) {
        nido_arm arms[2];
        nido_scope scope;

        nido_arm_send(&arms[0], books.chan, &item);
        nido_arm_send(&arms[1], books.other, &item);
        ALONE(scope, rc, nido_select(arms, 2, 0));
        if (rc >= 0) books.sent += arms[rc].status == 0;
        rc = rc > 0 ? 0 : unless_struck(rc);
    }
    return rc;
}

/* Receives from either, for a second. */
static int select_and_receive(void *unused)
{
    int64_t end = nido_after(NIDO_SEC(1));
    int rc = 0, item;

    (void)unused;
    while (rc == 0) {
        nido_arm arms[3];
        nido_scope scope;

        nido_arm_recv(&arms[0], books.chan, &item);
        nido_arm_recv(&arms[1], books.other, &item);
        nido_arm_timer(&arms[2], end);
        ALONE(scope, rc, nido_select(arms, 3, 0));
        if (rc == 2) return 0;
        if (rc >= 0) books.received += arms[rc].status == 0;
        rc = rc > 0 ? 0 : unless_struck(rc);
    }
    return rc;
}

static int select_both_ways(void *unused)
{
    int rc;

    books.sent = books.received = books.dropped = 0;
    rc = nido_chan_new(sizeof(int), 0, drop, NULL, &books.chan);
    if (rc) return rc;
    rc = nido_chan_new(sizeof(int), 1, drop, NULL, &books.other);
    if (!rc) {
        rc = TOGETHER(unused, select_and_send, select_and_receive, select_and_send);
        LAW(nido_chan_free(books.other) == 0);
    }
    LAW(nido_chan_free(books.chan) == 0);
    LAW(books.sent == books.received + books.dropped);
    return rc;
}
SWEPT(a_select_commits_one_arm_or_none, select_both_ways)

static struct {
    nido_sem sem;
    nido_event event;
    int fds[2];
} things;

static int choose_one(void *unused)
{
    nido_arm arms[4];
    nido_scope scope;
    int rc;

    (void)unused;
    nido_arm_sem(&arms[0], &things.sem);
    nido_arm_event(&arms[1], &things.event);
    nido_arm_fd(&arms[2], things.fds[0], NIDO_IN);
    nido_arm_timer(&arms[3], nido_after(NIDO_SEC(1)));
    ALONE(scope, rc, nido_select(arms, 4, NIDO_PRIORITY));
    if (rc == 0) LAW(nido_sem_release(&things.sem) == 0);
    return unless_struck(rc);
}

static int offer(void *unused)
{
    int rc = nido_test_wait_all_parked();

    (void)unused;
    nido_sem_release(&things.sem);
    if (rc == 0) rc = nido_write_all(things.fds[1], "x", 1, NULL);
    nido_event_set(&things.event);
    return rc;
}

static int choose_together(void *unused)
{
    int rc = nido_pipe(things.fds);

    if (rc) return rc;
    nido_sem_init(&things.sem, 0, 1, "permit");
    nido_event_init(&things.event, "event");
    rc = TOGETHER(unused, choose_one, choose_one, offer, choose_one);
    LAW(nido_sem_count(&things.sem) == 1 || rc < 0);
    LAW(nido_sem_deinit(&things.sem) == 0);
    LAW(nido_event_deinit(&things.event) == 0);
    nido_close(things.fds[0]);
    nido_close(things.fds[1]);
    return rc;
}
SWEPT(a_select_leaves_every_other_queue, choose_together)

/* ---- Broadcasts and watches ---- */

static nido_broadcast *broadcast;
static nido_broadcast_reader readers[2];

static int listen_to_all(void *reader)
{
    int rc = 0, item, expected = 0;

    while (rc == 0) {
        nido_scope scope;

        ALONE(scope, rc, nido_broadcast_recv(reader, &item));
        if (rc == 0) LAW(item == expected++);
        rc = unless_struck(rc);
    }
    LAW(rc != -EPIPE || expected == 3);
    return rc == -EPIPE ? 0 : rc;
}

static int speak_to_all(void *unused)
{
    int rc = 0;

    (void)unused;
    for (int i = 0; i < 3; i++) {
        LAW(nido_broadcast_send(broadcast, &i) == 0);
        if (rc == 0) rc = nido_yield();
    }
    LAW(nido_broadcast_close(broadcast) == 0);
    return rc;
}

static int listen_and_speak(void *unused)
{
    nido_group group;
    int rc = nido_broadcast_new(sizeof(int), 8, &broadcast);

    if (rc) return rc;
    nido_group_open(&group, NIDO_FAIL_FAST, "radio");
    for (int i = 0; i < 2 && !rc; i++) {
        nido_broadcast_subscribe(broadcast, &readers[i]);
        rc = nido_spawn(&group, listen_to_all, &readers[i]);
    }
    if (!rc) rc = nido_spawn(&group, speak_to_all, unused);
    rc = nido_group_close(&group, rc);
    LAW(nido_broadcast_free(broadcast) == 0);
    return rc;
}
SWEPT(a_reader_that_is_struck_misses_nothing, listen_and_speak)

static nido_watch watch;
static int watched;

static int watch_it(void *unused)
{
    uint64_t seen = 0;
    int rc = 0, last = -1, value;

    (void)unused;
    while (rc == 0) {
        nido_scope scope;

        ALONE(scope, rc, nido_watch_wait(&watch, &value, &seen));
        if (rc == 0) LAW(value > last);
        if (rc == 0) last = value;
        rc = unless_struck(rc);
    }
    LAW(rc != -EPIPE || last == 2);
    return rc == -EPIPE ? 0 : rc;
}

static int change_it(void *unused)
{
    int rc = 0;

    (void)unused;
    for (int i = 1; i < 3; i++) {
        if (rc == 0) rc = nido_yield();
        LAW(nido_watch_set(&watch, &i) == 0);
    }
    LAW(nido_watch_close(&watch) == 0);
    return rc;
}

static int watch_and_change(void *unused)
{
    int rc;

    watched = 0;
    nido_watch_init(&watch, &watched, sizeof watched, "watched");
    rc = TOGETHER(unused, watch_it, change_it, watch_it);
    LAW(nido_watch_deinit(&watch) == 0);
    return rc;
}
SWEPT(a_watcher_sees_the_last_value, watch_and_change)
