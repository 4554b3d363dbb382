/* SPDX-License-Identifier: MIT */
/* tls/wire.c: the bytes between a connection's memory and its descriptor. tls/tls.h has the rules. */
#include <errno.h>
#include <sys/socket.h>

#include "nido/error.h"
#include "nido/fd.h"
#include "nido/time.h"
#include "tls/tls.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* then sockets of nido have SO_NOSIGPIPE */
#endif

static bool is_passing(ssize_t err)
{
    return err == -ECANCELED || err == -ENOMEM || err == -EBUSY || err == -EPERM || err == -EDEADLK;
}

/* ---- Sending ---- */

/* What is sent next is in `wire`. False: nothing is left. */
static bool wire_load(struct nidoi_tls_conn *conn)
{
    struct nidoi_tls_bytes empty = conn->wire;

    if (nidoi_tls_have(&conn->wire)) return true;
    if (!nidoi_tls_have(&conn->out)) return false;
    conn->wire = conn->out;
    conn->out = empty;
    return true;
}

static void wire_failed(struct nidoi_tls_conn *conn, int err)
{
    conn->out_failure = err;
    nidoi_tls_drop(&conn->wire);
    nidoi_tls_drop(&conn->out);
}

int nidoi_tls_send(struct nidoi_tls_conn *conn)
{
    ssize_t n = conn->out_failure;

    if (conn->sending) return -EBUSY;
    conn->sending = true;
    while (n >= 0 && wire_load(conn)) {
        n = nido_write(conn->fd, conn->wire.data + conn->wire.at, nidoi_tls_have(&conn->wire));
        if (n > 0) nidoi_tls_taken(&conn->wire, (size_t)n);
    }
    conn->sending = false;
    if (n < 0 && !is_passing(n) && !conn->out_failure) wire_failed(conn, (int)n);
    return n < 0 ? (int)n : 0;
}

void nidoi_tls_try_send(struct nidoi_tls_conn *conn)
{
    if (conn->sending || conn->out_failure) return;
    while (wire_load(conn)) {
        ssize_t n = send(conn->fd, conn->wire.data + conn->wire.at, nidoi_tls_have(&conn->wire),
                         MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && errno != EAGAIN && errno != EINTR) wire_failed(conn, -errno);
        if (n <= 0) return;
        nidoi_tls_taken(&conn->wire, (size_t)n);
    }
}

/* ---- Feeding ---- */

/* A record, or several. */
static int feed_read(struct nidoi_tls_conn *conn)
{
    struct nidoi_tls_bytes *in = &conn->in;
    int err = nidoi_tls_room(in, NIDOI_TLS_RECORD + NIDOI_TLS_OVERHEAD);
    ssize_t n;

    if (err) return err;
    n = nido_read(conn->fd, in->data + in->end, in->room - in->end);
    if (n > 0) in->end += (size_t)n;
    if (n == 0) conn->ended = true;
    return n > 0 ? 1 : (int)n;
}

/* Answers to the peer are still unsent, and no other task sends them. */
static int feed_or_send(struct nidoi_tls_conn *conn)
{
    int ready = nido_wait_fd(conn->fd, NIDO_IN | NIDO_OUT);

    if (ready < 0) return ready;
    if (ready & NIDO_OUT) nidoi_tls_try_send(conn);
    return ready & NIDO_IN ? feed_read(conn) : 1;
}

/* Without memory for as long as nothing comes. */
static int feed_idle(struct nidoi_tls_conn *conn)
{
    int rc;

    if (!nidoi_tls_have(&conn->in)) nidoi_tls_drop(&conn->in);
    if (!conn->sending && !nidoi_tls_unsent(conn)) {
        nidoi_tls_drop(&conn->out);
        nidoi_tls_drop(&conn->wire);
    }
    rc = nido_wait_fd(conn->fd, NIDO_IN);
    return rc < 0 ? rc : feed_read(conn);
}

static int feed(struct nidoi_tls_conn *conn, bool idle)
{
    nidoi_tls_try_send(conn);
    if (!conn->sending && nidoi_tls_unsent(conn)) return feed_or_send(conn);
    return idle ? feed_idle(conn) : feed_read(conn);
}

int nidoi_tls_feed(struct nidoi_tls_conn *conn, bool idle)
{
    int rc;

    if (nidoi_tls_paused(conn)) {
        rc = nido_yield();
        return rc < 0 ? rc : 1;
    }
    if (conn->ended) return 0;
    if (conn->fetching) {
        rc = nido_event_wait(&conn->moved);
        return rc < 0 ? rc : 1;
    }
    conn->fetching = true;
    rc = feed(conn, idle);
    conn->fetching = false;
    nido_event_set(&conn->moved);
    nido_event_reset(&conn->moved);
    return rc;
}

void nidoi_tls_swallow(const struct nidoi_tls_conn *conn)
{
    enum { MOST = 64 }; /* a peer that goes on has to be reset */
    char bytes[4096];

    for (int i = 0; i < MOST && recv(conn->fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0; i++)
        continue;
}

bool nidoi_tls_try_feed(struct nidoi_tls_conn *conn)
{
    struct nidoi_tls_bytes *in = &conn->in;
    ssize_t n;

    if (conn->fetching || nidoi_tls_room(in, NIDOI_TLS_RECORD + NIDOI_TLS_OVERHEAD)) return false;
    n = recv(conn->fd, in->data + in->end, in->room - in->end, MSG_DONTWAIT);
    if (n > 0) in->end += (size_t)n;
    if (n == 0) conn->ended = true;
    return n >= 0;
}
