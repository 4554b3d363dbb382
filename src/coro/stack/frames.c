/* SPDX-License-Identifier: MIT */
#include "coro/stack/frames.h"

#include <stdbool.h>
#include <string.h>

#include "base/backtrace.h"

enum {
    OWN = 8,          /* frames of ours that may lie between the caller and the walk */
    ENTRY_BYTES = 128 /* of nidoi_fctx_make, with what a context runs first */
};

#ifdef __GCC_HAVE_DWARF2_CFI_ASM
#if defined(__ELF__) && (defined(__aarch64__) || (defined(__x86_64__) && defined(__LP64__)))
#define READS_SUSPENDED 1
#endif
#endif

const char *nidoi_frames_missing(void)
{
#ifdef NIDOI_NO_BACKTRACE
    return "this C library cannot walk a stack";
#elif defined(READS_SUSPENDED)
    return NULL;
#else
    return "not on this processor or system";
#endif
}

/* Leaves out the first frames, our own, as many as `own`. Returns how many are left. */
static int frames_drop(void **frames, int n, int own)
{
    memmove(frames, frames + own, (size_t)(n - own) * sizeof *frames);
    return n - own;
}

static int frames_find(void *const *frames, int n, const void *address)
{
    int at = 0;

    while (at < n && frames[at] != address) at++;
    return at;
}

__attribute__((noinline)) int nidoi_frames_here(void **frames, int room)
{
    int n = nidoi_backtrace(frames, room);

    return frames_drop(frames, n, frames_find(frames, n, __builtin_return_address(0)));
}

#ifdef READS_SUSPENDED

/* frames_x86_64.S, frames_aarch64.S: calls fn(arg). Unwinders that look from there find, as the caller, the
 * context whose saved registers end at `end`. */
void nidoi_frames_as_if(void *end, void (*fn)(void *arg), void *arg);
extern const char nidoi_frames_as_if_return[];

struct walk {
    void **frames;
    int room, n;
};

static void frames_walk(void *arg)
{
    struct walk *walk = arg;

    walk->n = nidoi_backtrace(walk->frames, walk->room);
}

static void entry_none(struct nidoi_transfer transfer)
{
    (void)transfer;
}

/* How many bytes fcontext saves on a stack that it leaves: Boost 1.83 for x86-64 has one word more than 1.74. A
 * new context lies just below the top, so it tells. */
static size_t saved_bytes(void)
{
    char stack[512] __attribute__((aligned(16)));
    char *top = stack + sizeof stack;

    return (size_t)(top - (char *)nidoi_fctx_make(top, sizeof stack, entry_none));
}

static bool is_entry(const void *address)
{
    uintptr_t entry = (uintptr_t)nidoi_fctx_make;

    return (uintptr_t)address - entry < ENTRY_BYTES;
}

int nidoi_frames_of(const struct nidoi_context *context, void **frames, int room)
{
    void *all[OWN + NIDOI_FRAMES_MOST];
    struct walk walk = {all, OWN + (room < NIDOI_FRAMES_MOST ? room : NIDOI_FRAMES_MOST), 0};
    int own;

    nidoi_frames_as_if((char *)context->sp + saved_bytes(), frames_walk, &walk);
    own = frames_find(all, walk.n, nidoi_frames_as_if_return) + 1;
    if (own >= walk.n || is_entry(all[own])) return 0;
    walk.n = frames_drop(all, walk.n, own);
    if (walk.n > room) walk.n = room;
    memcpy(frames, all, (size_t)walk.n * sizeof *frames);
    return walk.n;
}

#else

int nidoi_frames_of(const struct nidoi_context *context, void **frames, int room)
{
    (void)context, (void)frames, (void)room;
    return 0;
}

#endif
