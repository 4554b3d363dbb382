/* SPDX-License-Identifier: MIT */
/* nido/tls.h: TLS over sockets, as streams (nido/stream.h). A library of its own, nido::tls, over
 * OpenSSL 3; nido.h does not include it. docs/tls.md shows how it is used.
 *
 *     nido_tls *tls;
 *     nido_stream site;
 *     rc = nido_tls_new(NULL, &tls);
 *     rc = nido_tls_dial(&site, tls, "example.org", "443", NULL);
 *     if (rc == 0) rc = nido_stream_printf(&site, "GET / HTTP/1.0\r\nHost: example.org\r\n\r\n");
 *     ...
 *     nido_stream_close(&site);
 *     nido_tls_free(tls);
 *
 * A server gives each accepted connection to nido_tls_accept in nido_serve_options.open, which runs
 * in the task of that connection:
 *
 *     static int open_tls(nido_stream *client, int fd, const nido_stream_options *options, void *ctx)
 *     {
 *         return nido_tls_accept(client, ctx, fd, options);
 *     }
 *
 * The stream is used like any other. What is particular:
 *
 * Failures. Those of TLS have a text (nido_error_last) that names the peer, "TLS with example.org:
 * certificate has expired", and one of these codes:
 *   -EACCES: the peer's certificate is not accepted, or it has shown none;
 *   -ECONNABORTED: the peer has refused, by an alert, which the text has;
 *   -EPROTO: what came is not TLS, or no version, cipher or protocol is common to both;
 *   -EPIPE: the connection ended without close_notify: what came before may be cut short
 *           (nido_tls_options.truncation_is_end). An end with close_notify is 0.
 * They are final for both directions, but for -EPIPE, which is the input's.
 *
 * Cancels and deadlines. Every call that waits is a cancellation point at each of its waits. A
 * stream that was cancelled can be used on; a handshake that was cancelled cannot.
 *
 * Writing. A byte is accepted when it is encrypted. nido_stream_flush returns 0 when all that was
 * accepted has been sent; nido_stream_unsent does not count what is encrypted already.
 * nido_stream_shutdown sends close_notify, and the other direction goes on. nido_stream_close sends
 * it if that needs no wait and no bytes are dropped; then the peer's input ends with -EPIPE.
 *
 * One task may read and one may write at the same time. Renegotiation (TLS 1.2) is refused; session
 * tickets and updates of keys (TLS 1.3) are served by the calls that read and write.
 *
 * Copies to and from such a stream go through its buffer.
 *
 * nido_stream_fd is -EOPNOTSUPP: keep the descriptor for getpeername(2) and the like.
 *
 * Verification of certificates reads roots from files, and a handshake takes a millisecond or two of
 * the thread; keys over finite fields (DHE), which take a hundred times that, are refused unless an
 * ssl_ctx allows them. After 32 records without bytes for the caller, updates of keys say, a call
 * yields.
 * Tasks that use TLS need a stack of 64 KiB at least. */
#ifndef NIDO_TLS_H
#define NIDO_TLS_H

#include "nido/stream.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ssl_st; /* SSL and SSL_CTX of OpenSSL */
struct ssl_ctx_st;

/* What the peer has to show. A certificate that is shown must be valid, except for
 * NIDO_TLS_VERIFY_NONE. */
enum nido_tls_verify {
    NIDO_TLS_VERIFY_DEFAULT, /* servers one that is valid for the server's name, clients none */
    NIDO_TLS_VERIFY_NONE,    /* nothing; whoever it is, is not known */
    NIDO_TLS_VERIFY_REQUEST, /* clients are asked for one, and need not have it */
    NIDO_TLS_VERIFY_REQUIRE  /* clients have to show one */
};

/* Strings and lists are read by nido_tls_new and not kept. Certificates and keys are in PEM: the
 * path of a file, or the text itself, which has "-----BEGIN". */
typedef struct nido_tls_options {
    size_t size;             /* sizeof(nido_tls_options); nido_tls_options_init sets it */
    const char *certificate; /* ours, behind it those that lead to its root; NULL: none */
    const char *key; /* its private key, not encrypted; NULL: it is beside the certificate */
    const char *ca;  /* roots that peers are verified by; NULL: the system's */
    const char *const *alpn; /* names of protocols, the best first, NULL behind the last; NULL:
                                none. A client that asks for others only is refused */
    enum nido_tls_verify verify;
    int64_t handshake_ns;   /* longest handshake; 0: 10 s; NIDO_NEVER: as long as the scopes of the
                                caller allow */
    bool truncation_is_end; /* an end without close_notify is the end. For protocols that know by
                                themselves whether all has come */
    bool no_sessions;       /* a client begins each session anew */
    struct ssl_ctx_st *ssl_ctx; /* the caller's own, which keeps its reference. certificate, key, ca
                                   and alpn are NULL then. Servers are verified nevertheless, by its
                                   roots; clients are verified as it says, unless `verify` is set */
} nido_tls_options;

