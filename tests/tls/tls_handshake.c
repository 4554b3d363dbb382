/* SPDX-License-Identifier: MIT */
/* nido/tls.h: handshakes, and what they are refused for. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tls_help.h"

/* ---- Certificates ---- */

static int fail_to_verify(enum tls_who who, const char *name, const char *part)
{
    struct tls_ends ends = {.name = name};
    char text[128];

    ends.server = tls_server(who);
    ends.client = tls_client();
    tls_meet(&ends);
    snprintf(text, sizeof text, "TLS with %s: %s", name, part);
    cr_expect(eq(int, ends.asked, -EACCES));
    tls_told(ends.asked_text, text);
    cr_expect(eq(int, ends.served, -ECONNABORTED));
    tls_told(ends.served_text, "TLS with the peer: the peer refuses: ");
    tls_ends_free(&ends);
    return 0;
}

static int verify_servers(void *unused)
{
    static const char *const good[] = {"example.org", "www.example.test", "192.0.2.1"};

    (void)unused;
    for (int i = 0; i < 3; i++) {
        struct tls_ends ends = {tls_server(TLS_SERVER), tls_client(), .name = good[i]};

        tls_meet(&ends);
        cr_expect(ends.asked == 0 && ends.served == 0, "%s: %s", good[i], ends.asked_text);
        tls_ends_free(&ends);
    }
    fail_to_verify(TLS_SERVER, "example.com", "hostname mismatch");
    fail_to_verify(TLS_SERVER, "192.0.2.2", "IP address mismatch");
    fail_to_verify(TLS_SERVER, "a.b.example.test", "hostname mismatch");
    fail_to_verify(TLS_EXPIRED, "example.org", "certificate has expired");
    fail_to_verify(TLS_SELF, "example.org", "self-signed certificate");
    return 0;
}

NIDO_TEST(tls, a_server_is_verified_with_its_name_and_the_text_says_what_is_wrong)
{
    cr_expect(eq(int, io_run(verify_servers), 0));
}

static int verify_by_the_system(void *unused)
{
    struct tls_ends ends = {.server = tls_server(TLS_SERVER), .client = tls_context(NULL)};

    (void)unused;
    tls_meet(&ends);
    cr_expect(eq(int, ends.asked, -EACCES));
    nido_tls_free(ends.client);
    ends.client = tls_context(&NIDO_TLS_OPTIONS(.verify = NIDO_TLS_VERIFY_NONE));
    tls_meet(&ends);
    cr_expect(eq(int, ends.asked, 0));
    tls_ends_free(&ends);
    return 0;
}

NIDO_TEST(tls, without_options_the_roots_are_the_systems)
{
    cr_expect(eq(int, io_run(verify_by_the_system), 0));
}

static int own_roots(void *unused)
{
    struct tls_ends ends = {.name = "example.org"};
    SSL_CTX *own = tls_own(TLS1_3_VERSION), *bare = SSL_CTX_new(TLS_method());

    (void)unused;
    ends.server = tls_context(&NIDO_TLS_OPTIONS(.ssl_ctx = own));
    ends.client = tls_context(&NIDO_TLS_OPTIONS(.ssl_ctx = own));
    tls_meet(&ends);
    cr_expect(ends.asked == 0 && ends.served == 0, "%s", ends.asked_text);
    nido_tls_free(ends.client);
    ends.client = tls_context(&NIDO_TLS_OPTIONS(.ssl_ctx = bare));
    tls_meet(&ends);
    cr_expect(eq(int, ends.asked, -EACCES), "SSL_CTX_new verifies nothing, nido does");
    tls_ends_free(&ends);
    SSL_CTX_free(own);
    SSL_CTX_free(bare);
    return 0;
}

NIDO_TEST(tls, a_context_of_the_callers_is_used_and_servers_are_verified_nevertheless)
{
    cr_expect(eq(int, io_run(own_roots), 0));
}

