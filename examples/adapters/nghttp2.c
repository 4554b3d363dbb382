/* SPDX-License-Identifier: MIT */
/* nghttp2.c: see nghttp2.h. nghttp2 is a state machine: one task feeds it what arrives, another sends
 * what it gives out, and each request is a third. */
#define _POSIX_C_SOURCE 200809L
#include "nghttp2.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_REQUESTS = 100 /* of a connection at once */, LONGEST_BODY = 1 << 20 };

struct h2_conn {
    nido_stream *stream;
    h2_handler *handler;
    void *ctx;
    nghttp2_session *session;
    nido_group *tasks;
    h2_request *requests; /* all of them */
    nido_event work;      /* there may be something to send */
    nido_scope *reading;  /* cancelled when there is nothing more to come */
};

/* It belongs to its stream of HTTP/2, and to its task while that runs: the last one frees it. */
struct h2_request {
    struct h2_conn *conn;
    h2_request *next, **at; /* in the list of the connection */
    int32_t id;
    bool runs, closed, answered;
    nido_scope *scope; /* of its task, while it is in the handler */
    char *method, *path;
    char *body, *answer;
    size_t length, answer_length, answer_at;
};

static void request_free(h2_request *it)
{
    if (it->runs || !it->closed) return;
    *it->at = it->next;
    if (it->next) it->next->at = it->at;
    free(it->method);
    free(it->path);
    free(it->body);
    free(it->answer);
    free(it);
}

/* ---- The task of a request ---- */

const char *h2_method(const h2_request *request)
{
    return request->method ? request->method : "";
}

const char *h2_path(const h2_request *request)
{
    return request->path ? request->path : "";
}

const char *h2_body(const h2_request *request, size_t *length)
{
    *length = request->length;
    return request->body;
}

/* nghttp2's callback: the next bytes of an answer. */
static ssize_t give_answer(nghttp2_session *session, int32_t id, uint8_t *buf, size_t room,
                           uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
    h2_request *it = source->ptr;
    size_t n = it->answer_length - it->answer_at;
    (void)session;
    (void)id;
    (void)ctx;
    if (n > room) n = room;
    if (n > 0) memcpy(buf, it->answer + it->answer_at, n);
    it->answer_at += n;
    if (it->answer_at == it->answer_length) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static nghttp2_nv field(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), NGHTTP2_NV_FLAG_NONE};
}

int h2_respond(h2_request *request, int status, const char *type, const void *body, size_t length)
{
    char code[12], size[24];
    nghttp2_data_provider source = {.source.ptr = request, .read_callback = give_answer};
    if (request->closed) return -ECANCELED;
    if (request->answered) return -EALREADY;
    request->answer = malloc(length + 1);
    if (!request->answer) return -ENOMEM;
    if (length > 0) memcpy(request->answer, body, length);
    request->answer_length = length;
    snprintf(code, sizeof code, "%d", status);
    snprintf(size, sizeof size, "%zu", length);
    nghttp2_nv fields[] = {field(":status", code), field("content-type", type),
                           field("content-length", size)};
    if (nghttp2_submit_response(request->conn->session, request->id, fields, 3, &source))
        return -ENOMEM;
    request->answered = true;
    return nido_event_set(&request->conn->work);
}

static int request_run(void *arg)
{
    h2_request *it = arg;
    nido_scope scope;
    nido_scope_open(&scope);
    it->scope = &scope;
    int rc = it->closed ? 0 : it->conn->handler(it, it->conn->ctx);
    it->scope = NULL;
    rc = nido_scope_close(&scope, rc);
    if (!it->answered && !it->closed) h2_respond(it, 500, "text/plain", "error\n", 6);
    it->runs = false;
    request_free(it);
    return rc == -ECANCELED ? rc : 0; /* a failure of one is not one of the connection */
}

/* ---- nghttp2's callbacks ---- */

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    h2_request *it;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    if (!(it = calloc(1, sizeof *it))) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    it->conn = ctx;
    it->id = frame->hd.stream_id;
    it->at = &it->conn->requests;
    it->next = it->conn->requests;
    if (it->next) it->next->at = &it->next;
    it->conn->requests = it;
    nghttp2_session_set_stream_user_data(session, it->id, it);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t length, const uint8_t *value, size_t value_length, uint8_t flags,
                     void *ctx)
{
    h2_request *it = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    bool is_path = length == 5 && memcmp(name, ":path", 5) == 0;
    bool is_method = length == 7 && memcmp(name, ":method", 7) == 0;
    (void)flags;
    (void)ctx;
    if (!it || !(is_path || is_method)) return 0;
    char *copy = strndup((const char *)value, value_length);
    if (is_path)
        it->path = copy;
    else
        it->method = copy;
    return copy ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes,
                   size_t length, void *ctx)
{
    h2_request *it = nghttp2_session_get_stream_user_data(session, id);
    char *body =
        it && length <= LONGEST_BODY - it->length ? realloc(it->body, it->length + length) : NULL;
    (void)flags;
    (void)ctx;
    if (!body) return nghttp2_submit_rst_stream(session, 0, id, NGHTTP2_REFUSED_STREAM);
    memcpy(body + it->length, bytes, length);
    it->body = body;
    it->length += length;
    return 0;
}

