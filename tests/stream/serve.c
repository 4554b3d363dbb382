/* SPDX-License-Identifier: MIT */
/* nido/serve.h: a server of connections, and its end. */
#include "nido/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "abort_help.h"
#include "faults.h"
#include "stream_help.h"

/* A handler that answers lines; "fail" fails, "hang" never answers, "slow" takes two seconds. */
static int answer(nido_stream *stream, void *served)
{
    char *line;
    size_t length;
    int rc;

    ++*(int *)served;
    while ((rc = nido_stream_wait(stream)) > 0) {
        rc = nido_stream_line(stream, &line, &length);
        if (rc <= 0) break;
        if (!strcmp(line, "fail")) return nido_fail(-EBADMSG, "no such request");
        if (!strcmp(line, "hang")) rc = nido_sleep(NIDO_SEC(1000000));
        if (!strcmp(line, "slow")) rc = nido_sleep(NIDO_SEC(2));
        if (rc < 0) break;
        nido_stream_printf(stream, "<%s>%s\n", line, nido_stream_stopping(stream) ? " last" : "");
    }
    return rc;
}

static struct world {
    nido_serve_options options;
    int served, rc;
    int64_t begun, ended;
} world;

static int serve_one(void *unused)
{
    (void)unused;
    world.rc = nido_serve(io_listen(), answer, &world.served, &world.options);
    world.ended = nido_now();
    return world.rc < 0 ? world.rc : 0;
}

static void world_begin(void)
{
    memset(&world, 0, sizeof world);
    nido_serve_options_init(&world.options);
    world.options.ignore_signals = true;
    world.begun = nido_now();
}

/* Runs `client` beside a server, and stops it if `client` has not. */
static int with_server(int (*client)(void))
{
    nido_group group;
    int rc;

    nido_group_open(&group, NIDO_FAIL_FAST, "both");
    cr_expect(eq(int, nido_spawn(&group, serve_one, NULL), 0));
    nido_yield();
    rc = client();
    nido_serve_stop(NULL);
    return nido_group_close(&group, rc);
}

static int stream_dial(nido_stream *stream)
{
    return nido_stream_open(stream, nido_dial(io_place(), NULL, NULL), NULL);
}

static bool ask(nido_stream *stream, const char *question, const char *wanted)
{
    nido_stream_printf(stream, "%s\n", question);
    return stream_line_is(stream, wanted);
}

static bool is_over(nido_stream *stream)
{
    bool over = nido_stream_wait(stream) == 0;

    nido_stream_close(stream);
    return over;
}

/* ---- Serving ---- */

static int two_clients(void)
{
    nido_stream a, b;

    cr_expect(eq(int, stream_dial(&a), 0));
    cr_expect(eq(int, stream_dial(&b), 0));
    cr_expect(ask(&a, "one", "<one>"));
    cr_expect(ask(&b, "two", "<two>"));
    cr_expect(ask(&a, "three", "<three>"));
    nido_stream_close(&a);
    nido_serve_stop(NULL);
    cr_expect(is_over(&b));
    return 0;
}

static int serve_two(void *unused)
{
    (void)unused;
    world_begin();
    cr_expect(eq(int, with_server(two_clients), 0));
    cr_expect(eq(int, world.rc, 0));
    cr_expect(eq(int, world.served, 2));
    return 0;
}

NIDO_TEST(serve, each_connection_has_a_task_and_idle_ones_end_at_a_stop)
{
    cr_expect(eq(int, io_run(serve_two), 0));
}

/* Counts by tens in what the handler counts by ones. */
static int open_and_count(nido_stream *stream, int fd, const nido_stream_options *options,
                          void *served)
{
    *(int *)served += 10;
    return nido_stream_open(stream, fd, options);
}

static int serve_opened(void *unused)
{
    (void)unused;
    world_begin();
    world.options.open = open_and_count;
    cr_expect(eq(int, with_server(two_clients), 0));
    cr_expect(eq(int, world.served, 22));
    return 0;
}

NIDO_TEST(serve, each_stream_is_opened_by_the_programs_own_function)
{
    cr_expect(eq(int, io_run(serve_opened), 0));
}

/* ---- Draining ---- */

