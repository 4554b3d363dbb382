/* SPDX-License-Identifier: MIT */
/* base/backtrace.h: the frames of the stack that the caller stands on, by the tables that compilers write
 * for exceptions. In a header, because the test kit, which sees none of the library's symbols, needs it too. */
#ifndef NIDOI_BACKTRACE_H
#define NIDOI_BACKTRACE_H

#if __has_include(<execinfo.h>)
#include <execinfo.h>
#else
#include <unwind.h>
#endif

#if __has_include(<execinfo.h>)

/* Fills in the return addresses, the innermost first; how many. glibc loads libgcc at the first call and needs
 * memory for that; later ones need none. */
static inline int nidoi_backtrace(void **frames, int room)
{
    return backtrace(frames, room); /* it needs no library beside libc */
}

#elif defined(NIDOI_NO_BACKTRACE)

static inline int nidoi_backtrace(void **frames, int room)
{
    (void)frames, (void)room;
    return 0;
}

#else

struct nidoi_backtrace {
    void **frames;
    int room, n;
};

static inline _Unwind_Reason_Code nidoi_backtrace_add(struct _Unwind_Context *frame, void *arg)
{
    struct nidoi_backtrace *trace = arg;

    trace->frames[trace->n++] = (void *)_Unwind_GetIP(frame);
    return trace->n < trace->room ? _URC_NO_REASON : _URC_END_OF_STACK;
}

static inline int nidoi_backtrace(void **frames, int room)
{
    struct nidoi_backtrace trace = {frames, room, 0};

    _Unwind_Backtrace(nidoi_backtrace_add, &trace);
    return trace.n;
}

#endif

#endif
