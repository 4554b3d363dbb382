/* SPDX-License-Identifier: MIT */
/* A server that answers lines: nido_serve makes a task and a stream for each connection, and ends in
 * good order at SIGTERM. The client is here only to show it. */
#include <arpa/inet.h>
#include <errno.h>
#include <nido.h>
#include <signal.h>
#include <stdio.h>

static int answer(nido_stream *client, void *unused)
{
    char *line;
    size_t length;
    int rc;
    (void)unused;
    while ((rc = nido_stream_wait(client)) > 0) { /* between two requests */
        rc = nido_stream_line(client, &line, &length);
        if (rc > 0) rc = nido_stream_printf(client, "you said %s\n", line);
        if (rc <= 0) break;
    }
    return rc;
}

static int serve(void *listener)
{
    return nido_serve(*(int *)listener, answer, NULL, NULL);
}

static int talk(const char *port)
{
    nido_stream server;
    char *line;
    size_t length;
    int rc = nido_stream_open(&server, nido_dial("127.0.0.1", port, NULL), NULL);
    if (rc < 0) return rc;
    rc = nido_stream_printf(&server, "hello\n");
    if (rc > 0) rc = nido_stream_line(&server, &line, &length);
    if (rc > 0) printf("%s\n", line);
    if (rc > 0) raise(SIGTERM);
    if (rc > 0) rc = nido_stream_line(&server, &line, &length);
    if (rc == 0) printf("the server has said good-bye\n");
    nido_stream_close(&server);
    return rc;
}

static int app(void *unused)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    char port[8];
    nido_group group;
    int listener = nido_listen("127.0.0.1", "0", NULL);
    (void)unused;
    if (listener < 0) return listener;
    if (getsockname(listener, (struct sockaddr *)&address, &length) < 0)
        return nido_close(listener), -errno;
    snprintf(port, sizeof port, "%d", ntohs(address.sin_port));
    nido_group_open(&group, NIDO_FAIL_FAST, "server and client");
    int rc = nido_spawn(&group, serve, &listener);
    if (rc == 0) rc = talk(port);
    return nido_group_close(&group, rc);
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, NULL));
}
/* prints:
 * you said hello
 * the server has said good-bye
 */
