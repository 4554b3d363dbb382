/* SPDX-License-Identifier: MIT */
#include "coro/stack/stack.h"

#include <errno.h>
#include <string.h>

#include "base/assert.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/sys.h"
#include "coro/stack/context.h"
#include "nido/time.h"

#ifdef NIDOI_ASAN
#include <sanitizer/asan_interface.h>
#endif
#ifdef NIDOI_VALGRIND
#include <valgrind/valgrind.h>
#endif

enum {
    SLAB_BYTES = 16 << 20,
    SMALLEST_CLASS = 2 * NIDOI_STACK_GUARD,
    SLAB_MOST = 64, /* stacks */
    KEEP_WARM = 64, /* of each size, whatever happens */
    TRIM_BATCH = 64
};
#define TRIM_AFTER NIDO_SEC(1)

struct nidoi_slab {
    struct nidoi_link link;
    char *memory;
    uint32_t count;
    uint32_t cold_count;
    uint8_t cold[SLAB_MOST]; /* indices of stacks without pages */
};

void nidoi_stacks_init(struct nidoi_stacks *stacks)
{
    *stacks = (struct nidoi_stacks){.trim_at = NIDO_NEVER};
    for (size_t i = 0; i < NIDOI_STACK_CLASSES; i++) {
        stacks->classes[i].size = (size_t)SMALLEST_CLASS << i;
        nidoi_list_init(&stacks->classes[i].warm);
        nidoi_list_init(&stacks->classes[i].slabs);
    }
}

size_t nidoi_stacks_round(size_t size)
{
    size_t rounded = SMALLEST_CLASS;

    if (size > NIDOI_STACK_MOST) return 0;
    while (rounded - NIDOI_STACK_GUARD < size) rounded *= 2;
    return rounded;
}

struct nidoi_stack_class *nidoi_stacks_class(struct nidoi_stacks *stacks, size_t size)
{
    size_t rounded = nidoi_stacks_round(size), i = 0;

    if (!rounded) return NULL;
    while (stacks->classes[i].size < rounded) i++;
    return &stacks->classes[i];
}

static void slab_free(struct nidoi_stack_class *class, struct nidoi_slab *slab)
{
    nidoi_list_remove(&slab->link);
    nidoi_sys.unmap(slab->memory, slab->count * class->size);
    nidoi_mem.release(slab);
}

static void class_forget_warm(struct nidoi_stack *stack)
{
    (void)stack;
#ifdef NIDOI_VALGRIND
    VALGRIND_STACK_DEREGISTER(stack->valgrind_id);
#endif
}

void nidoi_stacks_deinit(struct nidoi_stacks *stacks)
{
    nidoi_assert(stacks->in_use == 0);
    for (size_t i = 0; i < NIDOI_STACK_CLASSES; i++) {
        struct nidoi_stack_class *class = &stacks->classes[i];
        struct nidoi_link *link;

        while ((link = nidoi_list_pop(&class->warm)))
            class_forget_warm(nidoi_container(link, struct nidoi_stack, link));
        while (!nidoi_list_empty(&class->slabs))
            slab_free(class, nidoi_container(class->slabs.next, struct nidoi_slab, link));
    }
}

/* -EAGAIN: the kernel has no mapping left for one more. */
static int guard_protect(const struct iovec *pages, int n)
{
    int err = 0;

    for (int i = 0; i < n && !err; i++)
        err = nidoi_sys.protect_none(pages[i].iov_base, pages[i].iov_len);
    return err == -ENOMEM ? -EAGAIN : err;
}

static int guard_stack(struct nidoi_stacks *stacks, const struct iovec *pages, int n)
{
    int err;

    if (!stacks->no_guard_advice) {
        err = nidoi_sys.guard(pages, n);
        if (err != -EINVAL) return err;
        stacks->no_guard_advice = true;
    }
    return guard_protect(pages, n);
}

static int slab_guards(struct nidoi_stacks *stacks, struct nidoi_slab *slab, size_t size)
{
    struct iovec pages[SLAB_MOST];

    for (uint32_t i = 0; i < slab->count; i++) {
        pages[i] = (struct iovec){slab->memory + i * size, NIDOI_STACK_GUARD};
        slab->cold[slab->cold_count++] = (uint8_t)(slab->count - 1 - i);
    }
    return guard_stack(stacks, pages, (int)slab->count);
}

static int slab_new(struct nidoi_stacks *stacks, struct nidoi_stack_class *class)
{
    struct nidoi_slab *slab = nidoi_mem_zeroed(sizeof *slab);
    void *memory;
    int err;

    if (!slab) return -ENOMEM;
    slab->count = (uint32_t)(class->size < SLAB_BYTES ? SLAB_BYTES / class->size : 1);
    if (slab->count > SLAB_MOST) slab->count = SLAB_MOST;
    err = nidoi_sys.map(slab->count * class->size, &memory);
    if (err) goto fail_slab;
    slab->memory = memory;
    err = slab_guards(stacks, slab, class->size);
    if (err) goto fail_map;
    nidoi_list_push(&class->slabs, &slab->link);
    stacks->mapped += slab->count * class->size;
    return 0;

fail_map:
    nidoi_sys.unmap(slab->memory, slab->count * class->size);
fail_slab:
    nidoi_mem.release(slab);
    return err;
}

static struct nidoi_stack *stack_record(char *memory, size_t size, size_t guard_size)
{
    struct nidoi_stack *stack = (void *)(memory + size - sizeof *stack);

