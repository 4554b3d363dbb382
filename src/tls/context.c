/* SPDX-License-Identifier: MIT */
/* tls/context.c: what connections have in common. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/options.h"
#include "nido/error.h"
#include "nido/time.h"
#include "tls/tls.h"

/* ---- Options ---- */

static int options_refuse(const char *text)
{
    return nido_fail(-EINVAL, "nido_tls_options.%s", text);
}

static int options_check(const nido_tls_options *options)
{
    if ((unsigned)options->verify > NIDO_TLS_VERIFY_REQUIRE)
        return options_refuse("verify is out of range");
    if (options->handshake_ns < 0) return options_refuse("handshake_ns is out of range");
    if (options->key && !options->certificate) return options_refuse("key has no certificate");
    if (!options->ssl_ctx) return 0;
    if (options->certificate || options->ca || options->alpn)
        return options_refuse("ssl_ctx has certificates, roots and protocols of its own");
    return 0;
}

/* ---- Protocols ---- */

static size_t alpn_length(const char *const *names)
{
    size_t length = 0;

    for (; *names; names++) length += 1 + strlen(*names);
    return length;
}

/* Each name behind its length. */
static int alpn_spell(nido_tls *tls, const char *const *names)
{
    size_t length = alpn_length(names);
    unsigned char *at;

    if (!length || length > UINT16_MAX) return options_refuse("alpn has no names, or too many");
    tls->alpn = at = OPENSSL_malloc(length);
    if (!at) return -ENOMEM;
    tls->alpn_length = (unsigned)length;
    for (; *names; names++) {
        size_t n = strlen(*names);

        if (!n || n > UINT8_MAX) return options_refuse("alpn: a name has 1 to 255 bytes");
        *at++ = (unsigned char)n;
        memcpy(at, *names, n);
        at += n;
    }
    return 0;
}