static int slow_client(void)
{
    nido_stream a, late;

    cr_expect(eq(int, stream_dial(&a), 0));
    nido_stream_printf(&a, "slow\n");
    nido_stream_flush(&a);
    nido_sleep(NIDO_SEC(1));
    nido_serve_stop(NULL);
    nido_sleep(NIDO_MS(1));
    cr_expect(lt(int, stream_dial(&late), 0), "no more is accepted");
    cr_expect(stream_line_is(&a, "<slow> last"));
    cr_expect(is_over(&a));
    return 0;
}

static int serve_slow(void *unused)
{
    (void)unused;
    world_begin();
    cr_expect(eq(int, with_server(slow_client), 0));
    cr_expect(eq(int, world.rc, 0));
    cr_expect(eq(i64, world.ended - world.begun, NIDO_SEC(2)));
    return 0;
}

NIDO_TEST(serve, what_is_in_flight_is_finished_in_the_drain)
{
    cr_expect(eq(int, io_run(serve_slow), 0));
}

/* The server has had no turn since. */
static int late_client(void)
{
    nido_stream a, b;

    cr_expect(eq(int, stream_dial(&a), 0));
    cr_expect(ask(&a, "one", "<one>"));
    cr_expect(eq(int, stream_dial(&b), 0));
    nido_stream_printf(&b, "new\n");
    nido_stream_flush(&b);
    nido_stream_printf(&a, "two\n");
    nido_stream_flush(&a);
    nido_serve_stop(NULL);
    cr_expect(stream_line_is(&a, "<two> last"));
    cr_expect(stream_line_is(&b, "<new> last"));
    cr_expect(is_over(&a) && is_over(&b));
    return 0;
}

static int serve_late(void *unused)
{
    (void)unused;
    world_begin();
    cr_expect(eq(int, with_server(late_client), 0));
    cr_expect(eq(int, world.rc, 0));
    return 0;
}

NIDO_TEST(serve, what_has_arrived_before_a_stop_is_answered)
{
    cr_expect(eq(int, io_run(serve_late), 0));
}

static int hanging_client(void)
{
    nido_stream a;

    cr_expect(eq(int, stream_dial(&a), 0));
    nido_stream_printf(&a, "hang\n");
    nido_stream_flush(&a);
    nido_sleep(NIDO_SEC(1));
    nido_serve_stop(NULL);
    cr_expect(is_over(&a));
    return 0;
}

static int serve_hanging(void *unused)
{
    (void)unused;
    world_begin();
    world.options.drain_ns = NIDO_SEC(5);
    cr_expect(eq(int, with_server(hanging_client), 0));
    cr_expect(eq(int, world.rc, 1));
    cr_expect(eq(i64, world.ended - world.begun, NIDO_SEC(6)));
    return 0;
}

NIDO_TEST(serve, what_outlasts_the_drain_is_cancelled_and_counted)
{
    cr_expect(eq(int, io_run(serve_hanging), 0));
}

static int signalled_client(void)
{
    nido_stream a;

    cr_expect(eq(int, stream_dial(&a), 0));
    nido_stream_printf(&a, "hang\n");
    nido_stream_flush(&a);
    nido_sleep(NIDO_SEC(1));
    raise(SIGTERM);
    nido_sleep(NIDO_SEC(1));
    raise(SIGTERM);
    cr_expect(is_over(&a));
    return 0;
}

static int serve_signalled(void *unused)
{
    (void)unused;
    world_begin();
    world.options.ignore_signals = false;
    cr_expect(eq(int, with_server(signalled_client), 0));
    cr_expect(eq(int, world.rc, 1));
    cr_expect(eq(i64, world.ended - world.begun, NIDO_SEC(2)));
    return 0;
}

NIDO_TEST(serve, a_signal_drains_and_a_second_one_cancels_at_once)
{
    cr_expect(eq(int, io_run(serve_signalled), 0));
}

static int serve_cancelled(void *unused)
{
    (void)unused;
    world_begin();
    cr_expect(eq(int, nido_with_timeout(NIDO_SEC(3), serve_one, NULL), -ETIMEDOUT));
    cr_expect(eq(int, world.rc, -ECANCELED));
    return 0;
}

NIDO_TEST(serve, a_cancelled_server_ends_with_its_connections)
{
    cr_expect(eq(int, io_run(serve_cancelled), 0));
}

