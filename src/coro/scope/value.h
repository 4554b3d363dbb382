/* SPDX-License-Identifier: MIT */
/* coro/scope/value.h: values that everything below inherits: a value is a scope of its own kind, without
 * a deadline, so what inherits it needs no copy. */
#ifndef NIDOI_VALUE_H
#define NIDOI_VALUE_H

#include "coro/scope/scope.h"
#include "nido/value.h"

/* NULL: it is another scope. */
static inline const nido_value *nidoi_value_of(const nido_scope *scope)
{
    return scope->flags & NIDOI_SCOPE_VALUE ? (const nido_value *)(const void *)scope : NULL;
}

/* What reports show of it; NULL: nothing. */
static inline const char *nidoi_value_text(const nido_value *value)
{
    return value->key->flags & NIDO_VALUE_TEXT ? (const char *)value->data : NULL;
}

static inline const char *nidoi_value_name(const nido_value *value)
{
    return value->key->name ? value->key->name : "value";
}

#endif
