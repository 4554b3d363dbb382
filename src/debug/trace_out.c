/* SPDX-License-Identifier: MIT */
#include "debug/trace_out.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/held_signal.h"
#include "base/sys.h"
#include "debug/quote.h"

enum { MOST_AT_ONCE = 512 };

/* A limit of the size of files is an error like others: it does not end the program by SIGXFSZ. */
static void out_flush(struct nidoi_trace_out *out)
{
    struct nidoi_held_signal held;
    size_t done = 0;

    nidoi_signal_hold(&held, SIGXFSZ);
    while (!out->err && done < out->used) {
        ssize_t n = nidoi_sys.write(out->fd, out->buffer + done, out->used - done);

        if (n > 0)
            done += (size_t)n;
        else
            out->err = n ? (int)n : -EIO;
    }
    nidoi_signal_release(&held, SIGXFSZ, out->err == -EFBIG);
    out->used = 0;
}

static char *out_room(struct nidoi_trace_out *out, size_t need)
{
    if (out->size - out->used < need) out_flush(out);
    return out->buffer + out->used;
}

void nidoi_trace_out_add(struct nidoi_trace_out *out, const char *format, ...)
{
    char *at = out_room(out, MOST_AT_ONCE);
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(at, MOST_AT_ONCE, format, args);
    va_end(args);
    if (n > 0) out->used += n < MOST_AT_ONCE ? (size_t)n : MOST_AT_ONCE - 1;
}

void nidoi_trace_out_quote(struct nidoi_trace_out *out, const char *text)
{
    while (text && *text) out->used += nidoi_quote_next(out_room(out, NIDOI_QUOTED), &text);
}

int nidoi_trace_out_end(struct nidoi_trace_out *out)
{
    out_flush(out);
    return out->err;
}
