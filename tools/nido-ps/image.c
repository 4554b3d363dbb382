/* SPDX-License-Identifier: MIT */
#include "image.h"

#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "failure.h"

/* ---- Which files ---- */

static char *debug_path; /* NULL: the usual places */

static const Dwfl_Callbacks of_process = {.find_elf = dwfl_linux_proc_find_elf,
                                          .find_debuginfo = dwfl_standard_find_debuginfo,
                                          .debuginfo_path = &debug_path};
static const Dwfl_Callbacks of_core = {.find_elf = dwfl_build_id_find_elf,
                                       .find_debuginfo = dwfl_standard_find_debuginfo,
                                       .debuginfo_path = &debug_path};

Dwfl *image_of_process(pid_t pid)
{
    Dwfl *dwfl = dwfl_begin(&of_process);
    int err = dwfl ? dwfl_linux_proc_report(dwfl, pid) : -1;

    if (!err && !dwfl_report_end(dwfl, NULL, NULL)) return dwfl;
    fail("the files of process %d cannot be read: %s", (int)pid,
         err > 0 ? strerror(err) : dwfl_errmsg(-1));
    if (dwfl) dwfl_end(dwfl);
    return NULL;
}

Dwfl *image_of_core(const struct core *core, const char *program)
{
    Dwfl *dwfl = dwfl_begin(&of_core);

    if (program && access(program, R_OK)) {
        fail("the program %s cannot be read", program);
    } else if (dwfl && dwfl_core_file_report(dwfl, core->elf, program) > 0 &&
               !dwfl_report_end(dwfl, NULL, NULL)) {
        return dwfl;
    }
    fail(core->is_cut ? "too little of the core file is there"
                      : "no program is found in the core file");
    if (dwfl) dwfl_end(dwfl);
    return NULL;
}

/* ---- Memory that is in files ---- */

static Elf *module_elf(Dwfl *dwfl, uint64_t address, GElf_Addr *bias)
{
    Dwfl_Module *module = dwfl_addrmodule(dwfl, address);

    return module ? dwfl_module_getelf(module, bias) : NULL;
}

/* The bytes that a segment does not fill are zero there, or those of its neighbour: read apart. */
bool image_read(Dwfl *dwfl, struct piece *piece)
{
    GElf_Addr bias = 0;
    Elf *elf = module_elf(dwfl, piece->address, &bias);
    size_t count;

    if (!elf || elf_getphdrnum(elf, &count)) return false;
    for (size_t i = 0; i < count; i++) {
        GElf_Phdr segment;
        uint64_t at = piece->address - bias, n;
        Elf_Data *data;

        if (!gelf_getphdr(elf, (int)i, &segment) || segment.p_type != PT_LOAD) continue;
        if (segment.p_flags & PF_W || at < (segment.p_vaddr & ~(uint64_t)4095)) continue;
        if (at >= segment.p_vaddr + segment.p_filesz) continue;
        n = segment.p_vaddr + segment.p_filesz - at;
        data = elf_getdata_rawchunk(elf, (int64_t)(segment.p_offset + at - segment.p_vaddr),
                                    n < BLOCK ? (size_t)n : BLOCK, ELF_T_BYTE);
        if (!data || !data->d_buf) continue;
        memset(piece->to, 0, BLOCK);
        memcpy(piece->to, data->d_buf, data->d_size);
        return true;
    }
    return false;
}

/* ---- Words for an address ---- */

static const char *last_part(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;

    return slash ? slash + 1 : path ? path : "?";
}

static const char *module_file(Dwfl_Module *module, Dwarf_Addr *start)
{
    const char *file = NULL, *name;

    name = dwfl_module_info(module, NULL, start, NULL, NULL, NULL, &file, NULL);
    return last_part(file ? file : name);
}

static void place_find(Dwfl *dwfl, uint64_t address, char *out, size_t size)
{
    Dwfl_Module *module = dwfl_addrmodule(dwfl, address);
    const char *file, *symbol;
    Dwarf_Addr start = 0;
    GElf_Off offset = 0;
    GElf_Sym unused;

    if (!module) {
        snprintf(out, size, address ? "0x%llx" : "?", (unsigned long long)address);
        return;
    }
    file = module_file(module, &start);
    symbol = dwfl_module_addrinfo(module, address, &offset, &unused, NULL, NULL, NULL);
    if (symbol)
        snprintf(out, size, "%s(%s+0x%llx)", file, symbol, (unsigned long long)offset);
    else
        snprintf(out, size, "%s(+0x%llx)", file, (unsigned long long)(address - start));
}

static void symbol_of_module(Dwfl_Module *module, uint64_t at, struct image_symbol *out)
{
    GElf_Addr bias = 0;
    GElf_Off offset = 0;
    GElf_Sym unused;
    const char *file = NULL, *name, *function;

    name = dwfl_module_info(module, NULL, NULL, NULL, NULL, NULL, &file, NULL);
    function = dwfl_module_addrinfo(module, at, &offset, &unused, NULL, NULL, NULL);
    dwfl_module_getelf(module, &bias);
    snprintf(out->function, sizeof out->function, "%s", function ? function : "");
    snprintf(out->object, sizeof out->object, "%s", file ? file : name ? name : "");
    out->offset = offset;
    out->object_offset = at - bias;
}

static void symbol_find(Dwfl *dwfl, uint64_t at, struct image_symbol *out)
{
    Dwfl_Module *module = dwfl_addrmodule(dwfl, at);
    Dwfl_Line *line = module ? dwfl_module_getsrc(module, at) : NULL;
    const char *file = line ? dwfl_lineinfo(line, NULL, &out->line, NULL, NULL, NULL) : NULL;

    if (module) symbol_of_module(module, at, out);
    if (file) snprintf(out->file, sizeof out->file, "%s", last_part(file));
}

