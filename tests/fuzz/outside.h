/* SPDX-License-Identifier: MIT */
/* outside.h: the world outside: what it holds, and the kernel's side of it, which is drawn too. */
#ifndef FUZZ_OUTSIDE_H
#define FUZZ_OUTSIDE_H

#include <stdbool.h>
#include <stdint.h>

struct task;

/* What goes into one socket and comes out of the other. */
struct way {
    int bytes, first; /* how many are in it, the number of the oldest */
    struct task *reader, *writer;
    bool ended;  /* no more bytes will come */
    bool broken; /* what is sent is refused */
};

extern struct sockets {
    int fds[2];         /* -1: closed */
    struct way ways[2]; /* ways[i] is read from fds[i] and written into the other */
    int births;         /* changes with each close */
    bool reset;         /* one was closed with bytes in it */
} sockets;

/* ---- The kernel's side (weather.c) ---- */

void weather_begin(void);
void weather_end(void);

/* Has the kernel failed a call on a socket? */
bool weather_has_failed(void);
bool weather_file_fails(void);
bool weather_file_short(void);

/* Is a report held back, or a call refused whose report is still to come? Then bytes may lie there
 * while their reader sleeps and the clock moves on. */
bool weather_holds(void);

#endif
