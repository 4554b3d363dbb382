/* SPDX-License-Identifier: MIT */
/* peers.h: other runtimes. Each is a program of its own, in its own language, that does the work of
 * our cases; the runner starts it for each sample, so that its samples alternate with nido's.
 *
 *    PROGRAM --about               {"version": "1.19.8", "cases": ["switch", "echo_100"]}
 *    PROGRAM switch ROUNDS COUNT   {"ns": 20013370, "values": [72.7]}
 *    PROGRAM startup 1 1           a task says hello, which is not read; start to end is measured
 *    PROGRAM wake_busy 1 COUNT     {"ns": 0, "values": [26.1, 40.2, 99.3]}; its stdin is the fd of
 *                                  a wake_fn (wake.h), and COUNT others are busy
 *    PROGRAM echo_100 1 COUNT      {"port": 40123}, then it serves until COUNT connections are closed
 *    PROGRAM churn 1 COUNT         {"port": 40123}, then it serves until it is killed; so do the others
 *                                  with a load
 *    PROGRAM memory_10000 1 COUNT  {"parked": COUNT}, then it sleeps until it is killed
 *
 * `ns` is the length of the measured part, `values` are in the units of the case; a program that
 * cannot do it here says {"skip": "why"}. It ends with 0, and only then does its word count. */
#ifndef NIDO_BENCH_PEERS_H
#define NIDO_BENCH_PEERS_H

#include "bench.h"
#include "load.h"

enum { PEERS_MOST = 12 };

struct peer {
    const char *program; /* its file in the folder of the peers */
    const char *label;
    const char *package; /* of Debian */
    char path[512];
    char version[32];
    void *cases; /* a JSON array of names; NULL: the peer is not there */
};

/* Asks each known peer in the folder what it is; returns them all, `*count` of them. */
const struct peer *peers_find(const char *folder, int *count);

/* True if it is there and has the case. */
bool peer_has(const struct peer *peer, const char *name);

/* A bench_peer_fn: the peer measures itself. */
void peer_measure(const struct peer *peer, const struct bench_ask *ask, struct bench_sample *out);

/* The same of a memory case: what `ask->count` parked tasks occupy more than one. */
void peer_memory(const struct peer *peer, const struct bench_ask *ask, struct bench_sample *out);

/* A load_server: becomes the server of plan->peer. */
int peer_server(const struct load_plan *plan, int port_fd);

#endif
