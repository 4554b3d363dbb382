/* SPDX-License-Identifier: MIT */
/* tls/transport.c: a connection as the transport of a stream (nido_stream_ops). */
#include <errno.h>
#include <openssl/err.h>

#include "nido/error.h"
#include "nido/fd.h"
#include "tls/tls.h"

/* ---- Reading ---- */

/* Input of OpenSSL: bytes into buf, or, if that is NULL, whether there are any. */
static int input_step(struct nidoi_tls_conn *conn, void *buf, size_t len, size_t *done)
{
    char byte;
    int ok;

    ERR_clear_error();
    nidoi_tls_may_read(conn);
    ok = buf ? SSL_read_ex(conn->ssl, buf, len, done) : SSL_peek_ex(conn->ssl, &byte, 1, done);
    return ok ? SSL_ERROR_NONE : SSL_get_error(conn->ssl, 0);
}

/* Directly after a step, which has left its reasons in the thread's queue. */
static int input_failed(struct nidoi_tls_conn *conn)
{
    int err = nidoi_tls_failed(conn);

    nidoi_tls_try_send(conn); /* the alert that says so */
    return err;
}

/* A peer that asks for answers, and does not take them, is not served without end. */
static int input_check(const struct nidoi_tls_conn *conn)
{
    if (conn->failure) return conn->failure;
    if (nidoi_tls_have(&conn->out) <= NIDOI_TLS_MOST_ANSWERS || conn->sending) return 0;
    return nido_fail(-EPROTO, "TLS with %s: it asks for answers and does not take them",
                     conn->peer);
}

static ssize_t input_get(struct nidoi_tls_conn *conn, void *buf, size_t len)
{
    for (;;) {
        size_t done = 0;
        int rc = input_check(conn), why;

        if (rc) return rc;
        why = input_step(conn, buf, len, &done);
        if (why == SSL_ERROR_NONE || why == SSL_ERROR_ZERO_RETURN) {
            nidoi_tls_try_send(conn);
            return (ssize_t)done;
        }
        if (why != SSL_ERROR_WANT_READ) return input_failed(conn);
        rc = nidoi_tls_feed(conn, !buf);
        if (rc < 0) return rc;
        if (rc == 0) return nidoi_tls_truncated(conn);
    }
}

static ssize_t tls_read(void *ctx, void *buf, size_t len)
{
    return input_get(ctx, buf, len);
}

static int tls_wait(void *ctx)
{
    ssize_t n = input_get(ctx, NULL, 0);

    return n < 0 ? (int)n : 0;
}

static int tls_ready(void *ctx)
{
    struct nidoi_tls_conn *conn = ctx;

    for (;;) {
        size_t done;
        int rc = input_check(conn), why;

        if (rc) return rc;
        why = input_step(conn, NULL, 0, &done);
        if (why == SSL_ERROR_NONE || why == SSL_ERROR_ZERO_RETURN) return 1;
        if (why != SSL_ERROR_WANT_READ) return input_failed(conn);
        if (nidoi_tls_paused(conn)) return 0; /* a flood, and no time for it */
        if (conn->ended) return 1;
        if (!nidoi_tls_try_feed(conn)) return 0;
    }
}

/* ---- Writing ---- */

/* Room first: a record that OpenSSL cannot put down would be the end of the connection. */
static int output_reserve(struct nidoi_tls_conn *conn, size_t len)
{
    size_t records = len / NIDOI_TLS_RECORD + 3; /* two for what OpenSSL has to say itself */

    return nidoi_tls_room(&conn->out, len + records * NIDOI_TLS_OVERHEAD);
}

/* OpenSSL reads before it writes while a message of the peer's is half here. */
static int output_feed(struct nidoi_tls_conn *conn)
{
    int rc = nidoi_tls_send(conn);

    if (!rc) rc = nidoi_tls_feed(conn, false);
    if (rc < 0) return rc;
    if (rc > 0) return 0;
    rc = nidoi_tls_truncated(conn);
    return rc ? rc : -EPIPE;
}

