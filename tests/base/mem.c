/* SPDX-License-Identifier: MIT */
/* base/mem.h: the table of allocations. */
#include "base/mem.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "faults.h"
#include "nido_test.h"

NIDO_TEST(mem, zeroed_memory_is_zero)
{
    char *dirty = nidoi_mem.alloc(4000);
    char *memory;

    memset(dirty, 1, 4000);
    nidoi_mem.release(dirty);
    memory = nidoi_mem_zeroed(4000);
    for (int i = 0; i < 4000; i++) cr_expect(eq(chr, memory[i], 0));
    nidoi_mem.release(memory);
}

NIDO_TEST(mem, without_memory_zeroed_is_null)
{
    faults_begin();
    faults_fail(FAULT_memory, 1, 0);
    cr_expect(eq(ptr, nidoi_mem_zeroed(16), NULL));
    faults_end();
}

NIDO_TEST(mem, an_array_grows_by_doubling)
{
    void *array = NULL;
    size_t capacity = 0;

    cr_expect(eq(int, nidoi_mem_grow(&array, &capacity, 1, sizeof(int)), 0));
    cr_expect(eq(sz, capacity, 16));
    cr_expect(eq(int, nidoi_mem_grow(&array, &capacity, 17, sizeof(int)), 0));
    cr_expect(eq(sz, capacity, 32));
    cr_expect(eq(int, nidoi_mem_grow(&array, &capacity, 1000, sizeof(int)), 0));
    cr_expect(eq(sz, capacity, 1024));
    nidoi_mem.release(array);
}

NIDO_TEST(mem, growing_keeps_the_old_and_zeroes_the_new)
{
    void *array = NULL;
    size_t capacity = 0;
    int *numbers;

    cr_assert(eq(int, nidoi_mem_grow(&array, &capacity, 16, sizeof(int)), 0));
    numbers = array;
    for (int i = 0; i < 16; i++) numbers[i] = i + 1;
    cr_assert(eq(int, nidoi_mem_grow(&array, &capacity, 64, sizeof(int)), 0));
    numbers = array;
    for (int i = 0; i < 64; i++) cr_expect(eq(int, numbers[i], i < 16 ? i + 1 : 0));
    nidoi_mem.release(array);
}

NIDO_TEST(mem, an_array_that_is_large_enough_is_left_alone)
{
    void *array = NULL;
    size_t capacity = 0;

    faults_begin();
    cr_assert(eq(int, nidoi_mem_grow(&array, &capacity, 16, 8), 0));
    cr_expect(eq(int, nidoi_mem_grow(&array, &capacity, 16, 8), 0));
    cr_expect(eq(int, nidoi_mem_grow(&array, &capacity, 0, 8), 0));
    cr_expect(eq(ulong, faults_count(FAULT_memory), 1));
    faults_end();
    nidoi_mem.release(array);
}

NIDO_TEST(mem, an_array_that_cannot_grow_stays_as_it_was)
{
    void *array = NULL, *before;
    size_t capacity = 0;

    cr_assert(eq(int, nidoi_mem_grow(&array, &capacity, 16, 8), 0));
    before = array;
    faults_begin();
    faults_fail(FAULT_memory, 1, 0);
    cr_expect(eq(int, nidoi_mem_grow(&array, &capacity, 17, 8), -ENOMEM));
    faults_end();
    cr_expect(eq(ptr, array, before));
    cr_expect(eq(sz, capacity, 16));
    nidoi_mem.release(array);
}

NIDO_TEST(mem, a_size_that_overflows_is_refused_without_asking)
{
    void *array = NULL;
    size_t capacity = 0;

    faults_begin();
    cr_expect(eq(int, nidoi_mem_grow(&array, &capacity, SIZE_MAX, 1), -ENOMEM));
    cr_expect(eq(int, nidoi_mem_grow(&array, &capacity, SIZE_MAX / 8 + 2, 8), -ENOMEM));
    cr_expect(eq(int, nidoi_mem_grow(&array, &capacity, 2, SIZE_MAX / 2), -ENOMEM));
    cr_expect(eq(ulong, faults_count(FAULT_memory), 0));
    faults_end();
    cr_expect(eq(sz, capacity, 0));
}
