/* SPDX-License-Identifier: MIT */
/* base/sys_bytes.c: moving bytes. */
#include "base/sys_call.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/sendfile.h>
#endif

#include "base/held_signal.h"

/* The kernel's header may know more than libc. */
#if defined RWF_NOWAIT && !defined NIDOI_NO_PREADV2
#define READS_NOW 1
#endif

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* then new sockets get SO_NOSIGPIPE */
#endif

/* ---- As the systems have it ---- */

/* Descriptors that come in a message are close-on-exec too. */
#ifdef MSG_CMSG_CLOEXEC

static ssize_t receive(int fd, struct msghdr *message, int flags)
{
    return recvmsg(fd, message, flags | MSG_CMSG_CLOEXEC);
}

#else

static void set_cloexec_of_passed(const struct cmsghdr *part)
{
    size_t size = part->cmsg_len - CMSG_LEN(0);

    for (size_t at = 0; at + sizeof(int) <= size; at += sizeof(int)) {
        int fd;

        memcpy(&fd, CMSG_DATA(part) + at, sizeof fd);
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
}

static ssize_t receive(int fd, struct msghdr *message, int flags)
{
    ssize_t n = recvmsg(fd, message, flags);
    struct cmsghdr *part = n < 0 ? NULL : CMSG_FIRSTHDR(message);

    for (; part; part = CMSG_NXTHDR(message, part))
        if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS)
            set_cloexec_of_passed(part);
    return n;
}

#endif

#ifdef __linux__

/* Sends bytes of a file from `offset` on: so many, or -1. */
static ssize_t send_file(int out, int in, off_t offset, size_t len)
{
    return sendfile(out, in, &offset, len);
}

#else

static ssize_t send_copy(int out, int in, off_t offset, size_t len)
{
    char bytes[4096];
    ssize_t n = pread(in, bytes, len < sizeof bytes ? len : sizeof bytes, offset);

    return n <= 0 ? n : write(out, bytes, (size_t)n);
}

/* Sends to sockets only, and a length of 0 means all. What went out before an error counts. */
static ssize_t send_file(int out, int in, off_t offset, size_t len)
{
    off_t sent = 0;
    int result;

    if (!len) return 0;
#ifdef __APPLE__
    sent = (off_t)len;
    result = sendfile(in, out, offset, &sent, NULL, 0);
    if (result && errno != EAGAIN && errno != EINTR) sent = 0;
#elif defined(__FreeBSD__) || defined(__DragonFly__)
    result = sendfile(in, out, offset, len, NULL, &sent, 0);
#else
    result = -1;
    errno = ENOTSOCK;
#endif
    if (result && (errno == ENOTSOCK || errno == ENOTSUP || errno == EOPNOTSUPP))
        return send_copy(out, in, offset, len);
    return result && !sent ? -1 : (ssize_t)sent;
}

#endif

/* ---- Without SIGPIPE ---- */

/* Of a write to a pipe. Sockets do not come here, they have MSG_NOSIGNAL. */
static ssize_t call_without_sigpipe(ssize_t (*call)(int, const void *, size_t), int fd,
                                    const void *buf, size_t len)
{
    struct nidoi_held_signal held;
    ssize_t n;

    nidoi_signal_hold(&held, SIGPIPE);
    do n = call(fd, buf, len);
    while (n < 0 && errno == EINTR);
    if (n < 0) n = -errno;
    nidoi_signal_release(&held, SIGPIPE, n == -EPIPE);
    return n;
}

/* ---- Any descriptor ---- */

ssize_t nidoi_os_read(int fd, void *buf, size_t len)
{
    RETURN_RETRIED(ssize_t, read(fd, buf, len));
}

ssize_t nidoi_os_readv(int fd, const struct iovec *iov, int n)
{
    RETURN_RETRIED(ssize_t, readv(fd, iov, n));
}

ssize_t nidoi_os_write(int fd, const void *buf, size_t len)
{
    return call_without_sigpipe(write, fd, buf, len);
}

static ssize_t plain_writev(int fd, const void *iov, size_t n)
{
    return writev(fd, iov, (int)n);
}

ssize_t nidoi_os_writev(int fd, const struct iovec *iov, int n)
{
    return n < 0 ? -EINVAL : call_without_sigpipe(plain_writev, fd, iov, (size_t)n);
}

ssize_t nidoi_os_readv_once(int fd, const struct iovec *iov, int n)
{
    ssize_t got = readv(fd, iov, n);

    return got < 0 ? -errno : got;
}

