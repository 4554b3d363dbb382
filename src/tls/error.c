/* SPDX-License-Identifier: MIT */
/* tls/error.c: what OpenSSL says, as a code and a text. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "nido/error.h"
#include "tls/tls.h"

/* The first of the thread's errors, which caused the others; memory above all. */
static unsigned long error_take(void)
{
    unsigned long first = ERR_get_error(), error;

    for (error = first; error; error = ERR_get_error())
        if (ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE) first = error;
    return first;
}

static bool is_certificate(unsigned long error)
{
    int reason = ERR_GET_REASON(error);

    return ERR_GET_LIB(error) == ERR_LIB_SSL && (reason == SSL_R_CERTIFICATE_VERIFY_FAILED ||
                                                 reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE);
}

static bool is_alert(unsigned long error)
{
    return ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) >= SSL_AD_REASON_OFFSET &&
           ERR_GET_REASON(error) < SSL_AD_REASON_OFFSET + 256;
}

static int error_code(unsigned long error)
{
    if (ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE) return -ENOMEM;
    if (is_certificate(error)) return -EACCES;
    return is_alert(error) ? -ECONNABORTED : -EPROTO;
}

/* Of alerts that OpenSSL 3.0 calls unknown (RFC 8446, 6.2; RFC 7301). */
static const char *alert_words(int alert)
{
    switch (alert) {
    case 109:
        return "missing extension";
    case 116:
        return "certificate required";
    case 120:
        return "no application protocol";
    default:
        return SSL_alert_desc_string_long(alert);
    }
}

static const char *error_words(const struct nidoi_tls_conn *conn, unsigned long error)
{
    long verified = SSL_get_verify_result(conn->ssl);
    const char *words;

    if (is_alert(error)) return alert_words(ERR_GET_REASON(error) - SSL_AD_REASON_OFFSET);
    if (is_certificate(error) && verified != X509_V_OK)
        return X509_verify_cert_error_string(verified);
    words = ERR_reason_error_string(error);
    return words ? words : "it failed, and OpenSSL does not say why";
}

int nidoi_tls_failed(struct nidoi_tls_conn *conn)
{
    unsigned long error = error_take();

    conn->failure = error_code(error);
    return nido_fail(conn->failure, "TLS with %s: %s%s", conn->peer,
                     is_alert(error) ? "the peer refuses: " : "", error_words(conn, error));
}

int nidoi_tls_truncated(const struct nidoi_tls_conn *conn)
{
    if (!conn->established)
        return nido_fail(-EPIPE, "TLS with %s: the peer ended the connection in the handshake",
                         conn->peer);
    if (conn->tls->truncation_is_end) return 0;
    return nido_fail(-EPIPE,
                     "TLS with %s: the connection ended without close_notify: what came may be cut "
                     "short",
                     conn->peer);
}

/* Of a file or a text: OpenSSL names what it has looked for, not what is missing. */
static const char *refusal_words(unsigned long error)
{
    int library = ERR_GET_LIB(error), reason = ERR_GET_REASON(error);
    const char *words = ERR_reason_error_string(error);

    if (library == ERR_LIB_PEM && reason == PEM_R_NO_START_LINE) return "there is none in it";
    if (library == ERR_LIB_OSSL_DECODER && reason == ERR_R_UNSUPPORTED)
        return "there is none in it";
    return words ? words : "refused by OpenSSL";
}

int nidoi_tls_refused(const char *what)
{
    unsigned long error = error_take();

    if (ERR_GET_LIB(error) == ERR_LIB_SYS && ERR_GET_REASON(error) > 0) {
        int number = ERR_GET_REASON(error);

        return nido_fail(-number, "nido_tls_new: %s: %s", what, nido_strerror(-number));
    }
    if (ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE) return -ENOMEM;
    return nido_fail(-EINVAL, "nido_tls_new: %s: %s", what, refusal_words(error));
}
