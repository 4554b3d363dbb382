/* SPDX-License-Identifier: MIT */
/* A foreign descriptor that another process shares: what poll(2) saw may be gone when nido takes it,
 * and no call on the loop waits for more. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>

#include "faults.h"
#include "io_help.h"

static int ends[2]; /* what is shared; where its bytes come from */
static int stolen, thefts;
static bool listens;
static int (*real_poll)(struct pollfd *fds, size_t n, int ms);
static int (*real_accept)(int fd, struct sockaddr *address, socklen_t *length);
static int (*real_accept_once)(int fd, struct sockaddr *address, socklen_t *length);
static ssize_t (*real_readv)(int fd, const struct iovec *iov, int n);
static pthread_t loop_thread;

/* The other process is faster, once. */
static int poll_and_lose(struct pollfd *fds, size_t n, int ms)
{
    int ready = real_poll(fds, n, ms);
    char c;

    if (ready <= 0 || fds[0].fd != ends[0] || thefts++) return ready;
    stolen = listens ? accept(ends[0], NULL, NULL) : (int)read(ends[0], &c, 1);
    return ready;
}

static int accept_elsewhere(int fd, struct sockaddr *address, socklen_t *length)
{
    cr_expect(not(pthread_equal(pthread_self(), loop_thread)), "accept on the loop may wait");
    return real_accept_once(fd, address, length);
}

/* On the descriptor itself no call of the loop's is made. */
static ssize_t readv_elsewhere(int fd, const struct iovec *iov, int n)
{
    cr_expect(ne(int, fd, ends[0]), "a read on the loop may wait");
    return real_readv(fd, iov, n);
}

static int accept_nowhere(int fd, struct sockaddr *address, socklen_t *length)
{
    cr_expect(ne(int, fd, ends[0]), "accept on the loop may wait");
    return real_accept(fd, address, length);
}

static void begin(void)
{
    thefts = 0;
    stolen = -1;
    loop_thread = pthread_self();
    faults_begin();
    real_poll = nidoi_sys.poll;
    real_readv = nidoi_sys.readv;
    real_accept = nidoi_sys.accept;
    real_accept_once = nidoi_sys.accept_once;
    nidoi_sys.poll = poll_and_lose;
    nidoi_sys.readv = readv_elsewhere;
    nidoi_sys.accept = accept_nowhere;
    nidoi_sys.accept_once = accept_elsewhere;
}

static void end(void)
{
    nidoi_sys.poll = real_poll;
    nidoi_sys.readv = real_readv;
    nidoi_sys.accept = real_accept;
    nidoi_sys.accept_once = real_accept_once;
    faults_end();
    cr_expect(gt(int, thefts, 0), "the other process was faster");
}

/* ---- Connections ---- */

static int accept_one(void *unused)
{
    int fd = nido_accept(ends[0], NULL, NULL);

    (void)unused;
    cr_expect(ge(int, fd, 0));
    return nido_close(fd);
}

/* Each client comes when all others wait. */
static int connect_two(void *unused)
{
    int clients[2];

    (void)unused;
    for (int i = 0; i < 2; i++) {
        nido_sleep(NIDO_MS(1));
        clients[i] = io_connect();
    }
    nido_sleep(NIDO_MS(1));
    for (int i = 0; i < 2; i++) close(clients[i]);
    return 0;
}

static int accept_beside_another(void *unused)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int rc;

    (void)unused;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", io_place() + 5);
    unlink(address.sun_path);
    ends[0] = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_expect(eq(int, bind(ends[0], (struct sockaddr *)&address, sizeof address), 0));
    cr_expect(eq(int, listen(ends[0], 5), 0));
    listens = true;
    begin();
    rc = TOGETHER(NULL, accept_one, connect_two);
    end();
    cr_expect(eq(int, fcntl(ends[0], F_GETFL) & O_NONBLOCK, 0), "its flags are not ours");
    close(stolen);
    close(ends[0]);
    return rc;
}

NIDO_TEST(fd_races, a_listener_that_others_accept_from_does_not_block)
{
    cr_expect(eq(int, io_run(accept_beside_another), 0));
}

/* ---- Bytes ---- */

static char buf[1 << 17];

