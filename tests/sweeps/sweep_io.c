/* SPDX-License-Identifier: MIT */
/* Descriptors and sockets, swept: no byte is lost or doubled, no descriptor is left open, and the
 * counts that calls report are exact. */
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/uio.h>

#include "io_help.h"
#undef TOGETHER
#include "sweep_help.h"

enum { CHUNK = 6000, CHUNKS = 3 };

/* The books of one run: a stream of counted bytes from fds[1] to fds[0]; -1: closed. */
static struct {
    int fds[2];
    size_t wrote, got;
    char out[CHUNK], in[CHUNK];
    ssize_t (*write)(int fd, const void *buf, size_t len);
    ssize_t (*read)(int fd, void *buf, size_t len);
    nido_event sent;
} stream;

/* Each byte says where it stands. */
static char byte_at(size_t position)
{
    return (char)(position * 7 % 251);
}

static char *next_chunk(void)
{
    for (size_t i = 0; i < CHUNK; i++) stream.out[i] = byte_at(stream.wrote + i);
    return stream.out;
}

static void take_in(size_t n)
{
    for (size_t i = 0; i < n; i++) LAW(stream.in[i] == byte_at(stream.got + i));
    stream.got += n;
}

static void hang_up(int *fd)
{
    if (*fd >= 0) nido_close(*fd);
    *fd = -1;
}

/* Less room than a chunk takes, so that writers wait in the middle of one. */
static int open_stream(bool socket)
{
    int rc = socket ? nido_socketpair(AF_UNIX, SOCK_STREAM, 0, stream.fds) : nido_pipe(stream.fds);

    if (rc) return rc;
    if (socket)
        setsockopt(stream.fds[1], SOL_SOCKET, SO_SNDBUF, &(int){4096}, sizeof(int));
    else
        fcntl(stream.fds[1], F_SETPIPE_SZ, 4096);
    return 0;
}

/* What was written and not read is still there. */
static int run_stream(bool socket, nido_fn *writer, nido_fn *reader)
{
    int rc = open_stream(socket);

    if (rc) return rc;
    stream.wrote = stream.got = 0;
    rc = TOGETHER(NULL, reader, writer);
    stream.got += io_drain(stream.fds[0]);
    LAW(stream.wrote == stream.got);
    hang_up(&stream.fds[1]);
    hang_up(&stream.fds[0]);
    return rc;
}

/* ---- All of it ---- */

static int write_chunks(void *unused)
{
    int rc = 0;

    (void)unused;
    for (int i = 0; i < CHUNKS && rc == 0; i++) {
        nido_scope scope;
        size_t done = 0;

        ALONE(scope, rc, nido_write_all(stream.fds[1], next_chunk(), CHUNK, &done));
        stream.wrote += done;
        rc = unless_struck(rc);
    }
    hang_up(&stream.fds[1]);
    return rc;
}

static int read_chunks(void *unused)
{
    int rc = 0;

    (void)unused;
    while (rc == 0) {
        nido_scope scope;
        size_t done = 0;

        ALONE(scope, rc, nido_read_full(stream.fds[0], stream.in, CHUNK, &done));
        take_in(done);
        rc = unless_struck(rc);
    }
    return rc == -EPIPE ? 0 : rc;
}

static int pipe_chunks(void *unused)
{
    (void)unused;
    return run_stream(false, write_chunks, read_chunks);
}
SWEPT(a_pipe_neither_loses_nor_doubles, pipe_chunks)

static int socket_chunks(void *unused)
{
    (void)unused;
    return run_stream(true, write_chunks, read_chunks);
}
SWEPT(a_socket_neither_loses_nor_doubles, socket_chunks)

/* ---- As much as goes ---- */

static int write_some(void *unused)
{
    int rc = 0;

    (void)unused;
    for (int i = 0; i < CHUNKS && rc >= 0; i++) {
        nido_scope scope;

        ALONE(scope, rc, stream.write(stream.fds[1], next_chunk(), CHUNK));
        if (rc > 0) stream.wrote += (size_t)rc;
        rc = unless_struck(rc);
        if (rc >= 0) rc = nido_yield();
    }
    hang_up(&stream.fds[1]);
    return rc < 0 ? rc : 0;
}

static int read_some(void *unused)
{
    int rc;

    (void)unused;
    do {
        nido_scope scope;

        ALONE(scope, rc, stream.read(stream.fds[0], stream.in, CHUNK));
        if (rc > 0) take_in((size_t)rc);
    } while (rc > 0 || rc == -EINTR);
    return rc;
}

static int read_and_write(void *unused)
{
    (void)unused;
    stream.read = nido_read;
    stream.write = nido_write;
    return run_stream(false, write_some, read_some);
}
SWEPT(a_read_and_a_write_count_what_they_move, read_and_write)

