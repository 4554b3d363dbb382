/* SPDX-License-Identifier: MIT */
/* Step 6: nido_serve makes the tasks and the streams, and ends in good order. */
#include <arpa/inet.h>
#include <errno.h>
#include <nido.h>
#include <stdio.h>
#include <string.h>

struct server {
    const char *port;
    char words[1000][32];
    int counts[1000], words_known;
};

static int count(struct server *server, const char *word)
{
    int i = 0;
    while (i < server->words_known && strcmp(server->words[i], word) != 0) i++;
    if (i == 1000) return -ENOSPC;
    if (i == server->words_known)
        snprintf(server->words[server->words_known++], sizeof *server->words, "%s", word);
    return ++server->counts[i];
}

static int answer(nido_stream *client, void *server)
{
    char *line;
    size_t length;
    int rc;
    while ((rc = nido_stream_wait(client)) > 0) { /* between two requests: 0 also in a drain */
        rc = nido_stream_line(client, &line, &length);
        if (rc <= 0) break;
        if (length > 31) return nido_fail(-EMSGSIZE, "a word of %zu letters", length);
        rc = nido_sleep(NIDO_MS(100)); /* hard work */
        if (rc == 0) rc = count(server, line);
        if (rc > 0) rc = nido_stream_printf(client, "%s %d\n", line, rc);
        if (rc < 0) break;
    }
    return rc;
}

static int serve(void *arg)
{
    struct server *server = arg;
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int listener = nido_listen("127.0.0.1", server->port, NULL);
    if (listener >= 0 && getsockname(listener, (struct sockaddr *)&address, &size) == 0)
        printf("port %d\n", ntohs(address.sin_port));
    nido_stream_options stream;
    nido_stream_options_init(&stream);
    stream.idle_ns = NIDO_SEC(30); /* between two requests */
    stream.read_ns = NIDO_SEC(5);  /* within one */
    return nido_serve(
        listener, answer, server,
        &NIDO_SERVE_OPTIONS(.stream = &stream, .limit = 1000, .drain_ns = NIDO_SEC(5)));
}

int main(int argc, char **argv)
{
    static struct server server;
    server.port = argc > 1 ? argv[1] : "7000";
    setvbuf(stdout, NULL, _IOLBF, 0);
    int rc = nido_run(serve, &server, NULL);
    printf("%d words; %d connections were cut\n", server.words_known, rc > 0 ? rc : 0);
    return nido_exit_status(rc);
}
/* a session:
 * > apple
 * < apple 1
 * > fig
 * SIGTERM
 * < fig 1
 * end of input
 * status 0
 */
