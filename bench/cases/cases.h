/* SPDX-License-Identifier: MIT */
/* cases.h: the cases, one file a family. */
#ifndef NIDO_BENCH_CASES_H
#define NIDO_BENCH_CASES_H

#include "harness/bench.h"

extern const struct bench_case case_switch, case_yield_1000, case_yield_100000, case_trace_event;
extern const struct bench_case case_spawn_join, case_spawn_10000, case_spawn_cold;
extern const struct bench_case case_group, case_scope_deadline, case_scope_timeout;
extern const struct bench_case case_with_timeout_ready;
extern const struct bench_case case_deadline_parked_0, case_deadline_parked_100000, case_timers,
    case_timers_slack;
extern const struct bench_case case_cancel_1000, case_cancel_100000;
extern const struct bench_case case_memory_10000, case_memory_100000, case_memory_1000000;
extern const struct bench_case case_event_wait;
extern const struct bench_case case_chan_pingpong, case_chan_stream, case_chan_many;
extern const struct bench_case case_select_2, case_select_16, case_select_128;
extern const struct bench_case case_mutex_free, case_mutex_handoff, case_sem_free, case_sem_handoff;
extern const struct bench_case case_cond_pingpong, case_barrier_1000;
extern const struct bench_case case_startup, case_size;
extern const struct bench_case case_wake_idle, case_wake_busy;
extern const struct bench_case case_offload_1, case_offload_1_spin, case_offload_64;
extern const struct bench_case case_offload_1024;
extern const struct bench_case case_procpool_call;
extern const struct bench_case case_echo_1, case_echo_1_spin, case_echo_100, case_echo_1000;
extern const struct bench_case case_echo_5000, case_echo_calls, case_echo_shards;
extern const struct bench_case case_stream_lines, case_stream_requests;
extern const struct bench_case case_churn, case_http_hello;
extern const struct bench_case case_tls_handshakes, case_tls_hello, case_https_hello;
extern const struct bench_case case_redis_set_get, case_redis_pipelined;

#endif
