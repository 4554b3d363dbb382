/* SPDX-License-Identifier: MIT */
/* nido/stream.h: waiting between two requests, limits, and transports of the caller's. */
#include <errno.h>
#include <pthread.h>

#include "faults.h"
#include "stream_help.h"

/* ---- Waiting ---- */

static int idle_pair(void *arg)
{
    struct stream_pair *pair = arg;

    return nido_stream_wait(&pair->stream);
}

static int wait_idle(void *unused)
{
    struct stream_pair pair;
    nido_group group;

    (void)unused;
    stream_pair_open(&pair, NULL);
    stream_pair_say(&pair, "a\n");
    cr_expect(eq(int, nido_stream_wait(&pair.stream), 1));
    cr_expect(eq(int, nido_stream_wait(&pair.stream), 1));
    cr_expect(stream_line_is(&pair.stream, "a"));
    nido_stream_printf(&pair.stream, "b\n");
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    nido_stream_flush(&pair.stream);
    cr_expect(pair.stream.in && pair.stream.out);
    cr_expect(eq(int, nido_spawn(&group, idle_pair, &pair), 0));
    nido_yield();
    cr_expect(pair.stream.in == NULL && pair.stream.out == NULL);
    stream_pair_say(&pair, "c\n");
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(stream_line_is(&pair.stream, "c"));
    cr_expect(eq(str, (char *)stream_pair_heard(&pair), "b\n"));
    stream_pair_hang_up(&pair);
    cr_expect(eq(int, nido_stream_wait(&pair.stream), 0));
    stream_pair_close(&pair);
    return 0;
}

NIDO_TEST(stream, a_stream_that_waits_between_requests_has_no_buffers)
{
    cr_expect(eq(int, io_run(wait_idle), 0));
}

/* ---- Stopping ---- */

static int stop_idle(void *unused)
{
    struct stream_pair pair;
    nido_group group;

    (void)unused;
    stream_pair_open(&pair, NULL);
    cr_expect(nido_stream_stopping(&pair.stream) == false);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_spawn(&group, idle_pair, &pair), 0));
    nido_yield();
    cr_expect(eq(int, nido_stream_stop(&pair.stream), 0));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(nido_stream_stopping(&pair.stream));
    cr_expect(eq(int, nido_stream_wait(&pair.stream), 0));
    stream_pair_say(&pair, "one\ntwo\n");
    cr_expect(eq(int, nido_stream_wait(&pair.stream), 1)); /* it has come already */
    cr_expect(stream_line_is(&pair.stream, "one"));
    cr_expect(eq(int, nido_stream_wait(&pair.stream), 1));
    cr_expect(stream_line_is(&pair.stream, "two"));
    cr_expect(eq(int, nido_stream_wait(&pair.stream), 0));
    stream_pair_close(&pair);
    cr_expect(eq(int, nido_stream_stop(&pair.stream), -EBADF));
    return 0;
}

NIDO_TEST(stream, a_stop_ends_the_wait_between_requests_and_no_other)
{
    cr_expect(eq(int, io_run(stop_idle), 0));
}

static int arrive_before_a_stop(void *unused)
{
    struct stream_pair pair;
    nido_group group;

    (void)unused;
    stream_pair_open(&pair, NULL);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_spawn(&group, idle_pair, &pair), 0));
    nido_yield();
    stream_pair_say(&pair, "x\n");
    cr_expect(eq(int, nido_stream_stop(&pair.stream), 0));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, (int)(pair.stream.in_end - pair.stream.in_at), 2));
    cr_expect(stream_line_is(&pair.stream, "x"));
    stream_pair_close(&pair);
    return 0;
}

NIDO_TEST(stream, what_has_arrived_before_a_stop_is_read)
{
    cr_expect(eq(int, io_run(arrive_before_a_stop), 0));
}

static int elsewhere[3];

