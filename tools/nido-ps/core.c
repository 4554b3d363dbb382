/* SPDX-License-Identifier: MIT */
#include "core.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <string.h>
#include <sys/procfs.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failure.h"

/* ---- Notes: threads and files ---- */

static void note_thread(struct core *core, const char *words, size_t size)
{
    struct elf_prstatus status;
    struct thread *thread;

    if (size < sizeof status) return;
    memcpy(&status, words, sizeof status);
    if (!core->pid) core->pid = status.pr_pid;
    thread = threads_add(&core->threads, status.pr_pid);
    if (thread) thread_set(thread, &status.pr_reg, sizeof status.pr_reg);
}

/* NT_FILE: how many, the page's size, {from, to, page} of each, then the paths. The program is the file
 * that holds `inside`; its mappings follow each other, that of its first page first. */
static void note_files(struct core *core, const char *words, size_t size, uint64_t inside)
{
    uint64_t head[2], map[3];
    const char *path, *end = words + size;
    uint64_t start = 0;

    if (size < sizeof head) return;
    memcpy(head, words, sizeof head);
    if (head[0] > (size - sizeof head) / sizeof map) return;
    path = words + sizeof head + head[0] * sizeof map;
    for (uint64_t i = 0; i < head[0] && path < end; i++) {
        size_t length = strnlen(path, (size_t)(end - path));

        memcpy(map, words + sizeof head + i * sizeof map, sizeof map);
        if (!map[2]) start = map[0];
        if (inside >= map[0] && inside < map[1] && length < sizeof core->program) {
            memcpy(core->program, path, length);
            core->program[length] = '\0';
            core->start = start;
        }
        path += length + 1;
    }
}

static uint64_t note_entry(const char *words, size_t size)
{
    uint64_t pair[2];

    for (; size >= sizeof pair; words += sizeof pair, size -= sizeof pair) {
        memcpy(pair, words, sizeof pair);
        if (pair[0] == AT_ENTRY) return pair[1];
    }
    return 0;
}

struct notes {
    const char *files;
    size_t files_size;
    uint64_t entry;
};

static void read_note(struct core *core, struct notes *notes, const GElf_Nhdr *note,
                      const char *words)
{
    if (note->n_type == NT_PRSTATUS) note_thread(core, words, note->n_descsz);
    if (note->n_type == NT_AUXV) notes->entry = note_entry(words, note->n_descsz);
    if (note->n_type == NT_FILE) {
        notes->files = words;
        notes->files_size = note->n_descsz;
    }
}

static void read_notes(struct core *core, const GElf_Phdr *segment)
{
    Elf_Data *data =
        elf_getdata_rawchunk(core->elf, (int64_t)segment->p_offset, segment->p_filesz, ELF_T_NHDR);
    struct notes notes = {0};
    size_t at = 0, name, words;
    GElf_Nhdr note;

    while (data && (at = gelf_getnote(data, at, &note, &name, &words)) > 0)
        read_note(core, &notes, &note, (const char *)data->d_buf + words);
    if (notes.files) note_files(core, notes.files, notes.files_size, notes.entry);
}

/* ---- Opening ---- */

/* Has the file what its table says? A core that the kernel could not finish ends earlier. */
static void core_measure(struct core *core, const char *path, const GElf_Ehdr *head)
{
    uint64_t end = head->e_phoff + core->segments * head->e_phentsize;
    GElf_Phdr segment;
    struct stat file;

    for (size_t i = 0; i < core->segments; i++)
        if (gelf_getphdr(core->elf, (int)i, &segment) && segment.p_filesz &&
            segment.p_offset + segment.p_filesz > end)
            end = segment.p_offset + segment.p_filesz;
    if (fstat(core->fd, &file) || (uint64_t)file.st_size >= end) return;
    core->is_cut = true;
    warn("the core file %s is cut short: it has %llu of %llu bytes (was the disk full, or ulimit "
         "-c too small?)",
         path, (unsigned long long)file.st_size, (unsigned long long)end);
}

static bool core_look(struct core *core, const char *path)
{
    GElf_Ehdr head;
    GElf_Phdr segment;

    if (elf_kind(core->elf) != ELF_K_ELF || !gelf_getehdr(core->elf, &head))
        return fail("%s is no core file", path);
    if (head.e_type != ET_CORE)
        return fail("%s is a program, no core file: nido-ps --core CORE %s", path, path);
    if (elf_getphdrnum(core->elf, &core->segments) || !core->segments)
        return fail("the core file %s is cut short: it has no table of segments", path);
    core_measure(core, path, &head);
    for (size_t i = 0; i < core->segments; i++)
        if (gelf_getphdr(core->elf, (int)i, &segment) && segment.p_type == PT_NOTE)
            read_notes(core, &segment);
    return true;
}

bool core_open(struct core *core, const char *path)
{
    *core = (struct core){.fd = open(path, O_RDONLY | O_CLOEXEC)};
    if (core->fd < 0) return fail("%s cannot be opened: %s", path, strerror(errno));
    elf_version(EV_CURRENT);
    core->elf = elf_begin(core->fd, ELF_C_READ_MMAP, NULL);
    if (core->elf && core_look(core, path)) return true;
    fail("%s is no core file", path);
    core_close(core);
    return false;
}

void core_close(struct core *core)
{
    threads_free(&core->threads);
    elf_end(core->elf);
    if (core->fd >= 0) close(core->fd);
    core->elf = NULL;
    core->fd = -1;
}

/* ---- Memory ---- */

/* The part of a block that lies in this segment. A block is whole or not there: segments are of pages. */
static bool segment_read(const struct core *core, const GElf_Phdr *segment, struct piece *piece)
{
    uint64_t from = piece->address - segment->p_vaddr;

    if (segment->p_type != PT_LOAD || piece->address < segment->p_vaddr) return false;
    if (from >= segment->p_filesz || segment->p_filesz - from < BLOCK) return false;
    return pread(core->fd, piece->to, BLOCK, (off_t)(segment->p_offset + from)) == BLOCK;
}

void core_read(void *source, struct piece *pieces, size_t n)
{
    const struct core *core = source;

    for (size_t s = 0; s < core->segments; s++) {
        GElf_Phdr segment;

        if (!gelf_getphdr(core->elf, (int)s, &segment)) continue;
        for (size_t i = 0; i < n; i++)
            if (!pieces[i].read) pieces[i].read = segment_read(core, &segment, &pieces[i]);
    }
}
