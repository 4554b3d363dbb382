/* SPDX-License-Identifier: MIT */
/* testkit_help.h: for tests of the test kit: what it prints. */
#ifndef TESTKIT_HELP_H
#define TESTKIT_HELP_H

#include <stdlib.h>
#include <string.h>

#include "nido_test.h"

/* Options whose output is kept. */
struct told {
    nido_test_options options;
    char *text;
    size_t size;
};

static inline void told_begin(struct told *told)
{
    nido_test_options_init(&told->options);
    told->options.name = "it";
    told->options.out = open_memstream(&told->text, &told->size);
}

/* Is this in what was said so far? */
static inline bool told(struct told *told, const char *words)
{
    fflush(told->options.out);
    if (strstr(told->text, words)) return true;
    fprintf(stderr, "not told: %s; but:\n", words);
    fputs(told->text, stderr);
    return false;
}

static inline void told_end(struct told *told)
{
    fclose(told->options.out);
    free(told->text);
}

#endif