static void *use_elsewhere(void *stream)
{
    elsewhere[0] = nido_stream_stop(stream);
    elsewhere[1] = nido_stream_write(stream, "x", 1, NULL);
    elsewhere[2] = nido_stream_close(stream);
    return NULL;
}

static int use_on_a_bare_thread(void *unused)
{
    struct stream_pair pair;
    pthread_t thread;

    (void)unused;
    stream_pair_open(&pair, NULL);
    nido_stream_printf(&pair.stream, "y");
    cr_assert(zero(int, pthread_create(&thread, NULL, use_elsewhere, &pair.stream)));
    pthread_join(thread, NULL);
    cr_expect(elsewhere[0] == -EPERM && elsewhere[1] == -EPERM && elsewhere[2] == -EXDEV);
    cr_expect(nido_stream_stopping(&pair.stream) == false);
    cr_expect(eq(int, nido_stream_flush(&pair.stream), 0));
    cr_expect(eq(str, (char *)stream_pair_heard(&pair), "y"));
    stream_pair_close(&pair);
    return 0;
}

static nido_stream left;

static int leave_open(void *unused)
{
    int fds[2];

    (void)unused;
    cr_assert(zero(int, nido_socketpair(AF_UNIX, SOCK_STREAM, 0, fds)));
    nido_close(fds[1]);
    return nido_stream_open(&left, fds[0], NULL);
}

NIDO_TEST(stream, a_thread_without_a_runtime_changes_nothing)
{
    cr_expect(eq(int, io_run(use_on_a_bare_thread), 0));
    cr_expect(eq(int, io_run(leave_open), 0));
    cr_expect(eq(int, nido_stream_close(&left), 0), "its own thread's, after the run");
}

static int cancel_idle(void *unused)
{
    struct stream_pair pair;
    char *bytes;

    (void)unused;
    stream_pair_open(&pair, NULL);
    cr_expect(eq(int, nido_with_timeout(NIDO_SEC(9), idle_pair, &pair), -ETIMEDOUT));
    stream_pair_say(&pair, "x");
    cr_expect(eq(int, (int)nido_stream_peek(&pair.stream, 1, &bytes), 1));
    stream_pair_close(&pair);
    return 0;
}

NIDO_TEST(stream, a_cancelled_wait_leaves_the_stream_usable)
{
    cr_expect(eq(int, io_run(cancel_idle), 0));
}

/* ---- Limits ---- */

static int exceed_limits(void *unused)
{
    static char much[400000];
    nido_stream_options options;
    struct stream_pair pair;
    int64_t begun = nido_now();
    size_t length;
    char *line;

    (void)unused;
    nido_stream_options_init(&options);
    options.name = "client";
    options.idle_ns = NIDO_SEC(60);
    options.read_ns = NIDO_SEC(5);
    options.write_ns = NIDO_MS(2500);
    stream_pair_open(&pair, &options);
    cr_expect(eq(int, nido_stream_wait(&pair.stream), -ETIMEDOUT));
    cr_expect(eq(str, (char *)nido_error_text(nido_error_last()), "client: idle for 60 s"));
    cr_expect(eq(i64, nido_now() - begun, NIDO_SEC(60)));
    stream_pair_say(&pair, "half a li");
    cr_expect(eq(int, nido_stream_line(&pair.stream, &line, &length), -ETIMEDOUT));
    cr_expect(eq(str, (char *)nido_error_text(nido_error_last()), "client: no bytes came for 5 s"));
    cr_expect(eq(int, nido_stream_write(&pair.stream, much, sizeof much, NULL), -ETIMEDOUT));
    cr_expect(eq(str, (char *)nido_error_text(nido_error_last()),
                 "client: the peer took no bytes for 2.5 s"));
    cr_expect(eq(i64, nido_now() - begun, NIDO_MS(67500)));
    stream_pair_say(&pair, "ne\n");
    cr_expect(stream_line_is(&pair.stream, "half a line"));
    io_drain(pair.peer);
    cr_expect(eq(int, nido_stream_flush(&pair.stream), 0));
    stream_pair_close(&pair);
    return 0;
}

