/* SPDX-License-Identifier: MIT */
/* tls.c: floor of a server of TLS: OpenSSL on non-blocking sockets below an epoll loop (serve.c). It takes
 * each record for one request and does not look. It leaves out tasks, deadlines, cancelling, slow
 * readers and the reasons of failures. */
#include "harness/http.h"
#include "harness/load.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>

enum { DESCRIPTORS_MOST = 4096 };

static SSL *sessions[DESCRIPTORS_MOST]; /* by descriptor; NULL: it has just connected */
static SSL_CTX *context;

bool floor_tls_start(const char *certificate, const char *key)
{
    signal(SIGPIPE, SIG_IGN);
    context = SSL_CTX_new(TLS_server_method());
    return context && SSL_CTX_use_certificate_chain_file(context, certificate) == 1 &&
           SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1;
}

static SSL *session_of(int fd)
{
    if (fd >= DESCRIPTORS_MOST) return NULL;
    if (sessions[fd]) return sessions[fd];
    SSL *ssl = SSL_new(context);
    if (ssl && SSL_set_fd(ssl, fd) == 1) {
        SSL_set_accept_state(ssl);
        return sessions[fd] = ssl;
    }
    SSL_free(ssl);
    return NULL;
}

bool floor_tls_hello(int fd)
{
    char bytes[4096];
    size_t length;
    const char *hello = http_hello(&length);
    SSL *ssl = session_of(fd);
    if (!ssl) return false;
    int n;
    ERR_clear_error();
    while ((n = SSL_read(ssl, bytes, sizeof bytes)) > 0)
        if (SSL_write(ssl, hello, (int)length) != (int)length) break;
    if (n <= 0 && SSL_get_error(ssl, n) == SSL_ERROR_WANT_READ) return true;
    SSL_free(ssl);
    sessions[fd] = NULL;
    return false;
}
