/* SPDX-License-Identifier: MIT */
/* debug/peer.h: the other end of a socket in words. */
#ifndef NIDOI_DEBUG_PEER_H
#define NIDOI_DEBUG_PEER_H

#include "debug/task.h"

/* "192.0.2.1:80", "[2001:db8::1]:80", "/run/server.sock", "@abstract"; of a Unix socket without a name the process
 * that has connected it or made the pair, "process 4711". False: it is no socket, or not connected. */
bool nidoi_debug_add_peer(struct nidoi_text *text, int fd);

#endif
