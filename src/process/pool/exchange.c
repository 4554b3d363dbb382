#include "process/pool/exchange.h"

#include <errno.h>

#include "base/mem.h"
#include "base/sys.h"
#include "process/pool/stderr.h"

static size_t left_to_say(const struct nidoi_exchange *exchange)
{
    return sizeof exchange->request + (size_t)exchange->request.len - exchange->sent;
}

/* As much as fits. What the worker does not take, because it is dead or has answered already, shows
 * elsewhere. 0; -ENOMEM: it waits for what the kernel has no room for. */
static int say(struct nidoi_procworker *worker, struct nidoi_exchange *exchange)
{
    while (!exchange->deaf && left_to_say(exchange)) {
        size_t head = exchange->sent < sizeof exchange->request
                          ? sizeof exchange->request - exchange->sent
                          : 0;
        size_t past = head ? 0 : exchange->sent - sizeof exchange->request;
        struct iovec parts[] = {
            {(char *)&exchange->request + sizeof exchange->request - head, head},
            {exchange->input ? (char *)exchange->input + past : NULL,
             (size_t)exchange->request.len - past},
        };
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
        ssize_t n = nidoi_sys.sendmsg(worker->job, &message, MSG_DONTWAIT);

        if (n == -EAGAIN) return 0;
        if (n == -ENOBUFS || n == -ENOMEM) return -ENOMEM;
        exchange->deaf = n < 0;
        if (n > 0) exchange->sent += (size_t)n;
    }
    return 0;
}

static int admit(const struct nidoi_procworker *worker, struct nidoi_exchange *exchange)
{
    if (exchange->reply.magic != NIDOI_REPLY_MAGIC ||
        exchange->reply.number != exchange->request.number ||
        exchange->reply.len > worker->options->max_frame)
        return -EPROTO;
    exchange->data = nidoi_mem.alloc((size_t)exchange->reply.len + 1);
    if (!exchange->data) return -ENOMEM;
    exchange->data[exchange->reply.len] = '\0';
    return 0;
}

/* A socket is reset if its other end is closed over bytes that were not read: the rest of ours.
 * 0: the reply is complete; -EAGAIN; -ECHILD: no more will come; -EPROTO, -ENOMEM. */
static int hear(const struct nidoi_procworker *worker, struct nidoi_exchange *exchange)
{
    const size_t head = sizeof exchange->reply;

    while (exchange->heard < head || exchange->heard - head < exchange->reply.len) {
        bool in_head = exchange->heard < head;
        char *to = in_head ? (char *)&exchange->reply + exchange->heard
                           : exchange->data + exchange->heard - head;
        size_t want = (in_head ? head : head + (size_t)exchange->reply.len) - exchange->heard;
        ssize_t n = nidoi_sys.recv(worker->job, to, want, MSG_DONTWAIT);
        int err;

        if (n == -EAGAIN) return -EAGAIN;
        exchange->reset = n == -ECONNRESET;
        if (n <= 0) return -ECHILD;
        exchange->heard += (size_t)n;
        err = in_head && exchange->heard == head ? admit(worker, exchange) : 0;
        if (err) return err;
    }
    return 0;
}

/* Fate first, stderr last: what was said before the end, or before the reply, is then there. */
static int move_on(struct nidoi_procworker *worker, struct nidoi_exchange *exchange)
{
    int said, heard;

    nidoi_procworker_learn_fate(worker);
    said = say(worker, exchange);
    heard = hear(worker, exchange);
    nidoi_procworker_read_stderr(worker, heard == -EAGAIN ? NIDOI_STDERR_SLICE : NIDOI_STDERR_REST);
    if (heard == -EAGAIN && nidoi_procworker_over(worker)) return -ECHILD;
    return heard == -EAGAIN && said ? said : heard;
}

int nidoi_exchange_run(struct nidoi_procworker *worker, struct nidoi_exchange *exchange)
{
    int err = say(worker, exchange), rc;

    worker->tail_len = 0;
    while (!err) {
        err = nidoi_procworker_wait_for_answer(worker, !exchange->deaf && left_to_say(exchange));
        rc = move_on(worker, exchange); /* also if cancelled: what has arrived counts */
        if (rc != -EAGAIN) return rc;
    }
    return err;
}
