/* SPDX-License-Identifier: MIT */
#include "base/mem.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int nidoi_mem_taken;

static void *mem_alloc(size_t size)
{
    __atomic_store_n(&nidoi_mem_taken, 1, __ATOMIC_RELAXED);
    return malloc(size);
}

static void *mem_resize(void *memory, size_t size)
{
    __atomic_store_n(&nidoi_mem_taken, 1, __ATOMIC_RELAXED);
    return realloc(memory, size);
}

struct nidoi_mem nidoi_mem = {mem_alloc, mem_resize, free};

void *nidoi_mem_zeroed(size_t size)
{
    void *memory = nidoi_mem.alloc(size);

    if (memory) memset(memory, 0, size);
    return memory;
}

int nidoi_mem_grow(void **array, size_t *capacity, size_t want, size_t size)
{
    size_t target = *capacity ? *capacity : 16;
    char *grown;

    if (want <= *capacity) return 0;
    if (want > SIZE_MAX / 4 / size) return -ENOMEM;
    while (target < want) target *= 2;
    grown = nidoi_mem.resize(*array, target * size);
    if (!grown) return -ENOMEM;
    memset(grown + *capacity * size, 0, (target - *capacity) * size);
    *array = grown;
    *capacity = target;
    return 0;
}