static ssize_t read_parts(int fd, void *buf, size_t len)
{
    struct iovec parts[2] = {{buf, 1}, {(char *)buf + 1, len - 1}};

    return nido_readv(fd, parts, 2);
}

static ssize_t write_parts(int fd, const void *buf, size_t len)
{
    struct iovec parts[2] = {{(void *)buf, 1}, {(char *)buf + 1, len - 1}};

    return nido_writev(fd, parts, 2);
}

static int read_and_write_parts(void *unused)
{
    (void)unused;
    stream.read = read_parts;
    stream.write = write_parts;
    return run_stream(false, write_some, read_some);
}
SWEPT(vectors_count_what_they_move, read_and_write_parts)

static ssize_t receive(int fd, void *buf, size_t len)
{
    return nido_recv(fd, buf, len, 0);
}

static ssize_t send_off(int fd, const void *buf, size_t len)
{
    return nido_send(fd, buf, len, 0);
}

static int send_and_receive(void *unused)
{
    (void)unused;
    stream.read = receive;
    stream.write = send_off;
    return run_stream(true, write_some, read_some);
}
SWEPT(send_and_recv_count_what_they_move, send_and_receive)

/* Tries first, in a scope that is cancelled, and waits if that has to be. */
static ssize_t read_by_try(int fd, void *buf, size_t len)
{
    nido_scope scope;
    ssize_t n;

    nido_timeout_open(&scope, 0);
    n = stream.got % 2 ? nido_try_recv(fd, buf, len, 0) : nido_try_read(fd, buf, len);
    nido_scope_close(&scope, 0);
    return n == -EAGAIN ? nido_read(fd, buf, len) : n;
}

static ssize_t write_by_try(int fd, const void *buf, size_t len)
{
    ssize_t n = stream.wrote ? nido_try_send(fd, buf, len, 0) : nido_try_write(fd, buf, len);

    return n == -EAGAIN ? nido_write(fd, buf, len) : n;
}

static int try_and_wait(void *unused)
{
    (void)unused;
    stream.read = read_by_try;
    stream.write = write_by_try;
    return run_stream(true, write_some, read_some);
}
SWEPT(tries_count_what_they_move, try_and_wait)

static ssize_t receive_message(int fd, void *buf, size_t len)
{
    struct iovec part = {buf, len};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    return nido_recvmsg(fd, &message, 0);
}

static ssize_t send_message(int fd, const void *buf, size_t len)
{
    struct iovec part = {(void *)buf, len};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    return nido_sendmsg(fd, &message, 0);
}

static int exchange_messages(void *unused)
{
    (void)unused;
    stream.read = receive_message;
    stream.write = send_message;
    return run_stream(true, write_some, read_some);
}
SWEPT(messages_count_what_they_move, exchange_messages)

/* Waits first, by every call that only waits. */
static ssize_t read_when_ready(int fd, void *buf, size_t len)
{
    struct pollfd ask = {.fd = fd, .events = POLLIN};
    int rc = nido_wait_fd(fd, NIDO_IN);

    if (rc >= 0) rc = nido_poll(&ask, 1);
    return rc < 0 ? rc : nido_read(fd, buf, len);
}

static int wait_and_read(void *unused)
{
    (void)unused;
    stream.read = read_when_ready;
    stream.write = nido_write;
    return run_stream(false, write_some, read_some);
}
SWEPT(who_waits_for_a_descriptor_is_told, wait_and_read)

/* Given away and taken back before each; if that fails, it is a foreign one. */
static ssize_t own_and_read(int fd, void *buf, size_t len)
{
    nido_fd_forget(fd);
    (void)nido_fd_own(fd);
    return nido_read(fd, buf, len);
}

static int change_hands(void *unused)
{
    (void)unused;
    stream.read = own_and_read;
    stream.write = nido_write;
    return run_stream(true, write_some, read_some);
}
SWEPT(what_changes_hands_loses_nothing, change_hands)

/* A file of such bytes. */
static int open_file(void)
{
    int file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    for (stream.wrote = 0; stream.wrote < CHUNKS * CHUNK; stream.wrote += CHUNK)
        LAW(write(file, next_chunk(), CHUNK) == CHUNK);
    stream.wrote = 0;
    return file;
}

static int send_file(void *unused)
{
    int file = open_file(), rc;
    nido_scope scope;
    size_t done = 0;

    (void)unused;
    /* In one piece, for a worker sends it. */
    ALONE(scope, rc, nido_sendfile(stream.fds[1], file, 0, CHUNK / 2, &done));
    nido_event_set(&stream.sent);
    stream.wrote += done;
    close(file);
    hang_up(&stream.fds[1]);
    return unless_struck(rc);
}

