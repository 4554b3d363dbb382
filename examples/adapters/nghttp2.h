/* SPDX-License-Identifier: MIT */
/* nghttp2.h: a server of HTTP/2 over nido_serve: a task for each request.
 *
 *     static int answer(h2_request *request, void *ctx)      in a task of its own; may wait
 *     {
 *         return h2_respond(request, 200, "text/plain", "hello\n", 6);
 *     }
 *
 *     static int serve_client(nido_stream *stream, void *ctx)
 *     {
 *         return h2_serve(stream, answer, ctx);
 *     }
 *
 *     nido_serve(nido_listen(NULL, "8080", NULL), serve_client, ctx, NULL);
 *
 * The client speaks HTTP/2 from the start, in the clear or over a stream of TLS. At the end of the
 * server (nido_serve drains) the client is told by GOAWAY, and requests that have come are answered. */
#ifndef ADAPTER_NGHTTP2_H
#define ADAPTER_NGHTTP2_H

#include <nghttp2/nghttp2.h>
#include <nido.h>

/* One request. Private fields are in nghttp2.c. */
typedef struct h2_request h2_request;

/* Answers a request; the task is cancelled when the client gives the request up. < 0, or no answer:
 * the client gets the status 500. */
typedef int h2_handler(h2_request *request, void *ctx);

/* Serves a connection to its end: a handler of nido_serve. Cancellation point. 0; -EPROTO: the client
 * does not speak HTTP/2, or broke its rules; -ENOMEM; or as nido_stream_line and nido_stream_write. */
int h2_serve(nido_stream *stream, h2_handler *handler, void *ctx);

/* What is asked for, "" if the client did not say; valid until the handler returns. */
const char *h2_method(const h2_request *request);
const char *h2_path(const h2_request *request);
/* The body, *length bytes. */
const char *h2_body(const h2_request *request, size_t *length);

/* Answers with a copy of the body; once for each request. Not a cancellation point. 0; -EALREADY;
 * -ENOMEM; -ECANCELED: the client has given the request up. */
int h2_respond(h2_request *request, int status, const char *type, const void *body, size_t length);

#endif
