/* SPDX-License-Identifier: MIT */
/* coro/scope/strerror.c: every errno by its name and in words.
 *
 * A code alone does not tell whether nido or the system refused; where both use one, the words say
 * what it means from either. */
#include <errno.h>
#include <stdio.h>

#include "nido/error.h"

/* What nido itself answers: in nido's words first. */
#define OWN_CODES(X)                                                                     \
    X(ECANCELED, "cancelled by an enclosing scope")                                      \
    X(ETIMEDOUT, "the deadline of a scope has passed, or the network timed out")         \
    X(EPIPE, "the other end is closed")                                                  \
    X(EBADF, "closed, or never open")                                                    \
    X(EBUSY, "in use by another task or run, or by the system")                          \
    X(EAGAIN, "not now: it would have to wait, or a limit is reached")                   \
    X(ESHUTDOWN, "no longer takes new work; of a socket: shut down")                     \
    X(EDEADLK, "waiting would never end, or is not allowed here")                        \
    X(EOWNERDEAD, "its owner ended while holding it")                                    \
    X(EPERM, "not permitted to this caller; a bare -1 reads so too")                     \
    X(EXDEV, "belongs to another thread's runtime; of files: on another file system")    \
    X(ECHILD, "the worker process died under the job; of a child: its status was taken") \
    X(EPROTO, "a rule was broken: a stray -ECANCELED, or by the peer")                   \
    X(ESRCH, "over already, or no such process")                                         \
    X(EALREADY, "done before, or under way already")                                     \
    X(EINVAL, "invalid argument")                                                        \
    X(ENOMEM, "out of memory")                                                           \
    X(EOVERFLOW, "value too large")                                                      \
    X(EINTR, "interrupted, or shut down from outside")

#define SYSTEM_CODES(X)                                             \
    X(E2BIG, "arguments and environment too large")                 \
    X(EACCES, "permission denied")                                  \
    X(EADDRINUSE, "address in use")                                 \
    X(EADDRNOTAVAIL, "address not available")                       \
    X(EAFNOSUPPORT, "address family not supported")                 \
    X(EBADMSG, "bad message")                                       \
    X(ECONNABORTED, "connection aborted")                           \
    X(ECONNREFUSED, "connection refused")                           \
    X(ECONNRESET, "connection reset by peer")                       \
    X(EDESTADDRREQ, "destination address required")                 \
    X(EDOM, "argument out of the domain of the function")           \
    X(EDQUOT, "disk quota exceeded")                                \
    X(EEXIST, "exists already")                                     \
    X(EFAULT, "bad address")                                        \
    X(EFBIG, "file too large")                                      \
    X(EHOSTDOWN, "host is down")                                    \
    X(EHOSTUNREACH, "host unreachable")                             \
    X(EIDRM, "identifier removed")                                  \
    X(EILSEQ, "invalid byte sequence")                              \
    X(EINPROGRESS, "in progress")                                   \
    X(EIO, "input/output error")                                    \
    X(EISCONN, "connected already")                                 \
    X(EISDIR, "is a directory")                                     \
    X(ELOOP, "too many symbolic links")                             \
    X(EMFILE, "too many open descriptors in this process")          \
    X(EMLINK, "too many hard links")                                \
    X(EMSGSIZE, "message too long")                                 \
    X(EMULTIHOP, "multihop attempted")                              \
    X(ENAMETOOLONG, "name too long")                                \
    X(ENETDOWN, "network is down")                                  \
    X(ENETRESET, "connection dropped by a reset of the network")    \
    X(ENETUNREACH, "network unreachable")                           \
    X(ENFILE, "too many open descriptors in the system")            \
    X(ENOBUFS, "no buffer space available")                         \
    X(ENODEV, "no such device")                                     \
    X(ENOENT, "no such file or directory")                          \
    X(ENOEXEC, "not an executable format")                          \
    X(ENOLCK, "no locks available")                                 \
    X(ENOLINK, "link to a remote machine severed")                  \
    X(ENOMSG, "no message of that type")                            \
    X(ENOPROTOOPT, "protocol option not available")                 \
    X(ENOSPC, "no space left")                                      \
    X(ENOSYS, "not implemented")                                    \
    X(ENOTBLK, "not a block device")                                \
    X(ENOTCONN, "not connected")                                    \
    X(ENOTDIR, "not a directory")                                   \
    X(ENOTEMPTY, "directory not empty")                             \
    X(ENOTRECOVERABLE, "state not recoverable")                     \
    X(ENOTSOCK, "not a socket")                                     \
    X(ENOTSUP, "not supported")                                     \
    X(ENOTTY, "not a terminal, or not an ioctl of this descriptor") \
    X(ENXIO, "no such device or address")                           \
    X(EPFNOSUPPORT, "protocol family not supported")                \
    X(EPROTONOSUPPORT, "protocol not supported")                    \
    X(EPROTOTYPE, "wrong protocol for this socket")                 \
    X(ERANGE, "out of range")                                       \
    X(EREMOTE, "object is remote")                                  \
    X(EROFS, "read-only file system")                               \
    X(ESOCKTNOSUPPORT, "socket type not supported")                 \
    X(ESPIPE, "cannot seek")                                        \
    X(ESTALE, "stale file handle")                                  \
    X(ETOOMANYREFS, "too many references")                          \
    X(ETXTBSY, "program file is open for writing")                  \
    X(EUSERS, "too many users")

