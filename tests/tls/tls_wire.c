/* SPDX-License-Identifier: MIT */
/* nido/tls.h: who feeds and who sends. */
#include <errno.h>

#include "tls_help.h"

/* ---- Something in between ---- */

enum { FRAGMENT = 512, HALF = 560 }; /* a record of 512 bytes, and the beginning of the next */

/* Passes bytes on in both directions. With `held`, it keeps what comes from the server behind HALF
 * bytes, until `go`. */
struct relay {
    int server[2], client[2]; /* pairs; it has the second ends */
    bool held;
    nido_event go;
};

static int relay_back(void *arg)
{
    struct relay *relay = arg;
    char bytes[4000];
    ssize_t n;

    while ((n = nido_read(relay->server[1], bytes, sizeof bytes)) > 0) {
        size_t first = relay->held ? HALF : (size_t)n;

        nido_write_all(relay->client[1], bytes, first, NULL);
        if (relay->held) nido_event_wait(&relay->go);
        relay->held = false;
        nido_write_all(relay->client[1], bytes + first, (size_t)n - first, NULL);
    }
    shutdown(relay->client[1], SHUT_WR);
    return 0;
}

static int relay_forth(void *arg)
{
    struct relay *relay = arg;
    char bytes[4000];
    ssize_t n;

    while ((n = nido_read(relay->client[1], bytes, sizeof bytes)) > 0)
        nido_write_all(relay->server[1], bytes, (size_t)n, NULL);
    shutdown(relay->server[1], SHUT_WR);
    return 0;
}

static void meet_through(struct relay *relay, struct tls_ends *ends)
{
    nido_group group;

    nido_event_init(&relay->go, NULL);
    nido_socketpair(AF_UNIX, SOCK_STREAM, 0, relay->server);
    nido_socketpair(AF_UNIX, SOCK_STREAM, 0, relay->client);
    ends->fds[0] = relay->server[0];
    ends->fds[1] = relay->client[0];
    ends->more = relay;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, relay_back, relay)));
    cr_expect(zero(int, nido_spawn(&group, relay_forth, relay)));
    cr_expect(zero(int, nido_spawn(&group, tls_serve, ends)));
    cr_expect(zero(int, nido_spawn(&group, tls_ask, ends)));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    nido_close(relay->server[1]);
    nido_close(relay->client[1]);
    nido_event_deinit(&relay->go);
}

/* ---- A message that is half here ---- */

static int serve_half_a_ticket(nido_stream *stream, struct tls_ends *ends)
{
    struct relay *relay = ends->more;
    char bytes[8];
    int rc = nido_stream_read_full(stream, bytes, 5, NULL); /* the client's "begin" */

    if (rc) return rc;
    nido_sleep(NIDO_SEC(1)); /* the tickets of the handshake have gone through */
    relay->held = true;
    SSL_set_max_send_fragment(nido_tls_ssl(stream), FRAGMENT);
    SSL_new_session_ticket(nido_tls_ssl(stream));
    nido_stream_printf(stream, "after\n");
    rc = nido_stream_flush(stream);
    if (!rc) rc = nido_stream_read_full(stream, bytes, 5, NULL);
    if (!rc) cr_expect(memcmp(bytes, "again", 5) == 0);
    return rc;
}

static int read_after(void *stream)
{
    size_t length;
    char *line;
    int rc = nido_stream_line(stream, &line, &length);

    if (rc == 1) cr_expect(eq(str, line, "after"));
    return rc == 1 ? 0 : rc < 0 ? rc : -EPIPE;
}

static int write_again(void *stream)
{
    nido_stream_printf(stream, "again");
    return nido_stream_flush(stream);
}

/* One task reads while another writes; else the writer is alone, and the reader comes later. */
static bool with_a_reader;

static int ask_with_half_a_ticket(nido_stream *stream, struct tls_ends *ends)
{
    struct relay *relay = ends->more;
    nido_group group;

    nido_stream_printf(stream, "begin");
    nido_stream_flush(stream);
    if (!with_a_reader)
        cr_expect(eq(int, nido_with_timeout(NIDO_SEC(2), read_after, stream), -ETIMEDOUT));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    if (with_a_reader) cr_expect(zero(int, nido_spawn(&group, read_after, stream)));
    nido_sleep(NIDO_SEC(2));
    cr_expect(SSL_in_init(nido_tls_ssl(stream)), "a part of the ticket has come");
    cr_expect(zero(int, nido_spawn(&group, write_again, stream)));
    nido_sleep(NIDO_SEC(1));
    nido_event_set(&relay->go);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    return with_a_reader ? 0 : read_after(stream);
}

