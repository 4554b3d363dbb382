/* SPDX-License-Identifier: MIT */
/* net/connect.h: listening at one address, and connecting to one. */
#ifndef NIDOI_CONNECT_H
#define NIDOI_CONNECT_H

#include "net/address.h"
#include "nido/net.h"

struct nidoi_loop;

/* A listening descriptor, or the error with its text. Not a cancellation point. */
int nidoi_listen_at(struct nidoi_loop *loop, const struct nidoi_address *address,
                    const nido_listen_options *options);
bool nidoi_listen_options_valid(const nido_listen_options *options);

/* A connected descriptor, or the error with its text. Cancellation point. */
int nidoi_connect_address(const struct sockaddr *address, socklen_t length,
                          const nido_dial_options *options);

#endif
