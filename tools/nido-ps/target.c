/* SPDX-License-Identifier: MIT */
#include "target.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "failure.h"
#include "image.h"
#include "process.h"

/* ---- Where bytes come from ---- */

static void read_process(void *source, struct piece *pieces, size_t n)
{
    const struct target *target = source;
    pid_t pid = target->pid;

    process_read(&pid, pieces, n);
}

static void read_core(void *source, struct piece *pieces, size_t n)
{
    struct target *target = source;

    core_read(&target->core, pieces, n);
    for (size_t i = 0; i < n; i++)
        if (!pieces[i].read && target->image)
            pieces[i].read = image_read(target->image, &pieces[i]);
}

/* ---- Opening ---- */

static bool find_layout(struct target *target)
{
    uint64_t address = image_find_layout(target->image, &target->memory);

    if (!address)
        return fail(
            "%s: no nido is found in it; it is a program without nido, or with a nido before 0.1, "
            "or of 32 bit%s",
            target->name, target->is_core ? ", or another program than the core file is of" : "");
    return layout_read(&target->layout, &target->memory, address, target->name);
}

bool target_open_process(struct target *target, pid_t pid)
{
    *target = (struct target){.pid = pid};
    snprintf(target->name, sizeof target->name, "process %d", (int)pid);
    blocks_init(&target->memory, read_process, target);
    if (!process_open(pid)) return false;
    target->image = image_of_process(pid);
    if (target->image && find_layout(target)) return true;
    target_close(target);
    return false;
}

/* The file of the core's program, `asked` or by its path in the core; NULL: it is not there. */
static const char *core_program(struct target *target, const char *asked)
{
    const char *path = asked ? asked : target->core.program;

    if (!path[0]) return NULL;
    if (access(path, R_OK)) {
        if (!asked) warn("%s, of which %s is, is not there: names are missing", path, target->name);
        return asked;
    }
    if (image_fits(path, &target->memory, target->core.start)) return path;
    if (asked)
        warn("%s is not the program of which %s is: names and frames may be wrong", path,
             target->name);
    else
        warn("%s, of which %s is, is another file now: it is not used, and names are missing", path,
             target->name);
    return asked;
}

bool target_open_core(struct target *target, const char *core, const char *program)
{
    *target = (struct target){.is_core = true};
    snprintf(target->name, sizeof target->name, "the core file %.40s", core);
    blocks_init(&target->memory, read_core, target);
    if (!core_open(&target->core, core)) return false;
    target->pid = target->core.pid;
    target->threads = target->core.threads;
    program = core_program(target, program);
    blocks_forget(&target->memory); /* without the program's files more cannot be read */
    target->image = image_of_core(&target->core, program);
    if (target->image && find_layout(target)) return true;
    target_close(target);
    return false;
}

void target_close(struct target *target)
{
    blocks_forget(&target->memory);
    if (target->image) dwfl_end(target->image);
    target->image = NULL;
    if (target->is_core)
        core_close(&target->core);
    else
        threads_free(&target->threads);
}

/* ---- Reading ---- */

uint64_t target_field(struct target *target, uint64_t base, enum field field)
{
    unsigned char bytes[8];
    uint32_t size = target->layout.size[field];
    uint64_t eight;
    uint32_t four;
    uint16_t two;

    if (!base || !blocks_get(&target->memory, base + target->layout.at[field], bytes, size)) {
        target->lost++;
        return 0;
    }
    switch (size) {
    case 8:
        return memcpy(&eight, bytes, 8), eight;
    case 4:
        return memcpy(&four, bytes, 4), four;
    case 2:
        return memcpy(&two, bytes, 2), two;
    default:
        return bytes[0];
    }
}

int64_t target_signed(struct target *target, uint64_t base, enum field field)
{
    uint64_t value = target_field(target, base, field);

    return target->layout.size[field] == 4 ? (int32_t)(uint32_t)value : (int64_t)value;
}

uint64_t target_pointer(struct target *target, uint64_t address)
{
    uint64_t value = 0;

    if (!blocks_get(&target->memory, address, &value, sizeof value)) target->lost++;
    return value;
}

bool target_text(struct target *target, uint64_t address, char *out, size_t size)
{
    size_t n = 0;

    out[0] = '\0';
    if (!address) return false;
    for (; n + 1 < size; n++) {
        if (!blocks_get(&target->memory, address + n, &out[n], 1)) break;
        if (!out[n]) return true;
    }
    out[n] = '\0';
    return n > 0;
}
