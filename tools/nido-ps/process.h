/* SPDX-License-Identifier: MIT */
/* process.h: a living process: its memory, read from outside, and how it is held for a moment.
 *
 * Nothing runs in it. It is held by PTRACE_SEIZE and PTRACE_INTERRUPT, which send no signal; a system call
 * that waits is begun again by the kernel, or returns EINTR where the kernel knows no other way
 * (epoll_wait, which nido begins again). */
#ifndef PROCESS_H
#define PROCESS_H

#include "blocks.h"
#include "threads.h"

/* Can its memory be read? Otherwise says why not. */
bool process_open(pid_t pid);

void process_read(void *pid, struct piece *pieces, size_t n);

/* Every thread of it stands still until process_release; `threads` has them, with their registers. */
bool process_hold(pid_t pid, struct threads *threads);
void process_release(const struct threads *threads);

/* Processor time that it has used, in ns; 0: not known. */
int64_t process_cpu(pid_t pid);

#endif
