/* SPDX-License-Identifier: MIT */
#include "debug/symbols.h"

const char *nidoi_symbols_source(struct nidoi_symbols *symbols)
{
    (void)symbols;
    return "no lines are read (built with NIDO_SYMBOLS=none): addr2line -fipe OBJECT OFFSET has "
           "them";
}

struct nidoi_symbols *nidoi_symbols_open(void)
{
    return NULL;
}

void nidoi_symbols_close(struct nidoi_symbols *symbols)
{
    (void)symbols;
}

void nidoi_symbol_add_source(struct nidoi_symbols *symbols, void *call, struct nidoi_symbol *symbol)
{
    (void)symbols, (void)call, (void)symbol;
}
