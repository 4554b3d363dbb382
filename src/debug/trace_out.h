/* SPDX-License-Identifier: MIT */
/* debug/trace_out.h: lines of a trace on their way to a descriptor. */
#ifndef NIDOI_TRACE_OUT_H
#define NIDOI_TRACE_OUT_H

#include <stddef.h>

#include "nido/types.h"

struct nidoi_trace_out {
    int fd;
    int err; /* the first error; after it nothing more is written */
    char *buffer;
    size_t size, used;
};

/* At most 512 bytes at once. */
void nidoi_trace_out_add(struct nidoi_trace_out *out, const char *format, ...) NIDO_PRINTF(2, 3);

/* What a JSON string holds for `text`; NULL: nothing. */
void nidoi_trace_out_quote(struct nidoi_trace_out *out, const char *text);

/* What is still on its way. 0, or the first error. */
int nidoi_trace_out_end(struct nidoi_trace_out *out);

#endif
