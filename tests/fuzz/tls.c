/* SPDX-License-Identifier: MIT */
/* TLS through a relay that cuts what passes into pieces and may change one byte, as the input chooses.
 * Whatever the pieces, all arrives and both ends end well; with a changed byte an end fails or nothing
 * has happened, and no wrong byte is ever given. Bytes of the input: the position of the change (3, a
 * multiple of 16 none) and what is changed in it, then lengths of pieces, again and again. */
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "nido.h"
#include "nido/tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(x) ((x) ? (void)0 : must_fail(#x, __LINE__))

enum { BYTES = 40000 };

static void must_fail(const char *what, int line)
{
    fprintf(stderr, "tests/fuzz/tls.c:%d: %s\n", line, what);
    abort();
}

static struct {
    const uint8_t *pieces;
    size_t count, next;
    size_t passed, change; /* bytes through the relay, of both directions */
    bool changes, changed;
    uint8_t with;
    int server[2], client[2];
    int served, asked;
    nido_tls *tls[2];
} it;

/* ---- The relay ---- */

static size_t next_piece(void)
{
    return it.count ? 1 + 4u * it.pieces[it.next++ % it.count] : 4096;
}

static void change_one(unsigned char *bytes, size_t n)
{
    if (it.changes && it.change >= it.passed && it.change < it.passed + n) {
        bytes[it.change - it.passed] ^= it.with;
        it.changed = true;
    }
    it.passed += n;
}

static int relay(int from, int to)
{
    unsigned char bytes[4096];
    ssize_t n;

    for (;;) {
        size_t want = next_piece();

        n = nido_read(from, bytes, want < sizeof bytes ? want : sizeof bytes);
        if (n <= 0) break;
        change_one(bytes, (size_t)n);
        if (nido_write_all(to, bytes, (size_t)n, NULL)) break;
    }
    shutdown(to, SHUT_WR);
    return n == -ECANCELED ? (int)n : 0;
}

static int relay_forth(void *unused)
{
    (void)unused;
    return relay(it.client[1], it.server[1]);
}

static int relay_back(void *unused)
{
    (void)unused;
    return relay(it.server[1], it.client[1]);
}

/* ---- The ends ---- */

static unsigned char byte_at(size_t position)
{
    return (unsigned char)(position * 3 + position / 251);
}

static int write_bytes(void *stream)
{
    unsigned char bytes[3001];
    int rc = 0;

    for (size_t at = 0; at < BYTES && !rc; at += sizeof bytes) {
        for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = byte_at(at + i);
        if (at > BYTES / 2 && at < BYTES / 2 + sizeof bytes)
            SSL_key_update(nido_tls_ssl(stream), SSL_KEY_UPDATE_REQUESTED);
        rc = nido_stream_write(stream, bytes, at + sizeof bytes < BYTES ? sizeof bytes : BYTES - at,
                               NULL);
    }
    return rc ? rc : nido_stream_shutdown(stream);
}

static int read_bytes(void *stream)
{
    unsigned char bytes[2000];
    size_t got = 0;
    ssize_t n;

    while ((n = nido_stream_read(stream, bytes, sizeof bytes)) > 0)
        for (ssize_t i = 0; i < n; i++) MUST(bytes[i] == byte_at(got++));
    MUST(n < 0 || got == BYTES);
    return (int)n;
}

static int exchange(nido_stream *stream)
{
    nido_group group;
    int rc;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    rc = nido_spawn(&group, read_bytes, stream);
    if (!rc) rc = nido_spawn(&group, write_bytes, stream);
    rc = nido_group_close(&group, rc);
    nido_stream_close(stream);
    return rc;
}

static int serve(void *unused)
{
    nido_stream stream;

    (void)unused;
    it.served = nido_tls_accept(&stream, it.tls[0], it.server[0], NULL);
    if (it.served)
        nido_close(it.server[0]);
    else
        it.served = exchange(&stream);
    return 0;
}

static int ask(void *unused)
{
    nido_stream stream;

    (void)unused;
    it.asked = nido_tls_connect(&stream, it.tls[1], it.client[0], "fuzz", NULL);
    if (it.asked)
        nido_close(it.client[0]);
    else
        it.asked = exchange(&stream);
    return 0;
}

static int meet(void *unused)
{
    nido_fn *const tasks[] = {relay_forth, relay_back, serve, ask};
    nido_group group;
    int rc = 0;

    (void)unused;
    MUST(!nido_socketpair(AF_UNIX, SOCK_STREAM, 0, it.server));
    MUST(!nido_socketpair(AF_UNIX, SOCK_STREAM, 0, it.client));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 4 && !rc; i++) rc = nido_spawn(&group, tasks[i], NULL);
    rc = nido_group_close(&group, rc);
    nido_close(it.server[1]);
    nido_close(it.client[1]);
    return rc;
}

/* ---- A certificate ---- */

static char *pem_of(X509 *certificate, EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    long length;

    PEM_write_bio_X509(bio, certificate);
    PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    length = BIO_get_mem_data(bio, &text);
    text = OPENSSL_strndup(text, (size_t)length);
    BIO_free(bio);
    return text;
}

static void make_contexts(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    char *pem;

    X509_gmtime_adj(X509_getm_notBefore(certificate), -86400);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)"fuzz", -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    X509_set_pubkey(certificate, key);
    X509_sign(certificate, key, EVP_sha256());
    pem = pem_of(certificate, key);
    MUST(!nido_tls_new(&NIDO_TLS_OPTIONS(.certificate = pem), &it.tls[0]));
    MUST(!nido_tls_new(&NIDO_TLS_OPTIONS(.ca = pem, .no_sessions = true), &it.tls[1]));
    OPENSSL_free(pem);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nido_options options;
    size_t position;

    if (size < 4) return 0;
    if (!it.tls[0]) make_contexts();
    position = data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16;
    it.changes = position % 16 != 0 && data[3] != 0;
    it.change = position % (2 * BYTES + 8000);
    it.with = data[3];
    it.pieces = data + 4;
    it.count = size - 4;
    it.next = it.passed = 0;
    it.changed = false;
    nido_options_init(&options);
    options.clock = NIDO_CLOCK_VIRTUAL;
    MUST(nido_run(meet, NULL, &options) == 0);
    MUST(it.changed || (it.served == 0 && it.asked == 0));
    return 0;
}
