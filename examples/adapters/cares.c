/* SPDX-License-Identifier: MIT */
/* cares.c: see cares.h. A channel of c-ares for each lookup: it says which sockets and which time it
 * waits for, and to destroy it is the cancel. */
#include "cares.h"

#include <errno.h>
#include <poll.h>

struct ca_lookup {
    bool done;
    int status;
    struct ares_addrinfo *result;
};

/* c-ares's callback. */
static void ca_finish(void *arg, int status, int timeouts, struct ares_addrinfo *result)
{
    struct ca_lookup *lookup = arg;
    (void)timeouts;
    lookup->done = true;
    lookup->status = status;
    lookup->result = result;
}

/* c-ares's macros for the set shift 1 by 31 places in an int. */
static nfds_t ca_sockets(ares_channel channel, struct pollfd *fds)
{
    ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
    unsigned set = (unsigned)ares_getsock(channel, sockets, ARES_GETSOCK_MAXNUM);
    nfds_t n = 0;
    for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
        int events = (set >> i & 1 ? POLLIN : 0) | (set >> (i + 16) & 1 ? POLLOUT : 0);
        if (events) fds[n++] = (struct pollfd){.fd = sockets[i], .events = (short)events};
    }
    return n;
}

static int64_t ca_timeout_ns(ares_channel channel)
{
    struct timeval time;
    if (!ares_timeout(channel, NULL, &time)) return NIDO_NEVER;
    return NIDO_SEC((int64_t)time.tv_sec) + (int64_t)time.tv_usec * 1000;
}

/* Waits once for what c-ares waits for, and lets it work. */
static int ca_step(ares_channel channel)
{
    struct pollfd fds[ARES_GETSOCK_MAXNUM];
    nfds_t n = ca_sockets(channel, fds);
    nido_scope scope;
    nido_timeout_open(&scope, ca_timeout_ns(channel));
    int rc = nido_scope_close(&scope, n ? nido_poll(fds, n) : nido_sleep(NIDO_NEVER));
    if (rc == -ETIMEDOUT) ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    for (nfds_t i = 0; i < n && rc > 0; i++)
        if (fds[i].revents)
            ares_process_fd(channel, fds[i].revents & ~POLLOUT ? fds[i].fd : ARES_SOCKET_BAD,
                            fds[i].revents & POLLOUT ? fds[i].fd : ARES_SOCKET_BAD);
    return rc == -ETIMEDOUT || rc > 0 ? 0 : rc;
}

int ca_lookup(ares_channel base, const char *name, int family, struct ares_addrinfo **out)
{
    const struct ares_addrinfo_hints hints = {.ai_family = family};
    struct ca_lookup lookup = {.done = false};
    ares_channel channel;
    int rc = 0;
    if (nido_cancelled()) return -ECANCELED;
    if (ares_dup(&channel, base) != ARES_SUCCESS) return -ENOMEM;
    ares_getaddrinfo(channel, name, NULL, &hints, ca_finish, &lookup);
    while (!lookup.done && rc == 0) rc = ca_step(channel);
    ares_destroy(channel); /* which calls ca_finish if it is still to be called */
    if (rc == 0 && lookup.status == ARES_ENOTFOUND)
        rc = nido_fail(-ENOENT, "%s: not found", name);
    else if (rc == 0 && lookup.status != ARES_SUCCESS)
        rc = nido_fail(-EIO, "%s: %s", name, ares_strerror(lookup.status));
    if (rc == 0)
        *out = lookup.result;
    else
        ares_freeaddrinfo(lookup.result);
    return rc;
}
