/* SPDX-License-Identifier: MIT */
#include "base/mpsc.h"

static struct nidoi_mpsc_link closed;

bool nidoi_mpsc_push(struct nidoi_mpsc *queue, struct nidoi_mpsc_link *link)
{
    struct nidoi_mpsc_link *top = __atomic_load_n(&queue->top, __ATOMIC_RELAXED);

    do {
        if (top == &closed) return false;
        link->next = top;
    } while (!__atomic_compare_exchange_n(&queue->top, &top, link, true, __ATOMIC_SEQ_CST,
                                          __ATOMIC_RELAXED));
    return true;
}

static struct nidoi_mpsc_link *links_reversed(struct nidoi_mpsc_link *top)
{
    struct nidoi_mpsc_link *first = NULL;

    while (top) {
        struct nidoi_mpsc_link *next = top->next;

        top->next = first;
        first = top;
        top = next;
    }
    return first;
}

static struct nidoi_mpsc_link *queue_exchange(struct nidoi_mpsc *queue,
                                              struct nidoi_mpsc_link *next_top)
{
    struct nidoi_mpsc_link *top = __atomic_exchange_n(&queue->top, next_top, __ATOMIC_SEQ_CST);

    return top == &closed ? NULL : links_reversed(top);
}

struct nidoi_mpsc_link *nidoi_mpsc_take(struct nidoi_mpsc *queue)
{
    return queue_exchange(queue, NULL);
}

struct nidoi_mpsc_link *nidoi_mpsc_close(struct nidoi_mpsc *queue)
{
    return queue_exchange(queue, &closed);
}

bool nidoi_mpsc_empty(const struct nidoi_mpsc *queue)
{
    struct nidoi_mpsc_link *top = __atomic_load_n(&queue->top, __ATOMIC_SEQ_CST);

    return !top || top == &closed;
}
