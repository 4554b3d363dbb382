/* SPDX-License-Identifier: MIT */
#include "coro/scope/options.h"

#include <errno.h>

#include "base/assert.h"
#include "base/options.h"
#include "coro/scope/error.h"

static void options_refuse(const char *why)
{
    if (nidoi_sched_self && nidoi_on_task(nidoi_sched_self))
        nidoi_fail(nidoi_sched_self->current, NULL, -EINVAL, "%s", why);
    else
        nidoi_warn("%s", why);
}

const void *nidoi_options_copy(const void *theirs, void *room, size_t ours, const char *type)
{
    char why[NIDOI_OPTIONS_TEXT];
    const void *read = nidoi_options_take(theirs, room, ours, type, why);

    if (!read) options_refuse(why);
    return read;
}