ssize_t nidoi_os_writev_once(int fd, const struct iovec *iov, int n)
{
    struct nidoi_held_signal held;
    ssize_t put;

    nidoi_signal_hold(&held, SIGPIPE);
    put = writev(fd, iov, n);
    if (put < 0) put = -errno;
    nidoi_signal_release(&held, SIGPIPE, put == -EPIPE);
    return put;
}

/* ---- Sockets ---- */

ssize_t nidoi_os_recv(int fd, void *buf, size_t len, int flags)
{
    RETURN_RETRIED(ssize_t, recv(fd, buf, len, flags));
}

ssize_t nidoi_os_send(int fd, const void *buf, size_t len, int flags)
{
    RETURN_RETRIED(ssize_t, send(fd, buf, len, flags | MSG_NOSIGNAL));
}

ssize_t nidoi_os_recvfrom(int fd, void *buf, size_t len, int flags, struct sockaddr *from,
                          socklen_t *length)
{
    RETURN_RETRIED(ssize_t, recvfrom(fd, buf, len, flags, from, length));
}

ssize_t nidoi_os_sendto(int fd, const void *buf, size_t len, int flags, const struct sockaddr *to,
                        socklen_t length)
{
    RETURN_RETRIED(ssize_t, sendto(fd, buf, len, flags | MSG_NOSIGNAL, to, length));
}

ssize_t nidoi_os_recvmsg(int fd, struct msghdr *message, int flags)
{
    RETURN_RETRIED(ssize_t, receive(fd, message, flags));
}

ssize_t nidoi_os_sendmsg(int fd, const struct msghdr *message, int flags)
{
    RETURN_RETRIED(ssize_t, sendmsg(fd, message, flags | MSG_NOSIGNAL));
}

/* ---- Files ---- */

ssize_t nidoi_os_preadv(int fd, const struct iovec *iov, int n, int64_t offset)
{
    if (offset < 0) return nidoi_os_readv(fd, iov, n);
    RETURN_RETRIED(ssize_t, preadv(fd, iov, n, (off_t)offset));
}

ssize_t nidoi_os_preadv_now(int fd, const struct iovec *iov, int n, int64_t offset)
{
#ifdef READS_NOW
    ssize_t got;

    do got = preadv2(fd, iov, n, offset < 0 ? -1 : (off_t)offset, RWF_NOWAIT);
    while (got < 0 && errno == EINTR);
    if (got >= 0) return got;
    return nidoi_lacks_call() ? -EOPNOTSUPP : -errno;
#else
    (void)fd, (void)iov, (void)n, (void)offset;
    return -EOPNOTSUPP;
#endif
}

#ifdef READS_NOW
static ssize_t plain_writev_now(int fd, const void *iov, size_t n)
{
    return pwritev2(fd, iov, (int)n, -1, RWF_NOWAIT);
}
#endif

ssize_t nidoi_os_pwritev_now(int fd, const struct iovec *iov, int n)
{
#ifdef READS_NOW
    return call_without_sigpipe(plain_writev_now, fd, iov, (size_t)n);
#else
    (void)fd, (void)iov, (void)n;
    return -EOPNOTSUPP;
#endif
}

ssize_t nidoi_os_pwritev(int fd, const struct iovec *iov, int n, int64_t offset)
{
    if (offset < 0) return nidoi_os_writev(fd, iov, n);
    RETURN_RETRIED(ssize_t, pwritev(fd, iov, n, (off_t)offset));
}

struct file_span {
    int in;
    off_t offset;
};

static ssize_t plain_sendfile(int out, const void *span, size_t len)
{
    const struct file_span *file = span;

    return send_file(out, file->in, file->offset, len);
}

ssize_t nidoi_os_sendfile(int out, int in, int64_t *offset, size_t len)
{
    struct file_span span = {in, (off_t)*offset};
    ssize_t n = call_without_sigpipe(plain_sendfile, out, &span, len);

    if (n > 0) *offset += n;
    return n;
}

/* ---- Between descriptors ---- */

#ifdef __linux__
static ssize_t plain_splice(int out, const void *in, size_t len)
{
    return splice(*(const int *)in, NULL, out, NULL, len, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
}
#endif

ssize_t nidoi_os_splice(int in, int out, size_t len)
{
#ifdef __linux__
    return call_without_sigpipe(plain_splice, out, &in, len);
#else
    (void)in, (void)out, (void)len;
    return -ENOSYS;
#endif
}
