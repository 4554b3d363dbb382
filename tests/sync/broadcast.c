/* SPDX-License-Identifier: MIT */
/* Broadcasts: everybody gets everything, who is slow is told what was lost. */
#include <pthread.h>
#include <string.h>

#include "faults.h"
#include "inside_help.h"

struct reader {
    nido_broadcast_reader place;
    int items[8], rcs[8];
    int count, want;
    nido_task task;
};

/* Reads as many as it wants, or until an error. */
static int reads(void *arg)
{
    struct reader *self = arg;

    while (self->count < self->want) {
        int at = self->count++;

        self->items[at] = -1;
        self->rcs[at] = nido_broadcast_recv(&self->place, &self->items[at]);
        if (self->rcs[at] < 0) break;
    }
    return 0;
}

static void begin_reader(nido_group *group, nido_broadcast *broadcast, struct reader *reader,
                         int want)
{
    *reader = (struct reader){.want = want};
    nido_broadcast_subscribe(broadcast, &reader->place);
    reader->task = begin_kept(group, reads, reader);
    nido_yield();
}

static nido_broadcast *new_broadcast(size_t capacity)
{
    nido_broadcast *broadcast = NULL;

    cr_expect(eq(int, nido_broadcast_new(sizeof(int), capacity, &broadcast), 0));
    return broadcast;
}

static void send_ints(nido_broadcast *broadcast, int from, int to)
{
    for (int i = from; i <= to; i++) cr_expect(eq(int, nido_broadcast_send(broadcast, &i), 0));
}

static void expect_item(nido_broadcast_reader *place, int lost, int item)
{
    int got = -1;

    cr_expect(eq(int, nido_broadcast_try_recv(place, &got), lost));
    cr_expect(eq(int, got, item));
}

INSIDE(broadcast, every_reader_gets_every_item_in_order)
{
    nido_broadcast *broadcast = new_broadcast(4);
    struct reader readers[3];
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 3; i++) begin_reader(&group, broadcast, &readers[i], 5);
    send_ints(broadcast, 0, 2);
    nido_yield();
    send_ints(broadcast, 3, 4);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    for (int i = 0; i < 3; i++)
        for (int at = 0; at < 5; at++) {
            cr_expect(eq(int, readers[i].items[at], at));
            cr_expect(eq(int, readers[i].rcs[at], 0));
        }
    nido_broadcast_free(broadcast);
}

/* S241 */
INSIDE(broadcast, a_slow_reader_is_told_how_many_it_lost_and_goes_on_with_the_oldest_kept)
{
    nido_broadcast *broadcast = new_broadcast(3);
    nido_broadcast_reader slow, late;

    nido_broadcast_subscribe(broadcast, &slow);
    send_ints(broadcast, 1, 3);
    nido_broadcast_subscribe(broadcast, &late);
    expect_item(&slow, 0, 1);
    send_ints(broadcast, 4, 10);
    expect_item(&slow, 6, 8);
    expect_item(&slow, 0, 9);
    expect_item(&slow, 0, 10);
    expect_item(&slow, -EAGAIN, -1);
    expect_item(&late, 4, 8);
    nido_broadcast_free(broadcast);
}

INSIDE(broadcast, a_parked_reader_has_the_item_it_was_woken_for_though_it_is_overwritten)
{
    nido_broadcast *broadcast = new_broadcast(1);
    struct reader reader;
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin_reader(&group, broadcast, &reader, 2);
    send_ints(broadcast, 1, 5);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, reader.items[0], 1));
    cr_expect(eq(int, reader.rcs[0], 0));
    cr_expect(eq(int, reader.items[1], 5));
    cr_expect(eq(int, reader.rcs[1], 3));
    nido_broadcast_free(broadcast);
}

INSIDE(broadcast, a_cancel_before_the_item_loses_nothing_and_after_it_comes_too_late)
{
    nido_broadcast *broadcast = new_broadcast(2);
    struct reader early, late;
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin_reader(&group, broadcast, &early, 1);
    begin_reader(&group, broadcast, &late, 1);
    nido_task_cancel(early.task, 0, NULL);
    send_ints(broadcast, 1, 1);
    nido_task_cancel(late.task, 0, NULL);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, early.rcs[0], -ECANCELED));
    cr_expect(eq(int, early.items[0], -1));
    expect_item(&early.place, 0, 1);
    cr_expect(eq(int, late.rcs[0], 0));
    cr_expect(eq(int, late.items[0], 1));
    nido_broadcast_free(broadcast);
}

INSIDE(broadcast, after_the_close_readers_get_what_is_kept_and_then_epipe)
{
    nido_broadcast *broadcast = new_broadcast(2);
    nido_broadcast_reader behind;
    struct reader parked;
    nido_group group;
    int item = 0;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    nido_broadcast_subscribe(broadcast, &behind);
    send_ints(broadcast, 1, 1);
    begin_reader(&group, broadcast, &parked, 1);
    for (int i = 0; i < 2; i++) cr_expect(eq(int, nido_broadcast_close(broadcast), 0));
    cr_expect(eq(int, nido_broadcast_send(broadcast, &item), -EPIPE));
    cr_expect(eq(int, nido_broadcast_recv(&behind, &item), 0));
    cr_expect(eq(int, item, 1));
    cr_expect(eq(int, nido_broadcast_recv(&behind, &item), -EPIPE));
    expect_item(&behind, -EPIPE, -1);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, parked.rcs[0], -EPIPE));
    nido_broadcast_free(broadcast);
}

