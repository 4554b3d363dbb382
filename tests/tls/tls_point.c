/* SPDX-License-Identifier: MIT */
/* Each call of nido/tls.h that waits is a cancellation point, and refuses before it does anything; the
 * others are none. */
#include <errno.h>

#include "tls_help.h"

#define POINT(call)    cr_expect(NIDO_TEST_IS_POINT(call))
#define NO_POINT(call) cr_expect(NIDO_TEST_IS_NO_POINT(call))

static int ask_for_points(void *unused)
{
    nido_tls *server = tls_server(TLS_SERVER), *client = tls_client(), *other = NULL;
    nido_stream stream = {0};
    int fds[2];
    char byte;

    (void)unused;
    cr_assert(zero(int, nido_socketpair(AF_UNIX, SOCK_STREAM, 0, fds)));
    POINT(nido_tls_accept(&stream, server, fds[0], NULL));
    POINT(nido_tls_connect(&stream, client, fds[0], "example.org", NULL));
    POINT(nido_tls_dial(&stream, client, "127.0.0.1", "1", NULL));
    cr_expect(recv(fds[1], &byte, 1, MSG_DONTWAIT) < 0, "nothing was sent");
    NO_POINT(nido_tls_new(NULL, &other));
    NO_POINT((nido_tls_free(other), 0));
    NO_POINT(nido_tls_alpn(&stream) != NULL);
    NO_POINT(nido_tls_version(&stream) != NULL);
    NO_POINT(nido_tls_resumed(&stream));
    NO_POINT(nido_tls_ssl(&stream) != NULL);
    io_close_pair(fds);
    nido_tls_free(server);
    nido_tls_free(client);
    return 0;
}

NIDO_TEST(tls, each_call_that_waits_is_a_cancellation_point)
{
    cr_expect(eq(int, io_run(ask_for_points), 0));
}

/* Its thread has no runtime: as in a forked child. */
NIDO_TEST(tls, without_a_runtime_no_connection_is_begun)
{
    nido_tls *tls = tls_server(TLS_SERVER);
    nido_stream stream = {0};
    int fds[2];

    cr_assert(zero(int, socketpair(AF_UNIX, SOCK_STREAM, 0, fds)));
    cr_expect(eq(int, nido_tls_accept(&stream, tls, fds[0], NULL), -EPERM));
    cr_expect(eq(int, nido_tls_connect(&stream, tls, fds[0], "x", NULL), -EPERM));
    cr_expect(eq(int, nido_tls_dial(&stream, tls, "127.0.0.1", "1", NULL), -EPERM));
    cr_expect(eq(int, nido_stream_fd(&stream), -EBADF));
    close(fds[0]);
    close(fds[1]);
    nido_tls_free(tls);
}
