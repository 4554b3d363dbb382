/* SPDX-License-Identifier: MIT */
/* wrk.h: wrk as the load on a server of HTTP. */
#ifndef NIDO_BENCH_WRK_H
#define NIDO_BENCH_WRK_H

#include <sys/types.h>

#include "load.h"

/* Has wrk ask the server at `port` on plan->connections connections, from the CPU that this process
 * is on, and fills the sample as load_measure does. Without wrk it is skipped. */
void wrk_run(const struct load_plan *plan, pid_t server, uint16_t port, struct bench_sample *out);

#endif