NIDO_TEST(stream, each_limit_has_a_text_and_leaves_the_stream_usable)
{
    cr_expect(eq(int, io_run(exceed_limits), 0));
}

/* ---- Refusals ---- */

static bool told(int rc, int code, const char *text)
{
    const char *said = nido_error_text(nido_error_last());

    cr_expect(rc == code && strstr(said, text), "%d \"%s\", not %d \"%s\"", rc, said, code, text);
    return rc == code;
}

static int wait_as_waiter(void *arg)
{
    nido_set_name("waiter");
    return idle_pair(arg);
}

static int refuse(void *unused)
{
    nido_stream_ops none = {.size = sizeof none};
    nido_stream_options options;
    struct stream_pair pair;
    nido_stream bad;
    nido_group group;
    size_t length;
    char *bytes;

    (void)unused;
    nido_stream_options_init(&options);
    options.idle_ns = -1;
    told(nido_stream_open(&bad, 0, &options), -EINVAL, "nido_stream_options.idle_ns");
    told(nido_stream_open_ops(&bad, &none, NULL, NULL), -EINVAL, "lack size, read or write");
    stream_pair_open(&pair, NULL);
    told(nido_stream_until(&pair.stream, "", 0, &bytes, &length), -EINVAL, "nido_stream_until");
    told(nido_stream_writev(&pair.stream, NULL, -1, NULL), -EINVAL, "nido_stream_writev");
    told(nido_stream_copy(&pair.stream, &pair.stream, 1, NULL), -EINVAL, "to itself");
    told(nido_stream_copy_file(&pair.stream, 0, -1, 1, NULL), -EINVAL, "a bad offset");
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_spawn(&group, wait_as_waiter, &pair), 0));
    nido_yield();
    told(nido_stream_line(&pair.stream, &bytes, &length), -EBUSY, "\"waiter\" reads from it");
    stream_pair_hang_up(&pair);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    stream_pair_close(&pair);
    return 0;
}

NIDO_TEST(stream, a_refusal_has_a_text)
{
    cr_expect(eq(int, io_run(refuse), 0));
}

/* ---- Options ---- */

static int open_badly(void *unused)
{
    nido_stream_options options;
    nido_stream stream = {0};
    int fds[2];

    (void)unused;
    nido_stream_options_init(&options);
    nido_pipe(fds);
    cr_expect(eq(int, nido_stream_open(&stream, -ECONNREFUSED, NULL), -ECONNREFUSED));
    options.read_ns = -1;
    cr_expect(eq(int, nido_stream_open(&stream, fds[0], &options), -EINVAL));
    cr_expect(eq(int, nido_stream_close(&stream), -EBADF));
    options.read_ns = 0;
    options.keep_open = true;
    cr_expect(eq(int, nido_stream_open(&stream, fds[0], &options), 0));
    cr_expect(eq(int, nido_stream_fd(&stream), fds[0]));
    cr_expect(eq(int, nido_stream_close(&stream), 0));
    io_close_pair(fds);
    return 0;
}

NIDO_TEST(stream, bad_options_are_refused_and_a_kept_descriptor_stays_open)
{
    nido_stream stream = {0};

    cr_expect(eq(int, nido_stream_open(&stream, 0, NULL), -EPERM));
    cr_expect(eq(int, io_run(open_badly), 0));
}

/* ---- Functions of the caller's ---- */

/* A transport that gives its input byte by byte, and takes two bytes at a time. */
static struct {
    const char *in;
    char out[64];
    size_t written;
    int shut, closed, waited, flushed;
    int flush_result, ready;
    ssize_t next; /* what read says at the end of the input */
} fake;

static ssize_t fake_read(void *ctx, void *buf, size_t len)
{
    (void)ctx, (void)len;
    if (!*fake.in) return fake.next;
    *(char *)buf = *fake.in++;
    return 1;
}

