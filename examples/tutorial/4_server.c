/* SPDX-License-Identifier: MIT */
/* Step 4: a server with a task for each connection. */
#include <arpa/inet.h>
#include <errno.h>
#include <nido.h>
#include <stdio.h>

static int talk(void *fd)
{
    nido_stream client;
    char *line;
    size_t length;
    int rc = nido_stream_open(&client, *(int *)fd, NULL);
    if (rc < 0) return nido_close(*(int *)fd), rc;
    while ((rc = nido_stream_line(&client, &line, &length)) > 0) {
        rc = nido_stream_printf(&client, "%s has %zu letters\n", line, length);
        if (rc < 0) break;
    }
    nido_stream_close(&client);
    return rc == -ECANCELED ? rc : 0; /* a client that vanished is no failure of the server */
}

static int tell_port(int listener)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    if (getsockname(listener, (struct sockaddr *)&address, &size) < 0) return -errno;
    printf("port %d\n", ntohs(address.sin_port));
    return 0;
}

static int serve(void *port)
{
    nido_group clients;
    int listener = nido_listen("127.0.0.1", port, NULL);
    if (listener < 0) return listener;
    int rc = tell_port(listener);
    nido_group_open(&clients, NIDO_FAIL_FAST, "clients");
    while (rc == 0) {
        int fd = nido_accept(listener, NULL, NULL);
        rc = fd < 0 ? fd : nido_spawn_copy(&clients, talk, &fd, sizeof fd); /* a copy of fd */
        if (rc < 0 && fd >= 0) nido_close(fd);
    }
    nido_close(listener);
    return nido_group_close(&clients, rc);
}

int main(int argc, char **argv)
{
    nido_options options;
    nido_options_init(&options);
    options.signals = true;           /* Ctrl-C and SIGTERM cancel the root task */
    setvbuf(stdout, NULL, _IOLBF, 0); /* each line at once, through a pipe too */
    return nido_exit_status(nido_run(serve, argc > 1 ? argv[1] : "7000", &options));
}
/* a session:
 * > apple
 * < apple has 5 letters
 * > fig
 * < fig has 3 letters
 * SIGTERM
 * end of input
 * status 143
 */
