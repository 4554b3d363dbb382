/* SPDX-License-Identifier: MIT */
/* floors.h: the least that hardware and kernel allow, case by case. Honest minimal C: no
 * cancellation, no errors handed on, no fairness, no accounting, no guards. What each shows and
 * leaves out stands at its file. */
#ifndef NIDO_BENCH_FLOORS_H
#define NIDO_BENCH_FLOORS_H

#include "harness/bench.h"

enum { BENCH_WORKERS = 4 }; /* threads for many calls at once, on both sides; one call needs one */

bench_fn floor_ping_pong, floor_ring, floor_trace;
bench_fn floor_spawn_join, floor_spawn_many;
bench_fn floor_cancel, floor_timers;
bench_fn floor_scope, floor_with_timeout, floor_wheel;
bench_fn floor_rendezvous, floor_stream, floor_select;
bench_fn floor_lock_free, floor_lock_handoff, floor_turns, floor_barrier;
bench_fn floor_offload, floor_offload_spin;
bench_fn floor_process;
bench_fn floor_lines, floor_requests;
bench_fn floor_pages_time, floor_pages_memory;

#endif
