/* SPDX-License-Identifier: MIT */
/* hiredis.c: see hiredis.h. hiredis formats, parses and buffers; a service of two tasks waits. */
#include "hiredis.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct hr_request {
    struct hr_request *next;
    nido_event done;   /* set when it has left the queue: with an answer, or without */
    redisReply *reply; /* NULL: none, the connection is broken */
    bool left;         /* its task is gone */
};

static void hr_finish(hr_conn *conn, redisReply *reply)
{
    struct hr_request *request = conn->first;
    conn->first = request->next;
    if (!conn->first) conn->last = &conn->first;
    if (request->left) {
        if (reply) freeReplyObject(reply);
        free(request);
        return;
    }
    request->reply = reply;
    nido_event_set(&request->done);
}

/* Whatever ends it is a failure, so that it ends the service. */
static int hr_send(void *arg)
{
    hr_conn *conn = arg;
    int done;
    while (nido_event_wait(&conn->work) == 0) {
        nido_event_reset(&conn->work);
        for (done = 0; !done; conn->writes++) {
            if (redisBufferWrite(conn->context, &done) != REDIS_OK) return -EPIPE;
            if (!done && nido_wait_fd(conn->context->fd, NIDO_OUT) < 0) return -EPIPE;
        }
    }
    return -EPIPE;
}

static int hr_receive(hr_conn *conn)
{
    void *reply;
    int rc;
    while ((rc = nido_wait_fd(conn->context->fd, NIDO_IN)) > 0) {
        if (redisBufferRead(conn->context) != REDIS_OK) return -EPIPE;
        while (redisGetReplyFromReader(conn->context, &reply) == REDIS_OK && reply) {
            if (!conn->first) return freeReplyObject(reply), -EPROTO;
            hr_finish(conn, reply);
        }
        if (conn->context->err) return -EPROTO;
    }
    return rc;
}

/* The service. Whatever ends it, no request waits any longer. */
static int hr_serve(void *arg)
{
    hr_conn *conn = arg;
    nido_group both;
    nido_group_open(&both, NIDO_FAIL_FAST, "redis");
    int rc = nido_spawn(&both, hr_send, conn);
    if (rc == 0) rc = hr_receive(conn);
    rc = nido_group_close(&both, rc);
    conn->broken = -EPIPE;
    while (conn->first) hr_finish(conn, NULL);
    return rc == -ECANCELED ? rc : 0; /* each request tells it */
}

int hr_open(hr_conn *conn, nido_group *group, const char *host, const char *port)
{
    int fd = nido_dial(host, port, NULL);
    *conn = (hr_conn){.last = &conn->first};
    if (fd < 0) return fd;
    nido_fd_forget(fd); /* from now on it is hiredis's */
    conn->context = redisConnectFd(fd);
    if (!conn->context) return close(fd), -ENOMEM;
    conn->context->flags &= ~REDIS_BLOCK;
    nido_event_init(&conn->work, "requests");
    int rc = nido_spawn_with(group, hr_serve, conn,
                             &NIDO_SPAWN_OPTIONS(.name = "redis", .service = true), NULL);
    if (rc < 0) hr_close(conn);
    return rc;
}

/* Puts a command into the buffer of the connection, and a request into the queue. */
static int hr_append(hr_conn *conn, struct hr_request *request, const char *format, va_list args)
{
    char *command;
    int length = redisvFormatCommand(&command, format, args);
    if (length < 0) return length == -1 ? -ENOMEM : -EINVAL;
    int rc = redisAppendFormattedCommand(conn->context, command, (size_t)length);
    redisFreeCommand(command);
    if (rc != REDIS_OK) return -ENOMEM;
    nido_event_init(&request->done, "reply");
    *conn->last = request;
    conn->last = &request->next;
    return nido_event_set(&conn->work);
}

static int hr_judge(hr_conn *conn, redisReply *reply)
{
    if (!reply) return nido_fail(-EPIPE, "redis: %s", conn->context->errstr);
    if (reply->type == REDIS_REPLY_ERROR) return nido_fail(-EREMOTEIO, "redis: %s", reply->str);
    return 0;
}

int hr_command(hr_conn *conn, redisReply **out, const char *format, ...)
{
    va_list args;
    if (nido_cancelled()) return -ECANCELED;
    if (conn->broken) return hr_judge(conn, NULL);
    struct hr_request *request = calloc(1, sizeof *request);
    if (!request) return -ENOMEM;
    va_start(args, format);
    int rc = hr_append(conn, request, format, args);
    va_end(args);
    if (rc < 0) return free(request), rc;
    rc = nido_event_wait(&request->done);
    if (rc < 0 && !nido_event_is_set(&request->done)) return request->left = true, rc;
    redisReply *reply = request->reply;
    free(request);
    if (rc == 0) rc = hr_judge(conn, reply);
    if (rc == 0)
        *out = reply;
    else if (reply)
        freeReplyObject(reply);
    return rc;
}

void hr_close(hr_conn *conn)
{
    if (conn->context) redisFree(conn->context);
    conn->context = NULL;
}
