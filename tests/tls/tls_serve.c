/* SPDX-License-Identifier: MIT */
/* nido/tls.h under nido/serve.h. */
#include "nido/serve.h"
#include "tls_help.h"

static struct {
    int listener_served, answered;
    nido_tls *tls;
} world;

static int open_tls(nido_stream *stream, int fd, const nido_stream_options *options, void *unused)
{
    (void)unused;
    return nido_tls_accept(stream, world.tls, fd, options);
}

static int answer(nido_stream *stream, void *unused)
{
    (void)unused;
    return tls_answer_lines(stream, NULL);
}

static int serve_tls(void *listener)
{
    world.listener_served =
        nido_serve(*(int *)listener, answer, NULL, &NIDO_SERVE_OPTIONS(.open = open_tls));
    return 0;
}

/* Its second request arrives together with the stop. */
static int ask_and_stop(nido_tls *client)
{
    nido_stream stream;
    size_t length;
    char *line;
    int rc = nido_tls_dial(&stream, client, io_place(), NULL, NULL);

    if (rc) return rc;
    nido_stream_printf(&stream, "one\n");
    if (nido_stream_line(&stream, &line, &length) == 1) world.answered++;
    nido_stream_printf(&stream, "two\n");
    nido_stream_flush(&stream);
    nido_serve_stop(NULL);
    if (nido_stream_line(&stream, &line, &length) == 1) world.answered++;
    rc = nido_stream_wait(&stream);
    nido_stream_close(&stream);
    return rc;
}

static int drain_tls(void *unused)
{
    nido_tls *client = tls_context(&NIDO_TLS_OPTIONS(.verify = NIDO_TLS_VERIFY_NONE));
    int listener = io_listen();
    int64_t begun = nido_now();
    nido_group group;

    (void)unused;
    world.tls = tls_server(TLS_SERVER);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, serve_tls, &listener)));
    cr_expect(eq(int, ask_and_stop(client), 0), "close_notify");
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, world.answered, 2));
    cr_expect(eq(int, world.listener_served, 0));
    cr_expect(nido_now() - begun < NIDO_SEC(1));
    nido_tls_free(world.tls);
    nido_tls_free(client);
    return 0;
}

NIDO_TEST(tls, a_server_drains_and_a_request_that_has_arrived_is_answered)
{
    cr_expect(eq(int, io_run(drain_tls), 0));
}
