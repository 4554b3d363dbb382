/* SPDX-License-Identifier: MIT */
/* ssh2.c: see ssh2.h. libssh2 does not block; where it would, it says in which direction, and the call
 * is made again. */
#include "ssh2.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* True: the call has to be made again. Else it is over, or the wait has failed, which ends the
 * connection: libssh2 is in the middle of something. */
static bool s2_again(s2_conn *conn, long rc)
{
    if (rc != LIBSSH2_ERROR_EAGAIN || conn->err) return false;
    int directions = libssh2_session_block_directions(conn->session);
    unsigned events = directions & LIBSSH2_SESSION_BLOCK_OUTBOUND ? NIDO_OUT : 0;
    if (!events || directions & LIBSSH2_SESSION_BLOCK_INBOUND) events |= NIDO_IN;
    int ready = nido_wait_fd(conn->fd, events);
    if (ready < 0) conn->err = ready;
    return ready > 0;
}

/* The failure of what was done last, with a text. */
static int s2_fail(const s2_conn *conn, const char *what)
{
    char *why = "no reason is known";
    if (conn->err) return conn->err;
    int rc = libssh2_session_last_error(conn->session, &why, NULL, 0);
    if (rc == LIBSSH2_ERROR_ALLOC) return -ENOMEM;
    bool refused =
        rc == LIBSSH2_ERROR_AUTHENTICATION_FAILED || rc == LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED;
    return nido_fail(refused ? -EACCES : -EIO, "ssh: %s: %s", what, why);
}

/* ---- Logging in ---- */

static int s2_check_host(const s2_conn *conn, const s2_login *login)
{
    size_t length;
    int type;
    const char *key = libssh2_session_hostkey(conn->session, &length, &type);
    LIBSSH2_KNOWNHOSTS *hosts = key ? libssh2_knownhost_init(conn->session) : NULL;
    if (!hosts) return -ENOMEM;
    libssh2_knownhost_readfile(hosts, login->known_hosts, LIBSSH2_KNOWNHOST_FILE_OPENSSH);
    int rc =
        libssh2_knownhost_checkp(hosts, login->host, atoi(login->port), key, length,
                                 LIBSSH2_KNOWNHOST_TYPE_PLAIN | LIBSSH2_KNOWNHOST_KEYENC_RAW, NULL);
    libssh2_knownhost_free(hosts);
    if (rc == LIBSSH2_KNOWNHOST_CHECK_MATCH) return 0;
    return nido_fail(-EACCES, "ssh: %s is %s", login->host,
                     rc == LIBSSH2_KNOWNHOST_CHECK_MISMATCH ? "another than it was" : "not known");
}

static int s2_log_in(s2_conn *conn, const s2_login *login)
{
    int rc;
    do rc = libssh2_session_handshake(conn->session, conn->fd);
    while (s2_again(conn, rc));
    if (rc) return s2_fail(conn, "handshake");
    if ((rc = s2_check_host(conn, login))) return rc;
    do rc = libssh2_userauth_publickey_fromfile(conn->session, login->user, NULL, login->key, NULL);
    while (s2_again(conn, rc));
    return rc ? s2_fail(conn, "logging in") : 0;
}

int s2_open(s2_conn *conn, const s2_login *login)
{
    *conn = (s2_conn){.fd = nido_dial(login->host, login->port, NULL)};
    if (conn->fd < 0) return conn->fd;
    nido_fd_forget(conn->fd); /* from now on it is libssh2's, but for the closing */
    conn->session = libssh2_session_init();
    if (!conn->session) return close(conn->fd), -ENOMEM;
    libssh2_session_set_blocking(conn->session, 0);
    int rc = s2_log_in(conn, login);
    if (rc < 0) s2_close(conn);
    return rc;
}

/* ---- Running ---- */

static int s2_read(s2_conn *conn, LIBSSH2_CHANNEL *channel, s2_out_fn *out, void *ctx)
{
    char bytes[4096];
    int rc = 0;
    while (rc >= 0) {
        long n;
        do n = (long)libssh2_channel_read(channel, bytes, sizeof bytes);
        while (s2_again(conn, n));
        if (n < 0) return s2_fail(conn, "output");
        if (n == 0) return 0;
        rc = out(ctx, bytes, (size_t)n);
    }
    return rc;
}

static int s2_run_in(s2_conn *conn, LIBSSH2_CHANNEL *channel, const char *command, s2_out_fn *out,
                     void *ctx)
{
    int rc;
    do rc = libssh2_channel_handle_extended_data2(channel, LIBSSH2_CHANNEL_EXTENDED_DATA_IGNORE);
    while (s2_again(conn, rc));
    if (rc == 0) do
            rc = libssh2_channel_exec(channel, command);
        while (s2_again(conn, rc));
    if (rc) return s2_fail(conn, command);
    if ((rc = s2_read(conn, channel, out, ctx))) return rc;
    do rc = libssh2_channel_close(channel);
    while (s2_again(conn, rc));
    if (rc == 0) do
            rc = libssh2_channel_wait_closed(channel); /* the exit status comes before that */
        while (s2_again(conn, rc));
    return rc ? s2_fail(conn, "the end") : 0;
}

int s2_run(s2_conn *conn, const char *command, s2_out_fn *out, void *ctx, int *status)
{
    LIBSSH2_CHANNEL *channel;
    if (nido_cancelled()) return -ECANCELED;
    if (conn->err) return conn->err;
    do channel = libssh2_channel_open_session(conn->session);
    while (!channel && s2_again(conn, libssh2_session_last_errno(conn->session)));
    if (!channel) return s2_fail(conn, "a channel");
    int rc = s2_run_in(conn, channel, command, out, ctx);
    if (rc == 0) *status = libssh2_channel_get_exit_status(channel);
    if (rc < 0 && !conn->err) conn->err = rc; /* the rest of the output is still to come */
    if (!conn->err) libssh2_channel_free(channel);
    return rc;
}

/* After the shutdown of the socket nothing in libssh2 waits; it frees channels that are left, too. */
void s2_close(s2_conn *conn)
{
    enum { STEPS = 16 };
    int rc = LIBSSH2_ERROR_EAGAIN;
    if (!conn->session) return;
    if (!conn->err) libssh2_session_disconnect(conn->session, "done");
    shutdown(conn->fd, SHUT_RDWR);
    for (int i = 0; i < STEPS && rc == LIBSSH2_ERROR_EAGAIN; i++)
        rc = libssh2_session_free(conn->session);
    close(conn->fd);
    conn->session = NULL;
}
