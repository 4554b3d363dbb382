/* SPDX-License-Identifier: MIT */
/* reactor/transit.h: bytes between two sockets of this process, which the virtual clock waits
 * for. */
#ifndef NIDOI_TRANSIT_H
#define NIDOI_TRANSIT_H

#include "reactor/reactor.h"

/* True: bytes of a TCP connection with both ends in this process are on their way to an end that a
 * task waits to read from. Costs a system call for each number ever used: for an idle loop. */
bool nidoi_reactor_in_transit(const struct nidoi_reactor *reactor);

#endif