static ssize_t fake_write(void *ctx, const void *buf, size_t len)
{
    size_t n = len < 2 ? len : 2;

    (void)ctx;
    memcpy(fake.out + fake.written, buf, n);
    fake.written += n;
    return (ssize_t)n;
}

static int fake_shut_down(void *ctx)
{
    (void)ctx;
    return fake.shut++, 0;
}

static int fake_close(void *ctx)
{
    (void)ctx;
    return fake.closed++, -EIO;
}

static int fake_wait(void *ctx)
{
    const nido_stream *stream = ctx;

    cr_expect(stream->in == NULL);
    return fake.waited++, 0;
}

static int fake_flush(void *ctx)
{
    (void)ctx;
    return fake.flushed++, fake.flush_result;
}

static int fake_ready(void *ctx)
{
    (void)ctx;
    return fake.ready;
}

static const nido_stream_ops fake_ops = {sizeof fake_ops, fake_read,  fake_write,
                                         fake_shut_down,  fake_close, fake_wait,
                                         fake_flush,      fake_ready, NULL};

static int use_functions(void *unused)
{
    nido_stream stream;

    (void)unused;
    memset(&fake, 0, sizeof fake);
    fake.in = "one\ntwo\n";
    cr_expect(eq(int, nido_stream_open_ops(&stream, &fake_ops, &stream, NULL), 0));
    cr_expect(eq(int, nido_stream_wait(&stream), 1));
    cr_expect(eq(int, fake.waited, 1));
    cr_expect(stream_line_is(&stream, "one"));
    nido_stream_printf(&stream, "%s", "first");
    cr_expect(eq(int, nido_stream_wait(&stream), 1));
    cr_expect(eq(str, fake.out, "first"));
    cr_expect(stream_line_is(&stream, "two"));
    cr_expect(eq(int, nido_stream_wait(&stream), 0));
    nido_stream_printf(&stream, ".");
    cr_expect(eq(int, nido_stream_shutdown(&stream), 0));
    cr_expect(eq(str, fake.out, "first."));
    cr_expect(eq(int, nido_stream_fd(&stream), -EOPNOTSUPP));
    cr_expect(eq(int, nido_stream_close(&stream), -EIO));
    cr_expect(fake.shut == 1 && fake.closed == 1);
    return 0;
}

NIDO_TEST(stream, functions_of_the_caller_can_stand_for_a_descriptor)
{
    cr_expect(eq(int, io_run(use_functions), 0));
}

static int flush_functions(void *unused)
{
    nido_stream_options options;
    struct stream_pair pair;
    nido_stream stream;

    (void)unused;
    memset(&fake, 0, sizeof fake);
    fake.in = "x";
    nido_stream_options_init(&options);
    options.write_ns = NIDO_SEC(3);
    cr_expect(eq(int, nido_stream_open_ops(&stream, &fake_ops, &stream, &options), 0));
    nido_stream_printf(&stream, "kept");
    cr_expect(eq(int, nido_stream_wait(&stream), 1));
    cr_expect(eq(int, fake.flushed, 0));
    cr_expect(eq(int, nido_stream_flush(&stream), 0));
    cr_expect(eq(int, fake.flushed, 1), "though the buffer is empty");
    stream_pair_open(&pair, NULL);
    stream_pair_say(&pair, "copy");
    cr_expect(eq(int, nido_stream_copy(&stream, &pair.stream, 4, NULL), 0));
    cr_expect(eq(int, fake.flushed, 2));
    stream_pair_close(&pair);
    fake.flush_result = -EPIPE;
    cr_expect(eq(int, nido_stream_flush(&stream), -EPIPE));
    cr_expect(eq(int, nido_stream_write(&stream, "x", 1, NULL), -EPIPE), "it is kept");
    nido_stream_close(&stream);
    return 0;
}

