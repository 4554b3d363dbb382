/* SPDX-License-Identifier: MIT */
/* nido/trace.h: what a program did: a recorder of the last events of a runtime, for a viewer of traces.
 *
 * nido_options.flags with NIDO_RUN_TRACE, or NIDO_DEBUG=trace in the environment, has every run record from its
 * beginning. What was recorded is then also written by itself when a deadlock is reported or a misuse ends the
 * program: into a new file nido-PID-N.trace.json in NIDO_TRACE_DIR, else in the working directory, which the
 * report names. docs/trace.md says what a trace shows. */
#ifndef NIDO_TRACE_H
#define NIDO_TRACE_H

#include <string.h>

#include "nido/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Zero is the default of every field except size. */
typedef struct nido_trace_options {
    size_t size;  /* sizeof(nido_trace_options); nido_trace_options_init sets it */
    size_t bytes; /* of memory for events, of 32 bytes or more each, rounded down to a power of
                          two, at least 16 KiB; the oldest are written over; 0: 1 MiB. As much again
                          is touched when the trace is written */
    int64_t
        window_ns; /* only events that are younger when the trace is written; 0: all there are */
} nido_trace_options;

/* Fills with zeros and sets `size`. Cannot fail. Not a cancellation point. */
static inline void nido_trace_options_init(nido_trace_options *options)
{
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
}
/* The same as an initialiser: &NIDO_TRACE_OPTIONS(.field = value). In C. */
#define NIDO_TRACE_OPTIONS(...) NIDOI_SIZED(nido_trace_options, __VA_ARGS__)

/* Records what the tasks of the calling thread's runtime do from now on, and forgets what an earlier start has
 * recorded; `options` NULL: defaults. Tasks run in the same order. Not a cancellation point. 0; -EALREADY: it
 * records already; -EINVAL: a bad option; -EPERM: the thread has no runtime; -ENOMEM. */
NIDO_API int nido_trace_start(const nido_trace_options *options);

/* Records no more; what was recorded stays until the next start or the end of the run. Not a cancellation point.
 * 0; -EALREADY: it does not record; -EPERM: the thread has no runtime. */
NIDO_API int nido_trace_stop(void);

/* Writes what the calling thread's runtime has recorded to a descriptor, as JSON that ui.perfetto.dev and
 * chrome://tracing open ("Trace Event Format"). Blocks the thread for as long as write(2) does. Not a cancellation
 * point. 0; -ENODATA: nothing was ever started; -EPERM: the thread has no runtime; what write(2) says (-EPIPE
 * and -EFBIG without their signals), a descriptor that does not block -EAGAIN: a part is written then. */
NIDO_API int nido_trace_write(int fd);

/* An instant in the trace of the running task, or of the loop, by a name that is copied (62 bytes at most); NULL
 * is fine. Nothing outside a run that records. Cannot fail. Not a cancellation point. */
NIDO_API void nido_trace_mark(const char *name);

/* A slice in the trace of the running task, from begin to end: they nest, and an end ends the slice that was begun
 * last and not ended, however it is called. Outside a task both are instants. Cannot fail. Not a cancellation
 * point. */
NIDO_API void nido_trace_begin(const char *name);
/* See nido_trace_begin. Cannot fail. Not a cancellation point. */
NIDO_API void nido_trace_end(const char *name);

#ifdef __cplusplus
}
#endif

#endif
