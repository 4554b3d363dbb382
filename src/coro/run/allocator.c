/* SPDX-License-Identifier: MIT */
/* coro/run/allocator.c: the program's own allocator behind base/mem.h and base/sys.h. A block has its
 * size in front of it, because a release in the library does not know it. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/sys.h"
#include "coro/scope/options.h"
#include "nido/memory.h"

struct block {
    _Alignas(max_align_t) size_t size; /* with this */
};

static nido_allocator own;

static void *own_alloc(size_t size)
{
    struct block *block = NULL;

    if (size <= PTRDIFF_MAX - sizeof *block) block = own.alloc(sizeof *block + size, own.ctx);
    if (!block) return NULL;
    block->size = sizeof *block + size;
    return block + 1;
}

static void own_release(void *memory)
{
    struct block *block = memory;

    if (!block) return;
    block--;
    own.release(block, block->size, own.ctx);
}

static void *own_resize(void *memory, size_t size)
{
    void *other = own_alloc(size);
    size_t old = memory ? ((struct block *)memory)[-1].size - sizeof(struct block) : 0;

    if (!other) return NULL;
    if (memory) memcpy(other, memory, old < size ? old : size);
    own_release(memory);
    return other;
}

static int own_map(size_t size, void **out)
{
    void *memory = own.map(size, own.ctx);

    if (!memory) return -ENOMEM;
    if ((uintptr_t)memory % (uintptr_t)sysconf(_SC_PAGESIZE))
        nidoi_panic("nido_allocator.map gave %p, where no page begins", memory);
    *out = memory;
    return 0;
}

static int own_unmap(void *memory, size_t size)
{
    own.unmap(memory, size, own.ctx);
    return 0;
}

int nido_set_allocator(const nido_allocator *allocator)
{
    nido_allocator room;
    const nido_allocator *read =
        nidoi_options_copy(allocator, &room, sizeof room, "nido_allocator");

    if (!read || !read->alloc || !read->release || !read->map != !read->unmap) return -EINVAL;
    if (own.alloc || __atomic_load_n(&nidoi_mem_taken, __ATOMIC_RELAXED)) return -EBUSY;
    own = *read;
    nidoi_mem.alloc = own_alloc;
    nidoi_mem.resize = own_resize;
    nidoi_mem.release = own_release;
    if (!own.map) return 0;
    nidoi_sys.map = own_map;
    nidoi_sys.unmap = own_unmap;
    return 0;
}
