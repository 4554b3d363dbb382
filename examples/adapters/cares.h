/* SPDX-License-Identifier: MIT */
/* cares.h: names looked up by c-ares from tasks, without a thread.
 *
 *     rc = ca_lookup(base, "example.org", AF_UNSPEC, &result);
 *     if (rc == 0) ... result->nodes ..., ares_freeaddrinfo(result);
 *
 * A deadline is that of the caller's scope; any number of tasks may look up at once. (For programs
 * that only connect, nido_dial takes a name.) */
#ifndef ADAPTER_CARES_H
#define ADAPTER_CARES_H

#include <sys/select.h> /* which c-ares needs before its own */

#include <ares.h>
#include <nido.h>

/* The addresses of a name. `base` has the options and servers, and is only copied from: ares_init,
 * which reads files, is called once, at the start of the program. Cancellation point. 0 and *out, to
 * be freed by ares_freeaddrinfo; -ENOENT: there is no such name; -EIO: c-ares's other failures, which
 * are the text; -ECANCELED; -ENOMEM. */
int ca_lookup(ares_channel base, const char *name, int family, struct ares_addrinfo **out);

#endif
