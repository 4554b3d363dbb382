/* SPDX-License-Identifier: MIT */
/* base/thread_look.h: what another thread of this process does, looked at from outside: it is not stopped
 * and notices nothing. Only Linux tells (proc(5), /proc/PID/syscall); elsewhere, and where /proc is missing,
 * the state is unknown and memory cannot be peeked at. */
#ifndef NIDOI_THREAD_LOOK_H
#define NIDOI_THREAD_LOOK_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nidoi_thread {
    pthread_t thread;
    int number; /* the system's; 0: unknown */
};

struct nidoi_thread nidoi_thread_self(void);

/* What the calling thread is called; empty: nothing is known. */
enum { NIDOI_THREAD_NAME = 16 };
void nidoi_thread_name(char *name);

enum nidoi_thread_state {
    NIDOI_THREAD_UNKNOWN,
    NIDOI_THREAD_RUNS,   /* or would, if a processor were free */
    NIDOI_THREAD_CALLS,  /* is blocked in a system call */
    NIDOI_THREAD_BLOCKED /* elsewhere in the kernel: for a page of memory, or stopped */
};

struct nidoi_thread_look {
    enum nidoi_thread_state state;
    long call;     /* CALLS: its number */
    int64_t first; /* and its first argument */
    void *sp, *pc; /* CALLS, BLOCKED: of the program */
};

void nidoi_thread_look(const struct nidoi_thread *thread, struct nidoi_thread_look *out);

/* Processor time that the thread has used, in ns; 0: unknown. */
int64_t nidoi_thread_cpu(const struct nidoi_thread *thread);

/* The same of the calling thread. */
int64_t nidoi_thread_cpu_own(void);

/* The name of a system call; NULL: none that is known to block. *on_fd: its first argument is a
 * descriptor. */
const char *nidoi_thread_call_name(long call, bool *on_fd);

/* Copies memory that may be written, or gone, meanwhile. 0; -EFAULT, -ENOSYS, -EPERM ... */
int nidoi_peek(void *to, const void *from, size_t size);

#endif
