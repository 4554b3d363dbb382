/* SPDX-License-Identifier: MIT */
#include <dlfcn.h>
#include <string.h>

#include "base/backtrace.h"
#include "testkit/kit.h"

enum { MOST_FRAMES = 24 };

/* The name of the public call that an address lies in, or NULL. Hidden functions have no name that
 * the dynamic linker knows. */
static const char *public_call(void *address)
{
    Dl_info info;

    if (!dladdr((char *)address - 1, &info) || !info.dli_sname) return NULL;
    return strncmp(info.dli_sname, "nido_", 5) ? NULL : info.dli_sname;
}

/* From the inside out: the library's hidden functions, its public ones, which may call each other,
 * and then the caller of the outermost of these. */
struct nidoi_where nidoi_where_now(void)
{
    struct nidoi_where where = {0};
    void *frames[MOST_FRAMES], **at = frames, **end;

    end = at + nidoi_backtrace(frames, MOST_FRAMES);
    while (at < end && !public_call(*at)) at++;
    for (; at < end && public_call(*at); at++) where.call = public_call(*at);
    if (where.call && at < end && strcmp(where.call, "nido_run") != 0) where.place = *at;
    return where;
}