/* ---- Failures ---- */

static struct {
    int rc, count;
    char peer[64];
} reported;

static void note_report(void *ctx, const char *peer, int rc)
{
    (void)ctx;
    reported.rc = rc;
    reported.count++;
    snprintf(reported.peer, sizeof reported.peer, "%s", peer);
}

static int failing_client(void)
{
    nido_stream a, b;

    cr_expect(eq(int, stream_dial(&a), 0));
    cr_expect(eq(int, stream_dial(&b), 0));
    nido_stream_printf(&a, "fail\n");
    cr_expect(is_over(&a));
    cr_expect(ask(&b, "still", "<still>"));
    nido_stream_close(&b);
    return 0;
}

static int serve_failing(void *unused)
{
    (void)unused;
    world_begin();
    world.options.report = note_report;
    cr_expect(eq(int, with_server(failing_client), 0));
    cr_expect(reported.count == 1 && reported.rc == -EBADMSG);
    cr_expect(eq(str, reported.peer, "unix"));
    return 0;
}

NIDO_TEST(serve, a_connection_that_fails_is_reported_and_the_others_go_on)
{
    cr_expect(eq(int, io_run(serve_failing), 0));
}

static char told[256];

static void keep_line(void *unused, const char *line)
{
    (void)unused;
    snprintf(told, sizeof told, "%s", line);
}

/* A client that closes with the answer unread resets the connection. */
static int resetting_client(void)
{
    nido_stream a;
    char *bytes;

    cr_expect(eq(int, stream_dial(&a), 0));
    nido_stream_printf(&a, "one\n");
    cr_expect(nido_stream_peek(&a, 1, &bytes) > 0);
    nido_stream_printf(&a, "two\n");
    nido_stream_flush(&a);
    cr_expect(eq(int, nido_wait_fd(nido_stream_fd(&a), NIDO_IN), NIDO_IN));
    nido_stream_close(&a);
    return nido_sleep(NIDO_MS(1));
}

static int serve_resetting(void *unused)
{
    (void)unused;
    world_begin();
    world.options.report = note_report;
    cr_expect(eq(int, with_server(resetting_client), 0));
    cr_expect(reported.count == 1 && reported.rc == -ECONNRESET);
    world_begin();
    cr_expect(eq(int, with_server(resetting_client), 0));
    cr_expect(eq(str, told, ""));
    world_begin();
    cr_expect(eq(int, with_server(failing_client), 0));
    return 0;
}

NIDO_TEST(serve, no_line_says_that_a_client_has_left_between_two_requests)
{
    nido_options options = nido_test_virtual();

    options.on_report = keep_line;
    cr_expect(eq(int, nido_run(serve_resetting, NULL, &options), 0));
    unlink(io_place() + 5);
    cr_expect(eq(str, told, "nido: connection of unix: no such request (EBADMSG: bad message)\n"));
}

static int open_nothing(nido_stream *stream, int fd, const nido_stream_options *options, void *ctx)
{
    (void)stream, (void)fd, (void)options, (void)ctx;
    return 0;
}

static int open_refused(nido_stream *stream, int fd, const nido_stream_options *options, void *ctx)
{
    (void)stream, (void)fd, (void)options, (void)ctx;
    return -EACCES;
}

static int stray(nido_stream *stream, void *unused)
{
    (void)stream, (void)unused;
    return -ECANCELED;
}

static int dial_in_vain(void)
{
    nido_stream a;

    cr_expect(eq(int, stream_dial(&a), 0));
    cr_expect(is_over(&a));
    return 0;
}

static int serve_strays(void *unused)
{
    (void)unused;
    return nido_serve(io_listen(), stray, NULL, &world.options);
}

static int serve_nothing(void *unused)
{
    nido_group group;

    (void)unused;
    world_begin();
    world.options.report = note_report;
    world.options.open = open_nothing;
    cr_expect(eq(int, with_server(dial_in_vain), 0));
    cr_expect(eq(int, reported.rc, -EINVAL));
    world.options.open = open_refused;
    cr_expect(eq(int, with_server(dial_in_vain), 0));
    cr_expect(eq(int, reported.rc, -EACCES));
    world.options.open = NULL;
    nido_group_open(&group, NIDO_FAIL_FAST, "both");
    cr_expect(eq(int, nido_spawn(&group, serve_strays, NULL), 0));
    nido_yield();
    dial_in_vain();
    cr_expect(eq(int, reported.rc, -EPROTO));
    nido_serve_stop(NULL);
    return nido_group_close(&group, 0);
}

