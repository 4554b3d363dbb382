/* SPDX-License-Identifier: MIT */
/* The table that tells readers of a process's memory where things lie. */
#include "coro/run/layout.h"

#include <link.h>
#include <stdlib.h>
#include <string.h>

#include "coro/run/remotes.h"
#include "inside_help.h"

static const struct nidoi_layout_entry *entry(const char *name)
{
    for (uint32_t i = 0; i < nidoi_layout.entry_count && nidoi_layout.entries[i].name[0]; i++)
        if (!strcmp(nidoi_layout.entries[i].name, name)) return &nidoi_layout.entries[i];
    fprintf(stderr, "no entry %s\n", name);
    abort();
}

/* The pointer or number that lies there, read as a tool does. */
static uint64_t field(const void *object, const char *name)
{
    const struct nidoi_layout_entry *at = entry(name);
    const char *bytes = (const char *)object + at->offset;
    uint64_t wide;
    uint32_t word;
    uint16_t half;

    switch (at->size) {
    case 8:
        return memcpy(&wide, bytes, 8), wide;
    case 4:
        return memcpy(&word, bytes, 4), word;
    case 2:
        return memcpy(&half, bytes, 2), half;
    default:
        return *(const uint8_t *)bytes;
    }
}

static const void *pointer(const void *object, const char *name)
{
    return (const void *)(uintptr_t)field(object, name);
}

NIDO_TEST(layout, entries_have_distinct_names_and_end_before_the_table_does)
{
    uint32_t n = 0;

    for (; n < nidoi_layout.entry_count && nidoi_layout.entries[n].name[0]; n++) {
        cr_expect(lt(sz, strnlen(nidoi_layout.entries[n].name, 24), (size_t)24));
        cr_expect(
            eq(ptr, (void *)entry(nidoi_layout.entries[n].name), (void *)&nidoi_layout.entries[n]));
    }
    cr_expect(gt(u32, n, 50));
    cr_expect(lt(u32, n, nidoi_layout.entry_count), "one is left as the end");
}

INSIDE(layout, the_running_task_is_found_by_the_table_alone)
{
    const struct nidoi_link *ring = nidoi_layout.runtimes;
    const void *rt = (const char *)ring->next - entry("rt.link")->offset;
    const void *loop = pointer(rt, "rt.loop");
    const void *task = pointer(loop, "loop.sched.current");
    const char *chunk, *slot;
    nido_group group;

    nido_group_open(&group, NIDO_RACE, "found");
    cr_expect(eq(u64, field(task, "task.id"), nido_self().id));
    cr_expect(eq(u64, field(task, "task.state"), entry("state.running")->offset));
    cr_expect(eq(ptr, (void *)pointer(task, "task.scope"), &group));
    cr_expect(eq(ptr, (void *)pointer(&group, "scope.task"), (void *)task));
    cr_expect(eq(str, (char *)pointer(&group, "group.name"), "found"));
    cr_expect(ne(u64, field(&group, "scope.flags") & entry("scope.is_group")->offset, 0));
    cr_expect(eq(u64, field(&group, "group.policy"), NIDO_RACE));
    chunk = *(const char *const *)pointer(loop, "loop.slots.chunks");
    slot = chunk +
           entry("slot.bytes")->offset * ((nido_self().slot - 1) % entry("slots.chunk")->offset);
    cr_expect(eq(ptr, (void *)pointer(slot, "slot.task"), (void *)task));
    nido_group_close(&group, 0);
}

#if defined(__LP64__) && (defined(__x86_64__) || defined(__aarch64__))
static void stack_left(struct nidoi_transfer transfer)
{
    (void)transfer;
}

NIDO_TEST(layout, what_a_switch_leaves_on_the_stack_ends_where_the_table_says)
{
    static _Alignas(16) char stack[1024];
    char *top = stack + sizeof stack;

    cr_expect(
        eq(ptr, (char *)nidoi_fctx_make(top, sizeof stack, stack_left) + entry("saved.end")->offset,
           top));
}
#endif

#ifdef __ELF__
static int find_note(struct dl_phdr_info *info, size_t size, void *out)
{
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        const char *at = (const char *)(uintptr_t)(info->dlpi_addr + segment->p_vaddr);
        const char *end = at + segment->p_memsz;

        if (segment->p_type != PT_NOTE || segment->p_align != 4) continue;
        while (at + sizeof(ElfW(Nhdr)) < end) {
            const ElfW(Nhdr) *note = (const void *)at;
            const char *name = at + sizeof *note;
            const char *words = name + ((note->n_namesz + 3) & ~3u);
            int32_t far;

            if (note->n_namesz == 5 && !strcmp(name, "nido") && note->n_type == NIDOI_LAYOUT_NOTE) {
                memcpy(&far, words, sizeof far);
                *(const void **)out = words + far;
                return 1;
            }
            at = words + ((note->n_descsz + 3) & ~3u);
        }
    }
    return 0;
}

NIDO_TEST(layout, a_note_of_the_file_leads_to_the_table)
{
    const void *found = NULL;

    dl_iterate_phdr(find_note, &found);
    cr_expect(eq(ptr, (void *)found, (void *)&nidoi_layout));
    cr_expect(zero(int, memcmp(nidoi_layout.magic, NIDOI_LAYOUT_MAGIC, 8)));
}
#endif

/* ---- The version ---- */

static char *recorded(void)
{
    static char text[64 << 10];
    FILE *file = fopen(LAYOUT_VERSIONS, "r");

    cr_assert(ne(ptr, file, NULL));
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

/* The lines of the present version: up to the next version. */
static char *recorded_version(void)
{
    char head[32], *text, *end;

    snprintf(head, sizeof head, "\nversion %d\n", NIDOI_LAYOUT_VERSION);
    text = strstr(recorded(), head);
    cr_assert(ne(ptr, text, NULL), "abi/layout.txt has version %d", NIDOI_LAYOUT_VERSION);
    text += strlen(head);
    end = strstr(text, "\nversion ");
    if (end) end[1] = '\0';
    return text;
}

/* Sizes of fields and values of constants, but no sizes of structs, which say nothing of their fields. */
static uint32_t recorded_number(const struct nidoi_layout_entry *at)
{
    if (strstr(at->name, ".bytes")) return 0;
    return at->size ? at->size : at->offset;
}

/* On 64 bit, where the sizes are those of the record. */
#ifdef __LP64__
NIDO_TEST(layout, what_an_entry_means_changes_with_the_version_alone)
{
    char *lines = recorded_version(), *rest = NULL;
    uint32_t n = 0;

    for (char *line = strtok_r(lines, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char name[24];
        unsigned number;

        cr_assert(eq(int, sscanf(line, "%23s %u", name, &number), 2));
        cr_expect(eq(u32, recorded_number(entry(name)), number),
                  "%s has changed: raise NIDOI_LAYOUT_VERSION and add a version to abi/layout.txt",
                  name);
        n++;
    }
    for (uint32_t i = 0; nidoi_layout.entries[i].name[0]; i++)
        if (strncmp(nidoi_layout.entries[i].name, "saved.", 6)) n--;
    cr_expect(zero(u32, n), "abi/layout.txt has each entry of the table");
}
#endif
