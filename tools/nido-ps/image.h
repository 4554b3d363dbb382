/* SPDX-License-Identifier: MIT */
/* image.h: the files that the target's code comes from, by elfutils' libdwfl: what lies at an address, and
 * the memory that a core file leaves out because it is in them. */
#ifndef IMAGE_H
#define IMAGE_H

#include <elfutils/libdwfl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "blocks.h"
#include "core.h"

/* NULL, and says why. */
Dwfl *image_of_process(pid_t pid);
Dwfl *image_of_core(const struct core *core, const char *program);

/* Is the program that is mapped at `start` the file `path`? If that cannot be told: true. */
bool image_fits(const char *path, struct blocks *memory, uint64_t start);

/* Of memory that is not written to. */
bool image_read(Dwfl *dwfl, struct piece *piece);

/* "program(+0x1234)", or "program(name+0x12)" where the file tells names, as nido's own reports have it. */
void image_place(Dwfl *dwfl, uint64_t address, char *out, size_t size);

/* What is known of a code address. */
struct image_symbol {
    char function[128]; /* "": not known, as below */
    uint64_t offset;    /* behind it */
    char object[256];   /* path of the program or library */
    uint64_t object_offset;
    char file[96]; /* last part of its path */
    int line;
};

/* `after`: it is the address behind a call, and the call is what is looked for. Found once for each address. */
const struct image_symbol *image_symbol(Dwfl *dwfl, uint64_t address, bool after);

/* The address of the table that describes nido's structs (src/coro/run/layout.h), by the notes of the
 * files as `get` reads them; 0: there is none. */
uint64_t image_find_layout(Dwfl *dwfl, struct blocks *memory);

#endif