/* Fills with zeros and sets `size`. Cannot fail. Not a cancellation point. */
static inline void nido_tls_options_init(nido_tls_options *options)
{
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
}
/* The same as an initialiser: &NIDO_TLS_OPTIONS(.field = value). In C. */
#define NIDO_TLS_OPTIONS(...) NIDOI_SIZED(nido_tls_options, __VA_ARGS__)

/* What connections have in common: certificates, verification, sessions to be resumed. It does not
 * change; any number of connections of any threads use it at the same time. */
typedef struct nido_tls nido_tls;

/* Makes one, for servers and clients. Reads the files, which blocks the thread. TLS 1.2 and later.
 * Keys of sessions are appended to the file that SSLKEYLOGFILE names in the environment (not with
 * ssl_ctx, not in programs with raised privileges, not to a pipe). Options may be NULL. Any thread, with or
 * without a runtime. Not a cancellation point. 0; -EINVAL: a bad option, no certificate or key in
 * what was given, or they do not belong together; -ENOENT, -EACCES, ...: a file cannot be read;
 * -ENOMEM. Failures have a text where there is a task. */
NIDO_API int nido_tls_new(const nido_tls_options *options, nido_tls **out);

/* Gives it up; connections that use it go on. NULL is fine. Any thread. Cannot fail. Not a
 * cancellation point. */
NIDO_API void nido_tls_free(nido_tls *tls);

/* Begins TLS as the client on a connected stream socket, and opens a stream over it; the socket is
 * closed with it. `server` is the name or the address that was asked for: the certificate has to
 * be valid for it, and names are sent to the server. It may be NULL with NIDO_TLS_VERIFY_NONE only.
 * A session with this server that is known from an earlier connection is resumed. `fd` < 0 (the
 * failure of nido_dial, say) is returned as it is. Options (of the stream) may be NULL. Cancellation
 * point. 0; or a failure, the stream is not open and the descriptor is still the caller's, who can
 * only close it: -EACCES, -ECONNABORTED, -EPROTO, -EPIPE: see above; -ETIMEDOUT: longer than
 * handshake_ns; -ECANCELED; -ENOTSOCK: not a stream socket; -EINVAL: a bad option, no name;
 * -ENOMEM; or as nido_read and nido_write. */
NIDO_API int nido_tls_connect(nido_stream *stream, nido_tls *tls, int fd, const char *server,
                              const nido_stream_options *options);

/* The same as the server: for a socket that was accepted. Cancellation point. 0; or a failure, and
 * the descriptor is still the caller's: -EINVAL: no certificate; else as nido_tls_connect (-EACCES,
 * -ECONNABORTED, -EPROTO, -EPIPE, -ETIMEDOUT, -ECANCELED, -ENOTSOCK, -ENOMEM). */
NIDO_API int nido_tls_accept(nido_stream *stream, nido_tls *tls, int fd,
                             const nido_stream_options *options);

/* nido_dial and nido_tls_connect in one; nothing is left open after a failure. Cancellation point.
 * 0; or as these two (-EHOSTUNREACH, -ECONNREFUSED, -EACCES, -EPROTO, -ECANCELED, ...). */
NIDO_API int nido_tls_dial(nido_stream *stream, nido_tls *tls, const char *host,
                           const char *service, const nido_stream_options *options);

/* What was agreed on, of a stream that nido_tls_connect, _accept or _dial has opened; for another
 * one NULL and false. Strings live as long as the stream. On its thread. */

/* The protocol by ALPN; NULL: none. Cannot fail. Not a cancellation point. */
NIDO_API const char *nido_tls_alpn(const nido_stream *stream);
/* "TLSv1.3". Cannot fail. Not a cancellation point. */
NIDO_API const char *nido_tls_version(const nido_stream *stream);
/* Was a session resumed? Cannot fail. Not a cancellation point. */
NIDO_API bool nido_tls_resumed(const nido_stream *stream);
/* OpenSSL's own, which remains the stream's: for SSL_get0_peer_certificate, SSL_key_update and the
 * like, but not for what reads, writes, or ends. Whatever it leaves in OpenSSL's error queue is
 * cleared by the stream's next call. Cannot fail. Not a cancellation point. */
NIDO_API struct ssl_st *nido_tls_ssl(const nido_stream *stream);

#ifdef __cplusplus
}
#endif

#endif
