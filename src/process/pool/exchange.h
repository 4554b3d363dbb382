/* process/pool/exchange.h: one request to a worker and the reply to it. */
#ifndef NIDOI_EXCHANGE_H
#define NIDOI_EXCHANGE_H

#include "process/pool/job.h"
#include "process/pool/worker.h"

/* One job; request and input are set, the rest is zero. */
struct nidoi_exchange {
    struct nidoi_request request;
    const char *input;
    size_t sent; /* of head and input */
    struct nidoi_reply reply;
    size_t heard; /* of head and reply */
    char *data;   /* reply.len bytes and a zero; the caller's in the end, or NULL */
    bool deaf;    /* the worker takes no more input */
    bool reset;   /* its connection ended before it had read all of that */
};

/* Sends the input, receives the reply. 0: complete; -ECANCELED; -EPROTO: a bad frame; -ECHILD: its
 * connection has ended; -ENOMEM, -ENOSPC. After all but 0 the worker must be let go. */
int nidoi_exchange_run(struct nidoi_procworker *worker, struct nidoi_exchange *exchange);

#endif
