/* SPDX-License-Identifier: MIT */
#include "process/pool/exchange.h"

#include <errno.h>

#include "base/mem.h"
#include "base/sys.h"
#include "process/pool/stderr.h"

static size_t exchange_unsent(const struct nidoi_exchange *exchange)
{
    return sizeof exchange->request + (size_t)exchange->request.len - exchange->sent;
}

/* Sends as much as fits. That the worker reads no more, because it has ended or has replied
 * already, is found by the caller. 0; -ENOMEM: the kernel has no memory for it. */
static int exchange_send(struct nidoi_procworker *worker, struct nidoi_exchange *exchange)
{
    while (!exchange->input_closed && exchange_unsent(exchange)) {
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
        ssize_t n = nidoi_sys.sendmsg(worker->job_fd, &message, MSG_DONTWAIT);

        if (n == -EAGAIN) return 0;
        if (n == -ENOBUFS || n == -ENOMEM) return -ENOMEM;
        exchange->input_closed = n < 0;
        if (n > 0) exchange->sent += (size_t)n;
    }
    return 0;
}

static int exchange_check_head(const struct nidoi_procworker *worker,
                               struct nidoi_exchange *exchange)
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

/* A socket is reset if the worker closes it before it has read all its input. 0: the reply is
 * complete; -EAGAIN; -ECHILD: the connection has ended; -EPROTO, -ENOMEM. */
static int exchange_receive(const struct nidoi_procworker *worker, struct nidoi_exchange *exchange)
{
    const size_t head = sizeof exchange->reply;

    while (exchange->received < head || exchange->received - head < exchange->reply.len) {
        bool in_head = exchange->received < head;
        char *to = in_head ? (char *)&exchange->reply + exchange->received
                           : exchange->data + exchange->received - head;
        size_t want = (in_head ? head : head + (size_t)exchange->reply.len) - exchange->received;
        ssize_t n = nidoi_sys.recv(worker->job_fd, to, want, MSG_DONTWAIT);
        int err;

        if (n == -EAGAIN) return -EAGAIN;
        exchange->was_reset = n == -ECONNRESET;
        if (n <= 0) return -ECHILD;
        exchange->received += (size_t)n;
        err = in_head && exchange->received == head ? exchange_check_head(worker, exchange) : 0;
        if (err) return err;
    }
    return 0;
}

/* The status is read first and stderr last, so nothing is missed that was written before the end or
 * the reply. */
static int exchange_step(struct nidoi_procworker *worker, struct nidoi_exchange *exchange)
{
    int sent, received;

    nidoi_procworker_read_status(worker);
    sent = exchange_send(worker, exchange);
    received = exchange_receive(worker, exchange);
    nidoi_procworker_read_stderr(worker,
                                 received == -EAGAIN ? NIDOI_STDERR_SLICE : NIDOI_STDERR_REST);
    if (received == -EAGAIN && nidoi_procworker_has_ended(worker)) return -ECHILD;
    return received == -EAGAIN && sent ? sent : received;
}

int nidoi_exchange_run(struct nidoi_procworker *worker, struct nidoi_exchange *exchange)
{
    int err = exchange_send(worker, exchange), rc;

    worker->tail_len = 0;
    while (!err) {
        err = nidoi_procworker_wait(worker, !exchange->input_closed && exchange_unsent(exchange));
        rc = exchange_step(worker, exchange); /* even if cancelled: the reply may be here */
        if (rc != -EAGAIN) return rc;
    }
    return err;
}
