/* SPDX-License-Identifier: MIT */
/* fcontext.h: Boost.Context's switch as C sees it, straight from the package's archive. */
#ifndef NIDO_BENCH_FCONTEXT_H
#define NIDO_BENCH_FCONTEXT_H

#include <stddef.h>

struct transfer {
    void *from; /* the context that jumped here */
    void *data;
};

void *make_fcontext(void *top, size_t size, void (*fn)(struct transfer));
struct transfer jump_fcontext(void *to, void *data);

#endif
