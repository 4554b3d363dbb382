/* SPDX-License-Identifier: MIT */
/* nido/tls.h: what passes through, and how it ends. */
#include <errno.h>
#include <openssl/err.h>

#include "tls_help.h"

/* ---- Requests and answers ---- */

static int ask_lines(nido_stream *stream, struct tls_ends *ends)
{
    size_t length;
    char *line;

    cr_expect(eq(str, (char *)nido_tls_version(stream), ends->more));
    for (int i = 0; i < 3; i++) {
        nido_stream_printf(stream, "line %d\n", i);
        cr_expect(eq(int, nido_stream_line(stream, &line, &length), 1));
        cr_expect(length == 8 && line[6] == (char)('0' + i), "%s", line);
    }
    cr_expect(eq(int, nido_stream_shutdown(stream), 0));
    return nido_stream_wait(stream);
}

static int pass_lines(void *unused)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    static char *const names[] = {"TLSv1.2", "TLSv1.3"};

    (void)unused;
    for (int i = 0; i < 2; i++) {
        struct tls_ends ends = {.serve = tls_answer_lines, .ask = ask_lines, .more = names[i]};
        SSL_CTX *own = tls_own(versions[i]);

        ends.server = tls_context(&NIDO_TLS_OPTIONS(.ssl_ctx = own));
        ends.client = tls_client();
        tls_meet(&ends);
        cr_expect(ends.served == 0 && ends.asked == 0, "%d %s, %d %s", ends.served,
                  ends.served_text, ends.asked, ends.asked_text);
        tls_ends_free(&ends);
        SSL_CTX_free(own);
    }
    return 0;
}

NIDO_TEST(tls, lines_pass_both_ways_and_close_notify_is_the_end)
{
    cr_expect(eq(int, io_run(pass_lines), 0));
}

/* ---- What others leave in OpenSSL's queue ---- */

static int leave_errors(void *done)
{
    int rc = 0;

    while (!*(bool *)done && !rc) {
        ERR_raise(ERR_LIB_USER, ERR_R_FATAL);
        rc = nido_yield();
    }
    return rc;
}

static int pass_lines_among_errors(void *unused)
{
    struct tls_ends ends = {.serve = tls_answer_lines, .ask = ask_lines, .more = "TLSv1.3"};
    bool done = false;
    nido_group group;

    (void)unused;
    ends.server = tls_server(TLS_SERVER);
    ends.client = tls_client();
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, leave_errors, &done)));
    tls_meet(&ends);
    done = true;
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(ends.served == 0 && ends.asked == 0, "%s, %s", ends.served_text, ends.asked_text);
    tls_ends_free(&ends);
    ERR_clear_error();
    return 0;
}

NIDO_TEST(tls, errors_that_others_leave_in_openssls_queue_are_no_failures)
{
    cr_expect(eq(int, io_run(pass_lines_among_errors), 0));
}

/* ---- Both ways at once ---- */

enum { MUCH = 600000 };

struct traffic {
    nido_stream *stream;
    size_t got;
    int rc;
    bool updates; /* keys */
};

static int write_much(void *arg)
{
    struct traffic *traffic = arg;
    char bytes[5000];
    size_t put = 0, done;
    int rc = 0;

    while (put < MUCH && !rc) {
        for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)((put + i) * 7 / 5);
        if (traffic->updates && put % 50000 == 0)
            SSL_key_update(nido_tls_ssl(traffic->stream), SSL_KEY_UPDATE_REQUESTED);
        rc = nido_stream_write(traffic->stream, bytes, sizeof bytes, &done);
        put += done;
    }
    return rc ? rc : nido_stream_flush(traffic->stream);
}

static int read_much(void *arg)
{
    struct traffic *traffic = arg;
    char bytes[7000];
    ssize_t n = 1;

    while (traffic->got < MUCH && n > 0) {
        n = nido_stream_read(traffic->stream, bytes, sizeof bytes);
        for (ssize_t i = 0; i < n; i++)
            if (bytes[i] != (char)((traffic->got + (size_t)i) * 7 / 5)) return -EBADMSG;
        if (n > 0) traffic->got += (size_t)n;
    }
    return n < 0 ? (int)n : 0;
}

static int exchange_much(nido_stream *stream, struct tls_ends *ends)
{
    struct traffic traffic = {.stream = stream, .updates = ends->more != NULL};
    int rc = TOGETHER(&traffic, write_much, read_much);

    cr_expect(traffic.got == MUCH, "%zu", traffic.got);
    return rc;
}

static int pass_much(void *updates)
{
    struct tls_ends ends = {.serve = exchange_much, .ask = exchange_much, .more = updates};

    ends.server = tls_server(TLS_SERVER);
    ends.client = tls_client();
    tls_meet(&ends);
    cr_expect(ends.served == 0 && ends.asked == 0, "%d %s, %d %s", ends.served, ends.served_text,
              ends.asked, ends.asked_text);
    tls_ends_free(&ends);
    return 0;
}

