/* SPDX-License-Identifier: MIT */
/* tls/handshake.c: beginning TLS on a descriptor. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "base/options.h"
#include "nido/error.h"
#include "nido/fd.h"
#include "nido/net.h"
#include "nido/scope.h"
#include "tls/tls.h"

/* ---- Names ---- */

/* The host as text, "the peer" if it has none; and the port, or 0. */
static unsigned peer_address(int fd, char *out, size_t size)
{
    struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
    const struct sockaddr_in6 *v6 = (const void *)&peer;
    const struct sockaddr_in *v4 = (const void *)&peer;
    socklen_t length = sizeof peer;

    snprintf(out, size, "the peer");
    getpeername(fd, (struct sockaddr *)&peer, &length);
    if (peer.ss_family == AF_INET) {
        inet_ntop(AF_INET, &v4->sin_addr, out, (socklen_t)size);
        return ntohs(v4->sin_port);
    }
    if (peer.ss_family != AF_INET6) return 0;
    inet_ntop(AF_INET6, &v6->sin6_addr, out, (socklen_t)size);
    return ntohs(v6->sin6_port);
}

/* Sessions are of one name, for a session that is resumed was verified for it; and of one port. */
static void session_key(struct nidoi_tls_conn *conn, const char *server)
{
    char host[NIDOI_TLS_NAME];
    unsigned port = peer_address(conn->fd, host, sizeof host);
    int n;

    if (!conn->tls->keeps_sessions) return;
    n = snprintf(conn->key, sizeof conn->key, "%s:%u", server, port);
    if (n >= (int)sizeof conn->key) *conn->key = '\0';
}

