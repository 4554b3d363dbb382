/* SPDX-License-Identifier: MIT */
/* list.h: the tasks of a runtime as a table, a line each. */
#ifndef LIST_H
#define LIST_H

#include <stdio.h>

#include "snapshot.h"

enum list_order { BY_ID, BY_WAIT, BY_CPU, BY_STACK };

/* `most` lines at most, of `width` columns at most; 0: no limit. */
void list_print(FILE *file, struct target *target, const struct runtime *runtime,
                enum list_order order, bool stacks, int most, int width);

#endif
