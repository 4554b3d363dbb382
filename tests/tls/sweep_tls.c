/* SPDX-License-Identifier: MIT */
/* TLS, swept: whatever is cancelled, fails or comes in pieces, no byte is lost or doubled, both ends
 * come to an end, and nothing is left open. */
#include "tls_help.h"
#undef TOGETHER
#include "sweep_help.h"

enum { ROUNDS = 2, CHUNK = 7000 };

/* One end, and the books of the bytes that it writes and reads. */
struct end {
    nido_tls *tls;
    nido_stream stream;
    int fd;
    bool client;
    size_t wrote, got;
    bool said_all, heard_all; /* close_notify was sent, and found */
};

static struct end ends[2]; /* the server, the client */

static char byte_at(size_t position)
{
    return (char)('a' + position % 23);
}

/* ---- Bytes ---- */

static int write_chunk(struct end *end)
{
    char bytes[CHUNK];
    nido_scope scope;
    size_t done = 0;
    int rc;

    for (size_t i = 0; i < CHUNK; i++) bytes[i] = byte_at(end->wrote + i);
    ALONE(scope, rc, nido_stream_write(&end->stream, bytes, CHUNK, &done));
    end->wrote += done;
    rc = unless_struck(rc);
    if (rc < 0) return rc;
    ALONE(scope, rc, nido_stream_flush(&end->stream));
    return unless_struck(rc);
}

static int write_all(void *arg)
{
    struct end *end = arg;
    nido_scope scope;
    int rc = 0;

    for (int i = 0; i < ROUNDS && rc >= 0; i++) {
        if (i && end->client) SSL_key_update(nido_tls_ssl(&end->stream), SSL_KEY_UPDATE_REQUESTED);
        rc = write_chunk(end);
    }
    if (rc >= 0) do
            ALONE(scope, rc, nido_stream_shutdown(&end->stream));
        while (rc == -EINTR && !nido_cancelled());
    end->said_all = rc == 0;
    return rc;
}

static int read_once(struct end *end)
{
    char bytes[3000];
    nido_scope scope;
    int rc;

    ALONE(scope, rc, nido_stream_wait(&end->stream));
    if (rc <= 0) return rc;
    ALONE(scope, rc, (int)nido_stream_read(&end->stream, bytes, sizeof bytes));
    for (int i = 0; i < rc; i++) LAW(bytes[i] == byte_at(end->got + (size_t)i));
    if (rc > 0) end->got += (size_t)rc;
    return rc;
}

static int read_all(void *arg)
{
    struct end *end = arg;
    int rc;

    do rc = read_once(end);
    while (rc > 0 || (rc == -EINTR && !nido_cancelled()));
    end->heard_all = rc == 0;
    return rc;
}

/* ---- Ends ---- */

static int begin_tls(struct end *end)
{
    nido_stream_options options;
    nido_scope scope;
    int rc;

    nido_stream_options_init(&options);
    options.buffer_size = 3000;
    if (end->client)
        ALONE(scope, rc,
              nido_tls_connect(&end->stream, end->tls, end->fd, "example.org", &options));
    else
        ALONE(scope, rc, nido_tls_accept(&end->stream, end->tls, end->fd, &options));
    if (rc) nido_close(end->fd);
    return rc;
}

static int be_end(void *arg)
{
    struct end *end = arg;
    int rc = begin_tls(end);

    if (rc) return unless_struck(rc);
    rc = TOGETHER(end, read_all, write_all);
    nido_stream_close(&end->stream);
    return unless_struck(rc);
}

static int be_server(void *unused)
{
    (void)unused;
    return be_end(&ends[0]);
}

static int be_client(void *unused)
{
    (void)unused;
    return be_end(&ends[1]);
}

static void settle(const struct end *from, const struct end *to)
{
    LAW(to->got <= from->wrote);
    LAW(!from->said_all || !to->heard_all || to->got == from->wrote);
}

static int meet(void *unused)
{
    int fds[2], rc = nido_socketpair(AF_UNIX, SOCK_STREAM, 0, fds);

    (void)unused;
    if (rc) return rc;
    for (int i = 0; i < 2; i++) {
        setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &(int){4096}, sizeof(int));
        ends[i] = (struct end){.tls = ends[i].tls, .fd = fds[i], .client = i == 1};
    }
    rc = TOGETHER(NULL, be_server, be_client);
    settle(&ends[0], &ends[1]);
    settle(&ends[1], &ends[0]);
    return rc;
}

static void prepare(void)
{
    ends[0].tls = tls_server(TLS_SERVER);
    ends[1].tls = tls_context(&NIDO_TLS_OPTIONS(.ca = tls_root(), .no_sessions = true));
}

static void clean(void)
{
    nido_tls_free(ends[0].tls);
    nido_tls_free(ends[1].tls);
}

NIDO_TEST(swept, tls_neither_loses_nor_doubles)
{
    prepare();
    cr_expect(eq(int, sweep_every_way("meet", meet, 0), 0));
    clean();
}

/* ---- Dialling ---- */

static int serve_one(void *listener)
{
    int fd = nido_accept(*(int *)listener, NULL, NULL), rc;
    nido_stream stream;
    nido_scope scope;

    if (fd < 0) return fd;
    ALONE(scope, rc, nido_tls_accept(&stream, ends[0].tls, fd, NULL));
    if (rc)
        nido_close(fd);
    else
        nido_stream_close(&stream);
    return rc == -EINTR || rc == -ECONNABORTED || rc == -EPIPE ? 0 : rc;
}

/* Without it the server would wait for ever. */
static int dial_one(void *group)
{
    nido_stream stream;
    nido_scope scope;
    int rc;

    ALONE(scope, rc, nido_tls_dial(&stream, ends[1].tls, io_place(), NULL, NULL));
    if (rc)
        nido_group_cancel(group, 0, "no client");
    else
        nido_stream_close(&stream);
    return unless_struck(rc);
}

static int dial_and_accept(void *unused)
{
    nido_group group;
    int listener, rc;

    (void)unused;
    unlink(io_place() + 5);
    listener = nido_listen(io_place(), NULL, NULL);
    if (listener < 0) return listener;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    rc = nido_spawn(&group, serve_one, &listener);
    if (!rc) rc = nido_spawn(&group, dial_one, &group);
    rc = nido_group_close(&group, rc);
    nido_close(listener);
    return rc;
}

NIDO_TEST(swept, tls_leaves_nothing_open_when_dialling_fails)
{
    ends[0].tls = tls_server(TLS_SERVER);
    ends[1].tls = tls_context(&NIDO_TLS_OPTIONS(.verify = NIDO_TLS_VERIFY_NONE));
    cr_expect(eq(int, sweep_every_way("dial_and_accept", dial_and_accept, 0), 0));
    unlink(io_place() + 5);
    clean();
}
