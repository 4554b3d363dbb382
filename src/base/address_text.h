/* SPDX-License-Identifier: MIT */
/* base/address_text.h: the address of a socket in words. */
#ifndef NIDOI_ADDRESS_TEXT_H
#define NIDOI_ADDRESS_TEXT_H

#include <stddef.h>
#include <sys/socket.h>

/* As nido_address_text. */
int nidoi_address_text(const struct sockaddr *address, socklen_t length, char *text, size_t size);

#endif
