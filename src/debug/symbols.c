/* SPDX-License-Identifier: MIT */
#include "debug/symbols.h"

#include <dlfcn.h>

#ifdef __GLIBC__
#include <link.h>

/* How far from the addresses in the file the object lies. */
static size_t object_base(void *address, const Dl_info *info)
{
    struct link_map *map = NULL;
    Dl_info again;

    (void)info;
    return dladdr1(address, &again, (void **)&map, RTLD_DL_LINKMAP) && map ? map->l_addr : 0;
}
#else
static size_t object_base(void *address, const Dl_info *info)
{
    (void)address;
    return (size_t)info->dli_fbase;
}
#endif

void nidoi_symbol_find(struct nidoi_symbols *symbols, void *address, struct nidoi_symbol *symbol)
{
    char *call = (char *)address - 1; /* a call may be the last that its function does */
    Dl_info info;

    *symbol = (struct nidoi_symbol){0};
    if (dladdr(call, &info) && info.dli_fname) {
        symbol->object = info.dli_fname;
        symbol->object_offset = (size_t)call - object_base(call, &info);
        symbol->name = info.dli_sname;
        if (info.dli_sname) symbol->offset = (size_t)((char *)address - (char *)info.dli_saddr);
    }
    if (symbols) nidoi_symbol_add_source(symbols, call, symbol);
}
