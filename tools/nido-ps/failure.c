/* SPDX-License-Identifier: MIT */
#include "failure.h"

#include <stdarg.h>
#include <stdio.h>

static char sentence[1024];

bool fail(const char *format, ...)
{
    va_list args;

    if (sentence[0]) return false;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    return false;
}

void warn(const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fputs("nido-ps: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

const char *failure(void)
{
    return sentence[0] ? sentence : NULL;
}

void failure_forget(void)
{
    sentence[0] = '\0';
}
