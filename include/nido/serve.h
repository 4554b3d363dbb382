/* SPDX-License-Identifier: MIT */
/* nido/serve.h: a task for each connection of a listener, and an end in good order.
 *
 *     static int answer(nido_stream *client, void *ctx) { ... }
 *
 *     static int app(void *ctx)
 *     {
 *         return nido_serve(nido_listen(NULL, "7000", NULL), answer, ctx, NULL);
 *     }
 *
 * On SIGTERM or SIGINT, or by nido_serve_stop, the server drains: what the kernel has
 * accepted by then is accepted too (at most 4096, and within the limit), the listener is closed, and
 * nido_stream_wait of connections from which nothing has arrived returns 0. What is in flight may go on for
 * drain_ns and is cancelled then, or at once by a second signal. The third does what it did before
 * nido_serve. So a handler is a loop over nido_stream_wait, and needs nothing else to be drained.
 *
 * With nido_shards each shard calls nido_serve, with a listener of its own (reuse_port), and a
 * signal drains all of them, also one that calls it after the signal. */
#ifndef NIDO_SERVE_H
#define NIDO_SERVE_H

#include "nido/run.h"
#include "nido/stream.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Serves one connection, in a task of its own that is named after the peer. When it has returned >=
 * 0, what is unsent is flushed, and the stream is closed in any case, unless the handler has closed
 * it. No other task may be in a call on it then: that ends the program with a sentence. A failure is
 * reported, and ends this connection only; -ECANCELED without a cancel is reported as -EPROTO. */
typedef int nido_serve_fn(nido_stream *connection, void *ctx);

/* Makes the stream of an accepted descriptor, as nido_stream_open does; may park. < 0, or
 * nothing was opened: the descriptor is still the server's, which closes it and reports that. */
typedef int nido_serve_open_fn(nido_stream *connection, int fd, const nido_stream_options *options,
                               void *ctx);

typedef struct nido_serve_options {
    size_t size;         /* sizeof(nido_serve_options); nido_serve_options_init sets it */
    const char *name;    /* of the group of connections, a string that outlives the server; NULL:
                            "connections" */
    uint32_t limit;      /* most connections at once; 0: no limit */
    uint32_t accepts;    /* accept so many and return when they have ended; 0: no end */
    nido_serve_fn *busy; /* answers a connection above the limit, within 1 s, at most 16 at once,
                            those beyond are closed;
                            NULL: connections above the limit wait in the kernel's backlog */
    int64_t drain_ns;    /* 0: 10 s; NIDO_NEVER: no limit */
    size_t stack_size;   /* of the connections' tasks, bytes; 0: the run's */
    const nido_stream_options
        *stream;              /* of the connections' streams, but for the name, which is the
                                          peer's; outlives the server, no keep_open. NULL: the
                                          defaults */
    nido_serve_open_fn *open; /* NULL: nido_stream_open */
    /* A connection has failed with rc; nido_error_last() may say more. Must not park. NULL: a line
     * to nido_options.on_report, but none about a client that has left by a reset between two
     * requests: about the -ECONNRESET of nido_stream_wait that the handler returns. */
    void (*report)(void *ctx, const char *peer, int rc);
    bool ignore_signals; /* SIGTERM and SIGINT are not the server's */
} nido_serve_options;

/* Fills with zeros and sets `size`. Cannot fail. Not a cancellation point. */
static inline void nido_serve_options_init(nido_serve_options *options)
{
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
}
/* The same as an initialiser: &NIDO_SERVE_OPTIONS(.field = value). In C. */
#define NIDO_SERVE_OPTIONS(...) NIDOI_SIZED(nido_serve_options, __VA_ARGS__)

/* Accepts connections and calls handler(stream, ctx) in a task for each, until the server is
 * stopped or the caller is cancelled, and returns when all of them have ended. `listener` (which
 * may be the failure of nido_listen, and is returned then) is handed over and closed in every case;
 * ctx serves all functions of the options too. Without descriptors, memory or room for a task it
 * waits, reports and goes on. A signal that the program ignores or handles itself is left alone.
 * Options may be NULL. Cancellation point. 0: all connections have ended by themselves; the number
 * of those that were cancelled at the end of the drain; -ECANCELED: the caller is, and so were the
 * connections; -EINVAL: handler is NULL or a bad option; -ENOMEM; what sigaction(2) says where a
 * filter denies it; or as nido_accept (-EBADF, ...): the connections have been cancelled. */
NIDO_API int nido_serve(int listener, nido_serve_fn *handler, void *ctx,
                        const nido_serve_options *options);

/* Drains every server of a runtime (NULL: of this thread's). Any thread. Not a cancellation point.
 * 0; -ENOMEM, -ESHUTDOWN, -EPERM as nido_post. */
NIDO_API int nido_serve_stop(nido_rt *rt);

/* Takes over a listener that the program was started with, as systemd passes them (LISTEN_FDS, see
 * sd_listen_fds(3)): the one of this number, from 0. It is owned and close-on-exec from now on. Not
 * a cancellation point. The descriptor; -ENOENT: the program was not given so many; -EINVAL: it
 * does not listen for streams; -EPERM: no runtime; or as nido_fd_own (-EBADF, -ENOMEM). */
NIDO_API int nido_listen_inherited(unsigned number);

#ifdef __cplusplus
}
#endif

#endif
