/* SPDX-License-Identifier: MIT */
/* process/pool/exchange.h: one request to a worker and the reply to it. */
#ifndef NIDOI_EXCHANGE_H
#define NIDOI_EXCHANGE_H

#include "process/pool/job.h"
#include "process/pool/worker.h"

/* One job; request and input are set, the rest is zero. */
struct nidoi_exchange {
    struct nidoi_request request;
    const char *input;
    size_t sent; /* bytes, of head and input */
    struct nidoi_reply reply;
    size_t received;   /* bytes, of head and reply */
    char *data;        /* reply.len bytes and a zero, or NULL; the caller frees it */
    bool input_closed; /* the worker reads no more */
    bool was_reset;    /* the connection ended before the worker had read its input */
};

/* Sends the input, receives the reply. 0: complete; -ECANCELED; -EPROTO: a bad frame; -ECHILD: the
 * connection has ended; -ENOMEM, -ENOSPC. Unless it is 0, the worker must then be stopped. */
int nidoi_exchange_run(struct nidoi_procworker *worker, struct nidoi_exchange *exchange);

#endif
