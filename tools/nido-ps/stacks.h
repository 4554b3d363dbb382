/* SPDX-License-Identifier: MIT */
/* stacks.h: where a task stands: its frames, unwound by libdwfl with each task as a thread of its own. */
#ifndef STACKS_H
#define STACKS_H

#include "image.h"
#include "snapshot.h"

struct frame {
    uint64_t address;
    struct image_symbol symbol;
};

enum { FRAMES = 64 };

struct stack {
    struct frame frames[FRAMES];
    size_t count;
    bool more;       /* than FRAMES */
    const char *why; /* there is none; NULL: there is */
};

/* The innermost frame first; nido's own, between the call and the switch, are left out. */
void stack_of(struct stack *stack, struct target *target, const struct task *task);

#endif
