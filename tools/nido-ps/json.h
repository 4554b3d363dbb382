/* SPDX-License-Identifier: MIT */
/* json.h: a runtime as one JSON object: the fields of nido_dump_json (docs/semantics.md, section 42). */
#ifndef JSON_H
#define JSON_H

#include <stdio.h>

#include "snapshot.h"

/* False: no memory, or the file takes no more. */
bool json_print(FILE *file, struct target *target, const struct runtime *runtime, bool stacks);

#endif