static bool is_address(const char *name)
{
    unsigned char bytes[16];

    return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

/* ---- A connection ---- */

static bool is_stream_socket(int fd)
{
    int type = 0;
    socklen_t length = sizeof type;

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_STREAM;
}

static struct nidoi_tls_conn *conn_new(nido_tls *tls, int fd)
{
    struct nidoi_tls_conn *conn = OPENSSL_zalloc(sizeof *conn);

    if (!conn) return NULL;
    conn->tls = nidoi_tls_retain(tls);
    conn->fd = fd;
    nido_event_init(&conn->moved, "TLS input");
    ERR_clear_error();
    conn->ssl = SSL_new(tls->ssl_ctx);
    if (conn->ssl && !nidoi_tls_attach(conn)) return conn;
    nidoi_tls_conn_free(conn);
    return NULL;
}

static void conn_set_modes(const struct nidoi_tls_conn *conn)
{
    SSL_set_mode(conn->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_clear_mode(conn->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ASYNC);
    SSL_set_options(conn->ssl, SSL_OP_NO_RENEGOTIATION);
    SSL_set_quiet_shutdown(conn->ssl, 0);
    SSL_set_read_ahead(conn->ssl, 0); /* a read is a header or a record: tls/tls.h, 5 */
}

/* ---- Whom to expect ---- */

static int expect_server(const struct nidoi_tls_conn *conn, const char *server)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(conn->ssl);
    int ok;

    if (*server == '.') /* which would stand for every name below it */
        return nido_fail(-EINVAL, "nido_tls_connect: \"%s\" is no name", server);
    if (is_address(server)) return X509_VERIFY_PARAM_set1_ip_asc(param, server) ? 0 : -ENOMEM;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    ok = SSL_set1_host(conn->ssl, server) && SSL_set_tlsext_host_name(conn->ssl, server);
    return ok ? 0 : nido_fail(-EINVAL, "nido_tls_connect: \"%s\" is no name", server);
}

static void resume(struct nidoi_tls_conn *conn)
{
    SSL_SESSION *session = *conn->key ? nidoi_tls_session_take(conn->tls, conn->key) : NULL;

    if (session) SSL_set_session(conn->ssl, session);
    conn->resumed = session;
    SSL_SESSION_free(session);
}

static int prepare_client(struct nidoi_tls_conn *conn, const char *server)
{
    bool verifies = conn->tls->verify != NIDO_TLS_VERIFY_NONE;
    int err;

    if (verifies && (!server || !*server))
        return nido_fail(-EINVAL, "nido_tls_connect: without a name the server cannot be verified");
    SSL_set_connect_state(conn->ssl);
    SSL_set_verify(conn->ssl, verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    if (!server || !*server) return 0;
    snprintf(conn->peer, sizeof conn->peer, "%s", server);
    err = expect_server(conn, server);
    session_key(conn, server);
    if (!err) resume(conn);
    return err;
}

static int server_verify_mode(enum nido_tls_verify verify)
{
    if (verify == NIDO_TLS_VERIFY_REQUIRE) return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    return verify == NIDO_TLS_VERIFY_REQUEST ? SSL_VERIFY_PEER : SSL_VERIFY_NONE;
}

/* A session is resumed where it was verified in the same way: of a context that several nido_tls share too. */
static int separate_sessions(const struct nidoi_tls_conn *conn)
{
    struct {
        const SSL_CTX *ssl_ctx;
        enum nido_tls_verify verify;
    } id;

    memset(&id, 0, sizeof id);
    id.ssl_ctx = conn->tls->ssl_ctx;
    id.verify = conn->tls->verify;
    return SSL_set_session_id_context(conn->ssl, (const unsigned char *)&id, sizeof id) == 1
               ? 0
               : -ENOMEM;
}

static int prepare_server(const struct nidoi_tls_conn *conn)
{
    const nido_tls *tls = conn->tls;

    if (!tls->foreign && !SSL_get_certificate(conn->ssl))
        return nido_fail(-EINVAL, "nido_tls_accept: nido_tls_options.certificate is NULL");
    SSL_set_accept_state(conn->ssl);
    if (tls->foreign && !tls->verify) return 0;
    SSL_set_verify(conn->ssl, server_verify_mode(tls->verify), NULL);
    return tls->foreign ? separate_sessions(conn) : 0;
}

/* ---- The handshake ---- */

static int handshake_feed(struct nidoi_tls_conn *conn)
{
    int rc = nidoi_tls_send(conn);

    if (!rc) rc = nidoi_tls_feed(conn, false);
    if (rc > 0) return 0;
    if (rc == 0)
        rc = nidoi_tls_truncated(conn);
    else if (rc != -ECANCELED && rc != -ENOMEM)
        nido_fail(rc, "TLS with %s: the connection failed in the handshake", conn->peer);
    return rc;
}

/* After the last step tickets are sent. A peer that does not read them may have written before. */
static int handshake_end(struct nidoi_tls_conn *conn)
{
    int rc = nidoi_tls_send(conn);

    return rc == -ECANCELED ? rc : 0;
}

static int handshake(struct nidoi_tls_conn *conn)
{
    for (;;) {
        int done, rc;

        ERR_clear_error();
        nidoi_tls_may_read(conn);
        done = SSL_do_handshake(conn->ssl);
        if (done == 1) return handshake_end(conn);
        if (SSL_get_error(conn->ssl, done) != SSL_ERROR_WANT_READ) {
            rc = nidoi_tls_failed(conn);
            nidoi_tls_try_send(conn); /* the alert that says so */
            return rc;
        }
        rc = handshake_feed(conn);
        if (rc) return rc;
    }
}

static int handshake_within(struct nidoi_tls_conn *conn)
{
    int64_t ns = conn->tls->handshake_ns;
    nido_scope limit;
    int rc;

    nido_timeout_open(&limit, ns);
    rc = nido_scope_close(&limit, handshake(conn));
    if (rc != -ETIMEDOUT || !nido_scope_fired(&limit)) return rc;
    return nido_fail(rc, "TLS with %s: the handshake took longer than %.3g s", conn->peer,
                     (double)ns / 1e9);
}

static void establish(struct nidoi_tls_conn *conn)
{
    const unsigned char *name;
    unsigned length;

    conn->established = true;
    SSL_get0_alpn_selected(conn->ssl, &name, &length);
    snprintf(conn->alpn, sizeof conn->alpn, "%.*s", (int)length, length ? (const char *)name : "");
}

/* ---- The calls ---- */

/* The stream is opened first: what is wrong with its options is told before a byte is sent. A
 * descriptor that is kept open does not keep the connection. */
static int stream_begin(nido_stream *stream, struct nidoi_tls_conn *conn,
                        const nido_stream_options *options)
{
    char why[NIDOI_OPTIONS_TEXT];
    nido_stream_options room;

    if (!nidoi_options_take(options, &room, sizeof room, "nido_stream_options", why))
        return nido_fail(-EINVAL, "%s", why);
    conn->keep_open = room.keep_open;
    room.keep_open = false;
    if (room.name) snprintf(conn->peer, sizeof conn->peer, "%s", room.name);
    return nido_stream_open_ops(stream, &nidoi_tls_ops, conn, &room);
}

static int begin(nido_stream *stream, struct nidoi_tls_conn *conn, bool client, const char *server,
                 const nido_stream_options *options)
{
    int rc = stream_begin(stream, conn, options);

    if (rc) return rc;
    rc = client ? prepare_client(conn, server) : prepare_server(conn);
    if (!rc) rc = handshake_within(conn);
    if (rc)
        *stream = (nido_stream){.fd = -1};
    else
        establish(conn);
    return rc;
}

static int open_over(nido_stream *stream, nido_tls *tls, int fd, bool client, const char *server,
                     const nido_stream_options *options)
{
    struct nidoi_tls_conn *conn;
    int rc;

    if (fd < 0) return fd;
    if (!tls) return nido_fail(-EINVAL, "TLS without a nido_tls");
    if (!is_stream_socket(fd)) return -ENOTSOCK;
    conn = conn_new(tls, fd);
    if (!conn) return -ENOMEM;
    conn_set_modes(conn);
    peer_address(fd, conn->peer, sizeof conn->peer);
    rc = begin(stream, conn, client, server, options);
    if (rc) nidoi_tls_swallow(conn); /* so that an alert on its way to the peer comes there */
    if (rc) nidoi_tls_conn_free(conn);
    return rc;
}

int nido_tls_connect(nido_stream *stream, nido_tls *tls, int fd, const char *server,
                     const nido_stream_options *options)
{
    return open_over(stream, tls, fd, true, server, options);
}

int nido_tls_accept(nido_stream *stream, nido_tls *tls, int fd, const nido_stream_options *options)
{
    return open_over(stream, tls, fd, false, NULL, options);
}

int nido_tls_dial(nido_stream *stream, nido_tls *tls, const char *host, const char *service,
                  const nido_stream_options *options)
{
    int fd = nido_dial(host, service, NULL), rc;

    rc = nido_tls_connect(stream, tls, fd, host, options);
    if (rc < 0 && fd >= 0) nido_close(fd);
    return rc;
}