NIDO_TEST(serve, a_stream_that_was_not_opened_and_a_stray_cancel_are_reported)
{
    cr_expect(eq(int, io_run(serve_nothing), 0));
}

static nido_group readers;

static int read_elsewhere(void *stream)
{
    char byte;

    nido_set_name("reader");
    return (int)nido_stream_read(stream, &byte, 1);
}

static int leave_a_reader(nido_stream *stream, void *unused)
{
    (void)unused;
    int rc = nido_spawn(&readers, read_elsewhere, stream);

    return rc ? rc : nido_sleep(NIDO_MS(1));
}

static int serve_leaving(void *unused)
{
    (void)unused;
    return nido_serve(io_listen(), leave_a_reader, NULL, &world.options);
}

static int serve_and_leave_a_reader(void *unused)
{
    nido_stream client;

    (void)unused;
    world_begin();
    nido_group_open(&readers, NIDO_FAIL_FAST, "readers");
    if (nido_spawn(&readers, serve_leaving, NULL)) return -EIO;
    nido_yield();
    stream_dial(&client);
    return nido_group_close(&readers, nido_sleep(NIDO_SEC(1)));
}

NIDO_TEST(serve, a_handler_that_returns_while_a_task_uses_its_stream_is_named_with_it)
{
    EXPECT_LAST_WORDS(serve_and_leave_a_reader, "\"unix\" returns from its handler while task #",
                      "\"reader\" reads from the stream");
}

/* ---- The limit ---- */

static int limited_clients(void)
{
    nido_stream a, b;

    cr_expect(eq(int, stream_dial(&a), 0));
    cr_expect(ask(&a, "one", "<one>"));
    cr_expect(eq(int, stream_dial(&b), 0));
    nido_stream_printf(&b, "two\n");
    nido_stream_flush(&b);
    nido_sleep(NIDO_SEC(1));
    cr_expect(eq(int, world.served, 1));
    nido_stream_close(&a);
    cr_expect(stream_line_is(&b, "<two>"));
    nido_stream_close(&b);
    return 0;
}

static int serve_limited(void *unused)
{
    (void)unused;
    world_begin();
    world.options.limit = 1;
    cr_expect(eq(int, with_server(limited_clients), 0));
    cr_expect(eq(int, world.served, 2));
    return 0;
}

NIDO_TEST(serve, above_the_limit_connections_wait_in_the_backlog)
{
    cr_expect(eq(int, io_run(serve_limited), 0));
}

static int say_busy(nido_stream *stream, void *served)
{
    (void)served;
    return nido_stream_printf(stream, "busy\n");
}

static int refused_clients(void)
{
    nido_stream a, b, c;

    cr_expect(eq(int, stream_dial(&a), 0));
    cr_expect(ask(&a, "one", "<one>"));
    cr_expect(eq(int, stream_dial(&b), 0));
    cr_expect(ask(&b, "two", "busy"));
    cr_expect(is_over(&b));
    nido_stream_close(&a);
    nido_sleep(NIDO_MS(1));
    cr_expect(eq(int, stream_dial(&c), 0));
    cr_expect(ask(&c, "three", "<three>"));
    nido_stream_close(&c);
    return 0;
}

static int serve_refusing(void *unused)
{
    (void)unused;
    world_begin();
    world.options.limit = 1;
    world.options.busy = say_busy;
    cr_expect(eq(int, with_server(refused_clients), 0));
    return 0;
}

NIDO_TEST(serve, above_the_limit_a_function_may_say_so)
{
    cr_expect(eq(int, io_run(serve_refusing), 0));
}

/* ---- Options ---- */

static bool tells(const char *text)
{
    return strstr(nido_error_text(nido_error_last()), text) != NULL;
}