static int read_one(void *unused)
{
    (void)unused;
    cr_expect(eq(int, (int)nido_read(ends[0], buf, 1), 1));
    cr_expect(eq(chr, buf[0], 'b'));
    return 0;
}

static int write_two(void *unused)
{
    (void)unused;
    nido_sleep(NIDO_MS(1));
    cr_expect(eq(int, (int)write(ends[1], "a", 1), 1));
    nido_sleep(NIDO_MS(1));
    cr_expect(eq(int, (int)write(ends[1], "b", 1), 1));
    return 0;
}

/* The descriptor's flags are the opener's; the loop's and the thief's reads are not told apart. */
static int read_beside_another(void *unused)
{
    int rc;

    (void)unused;
    rc = TOGETHER(NULL, read_one, write_two);
    cr_expect(eq(int, fcntl(ends[0], F_GETFL) & O_NONBLOCK, 0));
    close(ends[0]);
    close(ends[1]);
    return rc;
}

static int read_a_pipe(void *unused)
{
    int rc;

    cr_expect(eq(int, pipe(ends), 0));
    begin();
    faults_fail(FAULT_preadv_now, FAULT_ALWAYS, -EOPNOTSUPP);
    rc = read_beside_another(unused);
    end();
    return rc;
}

NIDO_TEST(fd_races, a_pipe_that_others_read_does_not_block_on_an_older_kernel)
{
    cr_expect(eq(int, io_run(read_a_pipe), 0));
}

static int read_on_a_worker(void *unused)
{
    int rc;

    cr_expect(eq(int, pipe(ends), 0));
    begin();
    faults_fail(FAULT_preadv_now, FAULT_ALWAYS, -EOPNOTSUPP);
    faults_fail(FAULT_reopen, FAULT_ALWAYS, -EOPNOTSUPP);
    rc = read_beside_another(unused);
    end();
    return rc;
}

NIDO_TEST(fd_races, what_has_no_other_way_is_read_on_a_worker_that_is_interrupted)
{
    cr_expect(eq(int, io_run(read_on_a_worker), 0));
}

/* A pair of pseudo terminals; ends[0] is the terminal, raw. The kernel carries bytes over in its own
 * time: not for a virtual clock. */
static void open_terminal(void)
{
    struct termios mode;

    ends[1] = posix_openpt(O_RDWR | O_NOCTTY);
    cr_expect(eq(int, grantpt(ends[1]) | unlockpt(ends[1]), 0));
    ends[0] = open(ptsname(ends[1]), O_RDWR | O_NOCTTY);
    cr_expect(eq(int, tcgetattr(ends[0], &mode), 0));
    cfmakeraw(&mode);
    cr_expect(eq(int, tcsetattr(ends[0], TCSANOW, &mode), 0));
}

static int read_a_terminal(void *unused)
{
    int rc;

    open_terminal();
    begin();
    rc = read_beside_another(unused);
    end();
    return rc;
}

NIDO_TEST(fd_races, a_terminal_that_others_read_does_not_block)
{
    cr_expect(eq(int, nido_run(read_a_terminal, NULL, NULL), 0));
}

static int write_much(void *unused)
{
    (void)unused;
    cr_expect(eq(int, nido_write_all(ends[0], buf, sizeof buf, NULL), 0));
    return 0;
}

static int read_much(void *unused)
{
    static char block[4096];
    size_t total = 0;

    (void)unused;
    nido_sleep(NIDO_MS(1));
    while (total < sizeof buf) {
        ssize_t n = nido_read(ends[1], block, sizeof block);

        cr_expect(gt(int, (int)n, 0));
        if (n <= 0) return -EIO;
        total += (size_t)n;
    }
    return 0;
}

/* More than the terminal takes: a write that waits would wait for a reader on this thread. */
static int write_to_a_terminal(void *unused)
{
    int rc;

    (void)unused;
    open_terminal();
    rc = TOGETHER(NULL, write_much, read_much);
    close(ends[0]);
    close(ends[1]);
    return rc;
}

NIDO_TEST(fd_races, a_terminal_whose_other_side_reads_slowly_does_not_block)
{
    cr_expect(eq(int, nido_run(write_to_a_terminal, NULL, NULL), 0));
}
