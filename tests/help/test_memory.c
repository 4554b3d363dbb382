/* SPDX-License-Identifier: MIT */
/* test_memory.c: the library's memory is dirty when it is new and when it was given back, and has an
 * end that is looked at: what uses it too early, too late or too far is noticed by its results. The
 * memory checkers find the same in their own way, so with them this is left out. */
#include "test_memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#if NIDOI_VALGRIND
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN 1
#endif
#ifndef UNDER_ASAN
#define UNDER_ASAN 0
#endif

enum { FRESH = 0xA5, GONE = 0xDD, END = 8 };

struct block {
    _Alignas(max_align_t) size_t size;
    uint64_t mark;
};

static const uint64_t in_use = UINT64_C(0x6e69646f206d656d);
static const char end[END] = {'e', 'n', 'd', ' ', 'o', 'f', ' ', 'm'};
static long blocks; /* atomic */

static char *bytes_of(struct block *block)
{
    return (char *)(block + 1);
}

/* The block of `bytes`, which must be in use and whole. */
static struct block *block_of(void *bytes)
{
    struct block *block = (struct block *)bytes - 1;
    const char *wrong = block->mark != in_use                                ? "is not in use"
                        : memcmp((char *)bytes + block->size, end, END) != 0 ? "was written beyond"
                                                                             : NULL;

    if (!wrong) return block;
    fprintf(stderr, "nido: memory at %p %s\n", bytes, wrong);
    abort();
}

static void *block_begin(struct block *block, size_t from, size_t size)
{
    block->size = size;
    block->mark = in_use;
    if (size > from) memset(bytes_of(block) + from, FRESH, size - from);
    memcpy(bytes_of(block) + size, end, END);
    return bytes_of(block);
}

static void *checked_alloc(size_t size)
{
    struct block *block =
        size > SIZE_MAX - sizeof *block - END ? NULL : malloc(sizeof *block + size + END);

    __atomic_store_n(&nidoi_mem_taken, 1, __ATOMIC_RELAXED);
    if (!block) return NULL;
    __atomic_add_fetch(&blocks, 1, __ATOMIC_RELAXED);
    return block_begin(block, 0, size);
}

static void checked_release(void *bytes)
{
    struct block *block = bytes ? block_of(bytes) : NULL;

    if (!block) return;
    memset(bytes, GONE, block->size);
    block->mark = 0;
    free(block);
    __atomic_sub_fetch(&blocks, 1, __ATOMIC_RELAXED);
}

/* Always to another place. */
static void *checked_resize(void *bytes, size_t size)
{
    size_t before = bytes ? block_of(bytes)->size : 0;
    void *other = checked_alloc(size);

    if (!other) return NULL;
    if (bytes) memcpy(other, bytes, before < size ? before : size);
    checked_release(bytes);
    return other;
}

long nido_test_memory_blocks(void)
{
    return __atomic_load_n(&blocks, __ATOMIC_RELAXED);
}

/* Before all other constructors that may ask for memory. */
__attribute__((constructor(101))) static void check_memory(void)
{
    if (UNDER_ASAN || RUNNING_ON_VALGRIND) return;
    nidoi_mem = (struct nidoi_mem){checked_alloc, checked_resize, checked_release};
}
