/* SPDX-License-Identifier: MIT */
#include "base/assert.h"
#include "base/printable.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { LONGEST = 1024 }; /* bytes of a sentence */

_Thread_local bool nidoi_strict;
_Thread_local void (*nidoi_crash_hook)(void);

static void run_crash_hook(void)
{
    void (*hook)(void) = nidoi_crash_hook;

    nidoi_crash_hook = NULL; /* a fault in the hook itself must not call it again */
    if (hook) hook();
    fflush(stderr);
}

void nidoi_assert_failed(const char *what, const char *file, int line)
{
    flockfile(stderr);
    fprintf(stderr, "nido: internal error, please report it: %s does not hold at %s:%d\n", what,
            file, line);
    run_crash_hook();
    funlockfile(stderr);
    abort();
}

/* In one piece, even if other threads print. */
static void print_sentence(const char *sentence, va_list args)
{
    char text[LONGEST];

    vsnprintf(text, sizeof text, sentence, args);
    nidoi_make_printable(text, 0);
    flockfile(stderr);
    fputs("nido: ", stderr);
    fputs(text, stderr);
    fputc('\n', stderr);
    run_crash_hook();
    funlockfile(stderr);
}

void nidoi_panic(const char *sentence, ...)
{
    va_list args;

    va_start(args, sentence);
    print_sentence(sentence, args);
    va_end(args);
    abort();
}

void nidoi_warn(const char *sentence, ...)
{
    va_list args;

    va_start(args, sentence);
    print_sentence(sentence, args);
    va_end(args);
}

void nidoi_own_fd_was_closed(int fd)
{
    nidoi_panic(
        "the program has closed descriptor %d, which is the runtime's own: by closefrom, by "
        "close_range, or by closing a number twice",
        fd);
}