/* Not before: whether the bytes or the worker's answer is seen first is luck too. */
static ssize_t read_when_sent(int fd, void *buf, size_t len)
{
    int rc = nido_event_wait(&stream.sent);

    return rc < 0 ? rc : nido_read(fd, buf, len);
}

static int transfer_file(void *unused)
{
    (void)unused;
    nido_event_init(&stream.sent, "sent");
    stream.read = read_when_sent;
    return run_stream(true, send_file, read_some);
}
SWEPT_LOOSELY(a_file_is_sent_to_the_byte, transfer_file)

/* ---- Datagrams ---- */

static int send_datagrams(void *unused)
{
    int rc = 0;

    (void)unused;
    for (int i = 0; i < 2 && rc >= 0; i++) {
        nido_scope scope;

        ALONE(scope, rc, nido_sendto(stream.fds[1], "datagram", 8, 0, NULL, 0));
        stream.wrote += rc == 8;
        rc = unless_struck(rc);
    }
    hang_up(&stream.fds[1]);
    return rc < 0 ? rc : 0;
}

/* The end of a pair of sequenced packets is an empty one. */
static int receive_datagrams(void *unused)
{
    int rc;

    (void)unused;
    do {
        nido_scope scope;

        ALONE(scope, rc, nido_recvfrom(stream.fds[0], stream.in, CHUNK, 0, NULL, NULL));
        stream.got += rc == 8;
    } while (rc > 0 || rc == -EINTR);
    return rc;
}

static int exchange_datagrams(void *unused)
{
    char rest[16];
    int rc = nido_socketpair(AF_UNIX, SOCK_SEQPACKET, 0, stream.fds);

    (void)unused;
    if (rc) return rc;
    stream.wrote = stream.got = 0;
    rc = TOGETHER(NULL, receive_datagrams, send_datagrams);
    while (recv(stream.fds[0], rest, sizeof rest, MSG_DONTWAIT) > 0) stream.got++;
    LAW(stream.wrote == stream.got);
    hang_up(&stream.fds[1]);
    hang_up(&stream.fds[0]);
    return rc;
}
SWEPT(a_datagram_goes_whole_or_not_at_all, exchange_datagrams)

/* ---- Connections ---- */

static int listener;
static int (*dial)(void);

static int answer(void *unused)
{
    nido_scope scope;
    int fd;

    (void)unused;
    fd = nido_try_accept(listener, NULL, NULL);
    while (fd == -EINTR || fd == -EAGAIN) ALONE(scope, fd, nido_accept(listener, NULL, NULL));
    if (fd < 0) return fd == -EBADF ? 0 : fd;
    nido_close(fd);
    return 0;
}

/* Without a caller nobody will ever be there to be answered. */
static int call(void *unused)
{
    nido_scope scope;
    int fd;

    (void)unused;
    ALONE(scope, fd, dial());
    if (fd < 0) {
        hang_up(&listener);
        return unless_struck(fd);
    }
    return nido_close(fd);
}

static int call_and_answer(int (*how)(void))
{
    int rc;

    dial = how;
    unlink(io_place() + 5);
    listener = nido_listen(io_place(), NULL, NULL);
    if (listener < 0) return unless_struck(listener);
    rc = TOGETHER(NULL, answer, call);
    hang_up(&listener);
    unlink(io_place() + 5);
    return rc;
}

static int dial_path(void)
{
    return nido_dial(io_place(), NULL, NULL);
}

static int dial_and_accept(void *unused)
{
    (void)unused;
    return call_and_answer(dial_path);
}
SWEPT(no_descriptor_of_a_connection_is_left, dial_and_accept)

/* The first address leads nowhere. */
static int dial_either(void)
{
    struct sockaddr_un nowhere = {.sun_family = AF_UNIX, .sun_path = "/tmp/nido-nowhere"};
    struct sockaddr_un there = {.sun_family = AF_UNIX};
    struct addrinfo second = {
        .ai_family = AF_UNIX, .ai_addr = (void *)&there, .ai_addrlen = sizeof there};
    struct addrinfo first = {.ai_family = AF_UNIX,
                             .ai_addr = (void *)&nowhere,
                             .ai_addrlen = sizeof nowhere,
                             .ai_next = &second};

    snprintf(there.sun_path, sizeof there.sun_path, "%s", io_place() + 5);
    return nido_dial_any(&first, NULL);
}

static int dial_any_and_accept(void *unused)
{
    (void)unused;
    return call_and_answer(dial_either);
}
SWEPT(the_losers_of_a_dial_are_closed, dial_any_and_accept)

/* Over a loopback port, where a connection takes a moment. */
static struct sockaddr_in port;

static int dial_port(void)
{
    char service[16];

    snprintf(service, sizeof service, "%d", (int)ntohs(port.sin_port));
    return nido_dial("127.0.0.1", service, NULL);
}