/* ---- Clients ---- */

static int say_something(nido_stream *stream, struct tls_ends *ends)
{
    (void)ends;
    return nido_stream_printf(stream, "x\n") < 0 ? -EPROTO : nido_stream_flush(stream);
}

static int hear_something(nido_stream *stream, struct tls_ends *ends)
{
    size_t length;
    char *line;
    int rc = nido_stream_line(stream, &line, &length);

    (void)ends;
    return rc < 0 ? rc : 0;
}

static void ask_for_certificate(nido_tls *client, enum nido_tls_verify verify,
                                struct tls_ends *ends)
{
    *ends = (struct tls_ends){.client = client, .serve = say_something, .ask = hear_something};
    ends->server = tls_context(&NIDO_TLS_OPTIONS(.certificate = tls_certificate(TLS_SERVER),
                                                 .ca = tls_root(), .verify = verify));
    tls_meet(ends);
    nido_tls_free(ends->server);
}

static int verify_clients(void *unused)
{
    nido_tls *nameless = tls_client(), *named, *forged;
    struct tls_ends ends;

    (void)unused;
    named = tls_context(
        &NIDO_TLS_OPTIONS(.ca = tls_root(), .certificate = tls_certificate(TLS_CLIENT)));
    forged =
        tls_context(&NIDO_TLS_OPTIONS(.ca = tls_root(), .certificate = tls_certificate(TLS_SELF)));
    ask_for_certificate(named, NIDO_TLS_VERIFY_REQUIRE, &ends);
    cr_expect(ends.asked == 0 && ends.served == 0, "%s", ends.served_text);
    ask_for_certificate(nameless, NIDO_TLS_VERIFY_REQUEST, &ends);
    cr_expect(ends.asked == 0 && ends.served == 0, "%s", ends.served_text);
    ask_for_certificate(nameless, NIDO_TLS_VERIFY_REQUIRE, &ends);
    cr_expect(ends.served == -EACCES && ends.asked == -ECONNABORTED, "%d %d", ends.served,
              ends.asked);
    tls_told(ends.served_text, "peer did not return a certificate");
    tls_told(ends.asked_text, "TLS with example.org: the peer refuses: ");
    ask_for_certificate(forged, NIDO_TLS_VERIFY_REQUEST, &ends);
    cr_expect(eq(int, ends.served, -EACCES));
    tls_told(ends.served_text, "self-signed certificate");
    nido_tls_free(nameless);
    nido_tls_free(named);
    nido_tls_free(forged);
    return 0;
}

NIDO_TEST(tls, a_client_shows_a_certificate_if_it_is_asked)
{
    cr_expect(eq(int, io_run(verify_clients), 0));
}

/* ---- Protocols ---- */

static int keep_protocol(nido_stream *stream, struct tls_ends *ends)
{
    const char *name = nido_tls_alpn(stream);

    strcpy(ends->more, name ? name : "none");
    return 0;
}

static int choose_protocols(void *unused)
{
    static const char *const both[] = {"h2", "http/1.1", NULL}, *const one[] = {"http/1.1", NULL},
                             *const other[] = {"x", NULL};
    char chosen[32];
    struct tls_ends ends = {.ask = keep_protocol, .more = chosen};

    (void)unused;
    ends.server =
        tls_context(&NIDO_TLS_OPTIONS(.certificate = tls_certificate(TLS_SERVER), .alpn = both));
    ends.client = tls_context(&NIDO_TLS_OPTIONS(.ca = tls_root(), .alpn = one));
    tls_meet(&ends);
    cr_expect(eq(str, chosen, "http/1.1"));
    nido_tls_free(ends.client);
    ends.client = tls_client();
    tls_meet(&ends);
    cr_expect(eq(str, chosen, "none"));
    nido_tls_free(ends.client);
    ends.client = tls_context(&NIDO_TLS_OPTIONS(.ca = tls_root(), .alpn = other));
    tls_meet(&ends);
    cr_expect(ends.asked == -ECONNABORTED && ends.served == -EPROTO);
    tls_told(ends.asked_text, "TLS with example.org: the peer refuses: no application protocol");
    tls_told(ends.served_text, "no application protocol");
    tls_ends_free(&ends);
    return 0;
}

