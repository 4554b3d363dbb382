/* SPDX-License-Identifier: MIT */
#include "debug/trace_save.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/sys.h"
#include "coro/runtime/tracing.h"
#include "debug/trace_json.h"
#include "nido/error.h"

/* A program that stalls again and again shall not fill its disk. */
enum { MOST_FILES = 16, PATH = 256 };

static uint32_t files; /* atomic */

static int file_open(char *path, size_t size, uint32_t number)
{
    const char *directory = getenv("NIDO_TRACE_DIR");
    int n = snprintf(path, size, "%s%snido-%ld-%u.trace.json", directory ? directory : "",
                     directory && directory[0] ? "/" : "", (long)getpid(), number);

    if (n < 0 || (size_t)n >= size) return -ENAMETOOLONG;
    return nidoi_sys.open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

static int save(struct nidoi_loop *loop, char *path, size_t size, uint32_t number)
{
    int fd = file_open(path, size, number), err;

    if (fd < 0) return fd;
    err = nidoi_trace_json(loop, fd);
    nidoi_sys.close(fd);
    if (err) unlink(path); /* no viewer reads a part */
    return err;
}

void nidoi_trace_save(struct nidoi_loop *loop, char *text, size_t size)
{
    char path[PATH];
    uint32_t number;
    int err;

    text[0] = '\0';
    if (!nidoi_tracing_is_on(loop)) return;
    number = __atomic_add_fetch(&files, 1, __ATOMIC_RELAXED);
    if (number > MOST_FILES) {
        snprintf(text, size,
                 "nido: the trace was not written: a process writes %d at most (docs/trace.md)\n",
                 MOST_FILES);
        return;
    }
    err = save(loop, path, sizeof path, number);
    if (err)
        snprintf(text, size, "nido: the trace was not written to %s: %s\n", path,
                 nido_strerror(err));
    else
        snprintf(text, size, "nido: what happened before is in %s (docs/trace.md)\n", path);
}
