/* SPDX-License-Identifier: MIT */
/* tree.h: a runtime as a tree: each task below its group, each group below the task that opened it. */
#ifndef TREE_H
#define TREE_H

#include <stdio.h>

#include "snapshot.h"

/* Three or more equal subtrees of a group become two lines. `stacks`: frames below each task that has a
 * line. */
void tree_print(FILE *file, struct target *target, const struct runtime *runtime, bool stacks);

/* The frames of a task, a line each, after `prefix`. */
void frames_print(FILE *file, const char *prefix, struct target *target, const struct task *task);

#endif