INSIDE(broadcast, freeing_one_sends_its_waiters_away)
{
    nido_broadcast *broadcast = new_broadcast(2);
    struct reader reader;
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin_reader(&group, broadcast, &reader, 1);
    cr_expect(eq(int, nido_broadcast_free(broadcast), 0));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, reader.rcs[0], -EPIPE));
    cr_expect(eq(int, nido_broadcast_free(NULL), 0));
}

INSIDE(broadcast, a_reader_serves_one_task_at_a_time)
{
    nido_broadcast *broadcast = new_broadcast(2);
    struct reader reader;
    nido_group group;
    int item = -1;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin_reader(&group, broadcast, &reader, 1);
    cr_expect(eq(int, nido_broadcast_recv(&reader.place, &item), -EBUSY));
    expect_item(&reader.place, -EBUSY, -1);
    send_ints(broadcast, 1, 2);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    expect_item(&reader.place, 0, 2);
    nido_broadcast_free(broadcast);
}

static int use_elsewhere(void *arg)
{
    struct reader *reader = arg;
    int item = 0;

    cr_expect(eq(int, nido_broadcast_send(reader->place.broadcast, &item), -EXDEV));
    cr_expect(eq(int, nido_broadcast_recv(&reader->place, &item), -EXDEV));
    cr_expect(eq(int, nido_broadcast_try_recv(&reader->place, &item), -EXDEV));
    cr_expect(eq(int, nido_broadcast_close(reader->place.broadcast), -EXDEV));
    cr_expect(eq(int, nido_broadcast_free(reader->place.broadcast), -EXDEV));
    return 0;
}

static void *meddle(void *arg)
{
    struct reader *reader = arg;
    int item = 0;

    cr_expect(eq(int, nido_broadcast_send(reader->place.broadcast, &item), -EPERM));
    cr_expect(eq(int, nido_broadcast_recv(&reader->place, &item), -EPERM));
    cr_expect(eq(int, nido_broadcast_try_recv(&reader->place, &item), -EPERM));
    cr_expect(eq(int, nido_test_run(use_elsewhere, reader), 0));
    return NULL;
}

INSIDE(broadcast, one_that_is_waited_for_belongs_to_its_thread)
{
    nido_broadcast *broadcast = new_broadcast(2);
    struct reader reader;
    pthread_t thread;
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin_reader(&group, broadcast, &reader, 1);
    cr_expect(eq(int, pthread_create(&thread, NULL, meddle, &reader), 0));
    pthread_join(thread, NULL);
    send_ints(broadcast, 3, 3);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, reader.items[0], 3));
    nido_broadcast_free(broadcast);
}

NIDO_TEST(broadcast, sizes_that_make_no_sense_are_refused)
{
    nido_broadcast own, *broadcast = NULL;
    char memory[8];

    cr_expect(eq(int, nido_broadcast_new(0, 1, &broadcast), -EINVAL));
    cr_expect(eq(int, nido_broadcast_new(1, 0, &broadcast), -EINVAL));
    cr_expect(eq(int, nido_broadcast_new(16, SIZE_MAX / 8, &broadcast), -EINVAL));
    cr_expect(eq(ptr, broadcast, NULL));
    cr_expect(eq(int, nido_broadcast_init(&own, 4, 2, NULL, NULL), -EINVAL));
    cr_expect(eq(int, nido_broadcast_init(&own, 4, 0, memory, NULL), -EINVAL));
    cr_expect(eq(int, nido_broadcast_init(&own, 4, 2, memory, "news"), 0));
    cr_expect(eq(int, nido_broadcast_deinit(&own), 0));
}

NIDO_TEST(broadcast, without_memory_there_is_none)
{
    nido_broadcast *broadcast = NULL;

    faults_begin();
    faults_fail(FAULT_memory, 1, 0);
    cr_expect(eq(int, nido_broadcast_new(1, 1, &broadcast), -ENOMEM));
    faults_end();
    cr_expect(eq(ptr, broadcast, NULL));
}

static void keep(void *ctx, const char *text)
{
    strncat(ctx, text, 4095);
}

static int listens_in_vain(void *broadcast)
{
    nido_broadcast_reader place;
    int item;

    nido_broadcast_subscribe(broadcast, &place);
    return nido_broadcast_recv(&place, &item);
}

NIDO_TEST(broadcast, the_deadlock_report_names_it)
{
    nido_broadcast *broadcast = new_broadcast(1);
    char text[4096] = "";
    nido_options options = nido_test_virtual();

    options.on_report = keep;
    options.ctx = text;
    nido_broadcast_set_name(broadcast, "news");
    cr_expect(eq(int, nido_run(listens_in_vain, broadcast, &options), -EDEADLK));
    cr_expect(ne(ptr, strstr(text, "waits for an item of broadcast \"news\""), NULL), "%s", text);
    nido_broadcast_free(broadcast);
}
