/* SPDX-License-Identifier: MIT */
/* uv.c: libuv. It has callbacks and no tasks, so only the cases of timers and descriptors are its
 * own; a callback that echoes holds no stack, which makes it the cheaper server to write and not to
 * read. */
#include <arpa/inet.h>
#include <limits.h>
#include <uv.h>

#include "peer.h"

static void on_time(uv_timer_t *timer)
{
    (void)timer;
}

static void timers(const struct ask *ask)
{
    unsigned short seed[3] = {1, 2, 3};
    uv_loop_t *loop = uv_default_loop();
    uv_timer_t *all = calloc((size_t)ask->count, sizeof *all);
    int64_t cpu = cpu_ns(), start = now_ns();
    for (long i = 0; i < ask->count; i++) {
        uv_timer_init(loop, &all[i]);
        uv_timer_start(&all[i], on_time, (uint64_t)(1 + nrand48(seed) % 1000), 0);
    }
    uv_run(loop, UV_RUN_DEFAULT);
    say_cpu_and_wall(cpu_ns() - cpu, now_ns() - start);
}

static void greet(uv_timer_t *timer)
{
    (void)timer;
    puts("hello");
}

static void hello(const struct ask *ask)
{
    uv_timer_t timer;
    (void)ask;
    uv_timer_init(uv_default_loop(), &timer);
    uv_timer_start(&timer, greet, 0, 0);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}

/* A callback of every turn of the loop is what a task that yields is here. */
static void compute(uv_idle_t *idle)
{
    (void)idle;
    wake_work();
}

static struct wakes wakes;
static int64_t stamps[WAKE_STAMPS];

static void lend_stamps(uv_handle_t *handle, size_t size, uv_buf_t *out)
{
    (void)handle;
    (void)size;
    *out = uv_buf_init((char *)stamps, sizeof stamps);
}

static void note(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    (void)buffer;
    if (n < 0)
        uv_stop(stream->loop);
    else
        wake_note(&wakes, stamps, n);
}

static void wake(const struct ask *ask)
{
    uv_loop_t *loop = uv_default_loop();
    uv_idle_t *others = calloc((size_t)ask->count + 1, sizeof *others);
    uv_pipe_t waker;
    uv_buf_t ready = uv_buf_init((char *)"", 1);
    for (long i = 0; i < ask->count; i++) {
        uv_idle_init(loop, &others[i]);
        uv_idle_start(&others[i], compute);
    }
    uv_pipe_init(loop, &waker, 0);
    if (uv_pipe_open(&waker, STDIN_FILENO)) die("uv_pipe_open");
    if (uv_try_write((uv_stream_t *)&waker, &ready, 1) != 1) die("uv_try_write");
    uv_read_start((uv_stream_t *)&waker, lend_stamps, note);
    uv_run(loop, UV_RUN_DEFAULT);
    say_wakes(&wakes);
}

struct connection {
    uv_tcp_t tcp;
    char buffer[512];
};

static long missing; /* connections that have not come yet */

static void lend(uv_handle_t *handle, size_t size, uv_buf_t *out)
{
    struct connection *connection = (struct connection *)handle;
    (void)size;
    *out = uv_buf_init(connection->buffer, sizeof connection->buffer);
}

static void forget(uv_handle_t *handle)
{
    free(handle);
}

/* The load waits for each echo before it sends more, so there is always room for the whole. */
static void echo_back(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    uv_buf_t echo = uv_buf_init(buffer->base, n > 0 ? (unsigned)n : 0);
    if (n > 0) n = uv_try_write(stream, &echo, 1) - n;
    if (n < 0) uv_close((uv_handle_t *)stream, forget);
}

/* `size` is that of what begins with the connection. */
static struct connection *take(uv_stream_t *listener, int status, size_t size)
{
    struct connection *connection = calloc(1, size);
    if (status || !connection) die("uv_listen");
    uv_tcp_init(listener->loop, &connection->tcp);
    if (uv_accept(listener, (uv_stream_t *)&connection->tcp)) die("uv_accept");
    uv_tcp_nodelay(&connection->tcp, 1);
    return connection;
}

static void serve(uv_connection_cb welcome)
{
    struct sockaddr_in address;
    int length = sizeof address;
    uv_tcp_t listener;
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_init(uv_default_loop(), &listener);
    uv_tcp_bind(&listener, (const struct sockaddr *)&address, 0);
    if (uv_listen((uv_stream_t *)&listener, SOMAXCONN, welcome)) die("uv_listen");
    uv_tcp_getsockname(&listener, (struct sockaddr *)&address, &length);
    say_port(ntohs(address.sin_port));
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}

static void take_echo(uv_stream_t *listener, int status)
{
    struct connection *connection = take(listener, status, sizeof *connection);
    uv_read_start((uv_stream_t *)&connection->tcp, lend, echo_back);
    if (--missing == 0) uv_close((uv_handle_t *)listener, NULL);
}

static void echo(const struct ask *ask)
{
    missing = ask->count;
    serve(take_echo);
}

/* Until it is killed. */
static void churn(const struct ask *ask)
{
    (void)ask;
    missing = LONG_MAX;
    serve(take_echo);
}

#ifdef PEER_HTTP_PARSER
#include <http_parser.h>

#include "../harness/http.h"

struct visitor {
    struct connection connection;
    http_parser parser;
    long requests; /* that a read has brought */
    int last;      /* the client wants no more on this connection */
};

static int on_request(http_parser *parser)
{
    struct visitor *visitor = parser->data;
    visitor->requests++;
    visitor->last = !http_should_keep_alive(parser);
    return 0;
}

/* wrk waits for each answer before it asks again, so there is always room for the whole. */
static int answer(struct visitor *visitor, const char *bytes, size_t n)
{
    static const http_parser_settings settings = {.on_message_complete = on_request};
    size_t length;
    uv_buf_t hello = uv_buf_init((char *)http_hello(&length), 0);
    hello.len = length;
    visitor->requests = 0;
    int good = http_parser_execute(&visitor->parser, &settings, bytes, n) == n;
    for (; visitor->requests && good; visitor->requests--)
        good = uv_try_write((uv_stream_t *)visitor, &hello, 1) == (int)length;
    return good && !visitor->last;
}

static void on_bytes(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    if (n < 0 || (n > 0 && !answer((struct visitor *)stream, buffer->base, (size_t)n)))
        uv_close((uv_handle_t *)stream, forget);
}

static void take_visitor(uv_stream_t *listener, int status)
{
    struct visitor *visitor = (struct visitor *)take(listener, status, sizeof(struct visitor));
    http_parser_init(&visitor->parser, HTTP_REQUEST);
    visitor->parser.data = visitor;
    uv_read_start((uv_stream_t *)visitor, lend, on_bytes);
}

static void http_hello_case(const struct ask *ask)
{
    (void)ask;
    serve(take_visitor);
}
#endif

int main(int argc, char **argv)
{
    static const struct peer_case cases[] = {
        {"wake_idle", wake},
        {"wake_busy", wake},
        {"startup", hello},
        {"timers", timers},
        {"echo_1", echo},
        {"echo_100", echo},
        {"echo_1000", echo},
        {"echo_5000", echo},
        {"churn", churn},
#ifdef PEER_HTTP_PARSER
        {"http_hello", http_hello_case},
#endif
        {NULL, NULL},
    };
    return peer_main(argc, argv, uv_version_string(), cases);
}
