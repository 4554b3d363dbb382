/* SPDX-License-Identifier: MIT */
/* net/connect.h: connecting to one address. */
#ifndef NIDOI_CONNECT_H
#define NIDOI_CONNECT_H

#include "nido/net.h"

/* A connected descriptor, or the error with its text. Cancellation point. */
int nidoi_connect_address(const struct sockaddr *address, socklen_t length,
                          const nido_dial_options *options);

#endif
