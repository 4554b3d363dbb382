/* SPDX-License-Identifier: MIT */
/* coro/run/layout.h: where a tool that reads the memory of this process, or its core file, finds what runs.
 *
 * A reader needs no header of the library's: each field that it may read is named in a table, with where it
 * lies and how many bytes it has. A note of the ELF file (owner "nido", type 1; its 4 bytes are how far from
 * themselves the table lies) leads to the table, in stripped and static programs too.
 *
 * 1. The version is raised when an entry disappears, or means something else. New entries and other offsets
 *    need no new version. abi/layout.txt has the entries of each version.
 * 2. The head of the table (struct nidoi_layout up to `entries`) is the same in all versions. */
#ifndef NIDOI_LAYOUT_H
#define NIDOI_LAYOUT_H

#include <stdint.h>

enum { NIDOI_LAYOUT_VERSION = 1, NIDOI_LAYOUT_NOTE = 1, NIDOI_LAYOUT_MOST = 96 };
#define NIDOI_LAYOUT_MAGIC "nido-lay"

struct nidoi_layout_entry {
    char name[24];   /* "task.scope": the field `scope` of a task */
    uint32_t offset; /* in its struct; or the value of a constant */
    uint32_t size;   /* bytes; 0: a constant */
};

struct nidoi_layout {
    char magic[8]; /* no NUL at the end */
    uint32_t version;
    uint32_t pointer_size;
    uint32_t entry_size;
    uint32_t entry_count;
    uint64_t entries_at;  /* from the start of this struct */
    char library[16];     /* version of nido: "0.4.0" */
    const void *runtimes; /* struct nidoi_link: ring of what "rt.link" lies in */
    struct nidoi_layout_entry entries[NIDOI_LAYOUT_MOST];
};

extern const struct nidoi_layout nidoi_layout;

#endif
