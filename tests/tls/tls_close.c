/* SPDX-License-Identifier: MIT */
/* What a close tells the peer, and what it must not take back. */
#include "tls_help.h"

#include <arpa/inet.h>
#include <errno.h>

#include "nido/error.h"

/* ---- Bytes that were dropped ---- */

static int leave_unsent(nido_stream *stream, struct tls_ends *ends)
{
    int rc = nido_stream_write(stream, "half an answer", 14, NULL);

    (void)ends;
    cr_expect(eq(int, nido_stream_close(stream), -ENOTEMPTY));
    return rc;
}

static int read_to_the_end(nido_stream *stream, struct tls_ends *ends)
{
    char bytes[64];
    ssize_t n;

    (void)ends;
    while ((n = nido_stream_read(stream, bytes, sizeof bytes)) > 0) continue;
    return (int)n;
}

static int drop_bytes(void *unused)
{
    struct tls_ends ends = {.serve = leave_unsent, .ask = read_to_the_end};

    (void)unused;
    ends.server = tls_server(TLS_SERVER);
    ends.client = tls_client();
    tls_meet(&ends);
    cr_expect(eq(int, ends.asked, -EPIPE), "without them it is no end in good order");
    tls_ends_free(&ends);
    return 0;
}

NIDO_TEST(tls, a_close_that_drops_bytes_sends_no_close_notify)
{
    cr_expect(eq(int, io_run(drop_bytes), 0));
}

/* ---- Input that nobody has read ---- */

enum { ANSWER = 3000000 };

static int answer_at_length(nido_stream *stream, struct tls_ends *ends)
{
    static const char zeros[10000];
    size_t length;
    char *line;
    int rc = nido_stream_line(stream, &line, &length);

    (void)ends;
    nido_sleep(NIDO_MS(50)); /* the close_notify comes meanwhile */
    for (int i = 0; i < ANSWER && rc >= 0; i += (int)sizeof zeros)
        rc = nido_stream_write(stream, zeros, sizeof zeros, NULL);
    return rc < 0 ? rc : nido_stream_flush(stream);
}

/* The server does not read the close_notify that follows the request. */
static int ask_and_read_slowly(nido_stream *stream, struct tls_ends *ends)
{
    size_t got = 0;
    char bytes[8192];
    ssize_t n = nido_stream_printf(stream, "all of it\n");

    (void)ends;
    if (n > 0) n = nido_stream_flush(stream);
    nido_sleep(NIDO_MS(10)); /* the request has been read */
    if (n == 0) n = nido_stream_shutdown(stream);
    nido_sleep(NIDO_MS(100));
    while (n >= 0 && (n = nido_stream_read(stream, bytes, sizeof bytes)) > 0) {
        got += (size_t)n;
        if (got % 64 == 0) nido_yield();
    }
    cr_expect(eq(sz, got, ANSWER));
    return (int)n;
}

static int leave_unread(void *unused)
{
    struct tls_ends ends = {.serve = answer_at_length, .ask = ask_and_read_slowly};
    int listener = nido_listen("127.0.0.1", "0", NULL);
    struct sockaddr_in place;
    socklen_t length = sizeof place;

    (void)unused;
    getsockname(listener, (struct sockaddr *)&place, &length);
    ends.server = tls_server(TLS_SERVER);
    ends.client = tls_client();
    ends.fds[1] = nido_socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(ends.fds[1], SOL_SOCKET, SO_RCVBUF, &(int){8192}, sizeof(int));
    cr_assert(eq(int, nido_connect(ends.fds[1], (struct sockaddr *)&place, length), 0));
    ends.fds[0] = nido_accept(listener, NULL, NULL);
    cr_expect(eq(int, TOGETHER(&ends, tls_serve, tls_ask), 0));
    cr_expect(ends.served == 0 && ends.asked == 0, "%s", ends.asked_text);
    tls_ends_free(&ends);
    return nido_close(listener);
}

