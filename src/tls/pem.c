/* SPDX-License-Identifier: MIT */
/* tls/pem.c: certificates and keys, from files or from texts. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "nido/error.h"
#include "tls/tls.h"

static bool pem_is_text(const char *source)
{
    return strstr(source, "-----BEGIN") != NULL;
}

static int pem_refused(const char *what, const char *source)
{
    char text[160];

    snprintf(text, sizeof text, "%s%s%s", what, pem_is_text(source) ? "" : " ",
             pem_is_text(source) ? "" : source);
    return nidoi_tls_refused(text);
}

static bool is_directory(const char *path)
{
    struct stat file;

    return stat(path, &file) == 0 && S_ISDIR(file.st_mode);
}

/* OpenSSL would find an empty file. */
static BIO *pem_open(const char *source)
{
    ERR_clear_error();
    if (!pem_is_text(source) && is_directory(source)) {
        ERR_raise(ERR_LIB_SYS, EISDIR);
        return NULL;
    }
    return pem_is_text(source) ? BIO_new_mem_buf(source, -1) : BIO_new_file(source, "r");
}

/* OpenSSL would ask the terminal. */
static int no_password(char *buf, int size, int writing, void *asked)
{
    (void)buf, (void)size, (void)writing;
    if (asked) *(bool *)asked = true;
    return -1;
}

static X509 *pem_next(BIO *bio)
{
    return PEM_read_bio_X509_AUX(bio, NULL, no_password, NULL);
}

/* After pem_next gave none: is that all of them? */
static bool pem_at_end(void)
{
    unsigned long error = ERR_peek_last_error();
    bool end = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;

    if (end) ERR_clear_error();
    return end;
}

typedef int pem_use_fn(SSL_CTX *ssl_ctx, X509 *certificate, int number);

/* All certificates of a source, at least one. 0 or -1. */
static int pem_use_each(SSL_CTX *ssl_ctx, BIO *bio, pem_use_fn *use)
{
    int number = 0, ok = 1;
    X509 *certificate;

    while (ok && (certificate = pem_next(bio)) != NULL) {
        ok = use(ssl_ctx, certificate, number++);
        X509_free(certificate);
    }
    if (!ok || !number) return -1;
    return pem_at_end() ? 0 : -1;
}

static int pem_use(SSL_CTX *ssl_ctx, const char *source, pem_use_fn *use, const char *what)
{
    BIO *bio = pem_open(source);
    int rc = bio ? pem_use_each(ssl_ctx, bio, use) : -1;

    BIO_free(bio);
    return rc ? pem_refused(what, source) : 0;
}

static int certificate_use(SSL_CTX *ssl_ctx, X509 *certificate, int number)
{
    if (number) return SSL_CTX_add1_chain_cert(ssl_ctx, certificate) != 0;
    return SSL_CTX_use_certificate(ssl_ctx, certificate) == 1;
}

int nidoi_tls_use_certificate(SSL_CTX *ssl_ctx, const char *source)
{
    return pem_use(ssl_ctx, source, certificate_use, "certificate");
}

/* Clients are told the names of the roots, so that they know which certificate to show. */
static int ca_use(SSL_CTX *ssl_ctx, X509 *certificate, int number)
{
    (void)number;
    return X509_STORE_add_cert(SSL_CTX_get_cert_store(ssl_ctx), certificate) == 1 &&
           SSL_CTX_add_client_CA(ssl_ctx, certificate) == 1;
}

int nidoi_tls_use_ca(SSL_CTX *ssl_ctx, const char *source)
{
    return pem_use(ssl_ctx, source, ca_use, "ca");
}

int nidoi_tls_use_key(SSL_CTX *ssl_ctx, const char *source)
{
    BIO *bio = pem_open(source);
    bool encrypted = false;
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, &encrypted) : NULL;
    int ok = key ? SSL_CTX_use_PrivateKey(ssl_ctx, key) : 0;

    BIO_free(bio);
    EVP_PKEY_free(key);
    if (encrypted)
        return nido_fail(-EINVAL,
                         "nido_tls_new: the key is encrypted: only an ssl_ctx can have it");
    return ok == 1 ? 0 : pem_refused("key", source);
}
