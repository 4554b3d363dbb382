/* SPDX-License-Identifier: MIT */
/* debug/stack.h: the frames of a task in words. */
#ifndef NIDOI_DEBUG_STACK_H
#define NIDOI_DEBUG_STACK_H

#include "coro/stack/frames.h"
#include "debug/symbols.h"
#include "debug/task.h"

/* What a report shows beside the tree. */
struct nidoi_debug_view {
    bool shown;  /* the frames of stacks */
    bool sizes;  /* how much of them is used */
    bool strays; /* the tree may be broken: tasks that no line stands for are listed below it */
    void *
        from; /* of the running task what lies below this return address is left out; NULL: nothing */
    struct nidoi_symbols *symbols; /* NULL: no debug information */
};

/* What the head of a report says of its stacks: how they are named, or why there are none. */
const char *nidoi_debug_stacks_source(const struct nidoi_debug_view *view);

/* The return addresses of a task, the innermost first. How many; 0: none are shown, it has not begun, or
 * stacks cannot be read here. On the run's own thread. */
int nidoi_debug_frames(const struct nidoi_debug_view *view, const struct nidoi_task *task,
                       void **frames, int room);

/* "at 0x55d2c8a01302 copy+0x41 server+0x1301 proxy.c:61", the same in every report. `symbols` may be NULL; then
 * also in a signal handler, but for dladdr. */
void nidoi_debug_add_frame(struct nidoi_text *text, struct nidoi_symbols *symbols, void *address);

/* Such lines, without what debug information adds. */
void nidoi_debug_add_frames(struct nidoi_text *text, void *const *frames, int n);

#endif
