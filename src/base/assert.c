#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

_Thread_local bool nidoi_strict;
_Thread_local void (*nidoi_crash_hook)(void);

static void report(void)
{
    void (*say)(void) = nidoi_crash_hook;

    nidoi_crash_hook = NULL; /* a fault in the report itself must not report again */
    if (say) say();
    fflush(stderr);
}

void nidoi_assert_failed(const char *what, const char *file, int line)
{
    flockfile(stderr);
    fprintf(stderr, "nido: internal error, please report it: %s does not hold at %s:%d\n", what,
            file, line);
    report();
    funlockfile(stderr);
    abort();
}

/* Whole, whatever other threads print. */
static void warn(const char *sentence, va_list args)
{
    flockfile(stderr);
    fputs("nido: ", stderr);
    vfprintf(stderr, sentence, args);
    fputc('\n', stderr);
    report();
    funlockfile(stderr);
}

void nidoi_panic(const char *sentence, ...)
{
    va_list args;

    va_start(args, sentence);
    warn(sentence, args);
    va_end(args);
    abort();
}

void nidoi_warn(const char *sentence, ...)
{
    va_list args;

    va_start(args, sentence);
    warn(sentence, args);
    va_end(args);
}

void nidoi_closed_behind_us(int fd)
{
    nidoi_panic(
        "the program has closed descriptor %d, which is the runtime's own: by closefrom, by "
        "close_range, or by closing a number twice",
        fd);
}
