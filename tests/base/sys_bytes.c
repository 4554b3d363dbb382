/* SPDX-License-Identifier: MIT */
/* What holds for every call that moves bytes: no signal ends it, and none is raised by it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/sys.h"
#include "io_help.h"

static char byte[] = "x";
static const struct iovec part = {byte, 1};

/* ---- One byte, by every call ---- */

static ssize_t by_read(int fd)
{
    return nidoi_sys.read(fd, byte, 1);
}

static ssize_t by_readv(int fd)
{
    return nidoi_sys.readv(fd, &part, 1);
}

static ssize_t by_preadv(int fd)
{
    return nidoi_sys.preadv(fd, &part, 1, -1);
}

static ssize_t by_recv(int fd)
{
    return nidoi_sys.recv(fd, byte, 1, 0);
}

static ssize_t by_recvfrom(int fd)
{
    return nidoi_sys.recvfrom(fd, byte, 1, 0, NULL, NULL);
}

static ssize_t by_recvmsg(int fd)
{
    struct msghdr message = {.msg_iov = (struct iovec *)&part, .msg_iovlen = 1};

    return nidoi_sys.recvmsg(fd, &message, 0);
}

static ssize_t by_readv_once(int fd)
{
    return nidoi_sys.readv_once(fd, &part, 1);
}

static ssize_t by_write(int fd)
{
    return nidoi_sys.write(fd, byte, 1);
}

static ssize_t by_writev(int fd)
{
    return nidoi_sys.writev(fd, &part, 1);
}

static ssize_t by_pwritev(int fd)
{
    return nidoi_sys.pwritev(fd, &part, 1, -1);
}

static ssize_t by_writev_once(int fd)
{
    return nidoi_sys.writev_once(fd, &part, 1);
}

static ssize_t by_pwritev_now(int fd)
{
    return nidoi_sys.pwritev_now(fd, &part, 1);
}

static ssize_t by_send(int fd)
{
    return nidoi_sys.send(fd, byte, 1, 0);
}

static ssize_t by_sendto(int fd)
{
    return nidoi_sys.sendto(fd, byte, 1, 0, NULL, 0);
}

static ssize_t by_sendmsg(int fd)
{
    struct msghdr message = {.msg_iov = (struct iovec *)&part, .msg_iovlen = 1};

    return nidoi_sys.sendmsg(fd, &message, 0);
}

static ssize_t by_sendfile(int fd)
{
    int64_t offset = 0;
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    ssize_t n = nidoi_sys.sendfile(fd, file, &offset, 1);

    close(file);
    return n;
}

struct mover {
    const char *name;
    ssize_t (*move)(int fd);
    bool writes, retried;
};

static const struct mover movers[] = {
    {"read", by_read, false, true},
    {"readv", by_readv, false, true},
    {"preadv", by_preadv, false, true},
    {"recv", by_recv, false, true},
    {"recvfrom", by_recvfrom, false, true},
    {"recvmsg", by_recvmsg, false, true},
    {"readv_once", by_readv_once, false, false},
    {"write", by_write, true, true},
    {"writev", by_writev, true, true},
    {"pwritev", by_pwritev, true, true},
    {"send", by_send, true, true},
    {"sendto", by_sendto, true, true},
    {"sendmsg", by_sendmsg, true, true},
    {"sendfile", by_sendfile, true, true},
    {"writev_once", by_writev_once, true, false},
};

enum { MOVERS = sizeof movers / sizeof *movers };

/* ---- Interruptions ---- */

static int ends[2], signals;

/* From the third on there is something to do. */
static void interrupt(int number)
{
    static char block[1 << 16];
    int err = errno;

    (void)number;
    if (++signals >= 3) {
        ssize_t n = recv(ends[1], block, sizeof block, MSG_DONTWAIT);

        n += send(ends[1], byte, 1, MSG_DONTWAIT);
        (void)n;
    }
    errno = err;
}

static void interrupt_every(int microseconds)
{
    struct itimerval timer = {.it_interval.tv_usec = microseconds,
                              .it_value.tv_usec = microseconds};

    sigaction(SIGALRM, &(struct sigaction){.sa_handler = interrupt}, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
}

static void fill(int fd)
{
    static char block[4096];

    while (send(fd, block, sizeof block, MSG_DONTWAIT) > 0) continue;
    while (send(fd, block, 1, MSG_DONTWAIT) > 0) continue;
}

NIDO_TEST(sys_bytes, a_signal_ends_no_call_but_those_that_it_is_to_end)
{
    for (size_t i = 0; i < MOVERS; i++) {
        ssize_t n;

        cr_assert(zero(int, socketpair(AF_UNIX, SOCK_STREAM, 0, ends)));
        if (movers[i].writes) fill(ends[0]);
        signals = 0;
        interrupt_every(500);
        n = movers[i].move(ends[0]);
        interrupt_every(0);
        cr_expect(eq(int, (int)n, movers[i].retried ? 1 : -EINTR), "%s", movers[i].name);
        close(ends[0]);
        close(ends[1]);
    }
}

/* ---- SIGPIPE ---- */

static bool is_pending(void)
{
    sigset_t set;

    sigpending(&set);
    return sigismember(&set, SIGPIPE);
}

static bool is_blocked(void)
{
    sigset_t set;

    pthread_sigmask(SIG_BLOCK, NULL, &set);
    return sigismember(&set, SIGPIPE);
}

/* A socket without its peer, and for calls that are not of sockets a pipe without a reader. */
static void write_where_nobody_reads(const struct mover *mover, bool pending)
{
    ssize_t n;

    cr_assert(zero(int, socketpair(AF_UNIX, SOCK_STREAM, 0, ends)));
    close(ends[1]);
    n = mover->move(ends[0]);
    close(ends[0]);
    cr_expect(eq(int, (int)n, -EPIPE), "%s", mover->name);
    cr_assert(zero(int, pipe(ends)));
    close(ends[0]);
    n = mover->move(ends[1]);
    close(ends[1]);
    cr_expect(n == -EPIPE || n == -ENOTSOCK, "%s", mover->name);
    cr_expect(eq(int, is_pending(), pending), "%s", mover->name);
}

static void write_by_each(bool pending)
{
    const struct mover now = {"pwritev_now", by_pwritev_now, true, true};

    for (size_t i = 0; i < MOVERS; i++)
        if (movers[i].writes) write_where_nobody_reads(&movers[i], pending);
#ifdef __linux__
    write_where_nobody_reads(&now, pending);
#else
    (void)now;
#endif
}

/* Its default would end this process. */
NIDO_TEST(sys_bytes, no_call_raises_sigpipe_or_leaves_it_blocked)
{
    write_by_each(false);
    cr_expect(not(is_blocked()));
}

NIDO_TEST(sys_bytes, a_sigpipe_that_is_held_back_is_not_left_behind)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    write_by_each(false);
    cr_expect(is_blocked());
}

/* It was there before and is the program's. */
NIDO_TEST(sys_bytes, a_pending_sigpipe_of_the_programs_stays)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    raise(SIGPIPE);
    write_by_each(true);
    cr_expect(is_pending());
}
