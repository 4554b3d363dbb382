/* SPDX-License-Identifier: MIT */
/* isolated_parser: a parser that may crash, in a process of its own.
 *
 * Shows a pool of worker processes: each line that a client sends is parsed in a worker. The parser
 * is a bad one: of "sum 2" it misses the second number and follows a null pointer. That ends its
 * worker; the client is told, the others notice nothing, and the next line gets a new worker.
 *
 *     ./example_isolated_parser PORT [CONNECTIONS]
 *     ./example_isolated_parser 7000        then, for instance by nc: sum 2 3
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <nido.h>
#include <nido/sugar.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct server {
    const char *port;
    long connections; /* 0: no end */
    int fd;
    nido_procpool *parsers;
};

struct serve_args {
    int fd;
    nido_procpool *parsers;
};

/* ---- In the worker ---- */

static int parse(nido_procjob *job)
{
    char *rest, answer[32];
    char *verb = strtok_r(nido_procjob_input(job, NULL), " \r", &rest);
    if (!verb || strcmp(verb, "sum") != 0) return -EINVAL;
    char *first = strtok_r(NULL, " \r", &rest), *second = strtok_r(NULL, " \r", &rest);
    long sum = strtol(first, NULL, 10) + strtol(second, NULL, 10); /* are they there? */
    int len = snprintf(answer, sizeof answer, "%ld\n", sum);
    return nido_procjob_reply(job, answer, (size_t)len);
}

/* ---- In the server ---- */

static int write_text(int fd, const char *text)
{
    return nido_write_all(fd, text, strlen(text), NULL);
}

/* A crash is an answer like any other. */
static int answer(int fd, nido_procpool *parsers, const char *line, size_t len)
{
    char text[300];
    nido_procpool_call_options options;
    nido_procpool_result result;
    nido_procpool_call_options_init(&options);
    options.name = "parse";
    int rc = nido_procpool_call(parsers, parse, line, len, &options, &result);
    if (rc == -ECANCELED) return rc;
    if (rc >= 0)
        rc = write_text(fd, result.data);
    else {
        snprintf(text, sizeof text, "%s: %s\n", result.died ? "crashed" : "failed",
                 nido_error_text(nido_error_last()));
        rc = write_text(fd, text);
    }
    nido_procpool_result_deinit(&result);
    return rc;
}

static int serve_lines(int fd, nido_procpool *parsers)
{
    char line[4096];
    size_t used = 0;
    for (;;) {
        char *end = memchr(line, '\n', used);
        if (end) {
            int rc = answer(fd, parsers, line, (size_t)(end - line));
            if (rc < 0) return rc;
            used -= (size_t)(end + 1 - line);
            memmove(line, end + 1, used);
            continue;
        }
        if (used == sizeof line) return write_text(fd, "failed: the line is too long\n");
        ssize_t n = nido_read(fd, line + used, sizeof line - used);
        if (n <= 0) return (int)n;
        used += (size_t)n;
    }
}

/* A lost client is no failure of the server: only a cancellation is passed on. */
static int serve(void *arg)
{
    const struct serve_args *client = arg;
    NIDO_SCOPED_FD fd = client->fd;
    return serve_lines(fd, client->parsers) == -ECANCELED ? -ECANCELED : 0;
}

static int accept_all(nido_group *clients, void *arg)
{
    const struct server *server = arg;
    for (long n = 0; server->connections == 0 || n < server->connections; n++) {
        int fd = nido_accept(server->fd, NULL, NULL);
        if (fd < 0) return fd;
        int rc = NIDO_SPAWN(clients, serve, .fd = fd, .parsers = server->parsers);
        if (rc < 0) {
            nido_close(fd);
            return rc;
        }
    }
    return 0;
}

static int listen_and_serve(void *arg)
{
    struct server *server = arg;
    NIDO_SCOPED_FD fd = nido_listen("127.0.0.1", server->port, NULL);
    if (fd < 0) return fd;
    int bound = nido_local_port(fd);
    if (bound < 0) return bound;
    printf("listening on port %d\n", bound);
    server->fd = fd;
    int rc = nido_procpool_new(NULL, &server->parsers);
    if (rc < 0) return rc;
    rc = nido_with_group(NIDO_WAIT_ALL, accept_all, server);
    nido_procpool_free(server->parsers); /* no call is left: it only lets the workers go */
    return rc;
}

int main(int argc, char **argv)
{
    int rc = nido_procpool_prepare(); /* first of all: workers are forks of what is here now */
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: %s PORT [CONNECTIONS]\n", argv[0]);
        return 2;
    }
    struct server server = {.port = argv[1],
                            .connections = argc > 2 ? strtol(argv[2], NULL, 10) : 0};
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    if (rc == 0) rc = nido_run(listen_and_serve, &server, NULL);
    if (rc < 0) fprintf(stderr, "isolated_parser: %s\n", nido_strerror(rc));
    return nido_exit_status(rc);
}