/* ---- Once for each address: many tasks stand at the same ones, and a search is slow ---- */

enum { WORDS = 1024 };

static size_t place_of(uint64_t address)
{
    return (address * UINT64_C(0x9e3779b97f4a7c15)) >> 54;
}

void image_place(Dwfl *dwfl, uint64_t address, char *out, size_t size)
{
    static struct {
        uint64_t address;
        char text[160];
    } known[WORDS], *place;

    place = &known[place_of(address)];
    if (place->address != address || !address)
        place_find(dwfl, address, place->text, sizeof place->text);
    place->address = address;
    snprintf(out, size, "%s", place->text);
}

const struct image_symbol *image_symbol(Dwfl *dwfl, uint64_t address, bool after)
{
    static struct {
        uint64_t at;
        struct image_symbol symbol;
    } known[WORDS], *entry;
    uint64_t at = after ? address - 1 : address;

    entry = &known[place_of(at)];
    if (entry->at == at && at) return &entry->symbol;
    entry->at = at;
    entry->symbol = (struct image_symbol){0};
    symbol_find(dwfl, at, &entry->symbol);
    return &entry->symbol;
}

/* ---- Notes in a program: one leads to the table ---- */

enum { LAYOUT_NOTE = 1, MOST_SEGMENTS = 64, MOST_NOTES = 4096 };

struct note {
    const char *owner;
    uint32_t owner_size, type;
    uint32_t size; /* out: bytes of its words */
};

/* Where the words of the note are; 0: it is not among these. */
static uint64_t note_find(struct note *note, const unsigned char *notes, uint64_t size,
                          uint64_t address)
{
    uint64_t at = 0;

    while (at + 12 <= size) {
        uint32_t head[3];
        uint64_t words, next;

        memcpy(head, notes + at, sizeof head);
        words = at + 12 + (((uint64_t)head[0] + 3) & ~(uint64_t)3);
        next = words + (((uint64_t)head[1] + 3) & ~(uint64_t)3);
        if (next > size || next <= at) return 0;
        if (head[0] == note->owner_size && head[2] == note->type &&
            !memcmp(notes + at + 12, note->owner, note->owner_size)) {
            note->size = head[1];
            return address + words;
        }
        at = next;
    }
    return 0;
}

static uint64_t segment_note(struct note *note, struct blocks *memory, uint64_t bias, uint64_t at,
                             uint64_t size)
{
    unsigned char notes[MOST_NOTES];

    if (size > sizeof notes || !blocks_get(memory, bias + at, notes, size)) return 0;
    return note_find(note, notes, size, bias + at);
}

/* Its program headers as they lie in memory, so that no file is needed. */
static uint64_t find_64(struct note *note, struct blocks *memory, uint64_t start)
{
    Elf64_Ehdr head;
    Elf64_Phdr segments[MOST_SEGMENTS];
    uint64_t found = 0, bias = start;

    if (!blocks_get(memory, start, &head, sizeof head)) return 0;
    if (head.e_phnum > MOST_SEGMENTS || head.e_phentsize != sizeof *segments) return 0;
    if (!blocks_get(memory, start + head.e_phoff, segments, head.e_phnum * sizeof *segments))
        return 0;
    for (unsigned i = 0; i < head.e_phnum; i++)
        if (segments[i].p_type == PT_LOAD && !segments[i].p_offset)
            bias = start - segments[i].p_vaddr;
    for (unsigned i = 0; i < head.e_phnum && !found; i++)
        if (segments[i].p_type == PT_NOTE)
            found = segment_note(note, memory, bias, segments[i].p_vaddr, segments[i].p_filesz);
    return found;
}

struct search {
    struct blocks *memory;
    uint64_t found;
};

static int look_at_module(Dwfl_Module *module, void **user, const char *name, Dwarf_Addr start,
                          void *arg)
{
    struct search *search = arg;
    struct note note = {"nido", 5, LAYOUT_NOTE, 0};
    unsigned char ident[EI_NIDENT];
    uint64_t words = 0;
    int32_t far;

    (void)module, (void)user, (void)name;
    if (!blocks_get(search->memory, start, ident, sizeof ident) || memcmp(ident, ELFMAG, SELFMAG))
        return DWARF_CB_OK;
    if (ident[EI_CLASS] == ELFCLASS64) words = find_64(&note, search->memory, start);
    if (words && note.size == sizeof far && blocks_get(search->memory, words, &far, sizeof far))
        search->found = words + (uint64_t)(int64_t)far;
    return search->found ? DWARF_CB_ABORT : DWARF_CB_OK;
}

/* ---- Is a file what was mapped? By its build-id ---- */

static bool file_has_id(const char *path, const unsigned char *id, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    Elf *elf = fd < 0 ? NULL : elf_begin(fd, ELF_C_READ_MMAP, NULL);
    const void *own = NULL;
    ssize_t n = elf ? dwelf_elf_gnu_build_id(elf, &own) : 0;
    bool same = n == (ssize_t)size && own && !memcmp(own, id, size);

    elf_end(elf);
    if (fd >= 0) close(fd);
    return same;
}

bool image_fits(const char *path, struct blocks *memory, uint64_t start)
{
    struct note note = {"GNU", 4, NT_GNU_BUILD_ID, 0};
    uint64_t words = start ? find_64(&note, memory, start) : 0;
    unsigned char id[64];

    if (!words || !note.size || note.size > sizeof id) return true;
    return !blocks_get(memory, words, id, note.size) || file_has_id(path, id, note.size);
}

uint64_t image_find_layout(Dwfl *dwfl, struct blocks *memory)
{
    struct search search = {.memory = memory};

    dwfl_getmodules(dwfl, look_at_module, &search, 0);
    return search.found;
}