/* The server's order decides. A client that does not ask is served. */
static int alpn_select(SSL *ssl, const unsigned char **out, unsigned char *length,
                       const unsigned char *theirs, unsigned theirs_length, void *arg)
{
    const nido_tls *tls = arg;
    unsigned char *chosen;
    int rc =
        SSL_select_next_proto(&chosen, length, tls->alpn, tls->alpn_length, theirs, theirs_length);

    (void)ssl;
    if (rc != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int use_alpn(nido_tls *tls, const char *const *names)
{
    int err = alpn_spell(tls, names);

    if (err) return err;
    if (SSL_CTX_set_alpn_protos(tls->ssl_ctx, tls->alpn, tls->alpn_length)) return -ENOMEM;
    SSL_CTX_set_alpn_select_cb(tls->ssl_ctx, alpn_select, tls);
    return 0;
}

/* ---- Log of keys ---- */

static void key_log_line(const SSL *ssl, const char *line)
{
    const nido_tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    struct iovec parts[] = {{(void *)(uintptr_t)line, strlen(line)}, {(void *)(uintptr_t) "\n", 1}};

    if (writev(tls->key_log, parts, 2) < 0) return; /* a full disk does not end connections */
}

static const char *key_log_path(void)
{
#ifdef __linux__
    return secure_getenv("SSLKEYLOGFILE");
#else
    return issetugid() ? NULL : getenv("SSLKEYLOGFILE");
#endif
}

/* -1: it cannot be opened, or is a pipe, whose reader could stop every handshake. */
static int key_log_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
    struct stat file;

    if (fd < 0 || (fstat(fd, &file) == 0 && !S_ISFIFO(file.st_mode))) return fd;
    close(fd);
    return -1;
}

static void key_log_open(nido_tls *tls)
{
    const char *path = key_log_path();

    if (!path || !*path) return;
    tls->key_log = key_log_file(path);
    if (tls->key_log >= 0) SSL_CTX_set_keylog_callback(tls->ssl_ctx, key_log_line);
}

/* ---- Making ---- */

static int use_roots(SSL_CTX *ssl_ctx, const char *ca)
{
    if (ca) return nidoi_tls_use_ca(ssl_ctx, ca);
    return SSL_CTX_set_default_verify_paths(ssl_ctx) == 1 ? 0
                                                          : nidoi_tls_refused("the system's roots");
}

static int use_identity(SSL_CTX *ssl_ctx, const nido_tls_options *options)
{
    const char *key = options->key ? options->key : options->certificate;
    int err;

    if (!options->certificate) return 0;
    err = nidoi_tls_use_certificate(ssl_ctx, options->certificate);
    if (!err) err = nidoi_tls_use_key(ssl_ctx, key); /* which also looks whether it belongs to it */
    return err;
}

/* Agreeing on a key takes the loop's thread for a millisecond or so; over a field of 8192 bits it would be a fifth of
 * a second, and a peer would need some hundred bytes to ask for it. */
static void use_quick_keys(SSL_CTX *ssl_ctx)
{
    if (!SSL_CTX_set1_groups_list(ssl_ctx, "X25519:P-256:X448:P-384:P-521"))
        SSL_CTX_set1_groups_list(ssl_ctx, "P-256:P-384:P-521"); /* a provider that has no others */
    SSL_CTX_set_cipher_list(ssl_ctx, "DEFAULT:!kDHE");
    ERR_clear_error();
}

static int use_options(nido_tls *tls, const nido_tls_options *options)
{
    SSL_CTX *ssl_ctx = tls->ssl_ctx;
    static const unsigned char id[] = "nido";
    int err;

    SSL_CTX_set_app_data(ssl_ctx, tls);
    SSL_CTX_set_min_proto_version(ssl_ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ssl_ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_session_id_context(ssl_ctx, id, sizeof id - 1);
    use_quick_keys(ssl_ctx);
    err = use_roots(ssl_ctx, options->ca);
    if (!err) err = use_identity(ssl_ctx, options);
    if (!err && options->alpn) err = use_alpn(tls, options->alpn);
    if (!err) key_log_open(tls);
    return err;
}

static SSL_CTX *ssl_ctx_of(const nido_tls_options *options)
{
    if (!options->ssl_ctx) return SSL_CTX_new(TLS_method());
    return SSL_CTX_up_ref(options->ssl_ctx) ? options->ssl_ctx : NULL;
}

static int tls_fill(nido_tls *tls, const nido_tls_options *options)
{
    atomic_init(&tls->references, 1);
    pthread_mutex_init(&tls->lock, NULL);
    tls->key_log = -1;
    tls->verify = options->verify;
    tls->handshake_ns = options->handshake_ns ? options->handshake_ns : NIDO_SEC(10);
    tls->truncation_is_end = options->truncation_is_end;
    tls->foreign = options->ssl_ctx != NULL;
    tls->keeps_sessions = !options->no_sessions;
    ERR_clear_error();
    tls->memory = nidoi_tls_memory_new();
    tls->ssl_ctx = tls->memory ? ssl_ctx_of(options) : NULL;
    if (!tls->ssl_ctx) return -ENOMEM;
    return tls->foreign ? 0 : use_options(tls, options);
}

int nido_tls_new(const nido_tls_options *options, nido_tls **out)
{
    char why[NIDOI_OPTIONS_TEXT];
    nido_tls_options room;
    nido_tls *tls;
    int err;

    options = nidoi_options_take(options, &room, sizeof room, "nido_tls_options", why);
    if (!options) return nido_fail(-EINVAL, "%s", why);
    if (!out) return nido_fail(-EINVAL, "nido_tls_new: out is NULL");
    err = options_check(options);
    if (err) return err;
    tls = OPENSSL_zalloc(sizeof *tls);
    if (!tls) return -ENOMEM;
    err = tls_fill(tls, options);
    ERR_clear_error();
    if (err)
        nido_tls_free(tls);
    else
        *out = tls;
    return err;
}

/* ---- Life ---- */

nido_tls *nidoi_tls_retain(nido_tls *tls)
{
    atomic_fetch_add_explicit(&tls->references, 1, memory_order_relaxed);
    return tls;
}

void nido_tls_free(nido_tls *tls)
{
    if (!tls || atomic_fetch_sub_explicit(&tls->references, 1, memory_order_acq_rel) > 1) return;
    nidoi_tls_sessions_drop(tls);
    SSL_CTX_free(tls->ssl_ctx);
    BIO_meth_free(tls->memory);
    OPENSSL_free(tls->alpn);
    if (tls->key_log >= 0) close(tls->key_log);
    pthread_mutex_destroy(&tls->lock);
    OPENSSL_free(tls);
}
