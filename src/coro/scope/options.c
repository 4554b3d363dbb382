#include "coro/scope/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "coro/scope/error.h"

enum { ROOM = 64 }; /* the longest name of a type, and a zero */

static bool options_go_on(const char *options, size_t from, size_t to)
{
    for (; from < to; from++)
        if (options[from]) return true;
    return false;
}

static void options_refuse(const char *sentence)
{
    if (nidoi_sched_self && nidoi_on_task(nidoi_sched_self))
        nidoi_fail(nidoi_sched_self->current, NULL, -EINVAL, "%s", sentence);
    else
        nidoi_warn("%s", sentence);
}

static void options_refuse_size(const char *type, size_t given)
{
    char sentence[256], macro[ROOM];
    size_t i = 0;

    for (; type[i] && i < ROOM - 1; i++) macro[i] = (char)toupper((unsigned char)type[i]);
    macro[i] = '\0';
    snprintf(sentence, sizeof sentence, "%s.size is %zu: fill the struct by %s_init or by %s(...)",
             type, given, type, macro);
    options_refuse(sentence);
}

static void options_refuse_fields(const char *type)
{
    char sentence[256];

    snprintf(
        sentence, sizeof sentence,
        "%s asks for something that this version of nido, older than the header, does not know",
        type);
    options_refuse(sentence);
}

static bool options_understood(const void *theirs, size_t given, size_t ours, const char *type)
{
    bool sized = given >= sizeof given && given <= NIDOI_OPTIONS_MOST && given % sizeof given == 0;

    if (!sized) options_refuse_size(type, given);
    if (!sized || given <= ours || !options_go_on(theirs, ours, given)) return sized;
    options_refuse_fields(type);
    return false;
}

const void *nidoi_options_copy(const void *theirs, void *room, size_t ours, const char *type)
{
    size_t given = theirs ? *(const size_t *)theirs : sizeof given;

    if (!options_understood(theirs, given, ours, type)) return NULL;
    memset(room, 0, ours);
    if (theirs) memcpy(room, theirs, given < ours ? given : ours);
    *(size_t *)room = ours;
    return room;
}
