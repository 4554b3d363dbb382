/* SPDX-License-Identifier: MIT */
/* core.h: a core file: its memory, its threads, and which program it is of. */
#ifndef CORE_H
#define CORE_H

#include <libelf.h>

#include "blocks.h"
#include "threads.h"

struct core {
    int fd;
    Elf *elf;
    pid_t pid;
    char program[1024]; /* path of its program, as far as the core tells; "" */
    struct threads threads;
    uint64_t start; /* where its first page lies; 0: not known */
    size_t segments;
    bool is_cut; /* the file ends before its last segment does */
};

/* Says why not. */
bool core_open(struct core *core, const char *path);

/* Its memory, as far as it is in the file. */
void core_read(void *core, struct piece *pieces, size_t n);

void core_close(struct core *core);

#endif