/* The end of a request: its task begins. */
static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    struct h2_conn *conn = ctx;
    h2_request *it = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    bool is_end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (!it || !is_end || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
        return 0;
    it->runs = nido_spawn(conn->tasks, request_run, it) == 0;
    return it->runs ? 0 : nghttp2_submit_rst_stream(session, 0, it->id, NGHTTP2_REFUSED_STREAM);
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t error, void *ctx)
{
    h2_request *it = nghttp2_session_get_stream_user_data(session, id);
    (void)error;
    (void)ctx;
    if (!it) return 0;
    it->closed = true;
    if (it->scope) nido_scope_cancel(it->scope, 0, "the client has given the request up");
    request_free(it);
    return 0;
}

static int session_new(struct h2_conn *conn)
{
    nghttp2_settings_entry most = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, MOST_REQUESTS};
    nghttp2_session_callbacks *callbacks;
    if (nghttp2_session_callbacks_new(&callbacks)) return -ENOMEM;
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    int rc = nghttp2_session_server_new(&conn->session, callbacks, conn);
    nghttp2_session_callbacks_del(callbacks);
    if (rc == 0 && nghttp2_submit_settings(conn->session, 0, &most, 1))
        nghttp2_session_del(conn->session), rc = -1;
    return rc ? -ENOMEM : 0;
}

/* ---- The connection ---- */

static int send_some(struct h2_conn *conn)
{
    const uint8_t *bytes;
    ssize_t n;
    int rc = 0;
    while (rc == 0 && (n = nghttp2_session_mem_send(conn->session, &bytes)) != 0)
        rc = n < 0 ? -ENOMEM : nido_stream_write(conn->stream, bytes, (size_t)n, NULL);
    return rc == 0 ? nido_stream_flush(conn->stream) : rc;
}

/* A service. Whatever ends it, the connection has no use without it. */
static int send_all(void *arg)
{
    struct h2_conn *conn = arg;
    int rc = 0;
    while (rc == 0) {
        nido_event_reset(&conn->work);
        rc = send_some(conn);
        if (rc == 0 && !nghttp2_session_want_read(conn->session) &&
            !nghttp2_session_want_write(conn->session))
            return nido_scope_cancel(conn->reading, 0, "all is said"), 0;
        if (rc == 0) rc = nido_event_wait(&conn->work);
    }
    nido_group_cancel(conn->tasks, -EPIPE, "nothing can be sent");
    return rc;
}

/* Reads to the end of the client. When the server is about to end, the client is told. */
static int receive_all(struct h2_conn *conn)
{
    bool told = false;
    char *bytes;
    ssize_t n;
    for (;;) {
        n = told ? 1 : nido_stream_wait(conn->stream);
        if (n == 0 && nido_stream_stopping(conn->stream)) {
            int32_t last = nghttp2_session_get_last_proc_stream_id(conn->session);
            nghttp2_submit_goaway(conn->session, 0, last, NGHTTP2_NO_ERROR, NULL, 0);
            nido_event_set(&conn->work);
            told = true;
        }
        if (n >= 0) n = nido_stream_peek(conn->stream, 1, &bytes);
        if (n <= 0) return (int)n;
        ssize_t used = nghttp2_session_mem_recv(conn->session, (uint8_t *)bytes, (size_t)n);
        nido_event_set(&conn->work);
        if (used < 0) return nido_fail(-EPROTO, "%s", nghttp2_strerror((int)used));
        nido_stream_take(conn->stream, (size_t)n);
    }
}

int h2_serve(nido_stream *stream, h2_handler *handler, void *ctx)
{
    struct h2_conn conn = {.stream = stream, .handler = handler, .ctx = ctx};
    nido_scope reading;
    nido_group tasks;
    int rc = session_new(&conn);
    if (rc < 0) return rc;
    nido_event_init(&conn.work, "answers");
    nido_group_open(&tasks, NIDO_FAIL_FAST, "requests");
    conn.tasks = &tasks;
    nido_scope_open(&reading);
    conn.reading = &reading;
    rc = nido_spawn_with(&tasks, send_all, &conn,
                         &NIDO_SPAWN_OPTIONS(.name = "send", .service = true), NULL);
    if (rc == 0) rc = receive_all(&conn);
    rc = nido_scope_close(&reading, rc);
    if (rc == 0) nido_group_cancel(&tasks, 0, "the client is gone");
    rc = nido_group_close(&tasks, rc);
    nghttp2_session_del(conn.session); /* which closes no streams */
    while (conn.requests) {
        conn.requests->closed = true;
        request_free(conn.requests);
    }
    return rc;
}