NIDO_TEST(tls, unread_input_does_not_take_back_what_is_on_its_way)
{
    cr_expect(eq(int, io_run(leave_unread), 0));
}

/* ---- Sessions ---- */

static int serve_a_line(nido_stream *stream, struct tls_ends *ends)
{
    (void)ends;
    return nido_stream_printf(stream, "x\n") < 0 ? -EPROTO : nido_stream_flush(stream);
}

static int hear_a_line(nido_stream *stream, struct tls_ends *ends)
{
    size_t length;
    char *line;
    int rc = nido_stream_line(stream, &line, &length);

    (void)ends;
    return rc < 0 ? rc : 0;
}

/* One ssl_ctx, behind an open door and behind one at which a certificate has to be shown. */
static int try_both_doors(void *unused)
{
    struct tls_ends ends = {.serve = serve_a_line, .ask = hear_a_line};
    SSL_CTX *own = tls_own(TLS1_3_VERSION);
    nido_tls *open, *shut;

    (void)unused;
    SSL_CTX_set_session_id_context(own, (const unsigned char *)"doors", 5);
    open = tls_context(&NIDO_TLS_OPTIONS(.ssl_ctx = own));
    shut = tls_context(&NIDO_TLS_OPTIONS(.ssl_ctx = own, .verify = NIDO_TLS_VERIFY_REQUIRE));
    ends.client = tls_client();
    ends.server = open;
    tls_meet(&ends);
    cr_expect(eq(int, ends.asked, 0), "%s", ends.asked_text);
    ends.server = shut;
    tls_meet(&ends);
    cr_expect(eq(int, ends.served, -EACCES), "a session of the open door opens no other");
    tls_told(ends.asked_text, "certificate required");
    nido_tls_free(open);
    tls_ends_free(&ends);
    SSL_CTX_free(own);
    return 0;
}

NIDO_TEST(tls, a_session_is_resumed_only_where_it_was_verified_in_the_same_way)
{
    cr_expect(eq(int, io_run(try_both_doors), 0));
}

/* ---- Names and keys ---- */

static int ask_for_all_below(void *unused)
{
    struct tls_ends ends = {.name = ".example.test"};

    (void)unused;
    ends.server = tls_server(TLS_SERVER);
    ends.client = tls_client();
    tls_meet(&ends);
    cr_expect(eq(int, ends.asked, -EINVAL),
              "a certificate for *.example.test is not for all of it");
    tls_ends_free(&ends);
    return 0;
}

NIDO_TEST(tls, a_name_that_begins_with_a_dot_is_none)
{
    cr_expect(eq(int, io_run(ask_for_all_below), 0));
}

static int ask_for_a_slow_key(void *unused)
{
    struct tls_ends ends = {0};
    SSL_CTX *own = tls_own(TLS1_3_VERSION);

    (void)unused;
    SSL_CTX_set1_groups_list(own, "ffdhe8192");
    ends.server = tls_server(TLS_SERVER);
    ends.client = tls_context(&NIDO_TLS_OPTIONS(.ssl_ctx = own));
    tls_meet(&ends);
    cr_expect(eq(int, ends.served, -EPROTO));
    cr_expect(eq(int, ends.asked, -ECONNABORTED));
    tls_ends_free(&ends);
    SSL_CTX_free(own);
    return 0;
}

NIDO_TEST(tls, a_peer_that_wants_a_key_of_8192_bits_is_refused)
{
    cr_expect(eq(int, io_run(ask_for_a_slow_key), 0));
}

NIDO_TEST(tls, null_is_refused)
{
    cr_expect(eq(int, nido_tls_new(NULL, NULL), -EINVAL));
    cr_expect(nido_tls_alpn(NULL) == NULL && nido_tls_version(NULL) == NULL);
    cr_expect(nido_tls_ssl(NULL) == NULL && !nido_tls_resumed(NULL));
}
