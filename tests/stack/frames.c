/* SPDX-License-Identifier: MIT */
/* coro/stack/frames.h: the return addresses of a suspended stack, and of the caller's. */
#include "coro/stack/frames.h"

#include <stdlib.h>
#include <string.h>

#include "nido_test.h"

enum { SIZE = 256 * 1024, ROOM = 64 };

static struct nidoi_context thread, coroutine;
static void *walked[ROOM];
static int walked_n;

#define APART __attribute__((noinline, noclone))
#ifdef __clang__
#undef APART
#define APART __attribute__((noinline))
#endif

/* Is one of the addresses in the first bytes of the function? Their order is then a matter of frames. */
static int frame_in(void *const *frames, int n, uintptr_t function)
{
    for (int i = 0; i < n; i++)
        if ((uintptr_t)frames[i] - function < 512) return i;
    return -1;
}

APART static int deep(int left)
{
    volatile int more = left;

    if (more) return deep(more - 1) + more;
    walked_n = nidoi_frames_here(walked, ROOM);
    nidoi_context_switch(&coroutine, &thread);
    return more;
}

static void entry(struct nidoi_transfer transfer)
{
    NIDOI_CONTEXT_BEGINS(transfer);
    for (;;) deep(10);
}

static char *begin(void)
{
    char *memory = calloc(1, SIZE);

    nidoi_context_adopt(&thread);
    nidoi_context_make(&coroutine, memory, memory + SIZE, entry);
    return memory;
}

static bool can(void)
{
    return !nidoi_frames_missing();
}

/* What the stack found of itself, and then the other one of it: both end at the entry. */
NIDO_TEST(frames, a_suspended_stack_shows_the_frames_that_it_found_itself)
{
    char *memory = begin();
    void *frames[ROOM];
    int n, same = 0;

    nidoi_context_switch(&thread, &coroutine);
    n = nidoi_frames_of(&coroutine, frames, ROOM);
    if (can()) {
        cr_expect(ge(int, walked_n, 11));
        cr_expect(ge(int, n, walked_n));
        while (same < walked_n && same < n && frames[n - 1 - same] == walked[walked_n - 1 - same])
            same++;
        cr_expect(ge(int, same, walked_n - 1), "all but the innermost: it has gone on since");
        cr_expect(zero(int, frame_in(frames + n - 1, 1, (uintptr_t)entry)));
    }
    free(memory);
}

#ifndef NIDOI_ASAN /* which lets no function read all of a stack */
NIDO_TEST(frames, the_stack_goes_on_as_if_it_had_not_been_looked_at)
{
    char *memory = begin(), *kept = calloc(1, SIZE);
    void *frames[ROOM];

    for (int i = 0; i < 3; i++) {
        nidoi_context_switch(&thread, &coroutine);
        memcpy(kept, memory, SIZE);
        nidoi_frames_of(&coroutine, frames, ROOM);
        cr_expect(zero(int, memcmp(kept, memory, SIZE)));
    }
    free(kept);
    free(memory);
}
#endif

NIDO_TEST(frames, a_stack_that_has_not_begun_has_none)
{
    char *memory = begin();
    void *frames[ROOM];

    cr_expect(zero(int, nidoi_frames_of(&coroutine, frames, ROOM)));
    free(memory);
}

NIDO_TEST(frames, no_more_are_found_than_there_is_room_for)
{
    char *memory = begin();
    void *frames[4] = {NULL, NULL, NULL, &memory};

    nidoi_context_switch(&thread, &coroutine);
    cr_expect(eq(int, nidoi_frames_of(&coroutine, frames, 3), can() ? 3 : 0));
    cr_expect(eq(ptr, frames[3], &memory));
    cr_expect(le(int, nidoi_frames_here(frames, 3), 3));
    cr_expect(eq(ptr, frames[3], &memory));
    free(memory);
}

APART static int here(void **frames)
{
    int n = nidoi_frames_here(frames, ROOM);

    __asm__ volatile("" ::: "memory"); /* or the call would be a jump, and this no frame */
    return n;
}

NIDO_TEST(frames, the_caller_of_the_look_is_its_first_frame)
{
    void *frames[ROOM];
    int n = here(frames);

    if (!can()) return;
    cr_expect(gt(int, n, 1));
    cr_expect(zero(int, frame_in(frames, n, (uintptr_t)here)));
}
