/* SPDX-License-Identifier: MIT */
/* ssh2.h: commands on another machine, over libssh2: a connection that waits as a task waits.
 *
 *     s2_conn conn;
 *     rc = s2_open(&conn, &(s2_login){.host = "example.org", .port = "22", .known_hosts = path,
 *                                     .user = "ada", .key = key_path});
 *     if (rc == 0) rc = s2_run(&conn, "uname -a", print, NULL, &status);
 *     s2_close(&conn);
 *
 * A deadline is that of the caller's scope. libssh2_init is called once, at the start of the
 * program. Files of keys and of known hosts are read with calls that block. */
#ifndef ADAPTER_SSH2_H
#define ADAPTER_SSH2_H

#include <libssh2.h>
#include <nido.h>

/* Strings, used by s2_open only. */
typedef struct s2_login {
    const char *host, *port;
    const char *known_hosts; /* as OpenSSH writes it: the server has to be in it */
    const char *user, *key;  /* a private key in a file, not encrypted */
} s2_login;

/* Caller's memory; all zeros is a connection that is not open. Fields are private. One task at a
 * time. */
typedef struct s2_conn {
    LIBSSH2_SESSION *session;
    int fd;
    int err; /* why it cannot be used any longer: a wait's failure, or 0 */
} s2_conn;

/* Connects, looks whether the server is the known one, and logs in. Cancellation point. 0; or a
 * failure, and it is not open: -EACCES: the server is another, or unknown, or refuses the key; -EIO:
 * libssh2's other failures, which are the text; -ENOMEM; -ECANCELED; or as nido_dial. */
int s2_open(s2_conn *conn, const s2_login *login);

/* Gets a piece of output. < 0 ends the command. May wait. */
typedef int s2_out_fn(void *ctx, const char *bytes, size_t n);

/* Runs a command to its end and gives its standard output to out(ctx, ...) as it comes; standard
 * error is dropped. Cancellation point. 0, and *status is its exit status; -EIO: libssh2's failures,
 * which are the text; -ECANCELED: the connection cannot be used any longer, and its close ends the
 * command at a server that ends what has lost its client; or what `out` has returned. */
int s2_run(s2_conn *conn, const char *command, s2_out_fn *out, void *ctx, int *status);

/* Closes it, saying so to the server if that needs no wait. Not a cancellation point. */
void s2_close(s2_conn *conn);

#endif
