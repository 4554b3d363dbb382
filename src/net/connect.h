/* net/connect.h: connecting to one address, for those who try several. */
#ifndef NIDOI_DIAL_H
#define NIDOI_DIAL_H

#include <netdb.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "nido/net.h"

bool nidoi_dial_sound(const nido_dial_options *options);

/* A connected descriptor, or the error with its text. Cancellation point. */
int nidoi_dial_address(const struct sockaddr *address, socklen_t length);

/* Looks both families up and races their addresses; `options` are sound or NULL. Cancellation point.
 */
int nidoi_dial_by_name(const char *host, const char *service, const nido_dial_options *options);

#endif
