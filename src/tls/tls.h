/* SPDX-License-Identifier: MIT */
/* tls/tls.h: TLS over a socket, as the transport of a stream. OpenSSL sees two pieces of memory, and
 * tasks of nido move their bytes from and to the descriptor.
 *
 * 1. No task parks inside a call of OpenSSL. Its error queue belongs to the thread, on which other
 * connections run: it is cleared before each call, and read directly after it, without a park in
 * between.
 * 2. Who feeds. A call that finds that OpenSSL needs input fetches it, if no other task does (`fetching`),
 * else waits until that one has (`moved`), and then tries again in either case. So a writer may feed
 * a reader and a reader a writer, and what was fetched is in `in` until OpenSSL takes it.
 * 3. Who sends. OpenSSL appends to `out`. A call that writes moves it to `wire` and sends that,
 * waiting if necessary (`sending`); `wire` does not change while a task sends, so bytes go out in
 * order. A call that reads never waits for the peer to take bytes, or two peers could wait for each
 * other: it sends what can be sent at once, and while it waits for input it waits for room too.
 * What remains is sent before the next record.
 * 4. A byte of the caller's is accepted when it is encrypted, and then nothing takes it back: a
 * cancel or a failure while its record is being sent is the next call's.
 * 5. Records without bytes of the caller's, updates of keys above all, keep OpenSSL in its call. After
 * NIDOI_TLS_READS it is told that there is no more, and the task yields before the next call. */
#ifndef NIDOI_TLS_H
#define NIDOI_TLS_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "nido/event.h"
#include "nido/tls.h"

enum {
    NIDOI_TLS_RECORD = 16 << 10,      /* most plain bytes of a record */
    NIDOI_TLS_OVERHEAD = 512,         /* of a record, more than enough */
    NIDOI_TLS_CHUNK = 4 << 14,        /* most plain bytes of one write */
    NIDOI_TLS_MOST_ANSWERS = 1 << 17, /* bytes that calls that read leave unsent */
    NIDOI_TLS_READS = 64, /* of its input, two a record, that a call of OpenSSL may make */
    NIDOI_TLS_SESSIONS = 32,
    NIDOI_TLS_NAME = 128
};

/* Bytes [at, end) of `data`, which is NULL or has `room`. Empty: both are 0. */
struct nidoi_tls_bytes {
    unsigned char *data;
    size_t at, end, room;
};

struct nidoi_tls_session {
    char key[NIDOI_TLS_NAME]; /* whom it is with */
    SSL_SESSION *session;     /* NULL: a free place */
};

struct nido_tls {
    atomic_uint references; /* the program's, and one of each connection */
    SSL_CTX *ssl_ctx;
    BIO_METHOD *memory;
    unsigned char *alpn; /* as on the wire */
    unsigned alpn_length;
    enum nido_tls_verify verify;
    int64_t handshake_ns;
    bool truncation_is_end;
    bool foreign; /* the caller's ssl_ctx */
    bool keeps_sessions;
    int key_log;          /* a descriptor, or -1 */
    pthread_mutex_t lock; /* of the sessions: threads share a context */
    unsigned next;        /* place to be used again */
    struct nidoi_tls_session sessions[NIDOI_TLS_SESSIONS];
};

struct nidoi_tls_conn {
    SSL *ssl;
    nido_tls *tls; /* a reference */
    int fd;
    struct nidoi_tls_bytes in, out, wire;
    nido_event moved;
    unsigned reads; /* that the running call of OpenSSL may still make */
    bool fetching, sending;
    bool established;          /* the handshake is over */
    bool ended;                /* the descriptor's input */
    bool notified;             /* close_notify was written, or must not be */
    bool keep_open;            /* the descriptor, when the stream is closed */
    int failure;               /* of TLS, or 0 */
    int out_failure;           /* of sending, or 0 */
    char peer[NIDOI_TLS_NAME]; /* for texts */
    char key[NIDOI_TLS_NAME];  /* of its session; "": not kept */
    const void *resumed;       /* that session, or NULL; only compared */
    char alpn[256];
};

