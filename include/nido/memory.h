/* SPDX-License-Identifier: MIT */
/* nido/memory.h: memory from an allocator of the program's own instead of malloc and mmap. */
#ifndef NIDO_MEMORY_H
#define NIDO_MEMORY_H

#include <string.h>

#include "nido/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where nido's memory comes from. The functions are called on any thread, several at the same time,
 * and on tasks; they must not park and must not call nido. What is released has the size that it was
 * asked for with. */
typedef struct nido_allocator {
    size_t size; /* NIDO_ALLOCATOR sets it */
    /* As malloc, for records and buffers. NULL: there is none. */
    void *(*alloc)(size_t size, void *ctx);
    void (*release)(void *memory, size_t size, void *ctx);
    /* Pages for stacks and rings: whole ones, readable and writable, all zeros; those that are not
     * touched yet should cost nothing, for a stack is large. NULL: there are none. Both NULL: as mmap
     * and munmap do it. What comes back has guard pages in it: munmap it, or map anew over it. */
    void *(*map)(size_t size, void *ctx);
    void (*unmap)(void *memory, size_t size, void *ctx);
    void *ctx; /* passed on */
    void *spare[4];
} nido_allocator;

/* Zeros, and the size. Cannot fail. Not a cancellation point. */
static inline void nido_allocator_init(nido_allocator *allocator)
{
    memset(allocator, 0, sizeof *allocator);
    allocator->size = sizeof *allocator;
}
/* The same as an initialiser: &NIDO_ALLOCATOR(.alloc = take, .release = give). In C. */
#define NIDO_ALLOCATOR(...) NIDOI_SIZED(nido_allocator, __VA_ARGS__)

/* Takes the memory from there from now on, in this process and in what it forks. Called before all
 * other calls that need memory, and before there are other threads. (libc and OpenSSL take theirs
 * where they did; nido asks libc to format and to resolve names.) Not a cancellation point. 0; -EBUSY:
 * nido has taken memory already, or this was called before, and nothing is changed; -EINVAL: alloc or
 * release is NULL, or one of map and unmap, or the size is wrong. */
NIDO_API int nido_set_allocator(const nido_allocator *allocator);

#ifdef __cplusplus
}
#endif

#endif
