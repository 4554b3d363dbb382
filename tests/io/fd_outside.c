/* SPDX-License-Identifier: MIT */
/* Descriptors whose other end is another process: bursts, urgent bytes, packets, a reader that stops and
 * goes on. Who sleeps though poll(2) calls the descriptor ready ends the run (reactor/asleep.h). */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "io_help.h"

enum { BURSTS = 200, LONGEST = 9000, TOTAL = 4 << 20 };

static char block[1 << 16];

static struct {
    int fds[2]; /* ours, the other process's */
    pid_t pid;
    bool over;
    ssize_t (*read)(int fd, void *buf, size_t len);
    int (*write)(int fd);
} outside;

static void open_tcp(void)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    int listener = nido_listen("127.0.0.1", "0", NULL);

    getsockname(listener, (struct sockaddr *)&address, &length);
    outside.fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(eq(int, connect(outside.fds[1], (struct sockaddr *)&address, sizeof address), 0));
    outside.fds[0] = nido_accept(listener, NULL, NULL);
    cr_assert(ge(int, outside.fds[0], 0));
    nido_close(listener);
}

/* Has the other process do this and end. */
static void start(void (*fn)(int fd))
{
    outside.pid = fork();
    cr_assert(ge(int, outside.pid, 0));
    if (outside.pid == 0) {
        close(outside.fds[0]);
        fn(outside.fds[1]);
        _exit(0);
    }
    close(outside.fds[1]);
}

static void finish(void)
{
    int status = -1;

    nido_close(outside.fds[0]);
    cr_expect(eq(int, waitpid(outside.pid, &status, 0), outside.pid));
    cr_expect(eq(int, status, 0));
}

/* ---- What it writes is read ---- */

static size_t length_of(int burst)
{
    return 1 + (size_t)burst * 7919 % LONGEST;
}

static void write_bursts(int fd)
{
    for (int i = 0; i < BURSTS; i++) {
        size_t left = length_of(i);

        if (i % 10 == 0) send(fd, "!", 1, MSG_OOB); /* of a pipe: nothing */
        while (left > 0) {
            ssize_t n = write(fd, block, left);

            if (n <= 0) _exit(1);
            left -= (size_t)n;
        }
        if (i % 3 == 0) usleep(200);
    }
}

static int read_to_the_end(void *unused)
{
    static char buf[LONGEST];
    size_t got = 0, sent = 0;
    ssize_t n;

    (void)unused;
    while ((n = outside.read(outside.fds[0], buf, sizeof buf)) > 0) got += (size_t)n;
    for (int i = 0; i < BURSTS; i++) sent += length_of(i);
    cr_expect(ge(sz, got, sent), "an urgent byte that is followed by another is one of the others");
    return (int)n;
}

static ssize_t read_parts(int fd, void *buf, size_t len)
{
    return nido_readv(fd, (struct iovec[]){{buf, 1}, {(char *)buf + 1, len - 1}}, 2);
}

static ssize_t receive(int fd, void *buf, size_t len)
{
    return nido_recv(fd, buf, len, 0);
}

static ssize_t receive_message(int fd, void *buf, size_t len)
{
    struct iovec part = {buf, len};

    return nido_recvmsg(fd, &(struct msghdr){.msg_iov = &part, .msg_iovlen = 1}, 0);
}

static ssize_t wait_and_read(int fd, void *buf, size_t len)
{
    int rc = nido_wait_fd(fd, NIDO_IN);

    return rc < 0 ? rc : nido_read(fd, buf, len);
}

static int read_every_way(void *unused)
{
    ssize_t (*const ways[])(int, void *, size_t) = {nido_read, read_parts, receive, receive_message,
                                                    wait_and_read};

    (void)unused;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        outside.read = ways[i];
        open_tcp();
        start(write_bursts);
        cr_expect(eq(int, nido_with_timeout(NIDO_SEC(20), read_to_the_end, NULL), 0));
        finish();
    }
    return 0;
}

