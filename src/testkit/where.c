#include <dlfcn.h>
#include <string.h>
#if __has_include(<execinfo.h>)
#include <execinfo.h>
#else
#include <unwind.h>
#endif

#include "testkit/kit.h"

enum { MOST_FRAMES = 24 };

/* The name of the public call that an address lies in, or NULL. Hidden functions have no name that
 * the dynamic linker knows. */
static const char *public_call(void *address)
{
    Dl_info info;

    if (!dladdr((char *)address - 1, &info) || !info.dli_sname) return NULL;
    return strncmp(info.dli_sname, "nido_", 5) ? NULL : info.dli_sname;
}

struct trace {
    void *frames[MOST_FRAMES];
    int count;
};

#if __has_include(<execinfo.h>)

/* It needs no library beside libc. */
static void trace_fill(struct trace *trace)
{
    trace->count = backtrace(trace->frames, MOST_FRAMES);
}

#elif defined(NIDOI_NO_BACKTRACE)

static void trace_fill(struct trace *trace)
{
    (void)trace;
}

#else

static _Unwind_Reason_Code trace_add_frame(struct _Unwind_Context *frame, void *arg)
{
    struct trace *trace = arg;

    trace->frames[trace->count++] = (void *)_Unwind_GetIP(frame);
    return trace->count < MOST_FRAMES ? _URC_NO_REASON : _URC_END_OF_STACK;
}

static void trace_fill(struct trace *trace)
{
    _Unwind_Backtrace(trace_add_frame, trace);
}

#endif

/* From the inside out: the library's hidden functions, its public ones, which may call each other,
 * and then the caller of the outermost of these. */
struct nidoi_where nidoi_where_now(void)
{
    struct nidoi_where where = {0};
    struct trace trace = {.count = 0};
    void **at = trace.frames, **end;

    trace_fill(&trace);
    end = at + trace.count;
    while (at < end && !public_call(*at)) at++;
    for (; at < end && public_call(*at); at++) where.call = public_call(*at);
    if (where.call && at < end && strcmp(where.call, "nido_run") != 0) where.place = *at;
    return where;
}
