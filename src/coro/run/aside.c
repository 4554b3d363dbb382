/* SPDX-License-Identifier: MIT */
#include "coro/run/aside.h"

#include <signal.h>
#include <stdint.h>
#include <ucontext.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/auxv.h>
#endif

#include "base/sys.h"
#include "coro/stack/frames.h"

enum {
    STACK = 64 << 10,
    HANDLER = 24 << 10, /* what a report needs of it, beside what the system saves */
    FRAMES = 8192,
    OWN = 32 /* frames of ours, at most, that a walk leaves out */
};

/* Mapped: pages that are not touched cost none. */
struct nidoi_aside_memory {
    void *frames[FRAMES + OWN];
    stack_t before; /* the thread's, while it has ours */
    char stack[STACK];
};

/* What the system saves for a signal grows with the processor's registers. */
static size_t least_size(void)
{
#ifdef _SC_MINSIGSTKSZ
    long saved = sysconf(_SC_MINSIGSTKSZ);

    if (saved > 0) return (size_t)saved + HANDLER;
#elif defined(AT_MINSIGSTKSZ)
    unsigned long saved = getauxval(AT_MINSIGSTKSZ);

    if (saved) return saved + HANDLER;
#endif
    return (size_t)MINSIGSTKSZ + HANDLER;
}

/* The thread's own, if it has one, must hold a signal's frame and the report: else it is replaced for as long. */
static void stack_lend(struct nidoi_aside_memory *memory)
{
    const stack_t ours = {.ss_sp = memory->stack, .ss_size = sizeof memory->stack};
    stack_t *before = &memory->before;

    if (sigaltstack(NULL, before)) return;
    if (before->ss_flags & SS_DISABLE || before->ss_size < least_size()) sigaltstack(&ours, NULL);
}

static void stack_take_back(struct nidoi_aside_memory *memory)
{
    stack_t now;

    if (!sigaltstack(NULL, &now) && now.ss_sp == memory->stack) sigaltstack(&memory->before, NULL);
}

int nidoi_aside_need(struct nidoi_aside *aside)
{
    void *memory, *frame;
    int err;

    if (aside->memory) return 0;
    err = nidoi_sys.map(sizeof *aside->memory, &memory);
    if (err) return err;
    aside->memory = memory;
    nidoi_frames_here(&frame, 1); /* the first call may load a library */
    stack_lend(aside->memory);
    return 0;
}

void nidoi_aside_end(struct nidoi_aside *aside)
{
    if (!aside->memory) return;
    stack_take_back(aside->memory);
    nidoi_sys.unmap(aside->memory, sizeof *aside->memory);
    aside->memory = NULL;
}

/* Where it was interrupted; NULL: not known on this processor. */
static void *interrupted_at(const void *context)
{
    const ucontext_t *at = context;

    if (!at) return NULL;
#if defined(__linux__) && defined(__x86_64__)
    return (void *)(uintptr_t)at->uc_mcontext.gregs[REG_RIP];
#elif defined(__linux__) && defined(__i386__)
    return (void *)(uintptr_t)at->uc_mcontext.gregs[REG_EIP];
#elif defined(__linux__) && defined(__aarch64__)
    return (void *)(uintptr_t)at->uc_mcontext.pc;
#else
    return NULL;
#endif
}

int nidoi_aside_frames(const struct nidoi_aside *aside, const void *context, void ***out, bool *cut)
{
    void *at = interrupted_at(context);
    int n, own = 0;

    if (!aside->memory) return 0;
    n = nidoi_frames_here(aside->memory->frames, FRAMES + OWN);
    *cut = n > FRAMES;
    if (*cut) n = FRAMES;
    while (own < n && aside->memory->frames[own] != at) own++;
    *out = aside->memory->frames + own;
    return n - own;
}
