/* SPDX-License-Identifier: MIT */
/* redis_count: tasks that count in Redis, all over one connection.
 *
 * Shows the adapter for hiredis (../adapters/hiredis.h): every task sends and waits as if the
 * connection were its own, and their requests are pipelined.
 *
 *     ./app_redis_count HOST PORT TASKS REQUESTS [TIMEOUT_MS]
 *     ./app_redis_count 127.0.0.1 6379 100 1000
 */
#include <errno.h>
#include <nido/sugar.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "../adapters/hiredis.h"

struct count {
    const char *host, *port;
    long tasks, requests; /* of each task */
    int64_t timeout_ns;
    hr_conn conn;
};

static int send_requests(void *arg)
{
    struct count *count = arg;
    redisReply *reply;
    int rc = 0;
    for (long i = 0; i < count->requests && rc == 0; i++) {
        rc = hr_command(&count->conn, &reply, "INCR count");
        if (rc == 0) freeReplyObject(reply);
    }
    return rc;
}

static int count_and_print(struct count *count)
{
    redisReply *reply;
    nido_group tasks;
    int rc = 0;
    nido_group_open(&tasks, NIDO_FAIL_FAST, "tasks");
    for (long i = 0; i < count->tasks && rc == 0; i++)
        rc = nido_spawn(&tasks, send_requests, count);
    rc = nido_group_close(&tasks, rc);
    if (rc == 0) rc = hr_command(&count->conn, &reply, "GET count");
    if (rc < 0) return rc;
    printf("count is %s, after %llu writes\n", reply->str, (unsigned long long)count->conn.writes);
    freeReplyObject(reply);
    return 0;
}

static int app(void *arg)
{
    struct count *count = arg;
    nido_group group;
    nido_group_open(&group, NIDO_FAIL_FAST, "app");
    int rc = hr_open(&count->conn, &group, count->host, count->port);
    if (rc == 0) rc = NIDO_TIMEOUT(count->timeout_ns, count_and_print(count));
    rc = nido_group_close(&group, rc);
    hr_close(&count->conn);
    return rc;
}

int main(int argc, char **argv)
{
    if (argc < 5 || argc > 6) {
        fprintf(stderr, "usage: %s HOST PORT TASKS REQUESTS [TIMEOUT_MS]\n", argv[0]);
        return 2;
    }
    struct count count = {.host = argv[1],
                          .port = argv[2],
                          .tasks = strtol(argv[3], NULL, 10),
                          .requests = strtol(argv[4], NULL, 10),
                          .timeout_ns = argc > 5 ? NIDO_MS(strtol(argv[5], NULL, 10)) : NIDO_NEVER};
    signal(SIGPIPE, SIG_IGN); /* hiredis writes with write(2) */
    return nido_exit_status(nido_run(app, &count, &NIDO_OPTIONS(.signals = true)));
}
