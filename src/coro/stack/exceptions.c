/* SPDX-License-Identifier: MIT */
#include "coro/stack/exceptions.h"

#include <stddef.h>

/* Weak: there if the program brings a C++ run time. */
extern struct nidoi_exceptions *get_globals(void) __asm__(NIDOI_ASM_NAME("__cxa_get_globals"))
    __attribute__((weak));

struct nidoi_exceptions *nidoi_exceptions_self(void)
{
    return get_globals ? get_globals() : NULL;
}
