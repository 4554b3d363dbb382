/* SPDX-License-Identifier: MIT */
/* nido/net.h: sockets. Descriptors returned here are owned (nido/fd.h), non-blocking and
 * close-on-exec. */
#ifndef NIDO_NET_H
#define NIDO_NET_H

#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "nido/types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct addrinfo; /* <netdb.h> hides it from strict C11 */

/* Called with a socket that has not been bound or connected yet, for options of the caller's:
 * SO_KEEPALIVE, SO_BINDTODEVICE, a local address by bind(2). Must not park. 0, or the error of the
 * attempt. */
typedef int nido_prepare_fn(void *ctx, int fd, const struct sockaddr *address);

typedef struct nido_listen_options {
    size_t size;              /* sizeof(nido_listen_options); nido_listen_options_init sets it */
    int backlog;              /* 0: SOMAXCONN */
    bool reuse_port;          /* SO_REUSEPORT */
    bool v6_only;             /* IPV6_V6ONLY at an IPv6 address, and at host NULL */
    int family;               /* AF_INET or AF_INET6: this one alone, of peers too; 0: any */
    nido_prepare_fn *prepare; /* for the socket; may be NULL */
    void *ctx;                /* for prepare */
} nido_listen_options;

typedef struct nido_dial_options {
    size_t size;        /* sizeof(nido_dial_options); nido_dial_options_init sets it */
    int64_t stagger_ns; /* head start of each attempt over the next (RFC 8305, 5); 0: 250 ms */
    int family;         /* AF_INET or AF_INET6: addresses of this family alone; 0: of any */
    nido_prepare_fn *prepare; /* for the socket of each attempt; may be NULL */
    void *ctx;                /* for prepare */
} nido_dial_options;

/* Fill with zeros and set `size`. Cannot fail. Not a cancellation point. */
static inline void nido_listen_options_init(nido_listen_options *options)
{
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
}
/* The same as an initialiser: &NIDO_LISTEN_OPTIONS(.field = value). In C. */
#define NIDO_LISTEN_OPTIONS(...) NIDOI_SIZED(nido_listen_options, __VA_ARGS__)
/* See nido_listen_options_init. Cannot fail. Not a cancellation point. */
static inline void nido_dial_options_init(nido_dial_options *options)
{
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
}
/* The same as an initialiser: &NIDO_DIAL_OPTIONS(.field = value). In C. */
#define NIDO_DIAL_OPTIONS(...) NIDOI_SIZED(nido_dial_options, __VA_ARGS__)

/* Looks a name and a service up, as getaddrinfo(3), on a worker. Look-ups that need a name server
 * take at most half of the workers, and abandoned look-ups none (up to 256 of them). The hosts file
 * is read first, and its names are looked up without these limits. Numbers need no worker.
 * Cancellation point: a cancel returns at once, and the late answer is freed. 0, and *out is to be
 * freed by freeaddrinfo; -ECANCELED; -ENOENT: no such name or service; -EHOSTUNREACH: no name
 * server answered; -EIO: its answer was invalid; -EINVAL: bad hints, or neither host nor service;
 * -ENOMEM; -EAGAIN: no worker can be started. The resolver's text is in nido_error_last(). */
NIDO_API int nido_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                              struct addrinfo **out);

/* ---- Addresses as texts ---- */

#define NIDO_ADDRESS_TEXT 128 /* room for any of them */

/* "192.0.2.1:80" (also of an IPv4 peer of an IPv6 socket), "[2001:db8::1]:80", "[fe80::1%2]:80",
 * "unix:/run/socket", "unix:@abstract", "unix:" of a socket without a name. Any thread. Not a
 * cancellation point. The text's length; -ENOSPC: it is longer than `size`, and cut; -EAFNOSUPPORT:
 * another kind of address; -EINVAL: `length` is too short. */
NIDO_API int nido_address_text(const struct sockaddr *address, socklen_t length, char *text,
                               size_t size);

/* Reads such a text; numbers alone, so no server is asked. Any thread. Not a cancellation point. 0;
 * -EINVAL: it is none; -ENOMEM. */
NIDO_API int nido_address_parse(const char *text, struct sockaddr_storage *address,
                                socklen_t *length);