static int bad_server(void *unused)
{
    nido_stream_options stream;
    nido_serve_options options;

    (void)unused;
    nido_serve_options_init(&options);
    cr_expect(eq(int, nido_serve(-EADDRINUSE, answer, NULL, NULL), -EADDRINUSE));
    cr_expect(eq(int, nido_serve(io_listen(), NULL, NULL, NULL), -EINVAL));
    options.drain_ns = -1;
    cr_expect(eq(int, nido_serve(io_listen(), answer, NULL, &options), -EINVAL));
    cr_expect(tells("nido_serve_options.drain_ns"));
    options.drain_ns = 0;
    nido_stream_options_init(&stream);
    options.stream = &stream;
    stream.idle_ns = -1;
    cr_expect(eq(int, nido_serve(io_listen(), answer, NULL, &options), -EINVAL));
    cr_expect(tells("nido_stream_options.idle_ns"));
    stream.idle_ns = 0;
    stream.keep_open = true;
    cr_expect(eq(int, nido_serve(io_listen(), answer, NULL, &options), -EINVAL));
    cr_expect(tells("keep_open"));
    cr_expect(eq(int, nido_serve_stop(NULL), 0));
    return 0;
}

NIDO_TEST(serve, a_listener_is_closed_whatever_is_wrong)
{
    cr_expect(eq(int, io_run(bad_server), 0));
    cr_expect(eq(int, nido_serve_stop(NULL), -EPERM));
}

/* ---- Inherited ---- */

/* In a child, whose number 3 is free for it: the first line that is wrong. */
static int inherit(void *unused)
{
    (void)unused;
    if (nido_listen_inherited(0) != 3) return __LINE__;
    if (fcntl(3, F_GETFD) != FD_CLOEXEC || !(fcntl(3, F_GETFL) & O_NONBLOCK)) return __LINE__;
    if (nido_listen_inherited(1) != -EINVAL) return __LINE__;
    if (nido_listen_inherited(2) != -ENOENT || !tells("LISTEN_FDS says 2")) return __LINE__;
    setenv("LISTEN_FDS", "99999999999", 1);
    if (nido_listen_inherited(0) != -ENOENT || !tells("LISTEN_FDS")) return __LINE__;
    setenv("LISTEN_PID", "1", 1);
    return nido_listen_inherited(0) == -ENOENT ? 0 : __LINE__;
}

static int inherit_in_child(void)
{
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), other = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char pid[32];

    snprintf(address.sun_path, sizeof address.sun_path, "%s", io_place() + 5);
    bind(listener, (struct sockaddr *)&address, sizeof address);
    listen(listener, 1);
    listener = fcntl(listener, F_DUPFD, 20);
    dup2(other, 4);
    dup2(listener, 3);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "2", 1);
    return nido_run(inherit, NULL, NULL);
}

NIDO_TEST(serve, a_listener_of_the_service_manager_is_taken_over)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) _exit(inherit_in_child() & 255);
    cr_expect(eq(int, waitpid(child, &status, 0), child));
    cr_expect(eq(int, status, 0), "line %d", WEXITSTATUS(status) + 256);
    unlink(io_place() + 5);
    cr_expect(eq(int, nido_listen_inherited(0), -ENOENT));
}

/* ---- Shards ---- */

static int serve_somewhere(void *unused)
{
    (void)unused;
    return nido_serve(nido_listen("127.0.0.1", "0", NULL), answer, &world.served, NULL);
}

/* Serves until the signal that it raises has stopped it. */
static int serve_until_raised(nido_xevent *stopped)
{
    nido_group group;
    int rc;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    rc = nido_spawn(&group, serve_somewhere, NULL);
    for (int i = 0; i < 4; i++) rc = rc ? rc : nido_yield(); /* it waits for its first peer */
    if (!rc) raise(SIGTERM);
    rc = nido_group_close(&group, rc);
    nido_xevent_set(stopped);
    return rc;
}

static int serve_in_turn(unsigned shard, void *stopped)
{
    int rc = shard ? nido_xevent_wait(stopped) : 0;

    if (rc) return rc;
    return shard ? serve_somewhere(NULL) : serve_until_raised(stopped);
}

NIDO_TEST(serve, a_signal_drains_a_shard_that_comes_late_too)
{
    nido_xevent *stopped;

    cr_assert(zero(int, nido_xevent_new(&stopped)));
    cr_expect(zero(int, nido_shards(2, serve_in_turn, stopped, NULL)));
    nido_xevent_free(stopped);
}
