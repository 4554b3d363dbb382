/* net/names.h: look-ups of names, on workers, in the lane that cannot take all of them. */
#ifndef NIDOI_NAMES_H
#define NIDOI_NAMES_H

#include <netdb.h>

struct nidoi_lookup {
    struct addrinfo *found; /* for freeaddrinfo; NULL if it failed */
    int err;
    int why; /* the resolver's own code: gai_strerror has the words */
};

/* Cancellation point; a cancel leaves at once, and the late answer is freed. lookup->err. */
int nidoi_lookup(const char *host, const char *service, const struct addrinfo *hints,
                 struct nidoi_lookup *lookup);

/* Keeps the text of a failed look-up with the calling task; returns its code. */
int nidoi_lookup_explained(const struct nidoi_lookup *lookup, const char *host,
                           const char *service);

#endif
