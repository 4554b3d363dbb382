/* SPDX-License-Identifier: MIT */
/* debug/dump.h: the tree of tasks on stderr, for what asks for it from outside the tasks. */
#ifndef NIDOI_DUMP_H
#define NIDOI_DUMP_H

#include "coro/runtime/loop.h"

/* On the loop's thread. In one piece, though other threads print too; also if stderr does not block, but then a
 * reader that takes nothing for a second loses the rest. */
void nidoi_dump_to_stderr(struct nidoi_loop *loop);

#endif
