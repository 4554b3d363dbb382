/* load.h: the load generator of the echo cases, and the servers it is pointed at. */
#ifndef NIDO_BENCH_LOAD_H
#define NIDO_BENCH_LOAD_H

#include "bench.h"

enum {
    LOAD_MESSAGE = 64,       /* bytes of one request and of its echo */
    LOAD_SERVER_BUFFER = 512 /* a server's read asks for more, so a whole message is a short read */
};

struct load_plan {
    long connections;
    bool spin;  /* the server polls without sleeping while it has nothing to do */
    bool trace; /* count the server's system calls, and nothing else */
    double seconds;
    const struct peer *peer; /* whose program is the server; NULL for ours */
    const char *name;        /* of the case */
};

/* What a sample of a load consists of, in the order of its values; and one that is traced. */
enum load_value { LOAD_CPU_US, LOAD_REQUESTS, LOAD_P50_US, LOAD_P99_US, LOAD_P999_US };
enum load_traced_value { LOAD_CALLS, LOAD_POLLS };

/* A server: listens on 127.0.0.1, says by load_tell_port where, takes `plan->connections`
 * connections, echoes until all are closed, returns. 0, or a negated errno. */
typedef int load_server(const struct load_plan *plan, int port_fd);

/* Writes the line that a peer writes too. 0, or a negated errno. */
int load_tell_port(int port_fd, uint16_t port);

int floor_echo_server(const struct load_plan *plan, int port_fd);

/* Runs the server in a process of its own on the first CPU, and the load in this one on the second:
 * each connection sends a message, waits for its echo, and sends the next. */
void load_measure(const struct load_plan *plan, load_server *server, struct bench_sample *out);

#endif
