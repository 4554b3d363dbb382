/* SPDX-License-Identifier: MIT */
/* threads.h: the operating system's threads of the target, and their registers, by their numbers in DWARF. */
#ifndef THREADS_H
#define THREADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { REGISTERS = 33 };

struct thread {
    pid_t id;
    int signal;     /* that it has still to get */
    unsigned count; /* of registers; 0: not known */
    uint64_t registers[REGISTERS];
    uint64_t pc, sp;
};

struct threads {
    struct thread *all;
    size_t count;
};

struct thread *threads_add(struct threads *threads, pid_t id);
void threads_free(struct threads *threads);

/* From what the kernel writes for this processor (NT_PRSTATUS); otherwise nothing is known. */
void thread_set(struct thread *thread, const void *general, size_t size);

/* The thread whose stack pointer is in [from, to); NULL. */
const struct thread *threads_on(const struct threads *threads, uint64_t from, uint64_t to);

/* Which register is the stack pointer; -1: not known here. */
int thread_sp_number(void);

#endif
