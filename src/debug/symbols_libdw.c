/* SPDX-License-Identifier: MIT */
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "debug/symbols.h"

/* By build id and not by debuginfod, which may ask the network. */
static const Dwfl_Callbacks callbacks = {.find_elf = dwfl_linux_proc_find_elf,
                                         .find_debuginfo = dwfl_build_id_find_debuginfo};

static Dwfl *modules_open(void)
{
    Dwfl *dwfl = dwfl_begin(&callbacks);

    if (!dwfl) return NULL;
    if (dwfl_linux_proc_report(dwfl, getpid()) || dwfl_report_end(dwfl, NULL, NULL)) {
        dwfl_end(dwfl);
        return NULL;
    }
    return dwfl;
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

static void source_find(Dwfl *dwfl, void *call, struct nidoi_symbol *symbol)
{
    Dwarf_Addr address = (Dwarf_Addr)(uintptr_t)call;
    Dwfl_Module *module = dwfl_addrmodule(dwfl, address);
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

/* ---- A thread that asks libdw ----
 *
 * dwarf_getsrclines takes more than 100 KiB of stack, and a dump is made on a task's. So a thread with a stack of
 * its own asks libdw, as long as the dump lasts. */

enum { STACK = 1 << 20 };

struct nidoi_symbols {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* at most one of the two threads waits for it */
    void *call;
    struct nidoi_symbol *asked; /* NULL: answered */
    bool opened;                /* `readable` is known */
    bool readable;
    bool over;
    int cancel_state; /* of the thread that dumps: its waits are no place to end it */
};

static void symbols_answer(struct nidoi_symbols *symbols, Dwfl *dwfl)
{
    pthread_mutex_lock(&symbols->lock);
    symbols->opened = true;
    symbols->readable = dwfl != NULL;
    pthread_cond_signal(&symbols->changed);
    while (!symbols->over) {
        if (symbols->asked) {
            if (dwfl) source_find(dwfl, symbols->call, symbols->asked);
            symbols->asked = NULL;
            pthread_cond_signal(&symbols->changed);
        }
        pthread_cond_wait(&symbols->changed, &symbols->lock);
    }
    pthread_mutex_unlock(&symbols->lock);
}

static void *symbols_thread(void *arg)
{
    Dwfl *dwfl = modules_open();

    symbols_answer(arg, dwfl);
    if (dwfl) dwfl_end(dwfl);
    return NULL;
}

/* No signal of the program is handled there. */
static int thread_start(struct nidoi_symbols *symbols)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    int err = pthread_attr_init(&attributes);

    if (err) return -err;
    pthread_attr_setstacksize(&attributes, STACK);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    err = pthread_create(&symbols->thread, &attributes, symbols_thread, symbols);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return -err;
}

static void symbols_free(struct nidoi_symbols *symbols)
{
    pthread_cond_destroy(&symbols->changed);
    pthread_mutex_destroy(&symbols->lock);
    free(symbols);
}

struct nidoi_symbols *nidoi_symbols_open(void)
{
    struct nidoi_symbols *symbols = calloc(1, sizeof *symbols);

    if (!symbols) return NULL;
    pthread_mutex_init(&symbols->lock, NULL);
    pthread_cond_init(&symbols->changed, NULL);
    if (thread_start(symbols)) {
        symbols_free(symbols);
        return NULL;
    }
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &symbols->cancel_state);
    return symbols;
}

void nidoi_symbols_close(struct nidoi_symbols *symbols)
{
    int state;

    if (!symbols) return;
    pthread_mutex_lock(&symbols->lock);
    symbols->over = true;
    pthread_cond_signal(&symbols->changed);
    pthread_mutex_unlock(&symbols->lock);
    pthread_join(symbols->thread, NULL);
    state = symbols->cancel_state;
    symbols_free(symbols);
    pthread_setcancelstate(state, NULL);
}

void nidoi_symbol_add_source(struct nidoi_symbols *symbols, void *call, struct nidoi_symbol *symbol)
{
    pthread_mutex_lock(&symbols->lock);
    symbols->call = call;
    symbols->asked = symbol;
    pthread_cond_signal(&symbols->changed);
    while (symbols->asked) pthread_cond_wait(&symbols->changed, &symbols->lock);
    pthread_mutex_unlock(&symbols->lock);
}

static bool is_readable(struct nidoi_symbols *symbols)
{
    bool readable;

    pthread_mutex_lock(&symbols->lock);
    while (!symbols->opened) pthread_cond_wait(&symbols->changed, &symbols->lock);
    readable = symbols->readable;
    pthread_mutex_unlock(&symbols->lock);
    return readable;
}

const char *nidoi_symbols_source(struct nidoi_symbols *symbols)
{
    if (!symbols)
        return "no lines are read (no thread for libdw): addr2line -fipe OBJECT OFFSET has them";
    if (!is_readable(symbols))
        return "no lines are read (libdw cannot read this process): addr2line -fipe OBJECT OFFSET "
               "has them";
    return "lines by libdw";
}