NIDO_TEST(tls, the_servers_first_protocol_is_chosen_or_the_client_refused)
{
    cr_expect(eq(int, io_run(choose_protocols), 0));
}

/* ---- Peers that speak something else ---- */

static struct tls_ends strange;

static int accept_within(void *limit)
{
    return nido_with_timeout(*(int64_t *)limit, tls_serve, &strange);
}

/* Serves a peer that says `bytes` and then ends, or is silent. */
static void serve_stranger(const void *bytes, size_t length, bool ends, int64_t limit)
{
    int peer;

    cr_assert(eq(int, nido_socketpair(AF_UNIX, SOCK_STREAM, 0, strange.fds), 0));
    peer = strange.fds[1];
    nido_write_all(peer, bytes, length, NULL);
    if (ends) shutdown(peer, SHUT_WR);
    strange.served = accept_within(&limit);
    nido_close(peer);
}

static int serve_strangers(void *unused)
{
    static const char http[] = "GET / HTTP/1.0\r\n\r\n";
    static const char hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    unsigned char noise[3000];
    int64_t begun = nido_now();

    (void)unused;
    strange = (struct tls_ends){.server = tls_server(TLS_SERVER)};
    for (size_t i = 0; i < sizeof noise; i++) noise[i] = (unsigned char)(i * i * 31 + 7 * i);
    serve_stranger(http, sizeof http - 1, false, NIDO_NEVER);
    tls_told(strange.served_text, "TLS with the peer: http request");
    serve_stranger(noise, sizeof noise, false, NIDO_NEVER);
    tls_told(strange.served_text, "TLS with the peer: ");
    serve_stranger(hello, sizeof hello - 1, true, NIDO_NEVER);
    tls_told(strange.served_text, "the peer ended the connection in the handshake");
    serve_stranger(NULL, 0, true, NIDO_NEVER);
    tls_told(strange.served_text, "the peer ended the connection in the handshake");
    cr_expect(nido_now() - begun < NIDO_SEC(1));
    serve_stranger(hello, sizeof hello - 1, false, NIDO_NEVER);
    tls_told(strange.served_text, "TLS with the peer: the handshake took longer than 10 s");
    cr_expect(nido_now() - begun < NIDO_SEC(11));
    serve_stranger(hello, sizeof hello - 1, false, NIDO_SEC(3));
    cr_expect(eq(int, strange.served, -ETIMEDOUT), "the caller's scope");
    cr_expect(nido_now() - begun < NIDO_SEC(14));
    nido_tls_free(strange.server);
    return 0;
}

NIDO_TEST(tls, strangers_get_a_text_and_a_limit)
{
    cr_expect(eq(int, io_run(serve_strangers), 0));
}

/* ---- Strangers beside others ---- */

enum { INNOCENT = 10, ROUNDS = 20 };

static int answer_bytes(nido_stream *stream, struct tls_ends *ends)
{
    char bytes[64];
    ssize_t n;

    (void)ends;
    while ((n = nido_stream_read(stream, bytes, sizeof bytes)) > 0) {
        int rc = nido_stream_write(stream, bytes, (size_t)n, NULL);

        if (!rc) rc = nido_stream_flush(stream);
        if (rc) return rc;
    }
    return (int)n;
}

static int ask_bytes(nido_stream *stream, struct tls_ends *ends)
{
    char bytes[8];
    int rc = 0;

    (void)ends;
    for (int i = 0; i < ROUNDS && !rc; i++) {
        nido_stream_printf(stream, "round %02d", i);
        rc = nido_stream_read_full(stream, bytes, sizeof bytes, NULL);
        nido_sleep(NIDO_MS(1));
    }
    return rc;
}

