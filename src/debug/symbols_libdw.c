#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <string.h>
#include <unistd.h>

#include "debug/symbols.h"

/* By build id and not by debuginfod, which may ask the network. */
static const Dwfl_Callbacks callbacks = {.find_elf = dwfl_linux_proc_find_elf,
                                         .find_debuginfo = dwfl_build_id_find_debuginfo};

const char *nidoi_symbols_source(void)
{
    return "lines by libdw";
}

struct nidoi_symbols *nidoi_symbols_open(void)
{
    Dwfl *dwfl = dwfl_begin(&callbacks);

    if (!dwfl) return NULL;
    if (dwfl_linux_proc_report(dwfl, getpid()) || dwfl_report_end(dwfl, NULL, NULL)) {
        dwfl_end(dwfl);
        return NULL;
    }
    return (struct nidoi_symbols *)dwfl;
}

void nidoi_symbols_close(struct nidoi_symbols *symbols)
{
    if (symbols) dwfl_end((Dwfl *)symbols);
}

/* By the module's table of address ranges, or, as clang writes none, by those of each unit. */
static Dwarf_Line *line_find(Dwfl_Module *module, Dwarf_Addr address)
{
    Dwarf_Addr bias;
    Dwarf_Die *unit = dwfl_module_addrdie(module, address, &bias);

    if (unit) return dwarf_getsrc_die(unit, address - bias);
    while ((unit = dwfl_module_nextcu(module, unit, &bias)) != NULL)
        if (dwarf_haspc(unit, address - bias) > 0) return dwarf_getsrc_die(unit, address - bias);
    return NULL;
}

void nidoi_symbol_add_source(struct nidoi_symbols *symbols, void *call, struct nidoi_symbol *symbol)
{
    Dwarf_Addr address = (Dwarf_Addr)(uintptr_t)call;
    Dwfl_Module *module = dwfl_addrmodule((Dwfl *)symbols, address);
    Dwarf_Line *line = module ? line_find(module, address) : NULL;
    GElf_Off offset;
    GElf_Sym found;
    const char *name, *path;

    if (!module) return;
    name = dwfl_module_addrinfo(module, address, &offset, &found, NULL, NULL, NULL);
    if (name) {
        symbol->name = name;
        symbol->offset = (size_t)offset + 1;
    }
    path = line ? dwarf_linesrc(line, NULL, NULL) : NULL;
    if (line) dwarf_lineno(line, &symbol->line);
    if (path) symbol->file = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
}
