/* SPDX-License-Identifier: MIT */
/* debug/tree.h: the tree of a run's tasks and groups as lines of text.
 *
 *     #1 "main"  waits for children of group "conns", 1.2 s  spawned at server(+0x1302)
 *     `- group "conns"  fail-fast  3 children
 *        |- #2 "accept"  waits for input on descriptor 4, 1.2 s  spawned at server(+0x1288)
 *        `- #3 "conn"  is ready  spawned at server(+0x12f0)
 *
 * 1. Nothing is changed, and no memory of a task but its record is read. On the run's own thread.
 * 2. Equal subtrees below one group (same names, groups, waits, shown stacks) are shown once, then counted. That needs
 * memory; without it each is shown. */
#ifndef NIDOI_TREE_H
#define NIDOI_TREE_H

#include "coro/runtime/loop.h"
#include "debug/stack.h"

/* Calls line(ctx, text) for each line, which ends in a newline. 0 or -ENOMEM. */
int nidoi_tree_print(struct nidoi_loop *loop, const struct nidoi_debug_view *view,
                     void (*line)(void *ctx, const char *text), void *ctx);

#endif
