/* SPDX-License-Identifier: MIT */
#include "base/debug_words.h"

#include <stdlib.h>
#include <string.h>

#define SEPARATORS ", "

static const char words[][10] = {"1",     "all",    "cancel",  "cpu",      "deadlock",
                                 "dump",  "locks",  "measure", "overflow", "stacks",
                                 "stall", "strict", "trace",   "users"};
/* What "1" leaves out: it is expensive, or may end a run. */
static const char *const left_out[] = {"strict", "cpu", "deadlock"};

static bool word_is(const char *start, size_t length, const char *word)
{
    return strlen(word) == length && !memcmp(start, word, length);
}

static bool word_means(const char *start, size_t length, const char *wanted)
{
    if (word_is(start, length, wanted)) return true;
    if (!word_is(start, length, "1") && !word_is(start, length, "all")) return false;
    for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++)
        if (!strcmp(wanted, left_out[i])) return false;
    return true;
}

static bool word_is_known(const char *start, size_t length)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (word_is(start, length, words[i])) return true;
    return !length;
}

const char *nidoi_debug_unknown(size_t *length)
{
    const char *rest = getenv("NIDO_DEBUG");

    while (rest && *rest) {
        *length = strcspn(rest, SEPARATORS);
        if (!word_is_known(rest, *length)) return rest;
        rest += *length;
        rest += strspn(rest, SEPARATORS);
    }
    return NULL;
}

bool nidoi_debug_asks(const char *word)
{
    const char *rest = getenv("NIDO_DEBUG");

    while (rest && *rest) {
        size_t length = strcspn(rest, SEPARATORS);

        if (word_means(rest, length, word)) return true;
        rest += length;
        rest += strspn(rest, SEPARATORS);
    }
    return false;
}
