/* SPDX-License-Identifier: MIT */
/* redis.h: redis-benchmark as the load on a server of Redis's protocol. */
#ifndef NIDO_BENCH_REDIS_H
#define NIDO_BENCH_REDIS_H

#include <sys/types.h>

#include "load.h"

/* Has redis-benchmark set and get on plan->connections connections, plan->pipeline requests at once on
 * each, and fills the sample as load_measure does. Without redis-benchmark it is skipped. */
void redis_run(const struct load_plan *plan, pid_t server, uint16_t port, struct bench_sample *out);

#endif