static int be_innocent(void *tls)
{
    struct tls_ends ends = {.server = ((nido_tls **)tls)[0],
                            .client = ((nido_tls **)tls)[1],
                            .serve = answer_bytes,
                            .ask = ask_bytes};

    tls_meet(&ends);
    cr_expect(ends.asked == 0 && ends.served == 0, "%d %s, %d %s", ends.served, ends.served_text,
              ends.asked, ends.asked_text);
    return 0;
}

static int be_strange(void *tls)
{
    struct tls_ends ends = {.server = ((nido_tls **)tls)[0], .client = ((nido_tls **)tls)[1]};

    for (int i = 0; i < ROUNDS; i++) {
        ends.name = i % 2 ? "elsewhere" : "example.org";
        tls_meet(&ends);
        strange.server = ends.server;
        serve_stranger("GET /\r\n\r\n", 9, i % 3 == 0, NIDO_NEVER);
        cr_expect(ends.asked == (i % 2 ? -EACCES : 0));
        nido_sleep(NIDO_MS(1));
    }
    return 0;
}

static int mix(void *unused)
{
    nido_tls *tls[] = {tls_server(TLS_SERVER), tls_client()};
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < INNOCENT; i++) cr_expect(zero(int, nido_spawn(&group, be_innocent, tls)));
    cr_expect(zero(int, nido_spawn(&group, be_strange, tls)));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    nido_tls_free(tls[0]);
    nido_tls_free(tls[1]);
    return 0;
}

NIDO_TEST(tls, a_strangers_failed_handshake_touches_no_other_connection)
{
    cr_expect(eq(int, io_run(mix), 0));
}

/* ---- Refusals ---- */

static void refuse_context(const nido_tls_options *options, int code, const char *part)
{
    nido_tls *tls = NULL;

    cr_expect(eq(int, nido_tls_new(options, &tls), code));
    tls_told(nido_error_text(nido_error_last()), part);
    cr_expect(eq(ptr, tls, NULL));
}

/* The server's. */
static void encrypt_key(char *out, size_t room)
{
    BIO *plain = BIO_new_mem_buf(tls_certificate(TLS_SERVER), -1), *locked = BIO_new(BIO_s_mem());
    EVP_PKEY *key = PEM_read_bio_PrivateKey(plain, NULL, NULL, NULL);
    int n;

    cr_expect(PEM_write_bio_PKCS8PrivateKey(locked, key, EVP_aes_256_cbc(), "x", 1, NULL, NULL));
    n = BIO_read(locked, out, (int)room - 1);
    out[n > 0 ? n : 0] = '\0';
    EVP_PKEY_free(key);
    BIO_free(plain);
    BIO_free(locked);
}

