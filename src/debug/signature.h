/* SPDX-License-Identifier: MIT */
/* debug/signature.h: a number for a task and all below it; equal subtrees have equal ones: the same names, groups,
 * waits, cancels, texts of values and shown stacks. */
#ifndef NIDOI_SIGNATURE_H
#define NIDOI_SIGNATURE_H

#include "coro/runtime/loop.h"
#include "debug/stack.h"

/* Scopes of a subtree that are looked at: in a broken tree they have no end. */
enum { NIDOI_SUBTREE_MOST = 1 << 20 };

uint64_t nidoi_task_signature(const struct nidoi_debug_view *view, struct nidoi_task *task);

#endif