/* The text of the socket's own address; owned or foreign. Any thread. Not a cancellation point. As
 * nido_address_text; -EBADF; -ENOTSOCK. */
NIDO_API int nido_local_text(int fd, char *text, size_t size);
/* The text of its peer's address. Any thread. Not a cancellation point. As nido_local_text;
 * -ENOTCONN. */
NIDO_API int nido_peer_text(int fd, char *text, size_t size);

/* The port that the socket is bound to: of a listener at port "0", the one that it got. Any thread.
 * Not a cancellation point. The port; -EAFNOSUPPORT: its address has none; -EBADF; -ENOTSOCK. */
NIDO_API int nido_local_port(int fd);

/* A listening stream socket at an address ("127.0.0.1", "::") or name and a port ("0": any free
 * one) or service, or at a Unix path (host "unix:/path", "unix:@name" for an abstract name of Linux;
 * service ignored); of several addresses of
 * a name, at the first one where that is possible. Host NULL is every address, of both families
 * where there is IPv6: accept then gives the address of an IPv4 peer as ::ffff:a.b.c.d. Options may
 * be NULL. Cancellation point. The descriptor; -ECANCELED; -EINVAL: a service that is neither a
 * name nor a port (0 to 65535), or a bad option; -EAFNOSUPPORT: the address is of another family
 * than the option; the errors of nido_getaddrinfo; that of prepare; or the system calls' own
 * (-EADDRINUSE, ...). */
NIDO_API int nido_listen(const char *host, const char *service, const nido_listen_options *options);

/* Listens at every address that the name has, of both families, each by a socket of its own: as
 * nido_listen at each, with v6_only. Host NULL: at :: and 0.0.0.0. At port "0" all get the same free
 * port. A family that the system does not have is left out if another can be had. Puts the
 * descriptors into out[0 .. most); on failure none of them is open. To serve them all, spawn a
 * nido_serve for each: one signal stops all. Cancellation point. How many there are, at least 1;
 * -ENOSPC: there are more than `most`; -EINVAL also if `out` is NULL; else as nido_listen. */
NIDO_API int nido_listen_all(const char *host, const char *service,
                             const nido_listen_options *options, int *out, size_t most);

/* Connects a stream socket to an address or name and a port or service, or to a Unix path
 * ("unix:/path"). The IPv6 and IPv4 addresses of a name are looked up at the same time, and tried
 * as by nido_dial_any as soon as they arrive; IPv4 addresses wait 50 ms for IPv6 ones (RFC 8305,
 * sections 3 to 5). Cancellation point. The descriptor; -ECANCELED: all attempts are closed (those
 * that failed before are in nido_error_last()); -EINVAL: no host, a service that is neither a name
 * nor a port (0 to 65535), or a bad option; -EAFNOSUPPORT: the address is of another family than
 * the option; the errors of nido_getaddrinfo (-ENOENT only if all families give it); that of
 * prepare; -ECONNREFUSED, -ENETUNREACH, -ETIMEDOUT (the network's: nido_scope_fired
 * distinguishes it from a deadline), or the system calls' own. TCP_NODELAY is set. */
NIDO_API int nido_dial(const char *host, const char *service, const nido_dial_options *options);

/* Connects to the first address of a list that answers: attempts start one after the other
 * (families alternating), each with a head start over the next, or at once when one fails; the
 * first success cancels and closes the rest (RFC 8305, sections 4 and 5). The list stays the
 * caller's. Cancellation point. The descriptor, or the first attempt's failure with the others in
 * nido_error_last(); -EINVAL: the list is empty, or has none of the
 * option's family; -ECANCELED, as nido_dial. */
NIDO_API int nido_dial_any(const struct addrinfo *list, const nido_dial_options *options);

/* A socket of any kind, owned. Not a cancellation point. The descriptor, or the system call's own;
 * -EPERM. */
NIDO_API int nido_socket(int domain, int type, int protocol);

/* A pair of connected sockets, owned. Not a cancellation point. 0, or the system call's own;
 * -EPERM. */
NIDO_API int nido_socketpair(int domain, int type, int protocol, int out[2]);

