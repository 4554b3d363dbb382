/* SPDX-License-Identifier: MIT */
/* net/address.h: addresses as callers write them: a host, or "unix:" and a path; and a service. */
#ifndef NIDOI_ADDRESS_H
#define NIDOI_ADDRESS_H

#include <netdb.h>
#include <stdbool.h>
#include <sys/socket.h>

struct nidoi_address {
    struct sockaddr_storage bytes;
    socklen_t length;
};

/* A family that a caller may ask for: 0, AF_INET, AF_INET6? */
bool nidoi_address_is_family(int family);

/* "unix:" and a path? `host` may be NULL. */
bool nidoi_address_is_path(const char *host);

/* A service's name, or a number that is a port? NULL is neither. */
bool nidoi_address_is_service(const char *service);

/* Copies what the resolver has found. 0; -EAFNOSUPPORT: it is longer than any address that nido
 * knows. */
int nidoi_address_copy(const struct addrinfo *found, struct nidoi_address *out);

/* Reads a path or numbers, and so asks no server. `flags` as in a struct addrinfo. 0; -EINVAL: it
 * is a name, or nothing that could be an address. */
int nidoi_address_parse(const char *host, const char *service, int flags,
                        struct nidoi_address *out);

/* Keeps "<what> <address>" as the text of the failure with the calling task; returns err. A cancel
 * gets no text. */
int nidoi_address_fail(int err, const char *what, const struct sockaddr *address, socklen_t length);

#endif
