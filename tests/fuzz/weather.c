/* SPDX-License-Identifier: MIT */
/* The kernel's side, drawn: calls on the sockets that move one byte, that are refused although they
 * could go on, that fail; reports of them that come early, late and twice, also of sockets that are
 * closed; reads and writes of the file that are short or fail.
 *
 * What it must not do is what no kernel does: a refused call is followed by a report. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef NIDOI_KQUEUE
#include <sys/event.h>
#else
#include <sys/epoll.h>
#endif

#include "faults.h"
#include "outside.h"
#include "program.h"

enum { MOST_HELD = 8, SHORT = 1, FAILS = 2 };

static struct {
    bool on;
    unsigned shorts, refusals, failures; /* of so many next calls on sockets */
    unsigned twice, late;                /* of so many next waits for reports */
    bool failed;
    backend_event seen[2]; /* the last report of each side */
    bool has_seen[2], owed[2];
    backend_event held[MOST_HELD];
    int n_held;
} weather;
static atomic_int file_weather; /* workers look at it */
static bool file_failed, file_was_short;
static struct nidoi_sys real;

/* ---- Calls on sockets ---- */

static int side_of(int fd)
{
    if (!weather.on || fd < 0) return -1;
    return fd == sockets.fds[0] ? 0 : fd == sockets.fds[1] ? 1 : -1;
}

static bool takes(unsigned *left)
{
    return *left && (*left)--;
}

/* 0, or what the call says instead of being made; *len is cut. */
static int meet_weather(int fd, size_t *len)
{
    int side = side_of(fd);

    if (side < 0) return 0;
#ifndef NIDOI_KQUEUE
    if (weather.has_seen[side] && takes(&weather.refusals)) {
        weather.owed[side] = true;
        return -EAGAIN;
    }
#endif
    if (takes(&weather.failures)) {
        weather.failed = true;
        return -ECONNRESET;
    }
    if (*len > 1 && takes(&weather.shorts)) *len = 1;
    return 0;
}

/* As much of the parts as `len` bytes take. */
static struct iovec first_part(const struct iovec *iov, size_t n, size_t len)
{
    struct iovec part = {NULL, 0};

    for (size_t i = 0; i < n && !part.iov_len; i++) part = iov[i];
    if (part.iov_len > len) part.iov_len = len;
    return part;
}

static size_t length_of(const struct iovec *iov, size_t n)
{
    size_t total = 0;

    for (size_t i = 0; i < n; i++) total += iov[i].iov_len;
    return total;
}

static ssize_t weather_recv(int fd, void *buf, size_t len, int flags)
{
    int err = meet_weather(fd, &len);

    return err ? err : real.recv(fd, buf, len, flags);
}

static ssize_t weather_send(int fd, const void *buf, size_t len, int flags)
{
    int err = meet_weather(fd, &len);

    return err ? err : real.send(fd, buf, len, flags);
}

static ssize_t weather_read(int fd, void *buf, size_t len)
{
    int err = meet_weather(fd, &len);

    return err ? err : real.read(fd, buf, len);
}

static ssize_t weather_write(int fd, const void *buf, size_t len)
{
    int err = meet_weather(fd, &len);

    return err ? err : real.write(fd, buf, len);
}

static ssize_t weather_readv(int fd, const struct iovec *iov, int n)
{
    size_t whole = length_of(iov, (size_t)n), len = whole;
    int err = meet_weather(fd, &len);
    struct iovec part = first_part(iov, (size_t)n, len);

    if (err) return err;
    return len == whole ? real.readv(fd, iov, n) : real.readv(fd, &part, 1);
}

static ssize_t weather_writev(int fd, const struct iovec *iov, int n)
{
    size_t whole = length_of(iov, (size_t)n), len = whole;
    int err = meet_weather(fd, &len);
    struct iovec part = first_part(iov, (size_t)n, len);

    if (err) return err;
    return len == whole ? real.writev(fd, iov, n) : real.writev(fd, &part, 1);
}

/* A message of the fuzzer's own has no control data. */
static bool cut_message(int fd, struct msghdr *message, struct iovec *part, int *err)
{
    size_t whole = length_of(message->msg_iov, message->msg_iovlen), len = whole;

    *err = meet_weather(fd, &len);
    if (*err || len == whole) return false;
    *part = first_part(message->msg_iov, message->msg_iovlen, len);
    message->msg_iov = part;
    message->msg_iovlen = 1;
    return true;
}

static ssize_t weather_recvmsg(int fd, struct msghdr *message, int flags)
{
    struct msghdr copy = *message;
    struct iovec part;
    int err;
    bool cut = cut_message(fd, &copy, &part, &err);

    return err ? err : real.recvmsg(fd, cut ? &copy : message, flags);
}

static ssize_t weather_sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct msghdr copy = *message;
    struct iovec part;
    int err;
    bool cut = cut_message(fd, &copy, &part, &err);

    return err ? err : real.sendmsg(fd, cut ? &copy : message, flags);
}

/* ---- The file: by workers, so one word says all ---- */

static ssize_t weather_preadv(int fd, const struct iovec *iov, int n, int64_t offset)
{
    int how = weather.on ? file_weather : 0;
    struct iovec part = first_part(iov, (size_t)n, 1);

    if (how == FAILS) return -EIO;
    return how == SHORT ? real.preadv(fd, &part, 1, offset) : real.preadv(fd, iov, n, offset);
}

static ssize_t weather_pwritev(int fd, const struct iovec *iov, int n, int64_t offset)
{
    int how = weather.on ? file_weather : 0;
    struct iovec part = first_part(iov, (size_t)n, 1);

    if (how == FAILS) return -EIO;
    return how == SHORT ? real.pwritev(fd, &part, 1, offset) : real.pwritev(fd, iov, n, offset);
}

