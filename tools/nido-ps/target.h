/* SPDX-License-Identifier: MIT */
/* target.h: what is looked at: a process or a core file, and how a field in it is read.
 *
 * A read of what is not there gives 0 and is counted in `lost`: the memory of a living process changes, and
 * a core file may be cut short. So every walk is bounded by a number of its own. */
#ifndef TARGET_H
#define TARGET_H

#include <elfutils/libdwfl.h>

#include "blocks.h"
#include "core.h"
#include "layout.h"
#include "threads.h"

struct target {
    char name[64]; /* "process 7", "the core file x" */
    pid_t pid;     /* of a core: that it was */
    bool is_core;
    struct core core;
    Dwfl *image;
    struct blocks memory;
    struct layout layout;
    struct threads threads; /* while it is held, and of a core */
    unsigned long lost;
};

/* Says why not. `program` NULL: what the core file says. */
bool target_open_process(struct target *target, pid_t pid);
bool target_open_core(struct target *target, const char *core, const char *program);
void target_close(struct target *target);

/* A field of the struct at `base`, as a number; 0: not to be read. */
uint64_t target_field(struct target *target, uint64_t base, enum field field);
int64_t target_signed(struct target *target, uint64_t base, enum field field);
uint64_t target_pointer(struct target *target, uint64_t address);

/* A string: at most size - 1 bytes of it. False: NULL, or not to be read. */
bool target_text(struct target *target, uint64_t address, char *out, size_t size);

#endif
