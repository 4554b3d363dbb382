/* SPDX-License-Identifier: MIT */
/* Memory from an allocator of the program's own. */
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "abort_help.h"
#include "coro/runtime/loop.h"
#include "inside_help.h"
#include "nido/memory.h"
#include "nido/offload.h"

struct counts {
    atomic_size_t blocks, bytes, maps, mapped; /* that are out */
    atomic_size_t all_blocks, all_maps;        /* ever */
    atomic_bool is_bad;                        /* a size that was not asked for */
    bool refuses, is_askew;
};

/* What was asked for stands in front of what is given. */
struct block {
    _Alignas(64) size_t size;
};

static void *count_alloc(size_t size, void *ctx)
{
    struct counts *counts = ctx;
    struct block *block =
        counts->refuses ? NULL : aligned_alloc(64, sizeof *block + (size + 63) / 64 * 64);

    if (!block) return NULL;
    block->size = size;
    counts->blocks++;
    counts->all_blocks++;
    counts->bytes += size;
    return block + 1;
}

static void count_release(void *memory, size_t size, void *ctx)
{
    struct counts *counts = ctx;
    struct block *block = (struct block *)memory - 1;

    if (block->size != size) counts->is_bad = true;
    counts->blocks--;
    counts->bytes -= size;
    free(block);
}

static void *count_map(size_t size, void *ctx)
{
    struct counts *counts = ctx;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) return NULL;
    counts->maps++;
    counts->all_maps++;
    counts->mapped += size;
    return counts->is_askew ? memory + 8 : memory;
}

static void count_unmap(void *memory, size_t size, void *ctx)
{
    struct counts *counts = ctx;

    if (munmap(memory, size)) counts->is_bad = true;
    counts->maps--;
    counts->mapped -= size;
}

static nido_allocator counting(struct counts *counts)
{
    nido_allocator allocator = {.size = sizeof allocator,
                                .alloc = count_alloc,
                                .release = count_release,
                                .map = count_map,
                                .unmap = count_unmap,
                                .ctx = counts};

    return allocator;
}

/* ---- */

enum { TASKS = 300 };

static ssize_t job(void *unused)
{
    (void)unused;
    return 7;
}

static int talk(void *chan)
{
    int item = 1;
    int rc = nido_chan_send(chan, &item);

    return rc ? rc : nido_sleep(NIDO_MS(1));
}

static int use_much(void *unused)
{
    nido_group group;
    nido_chan *chan;
    int item, rc;

    (void)unused;
    cr_expect(zero(int, nido_chan_new(sizeof item, 3, NULL, NULL, &chan)));
    nido_group_open(&group, NIDO_FAIL_FAST, "talkers");
    for (int i = 0; i < TASKS; i++) cr_expect(zero(int, nido_spawn(&group, talk, chan)));
    for (int i = 0; i < TASKS; i++) cr_expect(zero(int, nido_chan_recv(chan, &item)));
    cr_expect(eq(long, (long)nido_offload(job, NULL), 7));
    rc = nido_group_close(&group, 0);
    nido_chan_free(chan);
    return nido_fail(rc ? rc : -EIO, "a text that is kept as well");
}

NIDO_TEST(allocator, all_that_it_gave_comes_back_with_its_size)
{
    struct counts counts = {.blocks = 0};
    nido_allocator allocator = counting(&counts);

    cr_assert(zero(int, nido_set_allocator(&allocator)));
    for (int i = 0; i < 2; i++) {
        cr_expect(eq(int, nido_test_run(use_much, NULL), -EIO));
        cr_expect(zero(sz, counts.blocks), "%zu bytes", (size_t)counts.bytes);
        cr_expect(zero(sz, counts.maps), "%zu bytes", (size_t)counts.mapped);
        cr_expect(not(counts.is_bad));
    }
    cr_expect(gt(sz, counts.all_blocks, 4));
    cr_expect(gt(sz, counts.all_maps, 1));
}

NIDO_TEST(allocator, pages_may_be_left_to_mmap)
{
    struct counts counts = {.blocks = 0};
    nido_allocator allocator = counting(&counts);

    allocator.map = NULL;
    cr_expect(eq(int, nido_set_allocator(&allocator), -EINVAL));
    allocator.unmap = NULL;
    cr_assert(zero(int, nido_set_allocator(&allocator)));
    cr_expect(eq(int, nido_test_run(use_much, NULL), -EIO));
    cr_expect(gt(sz, counts.all_blocks, 4));
    cr_expect(zero(sz, counts.all_maps));
}

static int do_nothing(void *unused)
{
    (void)unused;
    return 0;
}

NIDO_TEST(allocator, it_comes_before_all_memory_and_once)
{
    struct counts counts = {.blocks = 0};
    nido_allocator allocator = counting(&counts);

    cr_expect(zero(int, nido_test_run(do_nothing, NULL)));
    cr_expect(eq(int, nido_set_allocator(&allocator), -EBUSY));
    cr_expect(zero(int, nido_test_run(do_nothing, NULL)));
    cr_expect(zero(sz, counts.all_blocks));
}

NIDO_TEST(allocator, a_second_one_is_refused)
{
    struct counts counts = {.blocks = 0}, others = {.blocks = 0};
    nido_allocator allocator = counting(&counts), other = counting(&others);

    cr_assert(zero(int, nido_set_allocator(&allocator)));
    cr_expect(eq(int, nido_set_allocator(&other), -EBUSY));
    cr_expect(zero(int, nido_test_run(do_nothing, NULL)));
    cr_expect(zero(sz, others.all_blocks));
}

NIDO_TEST(allocator, what_makes_no_sense_is_refused)
{
    struct counts counts = {.blocks = 0};
    nido_allocator allocator = counting(&counts);

    cr_expect(eq(int, nido_set_allocator(NULL), -EINVAL));
    allocator.release = NULL;
    cr_expect(eq(int, nido_set_allocator(&allocator), -EINVAL));
    allocator = counting(&counts);
    allocator.alloc = NULL;
    cr_expect(eq(int, nido_set_allocator(&allocator), -EINVAL));
    allocator = counting(&counts);
    allocator.size = 3;
    cr_expect(eq(int, nido_set_allocator(&allocator), -EINVAL));
}

NIDO_TEST(allocator, one_that_has_nothing_left_ends_no_program)
{
    struct counts counts = {.refuses = true};
    nido_allocator allocator = counting(&counts);

    cr_assert(zero(int, nido_set_allocator(&allocator)));
    cr_expect(eq(int, nido_test_run(do_nothing, NULL), -ENOMEM));
    cr_expect(zero(sz, counts.maps));
}

static struct counts askew = {.is_askew = true};

NIDO_TEST(allocator, pages_that_begin_elsewhere_end_the_program)
{
    nido_allocator allocator = counting(&askew);

    cr_assert(zero(int, nido_set_allocator(&allocator)));
    EXPECT_LAST_WORDS(do_nothing, "nido_allocator.map gave", "where no page begins");
}