NIDO_TEST(stream, a_flush_reaches_what_functions_of_the_caller_have_kept)
{
    cr_expect(eq(int, io_run(flush_functions), 0));
}

static int stop_functions(void *unused)
{
    nido_stream stream;

    (void)unused;
    memset(&fake, 0, sizeof fake);
    fake.in = "x";
    cr_expect(eq(int, nido_stream_open_ops(&stream, &fake_ops, &stream, NULL), 0));
    cr_expect(eq(int, nido_stream_stop(&stream), 0));
    cr_expect(eq(int, nido_stream_wait(&stream), 0));
    fake.ready = -ECONNRESET;
    cr_expect(eq(int, nido_stream_wait(&stream), -ECONNRESET));
    nido_stream_close(&stream);
    fake.ready = 1;
    cr_expect(eq(int, nido_stream_open_ops(&stream, &fake_ops, &stream, NULL), 0));
    cr_expect(eq(int, nido_stream_stop(&stream), 0));
    cr_expect(eq(int, nido_stream_wait(&stream), 1));
    cr_expect(eq(int, nido_stream_take(&stream, 1), 0));
    nido_stream_close(&stream);
    return 0;
}

NIDO_TEST(stream, what_functions_of_the_caller_have_before_a_stop_is_read)
{
    cr_expect(eq(int, io_run(stop_functions), 0));
}

static ssize_t lying_write(void *ctx, const void *buf, size_t len)
{
    (void)ctx, (void)buf;
    return (ssize_t)len + 1;
}

static int wait_in_vain(void *unused)
{
    (void)unused;
    return -ECANCELED;
}

static int wait_with_a_liar(void *unused)
{
    nido_stream_ops liar = fake_ops;
    nido_stream stream;

    (void)unused;
    liar.wait = wait_in_vain;
    cr_expect(eq(int, nido_stream_open_ops(&stream, &liar, NULL, NULL), 0));
    cr_expect(eq(int, nido_stream_wait(&stream), -EPROTO));
    cr_expect(zero(ptr, strstr(nido_error_text(nido_error_last()), "idle")));
    nido_stream_close(&stream);
    return 0;
}

NIDO_TEST(stream, a_cancel_that_none_asked_for_is_no_limit)
{
    cr_expect(eq(int, io_run(wait_with_a_liar), 0));
}

static int use_older_functions(void *unused)
{
    static const nido_stream_ops liar = {
        .size = sizeof liar, .read = fake_read, .write = lying_write};
    nido_stream_ops older = fake_ops;
    nido_stream stream;

    (void)unused;
    memset(&fake, 0, sizeof fake);
    fake.in = "x";
    fake.next = -ECONNRESET;
    older.size = offsetof(nido_stream_ops, shut_down);
    cr_expect(eq(int, nido_stream_open_ops(&stream, &older, NULL, NULL), 0));
    cr_expect(eq(int, nido_stream_wait(&stream), 1));
    cr_expect(eq(int, nido_stream_take(&stream, 1), 0));
    cr_expect(eq(int, nido_stream_wait(&stream), -ECONNRESET));
    cr_expect(eq(int, nido_stream_shutdown(&stream), -EOPNOTSUPP));
    cr_expect(eq(int, nido_stream_close(&stream), 0));
    cr_expect(fake.closed == 0 && fake.waited == 0);
    older.size = offsetof(nido_stream_ops, write);
    cr_expect(eq(int, nido_stream_open_ops(&stream, &older, NULL, NULL), -EINVAL));
    cr_expect(eq(int, nido_stream_open_ops(&stream, &liar, NULL, NULL), 0));
    nido_stream_printf(&stream, "abc");
    cr_expect(eq(int, nido_stream_flush(&stream), -EPROTO));
    cr_expect(eq(int, nido_stream_close(&stream), -ENOTEMPTY));
    return 0;
}

NIDO_TEST(stream, functions_that_are_missing_or_lie_are_noticed)
{
    cr_expect(eq(int, io_run(use_older_functions), 0));
}
