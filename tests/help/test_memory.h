/* SPDX-License-Identifier: MIT */
/* test_memory.h: how much of the library's memory is in use. */
#ifndef TEST_MEMORY_H
#define TEST_MEMORY_H

/* Allocations that have not been given back; 0 with a memory checker, which counts itself. */
long nido_test_memory_blocks(void);

#endif
