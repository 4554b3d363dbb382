/* SPDX-License-Identifier: MIT */
/* net/names.h: look-ups of names, on workers, in the lane that may use only some of them. */
#ifndef NIDOI_NAMES_H
#define NIDOI_NAMES_H

#include <netdb.h>

struct nidoi_lookup {
    struct addrinfo *found; /* for freeaddrinfo; NULL if it failed */
    int err;
    int why; /* the resolver's own code, for gai_strerror */
};

/* Returns lookup->err. Cancellation point; a cancel ends it at once, and the late answer is freed.
 */
int nidoi_lookup(const char *host, const char *service, const struct addrinfo *hints,
                 struct nidoi_lookup *lookup);

/* Keeps the text of a failed look-up with the calling task; returns its code. */
int nidoi_lookup_explained(const struct nidoi_lookup *lookup, const char *host,
                           const char *service);

#endif
