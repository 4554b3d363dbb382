/* SPDX-License-Identifier: MIT */
#include "threads.h"

#include <stdlib.h>
#include <string.h>
#include <sys/user.h>

struct thread *threads_add(struct threads *threads, pid_t id)
{
    struct thread *all = realloc(threads->all, (threads->count + 1) * sizeof *all);

    if (!all) return NULL;
    threads->all = all;
    all[threads->count] = (struct thread){.id = id};
    return &all[threads->count++];
}

void threads_free(struct threads *threads)
{
    free(threads->all);
    *threads = (struct threads){0};
}

#if defined(__x86_64__)
int thread_sp_number(void)
{
    return 7;
}

void thread_set(struct thread *thread, const void *general, size_t size)
{
    struct user_regs_struct r;

    if (size < sizeof r) return;
    memcpy(&r, general, sizeof r);
    memcpy(thread->registers,
           (uint64_t[]){r.rax, r.rdx, r.rcx, r.rbx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8, r.r9, r.r10,
                        r.r11, r.r12, r.r13, r.r14, r.r15, r.rip},
           17 * sizeof(uint64_t));
    thread->count = 17;
    thread->pc = r.rip;
    thread->sp = r.rsp;
}
#elif defined(__aarch64__)
int thread_sp_number(void)
{
    return 31;
}

void thread_set(struct thread *thread, const void *general, size_t size)
{
    struct user_regs_struct r;

    if (size < sizeof r) return;
    memcpy(&r, general, sizeof r);
    memcpy(thread->registers, r.regs, 31 * sizeof(uint64_t));
    thread->registers[31] = r.sp;
    thread->count = 32;
    thread->pc = r.pc;
    thread->sp = r.sp;
}
#else
int thread_sp_number(void)
{
    return -1;
}

void thread_set(struct thread *thread, const void *general, size_t size)
{
    (void)thread, (void)general, (void)size;
}
#endif

const struct thread *threads_on(const struct threads *threads, uint64_t from, uint64_t to)
{
    for (size_t i = 0; i < threads->count; i++) {
        const struct thread *thread = &threads->all[i];

        if (thread->count && thread->sp >= from && thread->sp < to) return thread;
    }
    return NULL;
}
