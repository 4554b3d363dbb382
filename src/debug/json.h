/* SPDX-License-Identifier: MIT */
/* debug/json.h: the tasks and groups of a run as one JSON object (RFC 8259); docs/semantics.md has the
 * schema. */
#ifndef NIDOI_JSON_H
#define NIDOI_JSON_H

#include <stdio.h>

#include "coro/runtime/loop.h"
#include "debug/stack.h"

/* On the run's own thread. */
void nidoi_json_print(struct nidoi_loop *loop, const struct nidoi_debug_view *view, FILE *file);

#endif
