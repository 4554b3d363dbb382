/* SPDX-License-Identifier: MIT */
/* base/options.h: what a struct of options of another size says. The library reads options by coro/scope/options.h,
 * the test kit, an archive of its own, by this. */
#ifndef NIDOI_BASE_OPTIONS_H
#define NIDOI_BASE_OPTIONS_H

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum {
    NIDOI_OPTIONS_MOST = 4096, /* bytes; a size above is garbage */
    NIDOI_OPTIONS_TEXT = 256   /* room for why they are refused */
};

static inline bool nidoi_options_beyond(const char *options, size_t from, size_t to)
{
    for (; from < to; from++)
        if (options[from]) return true;
    return false;
}

static inline void nidoi_options_bad_size(const char *type, size_t given, char *why)
{
    char macro[64];
    size_t i = 0;

    for (; i < sizeof macro - 1 && type[i]; i++) macro[i] = (char)toupper((unsigned char)type[i]);
    macro[i] = '\0';
    snprintf(why, NIDOI_OPTIONS_TEXT, "%s.size is %zu: fill the struct by %s_init or by %s(...)",
             type, given, type, macro);
}

static inline bool nidoi_options_understood(const void *theirs, size_t given, size_t ours,
                                            const char *type, char *why)
{
    bool sized = given >= sizeof given && given <= NIDOI_OPTIONS_MOST && given % sizeof given == 0;

    if (!sized) nidoi_options_bad_size(type, given, why);
    if (!sized || !theirs || given <= ours || !nidoi_options_beyond(theirs, ours, given))
        return sized;
    snprintf(
        why, NIDOI_OPTIONS_TEXT,
        "%s asks for something that this version of nido, older than the header, does not know",
        type);
    return false;
}

/* Copies them to *room, which has our size; `theirs` NULL: all zeros. NULL: refused, and `why` (NIDOI_OPTIONS_TEXT
 * bytes) says so. */
static inline const void *nidoi_options_take(const void *theirs, void *room, size_t ours,
                                             const char *type, char *why)
{
    size_t given = theirs ? *(const size_t *)theirs : sizeof given;

    if (!nidoi_options_understood(theirs, given, ours, type, why)) return NULL;
    memset(room, 0, ours);
    if (theirs) memcpy(room, theirs, given < ours ? given : ours);
    *(size_t *)room = ours;
    return room;
}

#endif
