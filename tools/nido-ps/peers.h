/* SPDX-License-Identifier: MIT */
/* peers.h: the other ends of a process's sockets, from /proc. */
#ifndef PEERS_H
#define PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* "192.0.2.1:80", "/run/server.sock"; NULL: the descriptor has none, or it is not known; until the next call. The
 * table of all connections is read at the first question, and kept until peers_forget. */
const char *peers_find(pid_t pid, int fd);

void peers_forget(void);

#endif
