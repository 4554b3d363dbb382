/* SPDX-License-Identifier: MIT */
/* reactor/pairs.h: do the descriptors that tasks wait for lead back to this reactor? Then none but its own tasks can
 * make them ready, unless another thread or process has a copy of an end. */
#ifndef NIDOI_PAIRS_H
#define NIDOI_PAIRS_H

#include "reactor/reactor.h"

/* Two numbers of this reactor. */
struct nidoi_pair {
    int waited_for, other;
    const char *what; /* "pipe" */
};

/* True: each descriptor that is waited for is the end of a pipe or connection, and the other end is registered here
 * as well; `found`, if it is not NULL, was called for each. False: one is not, or it cannot be said: without memory,
 * with more than 512 registered, of a pipe that has a name, of datagrams, where the system does not tell. Costs system calls for each
 * registered number. */
bool nidoi_reactor_is_paired(const struct nidoi_reactor *reactor,
                             void (*found)(void *ctx, const struct nidoi_pair *pair), void *ctx);

#endif
