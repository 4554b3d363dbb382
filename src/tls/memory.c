/* SPDX-License-Identifier: MIT */
/* tls/memory.c: the bytes between OpenSSL and the descriptor. OpenSSL's own memory BIOs keep what
 * they once had; these are given back while a connection is idle. */
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <string.h>

#include "tls/tls.h"

int nidoi_tls_room(struct nidoi_tls_bytes *bytes, size_t want)
{
    size_t have = nidoi_tls_have(bytes), room = bytes->room ? bytes->room : NIDOI_TLS_RECORD / 8;
    unsigned char *larger;

    if (want <= bytes->room - bytes->end) return 0;
    if (bytes->at) memmove(bytes->data, bytes->data + bytes->at, have);
    bytes->at = 0;
    bytes->end = have;
    if (want <= bytes->room - have) return 0;
    while (room - have < want) room *= 2;
    larger = OPENSSL_realloc(bytes->data, room);
    if (!larger) return -ENOMEM;
    bytes->data = larger;
    bytes->room = room;
    return 0;
}

void nidoi_tls_taken(struct nidoi_tls_bytes *bytes, size_t n)
{
    bytes->at += n;
    if (bytes->at == bytes->end) bytes->at = bytes->end = 0;
}

void nidoi_tls_drop(struct nidoi_tls_bytes *bytes)
{
    OPENSSL_free(bytes->data);
    memset(bytes, 0, sizeof *bytes);
}

/* ---- What OpenSSL calls ---- */

static int memory_read(BIO *bio, char *buf, size_t len, size_t *done)
{
    struct nidoi_tls_conn *conn = BIO_get_data(bio);
    struct nidoi_tls_bytes *in = &conn->in;
    size_t have = conn->reads ? nidoi_tls_have(in) : 0;

    BIO_clear_retry_flags(bio);
    *done = len < have ? len : have;
    if (!*done) {
        BIO_set_retry_read(bio);
        return 0;
    }
    conn->reads--;
    memcpy(buf, in->data + in->at, *done);
    nidoi_tls_taken(in, *done);
    return 1;
}

static int memory_write(BIO *bio, const char *buf, size_t len, size_t *done)
{
    struct nidoi_tls_bytes *out = &((struct nidoi_tls_conn *)BIO_get_data(bio))->out;

    BIO_clear_retry_flags(bio);
    *done = 0;
    if (nidoi_tls_room(out, len)) {
        ERR_raise(ERR_LIB_BIO, ERR_R_MALLOC_FAILURE);
        return 0;
    }
    memcpy(out->data + out->end, buf, len);
    out->end += len;
    *done = len;
    return 1;
}

static long memory_ctrl(BIO *bio, int command, long argument, void *pointer)
{
    const struct nidoi_tls_conn *conn = BIO_get_data(bio);

    (void)argument, (void)pointer;
    if (command == BIO_CTRL_FLUSH) return 1;
    if (command == BIO_CTRL_PENDING) return (long)nidoi_tls_have(&conn->in);
    return 0;
}

BIO_METHOD *nidoi_tls_memory_new(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "nido");

    if (!method) return NULL;
    BIO_meth_set_read_ex(method, memory_read);
    BIO_meth_set_write_ex(method, memory_write);
    BIO_meth_set_ctrl(method, memory_ctrl);
    return method;
}

int nidoi_tls_attach(struct nidoi_tls_conn *conn)
{
    BIO *bio = BIO_new(conn->tls->memory);

    if (!bio) return -ENOMEM;
    BIO_set_data(bio, conn);
    BIO_set_init(bio, 1);
    SSL_set_bio(conn->ssl, bio, bio);
    return 0;
}
