/* SPDX-License-Identifier: MIT */
/* net/socket.h: a part of nido_connect for calls that make their own socket. */
#ifndef NIDOI_SOCKET_H
#define NIDOI_SOCKET_H

#include "coro/scope/scope.h"

/* Waits for the outcome of an attempt to connect that is in progress, within a call that has
 * entered; 0 or what became of it. Cancellation point. */
int nidoi_socket_connected(struct nidoi_loop *loop, int fd);

#endif