/* ---- Children: on its way to its program one has a copy of every descriptor, so that what is
 * closed meanwhile lives on: its writer meets no EPIPE, its peer no end, then perhaps a reset. No
 * close falls into that time. It is over when the child's copy of a pipe is closed, the last one in
 * its table. That the start has returned does not say so everywhere: qemu-user's vfork is a fork,
 * which the parent does not wait for. ---- */

static pthread_mutex_t copied = PTHREAD_MUTEX_INITIALIZER;

enum { ABOVE_ALL = 512 };

/* The end of a new pipe that a child inherits up to its program; its other end is put to *seen. */
static int open_witness(int *seen)
{
    int fds[2], high;

    if (pipe(fds)) abort();
    *seen = fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
    high = fcntl(fds[1], F_DUPFD_CLOEXEC, ABOVE_ALL);
    real.close(fds[0]);
    real.close(fds[1]);
    if (*seen < 0 || high < 0) abort();
    return high;
}

static int weather_spawn(const struct nidoi_program *program, int *pid)
{
    int witness, seen, err;
    char none;

    pthread_mutex_lock(&copied);
    witness = open_witness(&seen);
    err = real.spawn(program, pid);
    real.close(witness);
    while (read(seen, &none, 1) < 0 && errno == EINTR) continue;
    real.close(seen);
    pthread_mutex_unlock(&copied);
    return err;
}

static int weather_close(int fd)
{
    int err;

    pthread_mutex_lock(&copied);
    err = real.close(fd);
    pthread_mutex_unlock(&copied);
    return err;
}

/* ---- What has come of the file ---- */

bool weather_file_fails(void)
{
    return file_failed;
}

bool weather_file_short(void)
{
    return file_was_short;
}

/* ---- Reports ---- */

static int side_of_event(const backend_event *event)
{
#ifdef NIDOI_KQUEUE
    return side_of((int)event->ident);
#else
    return side_of((int)(uint32_t)event->data.u64);
#endif
}

static int add_event(backend_event *events, int got, int most, const backend_event *event)
{
    if (got < most) events[got++] = *event;
    return got;
}

static int hold_back(backend_event *events, int got)
{
    int kept = 0;

    for (int i = 0; i < got; i++)
        if (side_of_event(&events[i]) >= 0 && weather.n_held < MOST_HELD)
            weather.held[weather.n_held++] = events[i];
        else
            events[kept++] = events[i];
    return kept;
}

/* What was held back or owed comes now. */
static int bring_held(backend_event *events, int got, int most)
{
    for (int i = 0; i < weather.n_held; i++) got = add_event(events, got, most, &weather.held[i]);
    weather.n_held = 0;
    for (int side = 0; side < 2; side++) {
#ifndef NIDOI_KQUEUE
        backend_event event = weather.seen[side];

        event.events |= EPOLLIN | EPOLLOUT;
        if (weather.owed[side]) got = add_event(events, got, most, &event);
#endif
        weather.owed[side] = false;
    }
    return got;
}

static int weather_wait(int backend, backend_event *events, int most, int64_t ns)
{
    bool brings = weather_holds();
    int got;

    /* The other end of each pipe is ours: there is nobody outside to be patient with. */
    got = real.BACKEND_WAIT(backend, events, most, ns < 0 && !brings ? ns : 0);
    if (!weather.on || got < 0) return got;
    for (int i = 0; i < got; i++) {
        int side = side_of_event(&events[i]);

        if (side < 0) continue;
        weather.seen[side] = events[i];
        weather.has_seen[side] = true;
    }
    if (brings)
        got = bring_held(events, got, most);
    else if (got && takes(&weather.late))
        got = hold_back(events, got);
    for (int side = 0; side < 2; side++)
        if (weather.has_seen[side] && takes(&weather.twice))
            got = add_event(events, got, most, &weather.seen[side]);
    return got;
}

bool weather_holds(void)
{
    return weather.n_held || weather.owed[0] || weather.owed[1];
}

bool weather_has_failed(void)
{
    return weather.failed;
}

/* ---- */

void weather_begin(void)
{
    if (!real.read) {
        real = nidoi_sys;
        nidoi_sys.recv = weather_recv;
        nidoi_sys.send = weather_send;
        nidoi_sys.read = weather_read;
        nidoi_sys.write = weather_write;
        nidoi_sys.readv = weather_readv;
        nidoi_sys.writev = weather_writev;
        nidoi_sys.recvmsg = weather_recvmsg;
        nidoi_sys.sendmsg = weather_sendmsg;
        nidoi_sys.preadv = weather_preadv;
        nidoi_sys.pwritev = weather_pwritev;
        nidoi_sys.spawn = weather_spawn;
        nidoi_sys.close = weather_close;
        nidoi_sys.BACKEND_WAIT = weather_wait;
    }
    memset(&weather, 0, sizeof weather);
    file_weather = 0;
    file_failed = file_was_short = false;
    weather.on = true;
}

void weather_end(void)
{
    weather.on = false;
}

int act_weather(struct task *task, unsigned a, unsigned b)
{
    unsigned n = 1 + b % 4;

    (void)task;
    catch_up();
    switch (a % 6) {
    case 0:
        weather.shorts = n;
        break;
    case 1:
        weather.refusals = n;
        break;
    case 2:
        weather.failures = 1;
        break;
    case 3:
        weather.twice = n;
        break;
    case 4:
        weather.late = n;
        break;
    default:
        file_weather = (int)(b % 3);
        file_was_short |= file_weather == SHORT;
        file_failed |= file_weather == FAILS;
    }
    return 0;
}