/* Takes the next connection. Any number of tasks may wait; they are served in order. Connections
 * that died in the queue are skipped. Without free descriptors or memory (EMFILE, ENFILE, ENOBUFS,
 * ENOMEM), or when many are refused in a row (by a firewall), it pauses for 100 ms and tries again.
 * TCP_NODELAY is set. Cancellation point; an accepted connection is never dropped. `address` and
 * `length` as accept(2), may be NULL. The descriptor; -ECANCELED; -EBADF: closed, also meanwhile;
 * or the system call's own. */
NIDO_API int nido_accept(int fd, struct sockaddr *address, socklen_t *length);

/* One try of nido_accept, whatever the scope says: it never waits and lets no other task run, also
 * in a scope that is cancelled, and in a function that must not park. Not a cancellation point. The
 * descriptor; -EAGAIN: no connection is there, or tasks wait for one; -EMFILE, -ENFILE, -ENOBUFS,
 * -ENOMEM at once; -EOPNOTSUPP: a listener that blocks and is not nido's; -EBADF; -EPERM: no
 * runtime; or the system call's own. */
NIDO_API int nido_try_accept(int fd, struct sockaddr *address, socklen_t *length);

/* Connects a socket of the caller and waits for the result; the socket stays open on failure. (A
 * blocking foreign one is made non-blocking for the instant of the system call.) Cancellation
 * point. 0; -ECANCELED: the attempt may still go on, so close the socket; -EBUSY; -EBADF; or the
 * system call's own. */
NIDO_API int nido_connect(int fd, const struct sockaddr *address, socklen_t length);

/* As recv(2) and send(2). For these and the following calls the flags MSG_DONTWAIT, MSG_ERRQUEUE
 * and MSG_FASTOPEN are -EOPNOTSUPP. So is MSG_WAITALL on a stream, except in nido_recv without
 * other flags, which then returns what came before an end, a cancel or a failure. Cancellation
 * point. Errors as nido_read (-EBADF, -EBUSY, ...) and nido_write. */
NIDO_API ssize_t nido_recv(int fd, void *buf, size_t len, int flags);
/* See nido_recv. Cancellation point. Errors as nido_write (-EPIPE, -EBUSY, ...). */
NIDO_API ssize_t nido_send(int fd, const void *buf, size_t len, int flags);

/* One try of nido_recv, as nido_try_read is one of nido_read; MSG_WAITALL is -EOPNOTSUPP as well. Not
 * a cancellation point. Bytes received, 0 at the end; -EAGAIN: it would have to wait, or tasks wait
 * for datagrams; -EBUSY; -EPERM: no runtime; or the system call's own. */
NIDO_API ssize_t nido_try_recv(int fd, void *buf, size_t len, int flags);
/* See nido_try_recv: one try of nido_send. Not a cancellation point. Bytes sent; -EAGAIN; -EBUSY;
 * -EPIPE; -EPERM: no runtime; or the system call's own. */
NIDO_API ssize_t nido_try_send(int fd, const void *buf, size_t len, int flags);

/* As recvfrom(2); any number of tasks may wait, and are served in order; an empty datagram gives 0
 * and its address. Cancellation point. Errors as nido_read (-EBADF, ...). */
NIDO_API ssize_t nido_recvfrom(int fd, void *buf, size_t len, int flags, struct sockaddr *from,
                               socklen_t *length);
/* As sendto(2). Cancellation point. Errors as nido_write (-EPIPE, -EBADF, ...). */
NIDO_API ssize_t nido_sendto(int fd, const void *buf, size_t len, int flags,
                             const struct sockaddr *to, socklen_t length);

/* As recvmsg(2) and sendmsg(2); received descriptors are close-on-exec, and foreign. Cancellation
 * point. Errors as nido_read and nido_write. */
NIDO_API ssize_t nido_recvmsg(int fd, struct msghdr *message, int flags);
/* See nido_recvmsg. Cancellation point. Errors as nido_write (-EPIPE, -EBUSY, ...). */
NIDO_API ssize_t nido_sendmsg(int fd, const struct msghdr *message, int flags);

#ifdef __cplusplus
}
#endif

#endif
