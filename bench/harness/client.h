/* SPDX-License-Identifier: MIT */
/* client.h: programs that ask a server and say at their end how it went: wrk, redis-benchmark. */
#ifndef NIDO_BENCH_CLIENT_H
#define NIDO_BENCH_CLIENT_H

#include <stddef.h>

enum { CLIENT_NOT_THERE = 127 };

/* Runs a program to its end; `text` is what it printed, with a 0 behind it. Its exit status, which is
 * CLIENT_NOT_THERE if there is no such program; -1 if it could not be started or died. */
int client_run(char *const *command, char *text, size_t size);

#endif