/* ---- tls/memory.c ---- */

static inline size_t nidoi_tls_have(const struct nidoi_tls_bytes *bytes)
{
    return bytes->end - bytes->at;
}

/* Room for `want` bytes behind the end. 0 or -ENOMEM. */
int nidoi_tls_room(struct nidoi_tls_bytes *bytes, size_t want);
void nidoi_tls_taken(struct nidoi_tls_bytes *bytes, size_t n);
void nidoi_tls_drop(struct nidoi_tls_bytes *bytes);
/* Before a call of OpenSSL that may read. */
static inline void nidoi_tls_may_read(struct nidoi_tls_conn *conn)
{
    conn->reads = NIDOI_TLS_READS;
}

/* After a call that wants input: it has not been shown all that there is. */
static inline bool nidoi_tls_paused(const struct nidoi_tls_conn *conn)
{
    return !conn->reads && nidoi_tls_have(&conn->in);
}

/* What OpenSSL reads and writes: a BIO over `in` and `out` of a connection. NULL: no memory. */
BIO_METHOD *nidoi_tls_memory_new(void);
/* 0 or -ENOMEM. */
int nidoi_tls_attach(struct nidoi_tls_conn *conn);

/* ---- tls/error.c ---- */

/* After a call of OpenSSL on a connection failed: its code, kept as the connection's, with a text. */
int nidoi_tls_failed(struct nidoi_tls_conn *conn);
/* After a call that made or changed a context failed; `what` was to be done. */
int nidoi_tls_refused(const char *what);
/* The input has ended before TLS has. */
int nidoi_tls_truncated(const struct nidoi_tls_conn *conn);

/* ---- tls/pem.c ---- */

/* Each: 0, or a failure with a text. */
int nidoi_tls_use_certificate(SSL_CTX *ssl_ctx, const char *source);
int nidoi_tls_use_key(SSL_CTX *ssl_ctx, const char *source);
int nidoi_tls_use_ca(SSL_CTX *ssl_ctx, const char *source);

/* ---- tls/sessions.c ---- */

/* The session that was kept for a key, which it is taken from; NULL: none. */
SSL_SESSION *nidoi_tls_session_take(nido_tls *tls, const char *key);
/* Keeps the connection's, if it can be resumed. */
void nidoi_tls_session_keep(struct nidoi_tls_conn *conn);
void nidoi_tls_sessions_drop(nido_tls *tls);

/* ---- tls/context.c ---- */

nido_tls *nidoi_tls_retain(nido_tls *tls);

/* ---- tls/wire.c ---- */

static inline bool nidoi_tls_unsent(const struct nidoi_tls_conn *conn)
{
    return !conn->out_failure && (nidoi_tls_have(&conn->wire) || nidoi_tls_have(&conn->out));
}

/* Sends all that OpenSSL has written, and waits for it. 0, or the failure. */
int nidoi_tls_send(struct nidoi_tls_conn *conn);
/* The same without a wait, as far as it goes. */
void nidoi_tls_try_send(struct nidoi_tls_conn *conn);
/* More input; `idle`: the buffers are given back while it waits. 1: perhaps, try again; 0: the end;
 * or a failure. */
int nidoi_tls_feed(struct nidoi_tls_conn *conn, bool idle);
/* Before the close: reads what has arrived. A close with unread input, a ticket or a close_notify, would reset the
 * connection, and take back what is on its way to the peer. */
void nidoi_tls_swallow(const struct nidoi_tls_conn *conn);
/* What has arrived, without a wait. False: nothing. */
bool nidoi_tls_try_feed(struct nidoi_tls_conn *conn);

/* ---- tls/transport.c ---- */

extern const nido_stream_ops nidoi_tls_ops;
/* Gives up a connection, without a word to the peer and without the descriptor. */
void nidoi_tls_conn_free(struct nidoi_tls_conn *conn);

#endif