static int pass_much_and_update(void *unused)
{
    (void)unused;
    return pass_much(&(char){0});
}

NIDO_TEST(tls, one_task_reads_while_another_writes)
{
    cr_expect(eq(int, io_run(pass_much), 0));
}

NIDO_TEST(tls, keys_are_updated_in_both_directions_while_bytes_pass)
{
    cr_expect(eq(int, io_run(pass_much_and_update), 0));
}

/* ---- Ends ---- */

static int write_and_vanish(nido_stream *stream, struct tls_ends *ends)
{
    nido_stream_printf(stream, "half");
    nido_stream_flush(stream);
    shutdown(ends->fds[0], SHUT_RDWR); /* no close_notify can be sent */
    return 0;
}

static int read_to_the_end(nido_stream *stream, struct tls_ends *ends)
{
    char buf[100];
    ssize_t n = nido_stream_read(stream, buf, sizeof buf);

    (void)ends;
    cr_expect(eq(int, (int)n, 4));
    n = nido_stream_wait(stream);
    if (n >= 0) n = nido_stream_read(stream, buf, sizeof buf);
    return (int)n;
}

static int end_early(void *unused)
{
    struct tls_ends ends = {.serve = write_and_vanish, .ask = read_to_the_end};

    (void)unused;
    ends.server = tls_server(TLS_SERVER);
    ends.client = tls_client();
    tls_meet(&ends);
    cr_expect(eq(int, ends.asked, -EPIPE));
    tls_told(ends.asked_text, "TLS with example.org: the connection ended without close_notify");
    nido_tls_free(ends.client);
    ends.client = tls_context(&NIDO_TLS_OPTIONS(.ca = tls_root(), .truncation_is_end = true));
    tls_meet(&ends);
    cr_expect(eq(int, ends.asked, 0));
    tls_ends_free(&ends);
    return 0;
}

NIDO_TEST(tls, an_end_without_close_notify_is_an_error_of_its_own)
{
    cr_expect(eq(int, io_run(end_early), 0));
}

/* ---- Sessions ---- */

static int greet(nido_stream *stream, struct tls_ends *ends)
{
    (void)ends;
    nido_stream_printf(stream, "hello\n");
    nido_stream_flush(stream);
    return nido_stream_wait(stream);
}

static int be_greeted(nido_stream *stream, struct tls_ends *ends)
{
    size_t length;
    char *line;

    *(bool *)ends->more = nido_tls_resumed(stream);
    return nido_stream_line(stream, &line, &length) == 1 ? 0 : -EPROTO;
}

static int resume_sessions(void *unused)
{
    bool resumed = true;
    struct tls_ends ends = {.serve = greet, .ask = be_greeted, .more = &resumed};
    SSL_CTX *own;

    (void)unused;
    ends.server = tls_server(TLS_SERVER);
    ends.client = tls_client();
    tls_meet(&ends);
    cr_expect(resumed == false);
    for (int i = 0; i < 3; i++) {
        tls_meet(&ends);
        cr_expect(resumed == true && ends.asked == 0);
    }
    ends.name = "www.example.test";
    tls_meet(&ends);
    cr_expect(resumed == false && ends.asked == 0, "it was verified for another name");
    nido_tls_free(ends.server);
    own = tls_own(TLS1_2_VERSION);
    ends.server = tls_context(&NIDO_TLS_OPTIONS(.ssl_ctx = own));
    tls_meet(&ends);
    tls_meet(&ends);
    cr_expect(resumed == true && ends.asked == 0, "TLS 1.2");
    nido_tls_free(ends.client);
    ends.client = tls_context(&NIDO_TLS_OPTIONS(.ca = tls_root(), .no_sessions = true));
    for (int i = 0; i < 2; i++) tls_meet(&ends);
    cr_expect(resumed == false);
    tls_ends_free(&ends);
    SSL_CTX_free(own);
    return 0;
}

static int look_only(nido_stream *stream, struct tls_ends *ends)
{
    *(bool *)ends->more = nido_tls_resumed(stream);
    return 0;
}

static int use_up_tickets(void *unused)
{
    bool resumed = true;
    struct tls_ends ends = {.serve = greet, .ask = be_greeted, .more = &resumed};

    (void)unused;
    ends.server = tls_server(TLS_SERVER);
    ends.client = tls_client();
    tls_meet(&ends);
    cr_expect(resumed == false);
    ends.ask = look_only; /* reads no new ticket */
    tls_meet(&ends);
    cr_expect(resumed == true);
    tls_meet(&ends);
    cr_expect(resumed == false);
    tls_ends_free(&ends);
    return 0;
}

NIDO_TEST(tls, a_ticket_is_used_once)
{
    cr_expect(eq(int, io_run(use_up_tickets), 0));
}

NIDO_TEST(tls, a_client_resumes_a_session_with_the_same_name)
{
    cr_expect(eq(int, io_run(resume_sessions), 0));
}
