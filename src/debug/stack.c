/* SPDX-License-Identifier: MIT */
#include "debug/stack.h"

#include <string.h>

#include "coro/group/waits.h"
#include "coro/scope/park.h"

enum { PARK_BYTES = 1024 /* of the function nidoi_park, and some */ };

const char *nidoi_debug_stacks_source(const struct nidoi_debug_view *view)
{
    return nidoi_frames_missing() ? nidoi_frames_missing() : nidoi_symbols_source(view->symbols);
}

/* Leaves out the first frames, as many as `own`. */
static int frames_drop(void **frames, int n, int own)
{
    memmove(frames, frames + own, (size_t)(n - own) * sizeof *frames);
    return n - own;
}

/* From the call on that the report was asked by, if it is among them. */
static int frames_of_running(void *from, void **frames, int room)
{
    int n = nidoi_frames_here(frames, room), at = 0;

    while (at < n && frames[at] != from) at++;
    return at < n ? frames_drop(frames, n, at) : n;
}

/* From the call on that parked: what lies below says only which task went on. */
static int frames_of_parked(const struct nidoi_task *task, void **frames, int room)
{
    int n = nidoi_frames_of(&task->context, frames, room), at = 0;

    while (at < n && (uintptr_t)frames[at] - (uintptr_t)nidoi_park >= PARK_BYTES) at++;
    return at + 1 < n ? frames_drop(frames, n, at + 1) : n;
}

int nidoi_debug_frames(const struct nidoi_debug_view *view, const struct nidoi_task *task,
                       void **frames, int room)
{
    if (!view->shown) return 0;
    if (task == task->sched->current) return frames_of_running(view->from, frames, room);
    return frames_of_parked(task, frames, room);
}

void nidoi_debug_add_frame(struct nidoi_text *text, struct nidoi_symbols *symbols, void *address)
{
    struct nidoi_symbol symbol;
    const char *slash;

    nidoi_symbol_find(symbols, address, &symbol);
    nidoi_text_add(text->text, text->size, &text->used, "at %p", address);
    if (symbol.name)
        nidoi_text_add(text->text, text->size, &text->used, " %s+0x%zx", symbol.name,
                       symbol.offset);
    if (symbol.object) {
        slash = strrchr(symbol.object, '/');
        nidoi_text_add(text->text, text->size, &text->used, " %s+0x%zx",
                       slash ? slash + 1 : symbol.object, symbol.object_offset);
    }
    if (symbol.file)
        nidoi_text_add(text->text, text->size, &text->used, " %s:%d", symbol.file, symbol.line);
}

void nidoi_debug_add_frames(struct nidoi_text *text, void *const *frames, int n)
{
    for (int i = 0; i < n; i++) {
        nidoi_text_add(text->text, text->size, &text->used, "  ");
        nidoi_debug_add_frame(text, NULL, frames[i]);
        nidoi_text_add(text->text, text->size, &text->used, "\n");
    }
}
