/* SPDX-License-Identifier: MIT */
/* unix_peers.h: the other ends of Unix sockets, which the kernel tells by sock_diag(7): those of our own
 * network namespace. */
#ifndef UNIX_PEERS_H
#define UNIX_PEERS_H

#include <stdbool.h>
#include <stddef.h>

/* "/run/server.sock", "@abstract". False: that socket is none, or its other end has no name. */
bool unix_peer_find(unsigned long inode, char *out, size_t size);

#endif
