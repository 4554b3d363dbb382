/* SPDX-License-Identifier: MIT */
#include "layout.h"

#include <stdio.h>
#include <string.h>

#include "failure.h"

enum { MOST_ENTRIES = 1024 };

/* The same in all versions. */
struct head {
    char magic[8];
    uint32_t version, pointer_size, entry_size, entry_count;
    uint64_t entries_at;
    char library[16];
    uint64_t runtimes;
};

struct entry {
    char name[24];
    uint32_t offset, size;
};

#define LAYOUT_NAME(identifier, name, needed)   [identifier] = name,
#define LAYOUT_NEEDED(identifier, name, needed) [identifier] = needed,
static const char *const names[] = {LAYOUT_FIELDS(LAYOUT_NAME)};
static const bool is_needed[] = {LAYOUT_FIELDS(LAYOUT_NEEDED)};

static bool head_check(const struct head *head, const char *who)
{
    if (memcmp(head->magic, "nido-lay", 8))
        return fail("%s: the description of nido's structs is damaged", who);
    if (head->version != LAYOUT_VERSION)
        return fail(
            "%s has nido %.16s, which describes itself in version %u; this nido-ps knows version "
            "%d: use the nido-ps of nido %.16s",
            who, head->library, head->version, LAYOUT_VERSION, head->library);
    if (head->pointer_size != sizeof(uint64_t))
        return fail("%s is a program of %u bit; this nido-ps reads those of 64 bit", who,
                    8 * head->pointer_size);
    if (head->entry_size != sizeof(struct entry) || head->entry_count > MOST_ENTRIES)
        return fail("%s: the description of nido's structs is damaged", who);
    return true;
}

static void entry_take(struct layout *layout, const struct entry *entry)
{
    unsigned number;

    if (sscanf(entry->name, "saved.r%u", &number) == 1 && number < SAVED_REGISTERS)
        layout->saved[number] = (int32_t)entry->offset;
    for (int i = 0; i < FIELDS; i++) {
        if (strncmp(names[i], entry->name, sizeof entry->name)) continue;
        layout->has[i] = entry->size <= 8 || i == RT_LINK || i == TASK_BASE || i == SCOPE_BY_NAME;
        layout->at[i] = entry->offset;
        layout->size[i] = entry->size;
    }
}

bool layout_read(struct layout *layout, struct blocks *memory, uint64_t address, const char *who)
{
    struct head head;
    struct entry entry;

    *layout = (struct layout){0};
    for (int i = 0; i < SAVED_REGISTERS; i++) layout->saved[i] = -1;
    if (!blocks_get(memory, address, &head, sizeof head))
        return fail("%s: the description of nido's structs cannot be read", who);
    if (!head_check(&head, who)) return false;
    snprintf(layout->library, sizeof layout->library, "%.16s", head.library);
    layout->runtimes = head.runtimes;
    for (uint32_t i = 0; i < head.entry_count; i++) {
        uint64_t at = address + head.entries_at + i * sizeof entry;

        if (!blocks_get(memory, at, &entry, sizeof entry) || !entry.name[0]) break;
        entry_take(layout, &entry);
    }
    for (int i = 0; i < FIELDS; i++)
        if (is_needed[i] && !layout->has[i])
            return fail("%s: nido %s does not describe %s: its table is damaged", who,
                        layout->library, names[i]);
    return true;
}
