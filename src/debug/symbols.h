/* SPDX-License-Identifier: MIT */
/* debug/symbols.h: what is known of a code address. The dynamic linker knows the object and the names of exported
 * functions; a library that reads debug information, the option NIDO_SYMBOLS of the build, knows all names,
 * files and lines: symbols_none.c or symbols_libdw.c. */
#ifndef NIDOI_SYMBOLS_H
#define NIDOI_SYMBOLS_H

#include <stddef.h>

struct nidoi_symbols; /* what has been read of debug information */

struct nidoi_symbol {
    const char *object;   /* path; NULL: none is known */
    size_t object_offset; /* what addr2line -e OBJECT takes */
    const char *name;     /* NULL: not known */
    size_t offset;        /* behind the name */
    const char *file;     /* last part of its path; NULL: not known */
    int line;
};

/* In words: what lines come from; `symbols` as nidoi_symbols_open has returned it. */
const char *nidoi_symbols_source(struct nidoi_symbols *symbols);

/* NULL: there is none. */
struct nidoi_symbols *nidoi_symbols_open(void);
void nidoi_symbols_close(struct nidoi_symbols *symbols);

/* The caller at this return address: the offset of the object is that of the call. What `symbol` points at
 * lasts until `symbols`, which may be NULL, is closed. */
void nidoi_symbol_find(struct nidoi_symbols *symbols, void *address, struct nidoi_symbol *symbol);

/* What the debug information adds. */
void nidoi_symbol_add_source(struct nidoi_symbols *symbols, void *call,
                             struct nidoi_symbol *symbol);

#endif
