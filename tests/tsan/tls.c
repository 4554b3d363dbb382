/* SPDX-License-Identifier: MIT */
/* A nido_tls that several threads share, for ThreadSanitizer (threads.c): each shard has connections of its
 * own, as the server and as the client, and resumes sessions that others have begun. */
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/socket.h>

#include "must.h"
#include "nido.h"
#include "nido/tls.h"

enum { SHARDS = 3, ROUNDS = 12 };

static nido_tls *shared;
static int resumed[SHARDS];

/* ---- A certificate for example.org, signed by itself, with its key ---- */

static X509 *certificate_for(EVP_PKEY *key)
{
    X509 *certificate = X509_new();
    X509_NAME *subject = X509_get_subject_name(certificate);
    X509_EXTENSION *names =
        X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:example.org");

    X509_set_version(certificate, 2);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -86400);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)"x", -1, -1, 0);
    X509_set_issuer_name(certificate, subject);
    X509_add_ext(certificate, names, -1);
    X509_EXTENSION_free(names);
    MUST(X509_sign(certificate, key, EVP_sha256()) > 0);
    return certificate;
}

static void context_make(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = certificate_for(key);
    BIO *bio = BIO_new(BIO_s_mem());
    char text[8192];
    int n;

    PEM_write_bio_X509(bio, certificate);
    PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    n = BIO_read(bio, text, sizeof text - 1);
    MUST(n > 0);
    text[n] = '\0';
    MUST(nido_tls_new(&NIDO_TLS_OPTIONS(.certificate = text, .ca = text), &shared) == 0);
    BIO_free(bio);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

/* ---- Connections ---- */

static int answer(void *arg)
{
    nido_stream stream;
    char *line;
    size_t length;

    MUST(nido_tls_accept(&stream, shared, *(int *)arg, NULL) == 0);
    MUST(nido_stream_line(&stream, &line, &length) == 1);
    MUST(nido_stream_printf(&stream, "<%s>\n", line) > 0);
    MUST(nido_stream_flush(&stream) == 0);
    MUST(nido_stream_line(&stream, &line, &length) == 0);
    nido_stream_close(&stream);
    return 0;
}

static void ask(int fd, int *was_resumed)
{
    nido_stream stream;
    char *line;
    size_t length;

    MUST(nido_tls_connect(&stream, shared, fd, "example.org", NULL) == 0);
    *was_resumed += nido_tls_resumed(&stream);
    MUST(nido_stream_printf(&stream, "hello\n") > 0);
    MUST(nido_stream_line(&stream, &line, &length) == 1 && strcmp(line, "<hello>") == 0);
    nido_stream_close(&stream);
}

static int talk(unsigned shard, void *unused)
{
    (void)unused;
    for (int i = 0; i < ROUNDS; i++) {
        nido_group group;
        int fds[2];

        MUST(nido_socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
        nido_group_open(&group, NIDO_FAIL_FAST, "both");
        MUST(nido_spawn(&group, answer, &fds[0]) == 0);
        ask(fds[1], &resumed[shard]);
        MUST(nido_group_close(&group, 0) == 0);
    }
    return 0;
}

int main(void)
{
    int all = 0;

    context_make();
    MUST(nido_shards(SHARDS, talk, NULL, NULL) == 0);
    for (int i = 0; i < SHARDS; i++) all += resumed[i];
    MUST(all > 0);
    nido_tls_free(shared);
    printf("%d connections, some of %d resumed\n", SHARDS * ROUNDS, all);
    return 0;
}