static int pass_half_a_ticket(void *unused)
{
    struct tls_ends ends = {.serve = serve_half_a_ticket, .ask = ask_with_half_a_ticket};
    struct relay relay = {0};

    (void)unused;
    /* The client's certificate is a part of the ticket, which is longer than a fragment then. */
    ends.server =
        tls_context(&NIDO_TLS_OPTIONS(.certificate = tls_certificate(TLS_SERVER), .ca = tls_root(),
                                      .verify = NIDO_TLS_VERIFY_REQUIRE));
    ends.client = tls_context(
        &NIDO_TLS_OPTIONS(.ca = tls_root(), .certificate = tls_certificate(TLS_CLIENT)));
    for (int i = 0; i < 2; i++) {
        with_a_reader = i;
        meet_through(&relay, &ends);
        cr_expect(ends.served == 0 && ends.asked == 0, "%d %s, %d %s", ends.served,
                  ends.served_text, ends.asked, ends.asked_text);
    }
    tls_ends_free(&ends);
    return 0;
}

NIDO_TEST(tls, a_write_during_half_a_message_of_the_peers_feeds_or_waits_for_the_reader)
{
    cr_expect(eq(int, io_run(pass_half_a_ticket), 0));
}

/* ---- Answers that are not taken ---- */

enum { UPDATES = 20000 };

/* Asks for an answer with each byte, and takes none. */
static int ask_and_take_nothing(nido_stream *stream, struct tls_ends *ends)
{
    int rc = 0;

    (void)ends;
    for (int i = 0; i < UPDATES && rc >= 0; i++) {
        SSL_key_update(nido_tls_ssl(stream), SSL_KEY_UPDATE_REQUESTED);
        rc = nido_stream_printf(stream, "x");
        if (rc >= 0) rc = nido_stream_flush(stream);
    }
    return rc;
}

static int read_only(nido_stream *stream, struct tls_ends *ends)
{
    char bytes[1000];
    ssize_t n;

    setsockopt(ends->fds[0], SOL_SOCKET, SO_SNDBUF, &(int){4096}, sizeof(int));
    while ((n = nido_stream_read(stream, bytes, sizeof bytes)) > 0) continue;
    return (int)n;
}

static int flood(void *unused)
{
    struct tls_ends ends = {.serve = read_only, .ask = ask_and_take_nothing};

    (void)unused;
    ends.server = tls_server(TLS_SERVER);
    ends.client = tls_client();
    tls_meet(&ends);
    cr_expect(eq(int, ends.served, -EPROTO));
    tls_told(ends.served_text, "it asks for answers and does not take them");
    tls_ends_free(&ends);
    return 0;
}

NIDO_TEST(tls, a_peer_that_takes_no_answers_is_not_answered_without_end)
{
    cr_expect(eq(int, io_run(flood), 0));
}

/* ---- Updates of keys ---- */

enum { MANY_UPDATES = 640 };

static int update_and_say_x(nido_stream *stream, struct tls_ends *ends)
{
    (void)ends;
    for (int i = 0; i < MANY_UPDATES; i++) {
        SSL_key_update(nido_tls_ssl(stream), SSL_KEY_UPDATE_NOT_REQUESTED);
        SSL_do_handshake(nido_tls_ssl(stream));
    }
    nido_stream_printf(stream, "x");
    return nido_stream_flush(stream);
}

static int count_turns(void *turns)
{
    while (nido_yield() == 0) ++*(int *)turns;
    return -ECANCELED;
}

/* The updates have all arrived when it begins to read. */
static int read_beside_another(nido_stream *stream, struct tls_ends *ends)
{
    nido_group group;
    char byte = 0;
    int *turns = ends->more, rc = nido_sleep(NIDO_SEC(1));

    nido_group_open(&group, NIDO_FAIL_FAST, "both");
    cr_expect(eq(int, nido_spawn(&group, count_turns, turns), 0));
    nido_yield();
    *turns = 0;
    if (rc == 0) rc = (int)nido_stream_read(stream, &byte, 1);
    cr_expect(rc == 1 && byte == 'x');
    cr_expect(eq(int, nido_group_cancel(&group, 0, NULL), 0));
    nido_group_close(&group, 0);
    return 0;
}

static int flood_with_updates(void *unused)
{
    int turns = 0;
    struct tls_ends ends = {.serve = read_beside_another, .ask = update_and_say_x, .more = &turns};

    (void)unused;
    ends.server = tls_server(TLS_SERVER);
    ends.client = tls_client();
    tls_meet(&ends);
    cr_expect(ends.served == 0 && ends.asked == 0, "%s %s", ends.served_text, ends.asked_text);
    cr_expect(turns >= MANY_UPDATES / 32, "%d turns", turns);
    tls_ends_free(&ends);
    return 0;
}

NIDO_TEST(tls, updates_of_keys_leave_others_their_turns)
{
    cr_expect(eq(int, io_run(flood_with_updates), 0));
}