static int refuse(void *unused)
{
    static const char *const empty[] = {"", NULL};
    nido_stream stream = {.fd = 7};
    char broken[4096];
    nido_tls *tls = tls_client();
    int fds[2];

    (void)unused;
    refuse_context(&(nido_tls_options){.verify = 1}, -EINVAL, "NIDO_TLS_OPTIONS(");
    refuse_context(&NIDO_TLS_OPTIONS(.verify = 9), -EINVAL, "nido_tls_options.verify");
    refuse_context(&NIDO_TLS_OPTIONS(.handshake_ns = -1), -EINVAL, "handshake_ns");
    refuse_context(&NIDO_TLS_OPTIONS(.key = tls_certificate(TLS_SERVER)), -EINVAL, "key has no");
    refuse_context(&NIDO_TLS_OPTIONS(.alpn = empty), -EINVAL, "alpn");
    refuse_context(&NIDO_TLS_OPTIONS(.certificate = "/nowhere.pem"), -ENOENT,
                   "certificate /nowhere.pem: ");
    refuse_context(&NIDO_TLS_OPTIONS(.ca = "/dev/null"), -EINVAL,
                   "ca /dev/null: there is none in it");
    refuse_context(&NIDO_TLS_OPTIONS(.certificate = "-----BEGIN NONSENSE"), -EINVAL,
                   "certificate: there is none in it");
    refuse_context(&NIDO_TLS_OPTIONS(.certificate = tls_certificate(TLS_SERVER),
                                     .key = tls_certificate(TLS_CLIENT)),
                   -EINVAL, "key values mismatch");
    refuse_context(&NIDO_TLS_OPTIONS(.certificate = "/"), -EISDIR, "certificate /: EISDIR: ");
    refuse_context(&NIDO_TLS_OPTIONS(.certificate = tls_certificate(TLS_SERVER), .key = tls_root()),
                   -EINVAL, "key: there is none in it");
    encrypt_key(broken, sizeof broken);
    refuse_context(&NIDO_TLS_OPTIONS(.certificate = tls_certificate(TLS_SERVER), .key = broken),
                   -EINVAL, "the key is encrypted");
    snprintf(broken, sizeof broken, "%s-----BEGIN CERTIFICATE-----\nx\n", tls_root());
    refuse_context(&NIDO_TLS_OPTIONS(.ca = broken), -EINVAL, "ca: ");
    cr_expect(eq(int, nido_tls_connect(&stream, tls, -ECONNREFUSED, "x", NULL), -ECONNREFUSED));
    nido_pipe(fds);
    cr_expect(eq(int, nido_tls_connect(&stream, tls, fds[0], "x", NULL), -ENOTSOCK));
    io_close_pair(fds);
    nido_socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
    cr_expect(eq(int, nido_tls_connect(&stream, tls, fds[0], NULL, NULL), -EINVAL));
    tls_told(nido_error_text(nido_error_last()), "without a name the server cannot be verified");
    cr_expect(eq(int, nido_tls_accept(&stream, tls, fds[0], NULL), -EINVAL));
    tls_told(nido_error_text(nido_error_last()), "nido_tls_options.certificate is NULL");
    cr_expect(eq(int, nido_tls_accept(&stream, tls, fds[0], &(nido_stream_options){0}), -EINVAL));
    cr_expect(eq(int, nido_stream_fd(&stream), -EBADF));
    cr_expect(nido_tls_alpn(&stream) == NULL && nido_tls_version(&stream) == NULL &&
              nido_tls_ssl(&stream) == NULL && !nido_tls_resumed(&stream));
    io_close_pair(fds);
    nido_tls_free(tls);
    nido_tls_free(NULL);
    return 0;
}

NIDO_TEST(tls, what_is_refused_says_why)
{
    cr_expect(eq(int, io_run(refuse), 0));
}

/* ---- The log of keys ---- */

static int greet_without_log(void *unused)
{
    struct tls_ends ends = {.name = "example.org"};

    (void)unused;
    ends.server = tls_server(TLS_SERVER);
    ends.client = tls_client();
    tls_meet(&ends);
    cr_expect(ends.served == 0 && ends.asked == 0, "%s %s", ends.served_text, ends.asked_text);
    tls_ends_free(&ends);
    return 0;
}

NIDO_TEST(tls, a_pipe_is_no_log_of_keys)
{
    char path[64], byte;
    int reader;

    snprintf(path, sizeof path, "/tmp/nido-test-%d.keys", (int)getpid());
    cr_assert(zero(int, mkfifo(path, 0600)));
    setenv("SSLKEYLOGFILE", path, 1);
    cr_expect(eq(int, io_run(greet_without_log), 0), "no reader");
    reader = open(path, O_RDONLY | O_NONBLOCK);
    cr_expect(eq(int, io_run(greet_without_log), 0), "a reader that does not read");
    cr_expect(eq(int, (int)read(reader, &byte, 1), 0), "no writer");
    close(reader);
    unlink(path);
}
