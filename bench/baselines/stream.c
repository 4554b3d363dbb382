/* SPDX-License-Identifier: MIT */
/* stream.c: floors of buffered streams: getline(3) over the same file with a buffer of the same size, and requests of a
 * line each that are answered by an epoll loop with a buffer of its own. The loop leaves out tasks, deadlines,
 * cancelling, lines that do not fit, and slow readers. */
#include "floors.h"
#include "harness/text.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- Lines ---- */

/* Bytes of all lines, without their ends; a line is a stretch up to a newline. */
static size_t getline_all(FILE *file)
{
    size_t bytes = 0, room = 0;
    char *line = NULL;
    ssize_t n;

    while ((n = getline(&line, &room, file)) > 0) bytes += (size_t)n - 1;
    free(line);
    return bytes;
}

void floor_lines(const struct bench_ask *ask, struct bench_sample *out)
{
    static char buffer[TEXT_BUFFER];
    int fd = text_file();
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    size_t bytes = 0;

    if (!file) {
        bench_fail(out, "no file of lines");
        return;
    }
    setvbuf(file, buffer, _IOFBF, sizeof buffer);
    int64_t start = bench_cpu_now();
    for (long i = 0; i < ask->rounds; i++) {
        rewind(file);
        bytes = getline_all(file);
    }
    bench_per_operation(out, bench_cpu_now() - start, ask->rounds * TEXT_LINES);
    fclose(file);
    if (bytes != text_bytes()) bench_fail(out, "the lines have %zu bytes", bytes);
}

/* ---- Requests ---- */

struct connection {
    int fd;
    size_t have;
    char in[TEXT_BUFFER], out[TEXT_BUFFER];
};

/* Answers the complete lines of the buffer with one send. False: it did not go out whole. */
static bool answer_lines(struct connection *connection)
{
    char *at = connection->in, *end = at + connection->have, *newline;
    size_t length = 0;

    while ((newline = memchr(at, '\n', (size_t)(end - at)))) {
        memcpy(connection->out + length, TEXT_ANSWER, sizeof TEXT_ANSWER - 1);
        length += sizeof TEXT_ANSWER - 1;
        at = newline + 1;
    }
    connection->have = (size_t)(end - at);
    memmove(connection->in, at, connection->have);
    return send(connection->fd, connection->out, length, MSG_NOSIGNAL) == (ssize_t)length;
}

static bool answer_batches(struct connection *connection, int epoll, long requests)
{
    struct epoll_event event;

    while (requests > 0 && epoll_wait(epoll, &event, 1, -1) == 1) {
        ssize_t n = recv(connection->fd, connection->in + connection->have,
                         sizeof connection->in - connection->have, 0);
        if (n <= 0) return false;
        for (const char *at = connection->in + connection->have, *end = at + n; at < end; at++)
            requests -= *at == '\n';
        connection->have += (size_t)n;
        if (!answer_lines(connection)) return false;
    }
    return requests == 0;
}

void floor_requests(const struct bench_ask *ask, struct bench_sample *out)
{
    static struct connection connection;
    struct text_client client;
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    connection.fd = text_client_start(&client, bench_warm_up(ask) + ask->rounds);
    bool good = epoll >= 0 && connection.fd >= 0 && !fcntl(connection.fd, F_SETFL, O_NONBLOCK) &&
                !epoll_ctl(epoll, EPOLL_CTL_ADD, connection.fd, &event) &&
                answer_batches(&connection, epoll, bench_warm_up(ask) * TEXT_BATCH);
    int64_t start = bench_cpu_now();
    good = good && answer_batches(&connection, epoll, ask->rounds * TEXT_BATCH);
    bench_per_operation(out, bench_cpu_now() - start, ask->rounds * TEXT_BATCH);
    close(epoll);
    close(connection.fd);
    if (!text_client_end(&client) || !good) bench_fail(out, "the client did not get its answers");
}
