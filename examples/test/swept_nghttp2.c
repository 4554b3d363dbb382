/* SPDX-License-Identifier: MIT */
/* swept_nghttp2: a request of HTTP/2 against the adapter for nghttp2, with a cancel at each
 * cancellation point and each allocation and system call of nido failing. Nothing may be left. */
#define _GNU_SOURCE
#include <errno.h>
#include <nido/test.h>
#include <sys/socket.h>

#include "../adapters/nghttp2.h"

/* The preface, SETTINGS, and HEADERS of "GET /" from the host "h". */
static const char request[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                              "\0\0\0\4\0\0\0\0\0"
                              "\0\0\6\1\5\0\0\0\1\x82\x86\x84\1\1h";

static int answer(h2_request *it, void *unused)
{
    (void)unused;
    int rc = nido_sleep(NIDO_MS(1));
    return rc == 0 ? h2_respond(it, 200, "text/plain", "hello", 5) : rc;
}

/* Closes the connection when the answer has come, or it breaks. */
static int ask(void *arg)
{
    char bytes[1024];
    size_t length = 0;
    ssize_t n = 1;
    int fd = *(int *)arg;
    int rc = nido_write_all(fd, request, sizeof request - 1, NULL);
    while (rc == 0 && n > 0 && !memmem(bytes, length, "hello", 5) &&
           !memmem(bytes, length, "error", 5)) {
        n = nido_read(fd, bytes + length, sizeof bytes - length);
        if (n > 0) length += (size_t)n;
    }
    nido_close(fd);
    return rc == -ECANCELED || n == -ECANCELED ? -ECANCELED : 0;
}

static int serve_one(int server, int client)
{
    nido_stream stream;
    nido_group group;
    int rc = nido_stream_open(&stream, server, NULL);
    if (rc < 0) return nido_close(server), nido_close(client), rc;
    nido_group_open(&group, NIDO_FAIL_FAST, "client and server");
    rc = nido_spawn(&group, ask, &client);
    if (rc < 0)
        nido_close(client);
    else
        rc = h2_serve(&stream, answer, NULL);
    nido_stream_close(&stream);
    return nido_group_close(&group, rc);
}

static int app(void *unused)
{
    int pair[2], rc;
    (void)unused;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) return -errno;
    if ((rc = nido_fd_own(pair[0])) == 0 && (rc = nido_fd_own(pair[1])) == 0)
        return serve_one(pair[0], pair[1]);
    return nido_close(pair[0]), nido_close(pair[1]), rc;
}

int main(void)
{
    nido_test_options options;
    nido_test_options_init(&options);
    options.name = "a server of nghttp2";
    options.flags = NIDO_TEST_INNERMOST;
    int broken = nido_sweep(app, NULL, &options);
    options.flags = 0;
    broken += nido_sweep(app, NULL, &options);
    broken += nido_sweep_memory(app, NULL, &options);
    broken += nido_sweep_calls(app, NULL, &options);
    return broken != 0;
}