    *stack = (struct nidoi_stack){.bottom = memory + guard_size};
#ifdef NIDOI_VALGRIND
    stack->valgrind_id = VALGRIND_STACK_REGISTER(stack->bottom, memory + size);
#endif
    return stack;
}

/* Slabs without a cold stack go to the end, so the first one tells whether there is any. */
int nidoi_stacks_take_cold(struct nidoi_stacks *stacks, struct nidoi_stack_class *class,
                           struct nidoi_stack **out)
{
    struct nidoi_slab *slab = nidoi_container(class->slabs.next, struct nidoi_slab, link);
    uint32_t index;

    if (nidoi_list_empty(&class->slabs) || !slab->cold_count) {
        int err = slab_new(stacks, class);

        if (err) return err;
        slab = nidoi_container(class->slabs.next, struct nidoi_slab, link);
    }
    stacks->in_use++;
    index = slab->cold[--slab->cold_count];
    *out = stack_record(slab->memory + index * class->size, class->size, NIDOI_STACK_GUARD);
    (*out)->class = class;
    (*out)->slab = slab;
    (*out)->index = index;
    if (!slab->cold_count) {
        nidoi_list_remove(&slab->link);
        nidoi_list_append(&class->slabs, &slab->link);
    }
    return 0;
}

/* What lies lowest in the user's memory, unless something has been written there. */
static const unsigned char canary[16] = {0xc5, 0x3a, 0x96, 0x0f, 0xe1, 0x78, 0xb4, 0x2d,
                                         0x69, 0xd2, 0x1e, 0x87, 0x5b, 0xf0, 0xac, 0x43};

struct nidoi_stack *nidoi_stacks_adopt(void *memory, size_t size)
{
    uintptr_t top = ((uintptr_t)memory + size) & ~(uintptr_t)63;

    if (size < NIDOI_STACK_LEAST || !memory) return NULL;
    memcpy(memory, canary, sizeof canary);
    return stack_record(memory, (size_t)(top - (uintptr_t)memory), 0);
}

static bool is_cold(const struct nidoi_slab *slab, uint32_t index)
{
    for (uint32_t i = 0; i < slab->cold_count; i++)
        if (slab->cold[i] == index) return true;
    return false;
}

bool nidoi_stack_is_whole(const struct nidoi_stack *stack)
{
    const struct nidoi_slab *slab = stack->slab;
    const struct nidoi_stack *below;

    if (!stack->class) return memcmp(stack->bottom, canary, sizeof canary) == 0;
    if (!stack->index || is_cold(slab, stack->index - 1)) return true;
    below = (const void *)(stack->bottom - NIDOI_STACK_GUARD - sizeof *below);
    return below->slab == slab && below->class == stack->class &&
           below->index == stack->index - 1 && below->bottom == stack->bottom - stack->class->size;
}

static void stack_unpoison(struct nidoi_stack *stack)
{
    (void)stack;
#ifdef NIDOI_ASAN
    __asan_unpoison_memory_region(stack->bottom, (size_t)((char *)stack - stack->bottom));
#endif
}

void nidoi_stacks_put(struct nidoi_stacks *stacks, struct nidoi_stack *stack, int64_t now)
{
    struct nidoi_stack_class *class = stack->class;

    stack_unpoison(stack);
    if (!class) {
        class_forget_warm(stack);
        return;
    }
    nidoi_list_push(&class->warm, &stack->link);
    stacks->in_use--;
    if (++class->warm_count <= KEEP_WARM || stacks->trim_at != NIDO_NEVER) return;
    class->spare = class->warm_count;
    stacks->trim_at = now + TRIM_AFTER;
}

static void class_cool(struct nidoi_stack_class *class)
{
    struct nidoi_link *link = class->warm.prev;
    struct nidoi_stack *stack = nidoi_container(link, struct nidoi_stack, link);
    struct nidoi_slab *slab = stack->slab;
    uint32_t index = stack->index;

    nidoi_list_remove(link);
    class->warm_count--;
    class->spare--;
    class_forget_warm(stack);
    nidoi_sys.release_pages(stack->bottom, class->size - NIDOI_STACK_GUARD);
    slab->cold[slab->cold_count++] = (uint8_t)index;
    if (slab->cold_count == slab->count) {
        slab_free(class, slab);
        return;
    }
    nidoi_list_remove(&slab->link);
    nidoi_list_push(&class->slabs, &slab->link);
}

/* When the time is up, the stacks that were not taken meanwhile are freed, in batches; then the next peak may
 * come. */
bool nidoi_stacks_trim(struct nidoi_stacks *stacks, int64_t now)
{
    int left = TRIM_BATCH;

    if (now < stacks->trim_at) return false;
    for (size_t i = 0; i < NIDOI_STACK_CLASSES; i++) {
        struct nidoi_stack_class *class = &stacks->classes[i];

        while (class->spare > KEEP_WARM && left > 0) {
            class_cool(class);
            left--;
        }
        if (class->spare > KEEP_WARM) return true;
    }
    stacks->trim_at = NIDO_NEVER;
    for (size_t i = 0; i < NIDOI_STACK_CLASSES; i++) {
        struct nidoi_stack_class *class = &stacks->classes[i];

        class->spare = class->warm_count;
        if (class->spare > KEEP_WARM) stacks->trim_at = now + TRIM_AFTER;
    }
    return false;
}
