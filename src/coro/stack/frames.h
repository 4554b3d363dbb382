/* SPDX-License-Identifier: MIT */
/* coro/stack/frames.h: where a stack stands: the return addresses of its frames, the innermost first.
 *
 * 1. A suspended stack is read and not run on: nothing of it changes, and no room on it is needed. A function
 * of a few instructions (frames_x86_64.S, frames_aarch64.S) stands on the caller's stack and describes itself
 * to unwinders as if it had been called from the point at which the other stack will go on.
 * 2. Frames are found by the tables that compilers write for exceptions, so it needs no frame pointers. It
 * ends at the entry of the context, at code without such tables, or when `room` is used up.
 * 3. In signal handlers too, once nidoi_frames_here has been called outside of one: the first call may
 * load libgcc. */
#ifndef NIDOI_FRAMES_H
#define NIDOI_FRAMES_H

#include "coro/stack/context.h"

enum { NIDOI_FRAMES_MOST = 128 /* of one stack that are looked at */ };

/* Can nidoi_frames_of read stacks here? NULL; otherwise what is missing. */
const char *nidoi_frames_missing(void);

/* Of the caller's own stack, the caller first. How many; 0: it cannot be read here. */
int nidoi_frames_here(void **frames, int room);

/* Of a suspended context, the point at which it will go on first. It stays suspended meanwhile. How many;
 * 0: it has not begun, or its stack cannot be read here. */
int nidoi_frames_of(const struct nidoi_context *context, void **frames, int room);

#endif
