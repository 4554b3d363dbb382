/* SPDX-License-Identifier: MIT */
#include "base/place.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static const char *path_last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

const char *nidoi_place(struct nidoi_place *place, void *address)
{
    Dl_info info;

    if (!address)
        snprintf(place->text, sizeof place->text, "?");
    else if (!dladdr(address, &info) || !info.dli_fname)
        snprintf(place->text, sizeof place->text, "%p", address);
    else if (info.dli_sname)
        snprintf(place->text, sizeof place->text, "%s(%s+0x%zx)", path_last_part(info.dli_fname),
                 info.dli_sname, (size_t)((char *)address - (char *)info.dli_saddr));
    else
        snprintf(place->text, sizeof place->text, "%s(+0x%zx)", path_last_part(info.dli_fname),
                 (size_t)((char *)address - (char *)info.dli_fbase));
    return place->text;
}
