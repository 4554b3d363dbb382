/* SPDX-License-Identifier: MIT */
#include "debug/dump.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/debug_words.h"
#include "base/printable.h"
#include "base/sys.h"
#include "base/thread_look.h"
#include "base/time.h"
#include "debug/json.h"
#include "debug/tree.h"
#include "nido/debug.h"
#include "nido/time.h"

enum { STDERR_PATIENCE = 1000 /* ms for a reader of a stderr that does not block */ };

static void line_to_file(void *file, const char *line)
{
    fputs(line, file);
}

static const char *plural(uint64_t n, const char *one, const char *more)
{
    return n == 1 ? one : more;
}

static void dump_head(const struct nidoi_loop *loop, FILE *file)
{
    int64_t up = loop->sched.now - loop->began;
    char name[NIDOI_THREAD_NAME];

    nidoi_thread_name(name);
    nidoi_make_printable(name, 0);
    fprintf(file, "nido: runtime %u, up %lld.%lld s, thread %d \"%s\": %u %s, %u of them ready; ",
            loop->number, (long long)(up / NIDO_SEC(1)),
            (long long)(up % NIDO_SEC(1) / NIDO_MS(100)), loop->system_thread, name, loop->live,
            plural(loop->live, "task", "tasks"), nidoi_sched_ready(&loop->sched));
    fprintf(file, "%zu %s on descriptors, %u %s out\n", loop->reactor.watching,
            plural(loop->reactor.watching, "watch", "watches"), loop->expected,
            plural(loop->expected, "job or child", "jobs or children"));
}

static int dump_tree(struct nidoi_loop *loop, const struct nidoi_debug_view *view, FILE *file)
{
    dump_head(loop, file);
    if (view->shown) fprintf(file, "nido: stacks: %s\n", nidoi_debug_stacks_source(view));
    return nidoi_tree_print(loop, view, line_to_file, file);
}

static int dump_to_file(struct nidoi_loop *loop, uint32_t flags, void *from, FILE *file)
{
    struct nidoi_debug_view view = {.shown = flags & NIDO_DUMP_STACKS, .sizes = true, .from = from};
    int err = 0;

    if (view.shown) view.symbols = nidoi_symbols_open();
    if (flags & NIDO_DUMP_JSON)
        nidoi_json_print(loop, &view, file);
    else
        err = dump_tree(loop, &view, file);
    nidoi_symbols_close(view.symbols);
    return err;
}

/* Into memory: the user's stream may run code of its own, and the tree must stand still. */
static int dump_to_memory(struct nidoi_loop *loop, uint32_t flags, void *from, char **text,
                          size_t *size)
{
    FILE *memory = open_memstream(text, size);
    int err;

    if (!memory) return -ENOMEM;
    nidoi_no_parking_begin(&loop->sched); /* the owner of an object may be a user's function */
    err = dump_to_file(loop, flags, from, memory);
    nidoi_no_parking_end(&loop->sched);
    if (ferror(memory)) err = -ENOMEM;
    return fclose(memory) ? -ENOMEM : err;
}

/* What the user's call, or what stands for it, prints. */
static int dump_text(struct nidoi_loop *loop, uint32_t flags, void *from, char **text, size_t *size)
{
    if (nidoi_debug_asks("stacks")) flags |= NIDO_DUMP_STACKS;
    nidoi_loop_refresh(loop);
    return dump_to_memory(loop, flags, from, text, size);
}

/* Has it room again before the patience is used up? */
static bool stderr_has_room(void)
{
    struct pollfd ready = {.fd = fileno(stderr), .events = POLLOUT};
    int n;

    do n = nidoi_sys.poll(&ready, 1, STDERR_PATIENCE);
    while (n == -EINTR);
    return n > 0;
}

static void stderr_write(const char *text, size_t size)
{
    while (size) {
        ssize_t n = nidoi_sys.write(fileno(stderr), text, size);

        if (n < 0 && (n != -EAGAIN || !stderr_has_room())) return;
        if (n < 0) continue;
        text += n;
        size -= (size_t)n;
    }
}

void nidoi_dump_to_stderr(struct nidoi_loop *loop)
{
    char *text = NULL;
    size_t size = 0;

    if (!dump_text(loop, 0, NULL, &text, &size)) {
        flockfile(stderr);
        stderr_write(text, size);
        funlockfile(stderr);
    }
    free(text);
}

static int dump_from(FILE *file, uint32_t flags, void *from)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    char *text = NULL;
    size_t size = 0;
    int err;

    if (!file || flags & ~(uint32_t)(NIDO_DUMP_STACKS | NIDO_DUMP_JSON)) return -EINVAL;
    if (!loop) return -EPERM;
    err = dump_text(loop, flags, from, &text, &size);
    if (!err && (fwrite(text, 1, size, file) != size || fflush(file))) err = -EIO;
    free(text);
    return err;
}

int nido_dump(FILE *file)
{
    return dump_from(file, 0, __builtin_return_address(0));
}

int nido_dump_json(FILE *file)
{
    return dump_from(file, NIDO_DUMP_JSON, __builtin_return_address(0));
}

int nido_dump_with(FILE *file, uint32_t flags)
{
    return dump_from(file, flags, __builtin_return_address(0));
}