static int connect_to_port(void)
{
    int fd = nido_socket(AF_INET, SOCK_STREAM, 0), rc;

    if (fd < 0) return fd;
    rc = nido_connect(fd, (struct sockaddr *)&port, sizeof port);
    if (rc == 0) return fd;
    nido_close(fd);
    return rc;
}

/* Its port, by way of texts. */
static int read_port(int fd)
{
    char text[NIDO_ADDRESS_TEXT], again[NIDO_ADDRESS_TEXT];
    struct sockaddr_storage address;
    socklen_t length;
    int rc = nido_local_text(fd, text, sizeof text);

    if (rc < 0) return rc;
    LAW(nido_peer_text(fd, again, sizeof again) < 0);
    rc = nido_address_parse(text, &address, &length);
    if (rc < 0) return rc;
    LAW(nido_address_text((struct sockaddr *)&address, length, again, sizeof again) > 0);
    LAW(strcmp(text, again) == 0);
    memcpy(&port, &address, sizeof port);
    rc = nido_local_port(fd);
    LAW(rc < 0 || rc == ntohs(port.sin_port));
    return rc;
}

static int call_port_and_answer(int (*how)(void))
{
    int rc;

    dial = how;
    listener = nido_listen("127.0.0.1", "0", NULL);
    if (listener < 0) return unless_struck(listener);
    rc = read_port(listener);
    if (rc >= 0) rc = TOGETHER(NULL, answer, call);
    hang_up(&listener);
    return unless_struck(rc);
}

static int dial_port_and_accept(void *unused)
{
    (void)unused;
    return call_port_and_answer(dial_port);
}
SWEPT(no_descriptor_of_an_attempt_is_left, dial_port_and_accept)

/* Loosely: a port that one family gives may be taken in the other, and another is tried. */
static int listen_everywhere(void *unused)
{
    int fds[4], n = nido_listen_all(NULL, "0", NULL, fds, 4);

    (void)unused;
    for (int i = 0; i < n; i++) nido_close(fds[i]);
    return n < 0 ? unless_struck(n) : 0;
}
SWEPT_LOOSELY(all_listeners_of_a_name_are_there_or_none, listen_everywhere)

static int connect_to_port_and_accept(void *unused)
{
    (void)unused;
    return call_port_and_answer(connect_to_port);
}
SWEPT(an_attempt_that_is_struck_can_be_closed, connect_to_port_and_accept)

/* Two attempts wait for room in a line, and find it at the same moment: both have a connection. */
static int make_room(void *fillers)
{
    int rc = nido_sleep(NIDO_MS(7));

    for (int i = 0; i < 2; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

        if (fd >= 0) close(fd);
        close(((int *)fillers)[i]);
    }
    return rc;
}

static int dial_twice(void *unused)
{
    struct sockaddr_un there = {.sun_family = AF_UNIX};
    struct addrinfo second = {
        .ai_family = AF_UNIX, .ai_addr = (void *)&there, .ai_addrlen = sizeof there};
    struct addrinfo first = second;
    nido_dial_options options;
    int fd;

    (void)unused;
    snprintf(there.sun_path, sizeof there.sun_path, "%s", io_place() + 5);
    first.ai_next = &second;
    nido_dial_options_init(&options);
    options.stagger_ns = NIDO_MS(5);
    fd = nido_dial_any(&first, &options);
    return fd < 0 ? fd : nido_close(fd);
}

static int dial_where_two_answer(void *unused)
{
    nido_listen_options options;
    int rc, fillers[2];

    (void)unused;
    nido_listen_options_init(&options);
    options.backlog = 1;
    unlink(io_place() + 5);
    listener = nido_listen(io_place(), NULL, &options);
    if (listener < 0) return unless_struck(listener);
    for (int i = 0; i < 2; i++) fillers[i] = io_connect();
    rc = TOGETHER(fillers, make_room, dial_twice);
    if (rc == -ENOMEM) close(fillers[0]), close(fillers[1]);
    hang_up(&listener);
    unlink(io_place() + 5);
    return rc;
}
SWEPT(a_loser_that_had_a_connection_is_closed, dial_where_two_answer)

static int connect_by_hand(void)
{
    struct sockaddr_un there = {.sun_family = AF_UNIX};
    int fd = nido_socket(AF_UNIX, SOCK_STREAM, 0), rc;

    if (fd < 0) return fd;
    snprintf(there.sun_path, sizeof there.sun_path, "%s", io_place() + 5);
    rc = nido_connect(fd, (struct sockaddr *)&there, sizeof there);
    if (rc == 0) return fd;
    nido_close(fd);
    return rc;
}

static int connect_and_accept(void *unused)
{
    (void)unused;
    return call_and_answer(connect_by_hand);
}
SWEPT(a_socket_of_our_own_stays_ours, connect_and_accept)
