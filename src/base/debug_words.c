#include "base/debug_words.h"

#include <stdlib.h>
#include <string.h>

static bool word_is(const char *start, size_t length, const char *word)
{
    return strlen(word) == length && !memcmp(start, word, length);
}

static bool word_means(const char *start, size_t length, const char *wanted)
{
    bool all = word_is(start, length, "1") || word_is(start, length, "all");

    return word_is(start, length, wanted) || (all && strcmp(wanted, "strict") != 0);
}

bool nidoi_debug_asks(const char *word)
{
    const char *rest = getenv("NIDO_DEBUG");

    while (rest && *rest) {
        size_t length = strcspn(rest, ", ");

        if (word_means(rest, length, word)) return true;
        rest += length;
        rest += strspn(rest, ", ");
    }
    return false;
}
