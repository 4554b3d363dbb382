/* SPDX-License-Identifier: MIT */
/* sick/slow_peer: a client that does not read holds a task for ever.
 *
 * The socket's buffers are full, the write waits for room, and no deadline covers it. Only the dump shows it: Ctrl-\ of a
 * run with NIDO_DEBUG=dump (this program asks by itself, after a second). The cure: a deadline around what depends on a
 * peer.
 *
 *     ./sick_slow_peer             ./sick_slow_peer cured
 */
#include <errno.h>
#include <nido.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>

static bool cured;

static int peers[2];

static int send_page(void *unused)
{
    static char page[1 << 20];
    (void)unused;
    return nido_write_all(peers[0], page, sizeof page, NULL);
}

static int conn(void *unused)
{
    nido_set_name("conn");
    return cured ? nido_with_timeout(NIDO_MS(300), send_page, unused)
                 : send_page(unused); /* the fault */
}

/* What a person at the terminal does. */
static int look(void *unused)
{
    (void)unused;
    nido_set_name("look");
    int rc = nido_sleep(NIDO_SEC(1));
    if (rc < 0) return rc;
    nido_dump(stderr);
    return nido_fail(-EINTR, "the operator had to stop it");
}

static int app(void *unused)
{
    nido_group tasks;
    nido_spawn_options service;
    int rc = nido_socketpair(AF_UNIX, SOCK_STREAM, 0, peers);
    if (rc < 0) return rc;
    nido_spawn_options_init(&service);
    service.service = true;
    nido_group_open(&tasks, NIDO_FAIL_FAST, "tasks");
    rc = nido_spawn(&tasks, conn, unused);
    if (rc == 0) rc = nido_spawn_with(&tasks, look, unused, &service, NULL);
    rc = nido_group_close(&tasks, rc);
    nido_close(peers[0]);
    nido_close(peers[1]);
    return rc;
}

int main(int argc, char **argv)
{
    (void)argv;
    cured = argc > 1;
    int rc = nido_run(app, NULL, NULL);
    if (rc < 0) fprintf(stderr, "slow_peer: %s\n", nido_strerror(rc));
    return nido_exit_status(rc);
}
