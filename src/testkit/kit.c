/* SPDX-License-Identifier: MIT */
#include "testkit/kit.h"

#include <stdio.h>
#include <stdlib.h>

#include "nido.h"

const struct nidoi_test_hooks *nidoi_kit_hooks(void)
{
    const struct nidoi_test_hooks *hooks = nido_test_hooks();

    if (hooks->size == NIDOI_TEST_HOOKS_SIZE && hooks->version[0] == NIDO_VERSION_MAJOR &&
        hooks->version[1] == NIDO_VERSION_MINOR && hooks->version[2] == NIDO_VERSION_PATCH)
        return hooks;
    fputs("nido: the test kit and the library are not of the same build\n", stderr);
    abort();
}

void *nidoi_kit_memory(void *old, size_t size)
{
    void *memory = realloc(old, size);

    if (memory) return memory;
    fputs("nido: no memory for the test kit\n", stderr);
    abort();
}
