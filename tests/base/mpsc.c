/* SPDX-License-Identifier: MIT */
/* base/mpsc.h: many threads push, one takes. */
#include "base/mpsc.h"

#include <pthread.h>
#include <sched.h>

#include "base/list.h"
#include "nido_test.h"

enum { PUSHERS = 4, EACH = 20000 };

struct item {
    struct nidoi_mpsc_link link;
    int pusher, number;
};

static struct nidoi_mpsc queue;
static struct item items[PUSHERS][EACH];
static int accepted[PUSHERS]; /* pushes that succeeded */
static int taken[PUSHERS];

static struct item *item_of(struct nidoi_mpsc_link *link)
{
    return nidoi_container(link, struct item, link);
}

NIDO_TEST(mpsc, an_empty_queue_gives_nothing)
{
    cr_expect(nidoi_mpsc_empty(&queue));
    cr_expect(eq(ptr, nidoi_mpsc_take(&queue), NULL));
}

NIDO_TEST(mpsc, everything_is_taken_at_once_oldest_first)
{
    struct nidoi_mpsc_link *link;

    for (int i = 0; i < 3; i++) cr_expect(nidoi_mpsc_push(&queue, &items[0][i].link));
    cr_expect(not(nidoi_mpsc_empty(&queue)));
    link = nidoi_mpsc_take(&queue);
    for (int i = 0; i < 3; i++, link = link->next) cr_expect(eq(ptr, link, &items[0][i].link));
    cr_expect(eq(ptr, link, NULL));
    cr_expect(nidoi_mpsc_empty(&queue));
}

NIDO_TEST(mpsc, closing_gives_what_is_left_and_refuses_the_rest)
{
    cr_expect(nidoi_mpsc_push(&queue, &items[0][0].link));
    cr_expect(eq(ptr, nidoi_mpsc_close(&queue), &items[0][0].link));
    items[0][1].link.next = &items[0][0].link;
    cr_expect(not(nidoi_mpsc_push(&queue, &items[0][1].link)));
    cr_expect(eq(ptr, items[0][1].link.next, &items[0][0].link), "a refused link is not touched");
    cr_expect(nidoi_mpsc_empty(&queue));
}

NIDO_TEST(mpsc, closing_twice_gives_nothing_more)
{
    cr_expect(nidoi_mpsc_push(&queue, &items[0][0].link));
    nidoi_mpsc_close(&queue);
    cr_expect(eq(ptr, nidoi_mpsc_close(&queue), NULL));
    cr_expect(not(nidoi_mpsc_push(&queue, &items[0][1].link)));
}

/* Pushes until it is done or refused. */
static void *push_all(void *arg)
{
    int pusher = (int)(intptr_t)arg;

    for (int i = 0; i < EACH; i++) {
        items[pusher][i].pusher = pusher;
        items[pusher][i].number = i;
        if (!nidoi_mpsc_push(&queue, &items[pusher][i].link)) break;
        accepted[pusher]++;
    }
    return NULL;
}

/* Counts what came, each pusher's in the order pushed. */
static int count(struct nidoi_mpsc_link *link)
{
    int n = 0;

    for (; link; link = link->next, n++) {
        struct item *item = item_of(link);

        cr_expect(eq(int, item->number, taken[item->pusher]));
        taken[item->pusher] = item->number + 1;
    }
    return n;
}

static void begin(pthread_t *threads)
{
    for (int i = 0; i < PUSHERS; i++)
        cr_assert(eq(int, pthread_create(&threads[i], NULL, push_all, (void *)(intptr_t)i), 0));
}

static void end(const pthread_t *threads)
{
    for (int i = 0; i < PUSHERS; i++) pthread_join(threads[i], NULL);
}

NIDO_TEST(mpsc, every_pushers_order_is_kept)
{
    pthread_t threads[PUSHERS];
    int total = 0;

    begin(threads);
    while (total < PUSHERS * EACH) {
        total += count(nidoi_mpsc_take(&queue));
        sched_yield();
    }
    end(threads);
    for (int i = 0; i < PUSHERS; i++) cr_expect(eq(int, taken[i], EACH));
    cr_expect(nidoi_mpsc_empty(&queue));
}

NIDO_TEST(mpsc, a_close_amid_pushes_loses_none_that_was_accepted)
{
    pthread_t threads[PUSHERS];
    int total = 0;

    begin(threads);
    while (total < EACH) {
        total += count(nidoi_mpsc_take(&queue));
        sched_yield();
    }
    count(nidoi_mpsc_close(&queue));
    end(threads);
    for (int i = 0; i < PUSHERS; i++) cr_expect(eq(int, taken[i], accepted[i]));
}
