/* SPDX-License-Identifier: MIT */
/* process.c: floor of jobs in worker processes.
 *
 * Two processes on one CPU send 64 bytes to each other over a stream socket, with calls that block:
 * what the kernel takes for two messages and two switches of process. It leaves out frames, an event
 * loop, stderr and the supervision of the other process. */
#include "floors.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BYTES = 64 };

static _Noreturn void answer(int fd)
{
    char bytes[BYTES];
    while (recv(fd, bytes, sizeof bytes, MSG_WAITALL) == BYTES)
        if (send(fd, bytes, sizeof bytes, MSG_NOSIGNAL) != BYTES) break;
    _exit(0);
}

static bool ask_many(int fd, long rounds)
{
    char bytes[BYTES] = {0};
    for (long i = 0; i < rounds; i++)
        if (send(fd, bytes, sizeof bytes, MSG_NOSIGNAL) != BYTES ||
            recv(fd, bytes, sizeof bytes, MSG_WAITALL) != BYTES)
            return false;
    return true;
}

void floor_process(const struct bench_ask *ask, struct bench_sample *out)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) {
        bench_fail(out, "no pair of sockets");
        return;
    }
    pid_t pid = fork();
    if (!pid) {
        close(pair[0]);
        answer(pair[1]);
    }
    close(pair[1]);
    bool good = pid > 0 && ask_many(pair[0], bench_warm_up(ask));
    int64_t start = bench_now();
    good = good && ask_many(pair[0], ask->rounds);
    int64_t ns = bench_now() - start;
    close(pair[0]);
    if (pid > 0) waitpid(pid, NULL, 0);
    if (good)
        bench_per_operation(out, ns, ask->rounds);
    else
        bench_fail(out, "the other process does not answer");
}