static ssize_t output_put(struct nidoi_tls_conn *conn, const void *buf, size_t len)
{
    for (;;) {
        int rc = conn->failure ? conn->failure : output_reserve(conn, len), why;
        size_t done;

        if (rc) return rc;
        ERR_clear_error();
        nidoi_tls_may_read(conn);
        if (SSL_write_ex(conn->ssl, buf, len, &done)) return (ssize_t)done;
        why = SSL_get_error(conn->ssl, 0);
        if (why != SSL_ERROR_WANT_READ) return input_failed(conn);
        rc = output_feed(conn);
        if (rc) return rc;
    }
}

/* What was encrypted is accepted, whatever becomes of sending it: that is told by the next call. */
static ssize_t tls_write(void *ctx, const void *buf, size_t len)
{
    struct nidoi_tls_conn *conn = ctx;
    ssize_t n = nidoi_tls_send(conn);

    if (!n) n = output_put(conn, buf, len < NIDOI_TLS_CHUNK ? len : NIDOI_TLS_CHUNK);
    if (n > 0) nidoi_tls_send(conn);
    return n;
}

static int tls_flush(void *ctx)
{
    return nidoi_tls_send(ctx);
}

/* ---- Ending ---- */

/* Only once: a second SSL_shutdown would read. After a failure it must not be called. */
static void say_goodbye(struct nidoi_tls_conn *conn)
{
    if (conn->notified || conn->failure || !SSL_is_init_finished(conn->ssl)) return;
    ERR_clear_error();
    SSL_shutdown(conn->ssl);
    ERR_clear_error();
    conn->notified = true;
}

static int tls_shut_down(void *ctx)
{
    struct nidoi_tls_conn *conn = ctx;
    int rc = conn->failure ? conn->failure : nidoi_tls_send(conn);

    if (rc) return rc;
    say_goodbye(conn);
    return nidoi_tls_send(conn);
}

void nidoi_tls_conn_free(struct nidoi_tls_conn *conn)
{
    SSL_free(conn->ssl);
    ERR_clear_error();
    nidoi_tls_drop(&conn->in);
    nidoi_tls_drop(&conn->out);
    nidoi_tls_drop(&conn->wire);
    nido_event_deinit(&conn->moved);
    nido_tls_free(conn->tls);
    OPENSSL_free(conn);
}

static void tls_abandon(void *ctx)
{
    struct nidoi_tls_conn *conn = ctx;

    conn->notified = true; /* the peer must not take what it has for all */
}

static int tls_close(void *ctx)
{
    struct nidoi_tls_conn *conn = ctx;
    bool lost;
    int err;

    nidoi_tls_try_send(conn);
    lost = nidoi_tls_unsent(conn);
    say_goodbye(conn);
    nidoi_tls_try_send(conn);
    if (*conn->key && !conn->failure) nidoi_tls_session_keep(conn);
    if (!conn->keep_open) nidoi_tls_swallow(conn);
    err = conn->keep_open ? 0 : nido_close(conn->fd);
    nidoi_tls_conn_free(conn);
    return !err && lost ? -ENOTEMPTY : err;
}

const nido_stream_ops nidoi_tls_ops = {
    .size = sizeof nidoi_tls_ops,
    .read = tls_read,
    .write = tls_write,
    .shut_down = tls_shut_down,
    .close = tls_close,
    .wait = tls_wait,
    .flush = tls_flush,
    .ready = tls_ready,
    .abandon = tls_abandon,
};

/* ---- Questions ---- */

static struct nidoi_tls_conn *conn_of(const nido_stream *stream)
{
    return stream && stream->ops == &nidoi_tls_ops ? stream->ctx : NULL;
}

const char *nido_tls_alpn(const nido_stream *stream)
{
    const struct nidoi_tls_conn *conn = conn_of(stream);

    return conn && *conn->alpn ? conn->alpn : NULL;
}

const char *nido_tls_version(const nido_stream *stream)
{
    const struct nidoi_tls_conn *conn = conn_of(stream);

    return conn ? SSL_get_version(conn->ssl) : NULL;
}

bool nido_tls_resumed(const nido_stream *stream)
{
    const struct nidoi_tls_conn *conn = conn_of(stream);

    return conn && SSL_session_reused(conn->ssl) == 1;
}

struct ssl_st *nido_tls_ssl(const nido_stream *stream)
{
    const struct nidoi_tls_conn *conn = conn_of(stream);

    return conn ? conn->ssl : NULL;
}
