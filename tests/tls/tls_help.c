/* SPDX-License-Identifier: MIT */
/* tls_help.h, and its certificates. */
#include "tls_help.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

/* ---- Certificates ---- */

static X509 *root;
static EVP_PKEY *root_key;

static char *pem_text(X509 *certificate, EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    long length;

    PEM_write_bio_X509(bio, certificate);
    if (key) PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    length = BIO_get_mem_data(bio, &text);
    text = OPENSSL_strndup(text, (size_t)length);
    BIO_free(bio);
    return text;
}

static void extend(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

static X509 *certificate_make(const char *name, EVP_PKEY *key, long until, const char *names)
{
    X509 *certificate = X509_new();
    X509_NAME *subject = X509_get_subject_name(certificate);
    static long serial;

    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3 * 86400L);
    X509_gmtime_adj(X509_getm_notAfter(certificate), until);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(certificate, root ? X509_get_subject_name(root) : subject);
    extend(certificate, NID_basic_constraints, root ? "CA:FALSE" : "critical,CA:TRUE");
    if (names) extend(certificate, NID_subject_alt_name, names);
    return certificate;
}

const char *tls_root(void)
{
    static char *text;

    if (text) return text;
    root_key = EVP_EC_gen("P-256");
    X509 *certificate = certificate_make("a root", root_key, 86400, NULL);
    root = certificate;
    X509_sign(root, root_key, EVP_sha256());
    text = pem_text(root, NULL);
    return text;
}

const char *tls_certificate(enum tls_who who)
{
    static const char *const names = "DNS:example.org,DNS:*.example.test,IP:192.0.2.1";
    static char *texts[TLS_KINDS];
    EVP_PKEY *key;
    X509 *certificate;

    if (texts[who]) return texts[who];
    tls_root();
    key = EVP_EC_gen("P-256");
    certificate =
        certificate_make(who == TLS_CLIENT ? "a client" : "a server", key,
                         who == TLS_EXPIRED ? -86400 : 86400, who == TLS_CLIENT ? NULL : names);
    if (who == TLS_SELF) X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    X509_sign(certificate, who == TLS_SELF ? key : root_key, EVP_sha256());
    texts[who] = pem_text(certificate, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return texts[who];
}

/* ---- Contexts ---- */

nido_tls *tls_context(const nido_tls_options *options)
{
    nido_tls *tls = NULL;

    cr_assert(eq(int, nido_tls_new(options, &tls), 0), "%s", nido_error_text(nido_error_last()));
    return tls;
}

nido_tls *tls_server(enum tls_who who)
{
    return tls_context(&NIDO_TLS_OPTIONS(.certificate = tls_certificate(who)));
}

nido_tls *tls_client(void)
{
    return tls_context(&NIDO_TLS_OPTIONS(.ca = tls_root()));
}

SSL_CTX *tls_own(int version)
{
    SSL_CTX *ssl_ctx = SSL_CTX_new(TLS_method());
    BIO *bio = BIO_new_mem_buf(tls_certificate(TLS_SERVER), -1);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

    SSL_CTX_use_certificate(ssl_ctx, certificate);
    SSL_CTX_use_PrivateKey(ssl_ctx, key);
    if (root) X509_STORE_add_cert(SSL_CTX_get_cert_store(ssl_ctx), root);
    SSL_CTX_set_max_proto_version(ssl_ctx, version);
    X509_free(certificate);
    EVP_PKEY_free(key);
    BIO_free(bio);
    return ssl_ctx;
}

/* ---- Two ends ---- */

static void keep_text(char *text, int rc)
{
    const nido_error *error = nido_error_last();

    if (rc < 0 && error && nido_error_code(error) == rc)
        snprintf(text, 256, "%s", nido_error_text(error));
}

int tls_serve(void *arg)
{
    struct tls_ends *ends = arg;
    nido_stream stream;
    int rc = nido_tls_accept(&stream, ends->server, ends->fds[0], ends->options);

    if (rc == 0) {
        rc = ends->serve ? ends->serve(&stream, ends) : 0;
        keep_text(ends->served_text, rc);
        if (nido_stream_fd(&stream) != -EBADF) nido_stream_close(&stream);
    } else {
        keep_text(ends->served_text, rc);
        nido_close(ends->fds[0]);
    }
    ends->served = rc;
    return rc == -ECANCELED ? rc : 0;
}

int tls_ask(void *arg)
{
    struct tls_ends *ends = arg;
    nido_stream stream;
    int rc = nido_tls_connect(&stream, ends->client, ends->fds[1],
                              ends->name ? ends->name : "example.org", NULL);

    if (rc == 0) {
        rc = ends->ask ? ends->ask(&stream, ends) : 0;
        keep_text(ends->asked_text, rc);
        if (nido_stream_fd(&stream) != -EBADF) nido_stream_close(&stream);
    } else {
        keep_text(ends->asked_text, rc);
        nido_close(ends->fds[1]);
    }
    ends->asked = rc;
    return rc == -ECANCELED ? rc : 0;
}

void tls_meet(struct tls_ends *ends)
{
    cr_assert(eq(int, nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends->fds), 0));
    cr_expect(eq(int, TOGETHER(ends, tls_serve, tls_ask), 0));
}

void tls_ends_free(struct tls_ends *ends)
{
    nido_tls_free(ends->server);
    nido_tls_free(ends->client);
}

bool tls_told(const char *text, const char *part)
{
    bool told = strstr(text, part) != NULL;

    cr_expect(told, "\"%s\", not \"%s\"", text, part);
    return told;
}

int tls_answer_lines(nido_stream *stream, struct tls_ends *ends)
{
    size_t length;
    char *line;
    int rc;

    (void)ends;
    while ((rc = nido_stream_wait(stream)) > 0) {
        rc = nido_stream_line(stream, &line, &length);
        if (rc > 0) rc = nido_stream_printf(stream, "<%s>\n", line);
        if (rc <= 0) break;
    }
    return rc;
}
