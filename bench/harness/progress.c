/* SPDX-License-Identifier: MIT */
/* progress.c: one line on the terminal, rewritten in place. */
#include "report.h"

#include <unistd.h>

static struct {
    const char *name;
    long i, count;
} current;

void progress_case(const char *name, long i, long count)
{
    current.name = name;
    current.i = i;
    current.count = count;
}

void progress_sample(const char *side, long i, long repeats)
{
    if (!isatty(STDERR_FILENO)) return;
    fprintf(stderr, "\r\033[K[%ld/%ld] %s: ", current.i, current.count, current.name);
    if (i)
        fprintf(stderr, "%s %ld of %ld", side, i, repeats);
    else
        fprintf(stderr, "%s, warm-up", side);
    fflush(stderr);
}

void progress_clear(void)
{
    if (isatty(STDERR_FILENO)) fprintf(stderr, "\r\033[K");
}
