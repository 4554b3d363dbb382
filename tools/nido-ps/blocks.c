/* SPDX-License-Identifier: MIT */
#include "blocks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct block {
    uint64_t address;
    unsigned char *bytes; /* NULL: cannot be read */
    bool used;
};

void blocks_init(struct blocks *blocks, blocks_read_fn *read, void *source)
{
    *blocks = (struct blocks){.read = read, .source = source};
}

void blocks_forget(struct blocks *blocks)
{
    for (size_t i = 0; blocks->table && i <= blocks->mask; i++) free(blocks->table[i].bytes);
    free(blocks->table);
    blocks->table = NULL;
    blocks->mask = blocks->used = 0;
}

static void *or_die(void *memory)
{
    if (memory) return memory;
    fputs("nido-ps: no memory\n", stderr);
    exit(1);
}

static struct block *block_find(const struct blocks *blocks, uint64_t address)
{
    size_t at = (size_t)(address / BLOCK * UINT64_C(0x9e3779b97f4a7c15) >> 20) & blocks->mask;

    while (blocks->table[at].used && blocks->table[at].address != address)
        at = (at + 1) & blocks->mask;
    return &blocks->table[at];
}

static void table_grow(struct blocks *blocks)
{
    struct blocks old = *blocks;

    blocks->mask = old.table ? old.mask * 2 + 1 : 1023;
    blocks->table = or_die(calloc(blocks->mask + 1, sizeof *blocks->table));
    for (size_t i = 0; old.table && i <= old.mask; i++)
        if (old.table[i].used) *block_find(blocks, old.table[i].address) = old.table[i];
    free(old.table);
}

static bool block_is_known(const struct blocks *blocks, uint64_t address)
{
    return blocks->table && block_find(blocks, address)->used;
}

static void block_keep(struct blocks *blocks, const struct piece *piece)
{
    struct block *block;

    if (!blocks->table || blocks->used * 2 > blocks->mask) table_grow(blocks);
    block = block_find(blocks, piece->address);
    if (block->used) { /* asked for twice in one batch */
        free(piece->to);
        return;
    }
    *block = (struct block){piece->address, piece->to, true};
    if (!piece->read) {
        free(block->bytes);
        block->bytes = NULL;
    }
    blocks->used++;
}

static void read_batch(struct blocks *blocks, struct piece *pieces, size_t n)
{
    if (n) blocks->read(blocks->source, pieces, n);
    for (size_t i = 0; i < n; i++) block_keep(blocks, &pieces[i]);
}

void blocks_fetch(struct blocks *blocks, const struct range *ranges, size_t n)
{
    struct piece pieces[FETCH_MOST];
    size_t used = 0;

    for (size_t i = 0; i < n; i++) {
        uint64_t first = ranges[i].address / BLOCK, end = ranges[i].address + ranges[i].size;

        if (!ranges[i].size || end < ranges[i].address) continue;
        for (uint64_t at = first; at <= (end - 1) / BLOCK; at++) {
            if (block_is_known(blocks, at * BLOCK)) continue;
            pieces[used++] = (struct piece){at * BLOCK, or_die(malloc(BLOCK)), false};
            if (used < FETCH_MOST) continue;
            read_batch(blocks, pieces, used);
            used = 0;
        }
    }
    read_batch(blocks, pieces, used);
}

bool blocks_get(struct blocks *blocks, uint64_t address, void *out, size_t size)
{
    unsigned char *to = out;

    if (address + size < address) return false;
    while (size) {
        uint64_t start = address / BLOCK * BLOCK;
        size_t from = (size_t)(address - start), n = BLOCK - from < size ? BLOCK - from : size;
        const struct block *block;

        if (!block_is_known(blocks, start)) blocks_fetch(blocks, &(struct range){address, 1}, 1);
        block = block_find(blocks, start);
        if (!block->bytes) return false;
        memcpy(to, block->bytes + from, n);
        to += n;
        address += n;
        size -= n;
    }
    return true;
}
