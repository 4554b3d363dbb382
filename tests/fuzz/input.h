/* SPDX-License-Identifier: MIT */
/* input.h: what the fuzzers of parsers share: drawing from a byte string, complaining, one run. */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "nido/run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *bytes;
    size_t left;
};

/* The next byte; 0 after the last. */
static inline unsigned draw(struct input *input)
{
    if (!input->left) return 0;
    input->left--;
    return *input->bytes++;
}

/* A number of two bytes. */
static inline unsigned draw_two(struct input *input)
{
    unsigned high = draw(input);

    return high << 8 | draw(input);
}

static inline void expect(const char *what, int64_t got, int64_t wanted)
{
    if (got == wanted) return;
    fprintf(stderr, "%s: %lld, not %lld\n", what, (long long)got, (long long)wanted);
    abort();
}

static inline int in_a_run(nido_fn *fn, void *arg)
{
    nido_options options;

    nido_options_init(&options);
    options.clock = NIDO_CLOCK_VIRTUAL;
    options.flags = NIDO_RUN_STRICT;
    return nido_run(fn, arg, &options);
}

#endif
