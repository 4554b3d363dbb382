/* SPDX-License-Identifier: MIT */
/* swept_hiredis HOST PORT: cancels the adapter for hiredis at each of its cancellation points, with a
 * real server. After each the connection must work, and nothing may be left behind. */
#include <nido/test.h>
#include <signal.h>
#include <string.h>

#include "../adapters/hiredis.h"

static char **place;
static bool is_broken; /* the last run has left a connection that does not work */

static int send_two(hr_conn *conn)
{
    redisReply *reply;
    int rc = hr_command(conn, &reply, "PING");
    if (rc == 0) freeReplyObject(reply);
    if (rc == 0) rc = hr_command(conn, &reply, "ECHO %s", "here");
    if (rc < 0) return rc;
    is_broken |= strcmp(reply->str, "here") != 0; /* the answer of another request */
    freeReplyObject(reply);
    return 0;
}

static int send_twice(void *unused)
{
    hr_conn conn;
    nido_group group;
    nido_scope scope;
    (void)unused;
    is_broken = false;
    nido_group_open(&group, NIDO_FAIL_FAST, "app");
    int rc = hr_open(&conn, &group, place[1], place[2]);
    if (rc == 0) {
        nido_scope_open(&scope);
        nido_scope_close(&scope, send_two(&conn));
        rc = send_two(&conn);
        is_broken |= nido_scope_was_cancelled(&scope) && rc < 0;
    }
    rc = nido_group_close(&group, rc);
    hr_close(&conn);
    return rc;
}

static int judge(void *unused, int rc)
{
    (void)unused;
    (void)rc;
    return is_broken ? -1 : 0;
}

int main(int argc, char **argv)
{
    nido_test_options options;
    if (argc != 3) return 2;
    place = argv;
    signal(SIGPIPE, SIG_IGN);
    nido_test_options_init(&options);
    options.name = "a connection of hiredis";
    options.flags = NIDO_TEST_INNERMOST | NIDO_TEST_LOOSE;
    options.run.clock = NIDO_CLOCK_REAL;
    options.check = judge;
    int broken = nido_sweep(send_twice, NULL, &options);
    broken += nido_sweep_memory(send_twice, NULL, &options);
    broken += nido_sweep_calls(send_twice, NULL, &options);
    return broken != 0;
}