/* On the real clock, and strictly. */
static int run_strictly(nido_fn *fn)
{
    nido_options options;

    nido_options_init(&options);
    options.flags = NIDO_RUN_STRICT;
    return nido_run(fn, NULL, &options);
}

NIDO_TEST(fd_outside, bursts_and_urgent_bytes_of_another_process_are_read_to_the_end)
{
    cr_expect(eq(int, run_strictly(read_every_way), 0));
}

static int read_packets(void *unused)
{
    int ends[2];

    (void)unused;
    outside.read = nido_read;
    cr_assert(eq(int, pipe2(ends, O_CLOEXEC | O_DIRECT), 0));
    cr_assert(eq(int, nido_fd_own(ends[0]), 0));
    memcpy(outside.fds, ends, sizeof ends);
    start(write_bursts);
    cr_expect(eq(int, nido_with_timeout(NIDO_SEC(20), read_to_the_end, NULL), 0));
    finish();
    return 0;
}

NIDO_TEST(fd_outside, packets_of_another_process_are_read_to_the_end)
{
    cr_expect(eq(int, run_strictly(read_packets), 0));
}

/* ---- What is written reaches it ---- */

/* Stops now and then until it is told to go on. */
static void read_slowly(int fd)
{
    size_t got = 0;

    for (int i = 1; got < TOTAL; i++) {
        ssize_t n = read(fd, block, sizeof block);

        if (n <= 0) _exit(1);
        got += (size_t)n;
        if (i % 16 == 0) raise(SIGSTOP);
    }
}

static int wake_the_reader(void *unused)
{
    (void)unused;
    while (!outside.over) {
        int rc = nido_sleep(NIDO_MS(3));

        if (rc) return rc;
        kill(outside.pid, SIGCONT);
    }
    return 0;
}

static bool has_ended(void)
{
    siginfo_t info = {0};

    return waitid(P_PID, (id_t)outside.pid, &info, WEXITED | WNOWAIT | WNOHANG) || info.si_pid;
}

static int write_total(void *unused)
{
    int rc = outside.write(outside.fds[0]);

    (void)unused;
    while (rc == 0 && !has_ended()) rc = nido_sleep(NIDO_MS(1));
    outside.over = true;
    return rc;
}

static int write_all(int fd)
{
    int rc = 0;

    for (size_t sent = 0; !rc && sent < TOTAL; sent += sizeof block)
        rc = nido_write_all(fd, block, sizeof block, NULL);
    return rc;
}

static int write_some(int fd)
{
    size_t sent = 0;

    while (sent < TOTAL) {
        size_t len = TOTAL - sent < sizeof block ? TOTAL - sent : sizeof block;
        struct iovec part = {block, len};
        ssize_t n = sent % 2   ? nido_writev(fd, &part, 1)
                    : sent % 3 ? nido_send(fd, block, len, 0)
                               : nido_write(fd, block, len);

        if (n < 0) return (int)n;
        sent += (size_t)n;
    }
    return 0;
}

static int send_a_file(int fd)
{
    int file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    int rc = ftruncate(file, TOTAL);

    if (!rc) rc = nido_sendfile(fd, file, 0, TOTAL, NULL);
    close(file);
    return rc;
}

static int write_and_wake(void *unused)
{
    (void)unused;
    return TOGETHER(NULL, wake_the_reader, write_total);
}

static int write_every_way(void *unused)
{
    int (*const ways[])(int) = {write_all, write_some, send_a_file};

    (void)unused;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        outside.write = ways[i];
        outside.over = false;
        open_tcp();
        start(read_slowly);
        cr_expect(eq(int, nido_with_timeout(NIDO_SEC(20), write_and_wake, NULL), 0));
        finish();
    }
    return 0;
}

NIDO_TEST(fd_outside, a_reader_that_stops_and_goes_on_gets_all)
{
    cr_expect(eq(int, run_strictly(write_every_way), 0));
}