/* Not everywhere. */
#ifdef ENOSR
#define STREAM_CODES(X)                  \
    X(ENODATA, "no data")                \
    X(ENOSR, "out of streams resources") \
    X(ENOSTR, "not a stream")            \
    X(ETIME, "timer expired")
#else
#define STREAM_CODES(X)
#endif

#ifdef ECHRNG
#define LINUX_CODES(X)                                      \
    X(EADV, "advertise error")                              \
    X(EBADE, "invalid exchange")                            \
    X(EBADFD, "descriptor in a bad state")                  \
    X(EBADR, "invalid request descriptor")                  \
    X(EBADRQC, "invalid request code")                      \
    X(EBADSLT, "invalid slot")                              \
    X(EBFONT, "bad font file format")                       \
    X(ECHRNG, "channel number out of range")                \
    X(ECOMM, "communication error on send")                 \
    X(EDOTDOT, "RFS error")                                 \
    X(EHWPOISON, "memory page has a hardware error")        \
    X(EISNAM, "is a named type file")                       \
    X(EKEYEXPIRED, "key has expired")                       \
    X(EKEYREJECTED, "key was rejected by its service")      \
    X(EKEYREVOKED, "key has been revoked")                  \
    X(EL2HLT, "level 2 halted")                             \
    X(EL2NSYNC, "level 2 not synchronised")                 \
    X(EL3HLT, "level 3 halted")                             \
    X(EL3RST, "level 3 reset")                              \
    X(ELIBACC, "cannot access a shared library")            \
    X(ELIBBAD, "shared library is corrupted")               \
    X(ELIBEXEC, "cannot execute a shared library directly") \
    X(ELIBMAX, "too many shared libraries")                 \
    X(ELIBSCN, ".lib section of the program is corrupted")  \
    X(ELNRNG, "link number out of range")                   \
    X(EMEDIUMTYPE, "wrong medium type")                     \
    X(ENAVAIL, "no XENIX semaphores available")             \
    X(ENOANO, "no anode")                                   \
    X(ENOCSI, "no CSI structure available")                 \
    X(ENOKEY, "required key not available")                 \
    X(ENOMEDIUM, "no medium found")                         \
    X(ENONET, "machine is not on the network")              \
    X(ENOPKG, "package not installed")                      \
    X(ENOTNAM, "not a XENIX named type file")               \
    X(ENOTUNIQ, "name not unique on the network")           \
    X(EREMCHG, "remote address changed")                    \
    X(EREMOTEIO, "remote input/output error")               \
    X(ERESTART, "interrupted call should be restarted")     \
    X(ERFKILL, "switched off by RF-kill")                   \
    X(ESRMNT, "srmount error")                              \
    X(ESTRPIPE, "streams pipe error")                       \
    X(EUCLEAN, "file system needs cleaning")                \
    X(EUNATCH, "protocol driver not attached")              \
    X(EXFULL, "exchange full")
#else
#define LINUX_CODES(X)
#endif

static const char *errno_unknown(int64_t code)
{
    static _Thread_local char text[32];

    snprintf(text, sizeof text, "unknown error %lld", (long long)code);
    return text;
}

const char *nido_strerror(int code)
{
    int64_t number = code < 0 ? -(int64_t)code : code;

    switch (number) {
    case 0:
        return "OK";
#define CASE(name, text) \
    case name:           \
        return #name ": " text;
        OWN_CODES(CASE)
        SYSTEM_CODES(CASE)
        STREAM_CODES(CASE)
        LINUX_CODES(CASE)
    default:
        return errno_unknown(number);
    }
}
