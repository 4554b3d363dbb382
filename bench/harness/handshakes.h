/* SPDX-License-Identifier: MIT */
/* handshakes.h: a client that greets a server of TLS and leaves, again and again. */
#ifndef NIDO_BENCH_HANDSHAKES_H
#define NIDO_BENCH_HANDSHAKES_H

#include <sys/types.h>

#include "load.h"

/* Makes one connection after the other to the server at `port` for plan->seconds, each with a whole
 * handshake of TLS 1.3, and fills the sample as load_measure does. */
void handshakes_run(const struct load_plan *plan, pid_t server, uint16_t port,
                    struct bench_sample *out);

#endif
