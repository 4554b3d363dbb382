/* SPDX-License-Identifier: MIT */
/* hiredis.h: one connection to Redis for any number of tasks, over hiredis.
 *
 *     hr_conn conn;
 *     nido_group_open(&group, NIDO_FAIL_FAST, "app");
 *     rc = hr_open(&conn, &group, "127.0.0.1", "6379");
 *     ... in any task of the group:
 *     rc = hr_command(&conn, &reply, "SET %s %b", key, value, length);
 *     if (rc == 0) ... reply->str ..., freeReplyObject(reply);
 *     ...
 *     rc = nido_group_close(&group, rc);
 *     hr_close(&conn);
 *
 * Requests of tasks that are ready at the same time go out in one write, and no task waits for the
 * answer of another: the connection is a pipeline without a call for it. hiredis writes with
 * write(2), so the program ignores SIGPIPE. */
#ifndef ADAPTER_HIREDIS_H
#define ADAPTER_HIREDIS_H

#include <hiredis/hiredis.h>
#include <nido.h>

struct hr_request;

/* Caller's memory; all zeros is a connection that is not open. Fields are private, but for the
 * count. It stays at its address until hr_close. */
typedef struct hr_conn {
    redisContext *context;
    struct hr_request *first, **last; /* those without an answer, oldest first */
    nido_event work;                  /* there is something to send */
    int broken;                       /* why, or 0 */
    uint64_t writes;
} hr_conn;

/* Connects, and adds to the group the service that sends and receives. Cancellation point. 0, for
 * hr_close after the group's close; or as nido_dial and nido_spawn, and it is not open. */
int hr_open(hr_conn *conn, nido_group *group, const char *host, const char *port);

/* Sends a command, in the format of redisCommand, and waits for its answer. Cancellation point. 0
 * and *out, to be freed by freeReplyObject; -EREMOTEIO: the answer is an error, which is the text of
 * the failure; -EPIPE: the connection is broken, and so for every later command; -EINVAL: a bad
 * format; -ENOMEM; -ECANCELED: the server may or may not have done it, and the answer will be
 * dropped; the connection goes on. */
int hr_command(hr_conn *conn, redisReply **out, const char *format, ...);

/* Closes it. Not a cancellation point. */
void hr_close(hr_conn *conn);

#endif
