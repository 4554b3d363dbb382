/* SPDX-License-Identifier: MIT */
#include "coro/runtime/books.h"

#include <stdio.h>

enum { TEXT = 400 };

struct books_text {
    char text[TEXT];
    size_t used;
};

static void books_add(struct books_text *out, const char *what, size_t n)
{
    int added;

    if (!n || out->used >= TEXT - 1) return;
    added = snprintf(out->text + out->used, TEXT - out->used, "%s %zu %s", out->used ? "," : "", n,
                     what);
    out->used += added > 0 ? (size_t)added : 0;
}

static void books_close(const struct books_text *out)
{
    if (out->used) nidoi_panic("the run is over, but some of it is left:%s", out->text);
}

/* Of records that no group keeps any more. */
static size_t books_handles(const struct nidoi_slots *slots)
{
    size_t n = 0;

    for (uint32_t number = 1; number <= slots->made; number++)
        n += nidoi_slots_get(slots, number)->id != 0;
    return n;
}

struct books_fds {
    size_t busy, called, lent;
};

static struct books_fds books_descriptors(const struct nidoi_reactor *reactor)
{
    struct books_fds n = {0};

    for (size_t fd = 0; fd < reactor->chunk_count * NIDOI_FD_CHUNK; fd++) {
        const struct nidoi_fd *slot = nidoi_reactor_find(reactor, (int)fd);

        if (!slot) continue;
        n.busy += slot->busy != 0;
        n.called += slot->called[NIDOI_READING] || slot->called[NIDOI_WRITING];
        n.lent += slot->jobs != 0 || slot->closing;
    }
    return n;
}

void nidoi_books_check_tasks(const struct nidoi_loop *loop)
{
    struct books_fds fds = books_descriptors(&loop->reactor);
    struct books_text out = {.used = 0};

    books_add(&out, "tasks", loop->live);
    books_add(&out, "ready tasks", nidoi_sched_ready(&loop->sched));
    books_add(&out, "stacks", loop->stacks.in_use);
    books_add(&out, "records of tasks", books_handles(&loop->slots));
    books_add(&out, "timers", loop->timers.count);
    books_add(&out, "waits for the outside world", loop->outside);
    books_add(&out, "waits for idleness", !nidoi_waitq_empty(&loop->idle_waiters));
    books_add(&out, "callbacks", loop->sched.no_parking);
    books_add(&out, "descriptors with a call under way", fds.busy);
    books_add(&out, "descriptors with a caller whose turn it is", fds.called);
    books_add(&out, "descriptors in use by a job", fds.lent);
    books_close(&out);
}

/* A job that was abandoned may still run. */
void nidoi_books_check_all(const struct nidoi_loop *loop)
{
    struct books_text out = {.used = 0};

    books_add(&out, "jobs or children that are expected to end", loop->expected - loop->abandoned);
    books_add(&out, "watches of descriptors", loop->reactor.watching);
    books_close(&out);
}
