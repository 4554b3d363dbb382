/* SPDX-License-Identifier: MIT */
/* tls_help.h: certificates made here, and two ends of TLS in one run. */
#ifndef TLS_HELP_H
#define TLS_HELP_H

#include <openssl/ssl.h>
#include <string.h>

#include "io_help.h"
#include "nido/tls.h"

/* PEM texts: of one root, and of what it has signed, each with its key behind it. They last as long
 * as the process. */
const char *tls_root(void);
enum tls_who {
    TLS_SERVER,  /* for example.org, *.example.test and 192.0.2.1 */
    TLS_EXPIRED, /* the same, until yesterday */
    TLS_SELF,    /* the same, signed by itself */
    TLS_CLIENT,
    TLS_KINDS
};
const char *tls_certificate(enum tls_who who);

/* A context, or the end of the test. */
nido_tls *tls_context(const nido_tls_options *options);
nido_tls *tls_server(enum tls_who who);
nido_tls *tls_client(void);
/* One of the caller's own, with the server's certificate. */
SSL_CTX *tls_own(int version);

/* The two ends: what each does after its handshake, in a task of its own. */
struct tls_ends {
    nido_tls *server, *client;
    const char *name; /* of the server, as the client asks for it */
    int (*serve)(nido_stream *stream, struct tls_ends *ends);
    int (*ask)(nido_stream *stream, struct tls_ends *ends);
    const nido_stream_options *options;     /* of the server's stream */
    int fds[2];                             /* the server's, the client's */
    int served, asked;                      /* results */
    char served_text[256], asked_text[256]; /* of the failures */
    void *more;
};

/* Runs both over a pair of sockets in this run, and closes all; the contexts remain. */
void tls_meet(struct tls_ends *ends);
/* The two tasks of tls_meet, for tests that put something in between. */
int tls_serve(void *ends);
int tls_ask(void *ends);
void tls_ends_free(struct tls_ends *ends);

/* A server of lines, as `serve`. */
int tls_answer_lines(nido_stream *stream, struct tls_ends *ends);

/* The text of the last failure has `part`. */
bool tls_told(const char *text, const char *part);

#endif
