/* SPDX-License-Identifier: MIT */
#include "process/pool/image.h"

#include <dlfcn.h>
#include <string.h>

/* FNV-1a over the beginning of a loaded object: its tables of contents, and with most linkers the
 * build id. */
static uint64_t image_mark(const void *base)
{
    enum { WORDS = 128 };
    uint64_t mark = 0xcbf29ce484222325, word;

    for (size_t i = 0; i < WORDS; i++) {
        memcpy(&word, (const char *)base + i * sizeof word, sizeof word);
        mark = (mark ^ word) * 0x100000001b3;
    }
    return mark;
}

/* In a static program the system does not know the object: base and mark are 0 in both processes.
 */
struct nidoi_image nidoi_image_of(uintptr_t fn)
{
    struct nidoi_image image = {.fn = fn};
    Dl_info info;

    if (!dladdr((void *)fn, &info) || !info.dli_fbase) return image;
    image.base = (uintptr_t)info.dli_fbase;
    image.mark = image_mark(info.dli_fbase);
    return image;
}
