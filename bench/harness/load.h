/* SPDX-License-Identifier: MIT */
/* load.h: the load generators of the server cases, and the servers they are pointed at. */
#ifndef NIDO_BENCH_LOAD_H
#define NIDO_BENCH_LOAD_H

#include "bench.h"

enum {
    LOAD_MESSAGE = 64,       /* bytes of one request and of its echo */
    LOAD_SERVER_BUFFER = 512 /* a server's read asks for more, so a whole message is a short read */
};

enum load_kind {
    LOAD_ECHO = 0,   /* each connection sends a message, waits for its echo, and sends the next */
    LOAD_CHURN,      /* each is closed after one echo, and another takes its place */
    LOAD_HTTP,       /* wrk asks (wrk.h), the server says hello */
    LOAD_HTTPS,      /* the same over TLS */
    LOAD_HANDSHAKES, /* each connection ends after its handshake (handshakes.h) */
    LOAD_REDIS       /* redis-benchmark sets and gets (redis.h) */
};

struct load_plan {
    enum load_kind kind;
    long connections; /* at a time */
    bool spin;        /* the server polls without sleeping while it has nothing to do */
    bool trace;       /* count the server's system calls, and nothing else */
    long pipeline;    /* of LOAD_REDIS: requests at once on a connection */
    double seconds;
    char *const *program;    /* of load_program, with its arguments */
    const struct peer *peer; /* whose program is the server; NULL for ours */
    const char *name;        /* of the case */
};

/* What a sample of a load consists of, in the order of its values; and one that is traced. */
enum load_value { LOAD_CPU_US, LOAD_REQUESTS, LOAD_P50_US, LOAD_P99_US, LOAD_P999_US };
enum load_traced_value { LOAD_CALLS, LOAD_POLLS };

/* A server: listens on 127.0.0.1 and says by load_tell_port where. Of LOAD_ECHO it takes
 * `plan->connections` connections, echoes until all are closed, and returns; of the others it
 * serves every client until it is killed. 0, or a negated errno. */
typedef int load_server(const struct load_plan *plan, int port_fd);

/* Writes the line that a peer writes too. 0, or a negated errno. */
int load_tell_port(int port_fd, uint16_t port);

/* A socket that listens on a free port of 127.0.0.1, which it has told; or a negated errno. */
int load_listen(int port_fd);

/* A load_server with a task for each connection, which is its argument: (void *)(intptr_t)fd. */
int load_serve_tasks(const struct load_plan *plan, int port_fd, nido_fn *serve);

/* A load_server: becomes plan->program, which begins with "listening on port N". */
int load_program(const struct load_plan *plan, int port_fd);

int nido_echo_server(const struct load_plan *plan, int port_fd);
int floor_echo_server(const struct load_plan *plan, int port_fd);

/* Answers what has come. False if the connection is over. */
typedef bool floor_reply(int fd);
floor_reply floor_echo, floor_hello, floor_tls_hello;

/* Reads what floor_tls_hello shows to clients. */
bool floor_tls_start(const char *certificate, const char *key);

/* The floor of an endless server, which takes every client. */
int floor_serve(int port_fd, floor_reply *reply);

/* Runs the server in a process of its own on the first CPU, and the load on the second. */
void load_measure(const struct load_plan *plan, load_server *server, struct bench_sample *out);

#endif
