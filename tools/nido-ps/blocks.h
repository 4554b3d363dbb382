/* SPDX-License-Identifier: MIT */
/* blocks.h: the memory of the target, read once and kept: what is looked at twice is the same twice.
 *
 * 1. A block is read when it is first needed, or ahead with many others (blocks_fetch).
 * 2. What cannot be read is remembered as such. */
#ifndef BLOCKS_H
#define BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BLOCK = 1024, FETCH_MOST = 512 };

struct piece {
    uint64_t address;
    unsigned char *to; /* BLOCK bytes */
    bool read;         /* out */
};

/* Reads n blocks, n <= FETCH_MOST, and sets `read` of those that could be. */
typedef void blocks_read_fn(void *source, struct piece *pieces, size_t n);

struct blocks {
    blocks_read_fn *read;
    void *source;
    struct block *table; /* open addressing by address */
    size_t mask, used;
};

void blocks_init(struct blocks *blocks, blocks_read_fn *read, void *source);

/* Drops all that was read. */
void blocks_forget(struct blocks *blocks);

/* Reads what of [address, address + size) is not known yet, for many ranges at once. */
struct range {
    uint64_t address, size;
};
void blocks_fetch(struct blocks *blocks, const struct range *ranges, size_t n);

/* False: not all of it can be read. */
bool blocks_get(struct blocks *blocks, uint64_t address, void *out, size_t size);

#endif
