/* SPDX-License-Identifier: MIT */
/* text.c: a file of lines, and a client that asks by lines. */
#include "text.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- The file: on a disk, because one of tmpfs has no read that does not wait (RWF_NOWAIT) ---- */

enum { LONGEST = 80 };

/* With its end: 1 to LONGEST, in an order that no predictor knows by heart. */
static size_t line_length(long i)
{
    return (((uint32_t)i * 2654435761U) >> 7) % LONGEST + 1;
}

static bool write_lines(int fd)
{
    char block[64 * 1024];
    size_t length = 0;

    for (long i = 0; i < TEXT_LINES; i++) {
        size_t n = line_length(i);
        memset(block + length, 'a' + (int)(i % 26), n - 1);
        block[length + n - 1] = '\n';
        length += n;
        if (i + 1 < TEXT_LINES && length + LONGEST <= sizeof block) continue;
        if (write(fd, block, length) != (ssize_t)length) return false;
        length = 0;
    }
    return lseek(fd, 0, SEEK_SET) == 0;
}

int text_file(void)
{
    char path[] = BENCH_HELLO "/lines-XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);

    if (fd < 0) return fd;
    unlink(path);
    if (write_lines(fd)) return fd;
    close(fd);
    return -1;
}

size_t text_bytes(void)
{
    size_t bytes = 0;

    for (long i = 0; i < TEXT_LINES; i++) bytes += line_length(i) - 1;
    return bytes;
}

/* ---- The client ---- */

static _Noreturn void ask_batches(int fd, long batches)
{
    enum { REQUEST = sizeof TEXT_REQUEST - 1, ANSWER = sizeof TEXT_ANSWER - 1 };
    static char requests[TEXT_BATCH * REQUEST], answers[TEXT_BATCH * ANSWER];
    bool good = true;

    for (int i = 0; i < TEXT_BATCH; i++) memcpy(requests + i * REQUEST, TEXT_REQUEST, REQUEST);
    for (long i = 0; i < batches && good; i++)
        good = send(fd, requests, sizeof requests, MSG_NOSIGNAL) == (ssize_t)sizeof requests &&
               recv(fd, answers, sizeof answers, MSG_WAITALL) == (ssize_t)sizeof answers;
    _exit(!good || memcmp(answers, TEXT_ANSWER, ANSWER) != 0);
}

/* The two ends of a connection over loopback, without Nagle's delay. A Unix socket would measure
 * something else: it reports room for each byte that its peer takes, and a short read is not its end. */
static bool tcp_pair(int pair[2])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    struct sockaddr *address = (struct sockaddr *)&at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    pair[0] = -1;
    pair[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (!bind(listener, address, length) && !listen(listener, 1) &&
        !getsockname(listener, address, &length) && !connect(pair[1], address, length))
        pair[0] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    close(listener);
    for (int i = 0; i < 2; i++) setsockopt(pair[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (pair[0] < 0) close(pair[1]);
    return pair[0] >= 0;
}

int text_client_start(struct text_client *client, long batches)
{
    int pair[2];

    client->pid = -1;
    if (!tcp_pair(pair)) return -1;
    client->pid = fork();
    if (!client->pid) {
        close(pair[0]);
        ask_batches(pair[1], batches);
    }
    close(pair[1]);
    if (client->pid > 0) return pair[0];
    close(pair[0]);
    return -1;
}

bool text_client_end(struct text_client *client)
{
    int status;

    return client->pid > 0 && waitpid(client->pid, &status, 0) == client->pid && status == 0;
}
