/* reactor/transit.h: bytes between two sockets of this process, which the virtual clock waits for. */
#ifndef NIDOI_TRANSIT_H
#define NIDOI_TRANSIT_H

#include "reactor/reactor.h"

/* Has a TCP connection whose two ends are known here bytes on their way to an end that somebody
 * waits to read from? It costs a system call for each number ever used, so only who has nothing
 * else to do asks. */
bool nidoi_reactor_in_transit(const struct nidoi_reactor *reactor);

#endif
