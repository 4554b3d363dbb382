/* SPDX-License-Identifier: MIT */
/* Each allocation of OpenSSL's fails once, in a handshake and an exchange: connections fail, and the program
 * goes on. */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "tls_help.h"

static long count, fails_at = -1;

static bool fails(void)
{
    return ++count == fails_at;
}

static void *test_malloc(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return fails() ? NULL : malloc(size);
}

static void *test_realloc(void *old, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return fails() ? NULL : realloc(old, size);
}

static void test_free(void *old, const char *file, int line)
{
    (void)file, (void)line;
    free(old);
}

/* Before anything of OpenSSL's runs. */
static int replaced;

static void __attribute__((constructor)) replace(void)
{
    replaced = CRYPTO_set_mem_functions(test_malloc, test_realloc, test_free);
}

static int say(nido_stream *stream, struct tls_ends *ends)
{
    int rc = nido_stream_printf(stream, "hello\n");

    (void)ends;
    if (rc > 0) rc = nido_stream_flush(stream);
    return rc < 0 ? rc : nido_stream_wait(stream);
}

static int hear(nido_stream *stream, struct tls_ends *ends)
{
    size_t length;
    char *line;
    int rc = nido_stream_line(stream, &line, &length);

    (void)ends;
    return rc == 1 ? 0 : rc ? rc : -EPIPE;
}

static int meet_once(void *arg)
{
    struct tls_ends *ends = arg;
    nido_group group;

    nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends->fds);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, tls_serve, ends)));
    cr_expect(zero(int, nido_spawn(&group, tls_ask, ends)));
    return nido_group_close(&group, 0);
}

static int fail_each(void *unused)
{
    struct tls_ends ends = {.serve = say, .ask = hear};
    long most, step = 7;

    (void)unused;
    ends.server = tls_server(TLS_SERVER);
    ends.client = tls_context(&NIDO_TLS_OPTIONS(.ca = tls_root(), .no_sessions = true));
    tls_meet(&ends);
    count = 0;
    tls_meet(&ends);
    most = count;
    cr_expect(most > 100);
    for (long i = 1; i < most; i += step) {
        count = 0;
        fails_at = i;
        cr_expect(eq(int, meet_once(&ends), 0));
    }
    fails_at = -1;
    tls_meet(&ends);
    cr_expect(ends.served == 0 && ends.asked == 0, "%s, %s", ends.served_text, ends.asked_text);
    tls_ends_free(&ends);
    return 0;
}

NIDO_TEST(tls, without_memory_a_connection_fails_and_the_next_one_works)
{
    cr_assert(eq(int, replaced, 1));
    cr_expect(eq(int, io_run(fail_each), 0));
}

static int fail_to_make(void *unused)
{
    nido_tls_options options;
    nido_tls *tls = NULL;
    int rc = -ENOMEM;
    long i = 0;

    (void)unused;
    nido_tls_options_init(&options);
    options.certificate = tls_certificate(TLS_SERVER);
    options.ca = tls_root();
    nido_tls_free(tls_context(&options));
    while (rc && i < 100000) {
        tls = NULL;
        count = 0;
        fails_at = ++i;
        rc = nido_tls_new(&options, &tls);
        fails_at = -1;
        cr_expect(rc < 0 ? tls == NULL : tls != NULL);
    }
    cr_expect(i > 10);
    nido_tls_free(tls);
    return 0;
}

NIDO_TEST(tls, without_memory_no_context_is_made)
{
    cr_assert(eq(int, replaced, 1));
    cr_expect(eq(int, io_run(fail_to_make), 0));
}
