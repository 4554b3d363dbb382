/* SPDX-License-Identifier: MIT */
/* io/whole.c: files that are made aside: replaced at once, or without a name. One job does it all. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/random.h"
#include "base/sys.h"
#include "coro/scope/park.h"
#include "io/file.h"
#include "nido/file.h"
#include "pool/offload.h"

enum {
    NAME_ROOM = sizeof ".nido-0123456789abcdef",
    MOST_NAMES = 100 /* that are tried */
};

/* A temporary file: the part of its name up to the last slash, with it, is there. */
struct temporary {
    size_t directory; /* bytes of that part; 0: the working directory */
    char name[];
};

/* Next to `path`, or with `inside` in that directory. NULL: no memory. */
static struct temporary *temporary_new(const char *path, bool inside)
{
    size_t len = strlen(path);
    struct temporary *it = nidoi_mem.alloc(sizeof *it + len + 1 + NAME_ROOM);

    if (!it) return NULL;
    memcpy(it->name, path, len + 1);
    if (inside) memcpy(it->name + len++, "/", 2);
    while (len && it->name[len - 1] != '/') len--;
    it->directory = len;
    it->name[len] = 0;
    return it;
}

/* Under a name that no file has. Called on workers. */
static int temporary_open(struct temporary *it, int flags, unsigned mode)
{
    uint64_t state = (uint64_t)nidoi_sys_now() ^ (uintptr_t)it;
    int fd = -EEXIST;

    for (int i = 0; i < MOST_NAMES && fd == -EEXIST; i++) {
        snprintf(it->name + it->directory, NAME_ROOM, ".nido-%016" PRIx64, nidoi_random(&state));
        fd = nidoi_sys.open(it->name, flags | O_CREAT | O_EXCL | O_NONBLOCK, mode);
    }
    return fd;
}

/* ---- Replacing ---- */

struct replacement {
    const char *path;
    struct temporary *temporary;
    const char *data;
    size_t len;
    unsigned mode;
};

static int replacement_write(const struct replacement *call, int fd)
{
    for (size_t done = 0; done < call->len;) {
        struct iovec iov = {(void *)(intptr_t)(call->data + done),
                            nidoi_file_piece(call->len - done)};
        ssize_t n =
            nido_job_cancelled() ? -ECANCELED : nidoi_sys.pwritev(fd, &iov, 1, (int64_t)done);

        if (n <= 0) return n ? (int)n : -EIO;
        done += (size_t)n;
    }
    return 0;
}

/* The content is on the disk before its name is. */
static int replacement_make(const struct replacement *call)
{
    int fd = temporary_open(call->temporary, O_WRONLY, call->mode), err, closed;

    if (fd < 0) return fd;
    err = replacement_write(call, fd);
    if (!err) err = nidoi_sys.fsync(fd);
    closed = nidoi_sys.close(fd);
    if (!err) err = closed;
    if (!err && nido_job_cancelled()) err = -ECANCELED;
    if (!err) err = nidoi_sys.rename(call->temporary->name, call->path);
    if (err) nidoi_sys.unlink(call->temporary->name);
    return err;
}

/* Some file systems have no sync of directories. */
static int directory_sync(int directory)
{
    int err = nidoi_sys.fsync(directory);

    return err == -EINVAL ? 0 : err;
}

/* The directory is opened first: what can fail does so before anything has changed. */
static ssize_t replacement_run(void *arg)
{
    const struct replacement *call = arg;
    const char *path = call->temporary->directory ? call->temporary->name : ".";
    int directory = nidoi_sys.open(path, O_RDONLY | O_DIRECTORY | O_NONBLOCK, 0), err;

    if (directory < 0) return directory;
    err = replacement_make(call);
    if (!err) err = directory_sync(directory);
    nidoi_sys.close(directory);
    return err;
}

static int file_replace(struct replacement *call)
{
    int rc;

    call->temporary = temporary_new(call->path, false);
    if (!call->temporary) return -ENOMEM;
    rc = (int)nido_offload(replacement_run, call);
    nidoi_mem.release(call->temporary);
    return rc;
}

int nido_file_replace(const char *path, const void *data, size_t len, unsigned mode)
{
    struct replacement call = {.path = path, .data = data, .len = len, .mode = mode};

    nidoi_check_frames();
    return nidoi_file_name_failed(path ? file_replace(&call) : -EFAULT, "replace", path,
                                  __builtin_return_address(0));
}

/* ---- Without a name ---- */

struct unnamed {
    const char *path;
    struct temporary *temporary;
};

/* No such file can be had here: of the file system, or of an older kernel. */
static bool has_no_unnamed(int err)
{
    return err == -EOPNOTSUPP || err == -EISDIR || err == -ENOENT || err == -EINVAL;
}

static int unnamed_open_directly(const char *path)
{
#ifdef O_TMPFILE
    return nidoi_sys.open(path, O_TMPFILE | O_RDWR | O_NONBLOCK, 0600);
#else
    (void)path;
    return -EOPNOTSUPP;
#endif
}

static ssize_t unnamed_open(void *arg)
{
    const struct unnamed *call = arg;
    int fd = unnamed_open_directly(call->path), err;

    if (!has_no_unnamed(fd)) return fd;
    fd = temporary_open(call->temporary, O_RDWR, 0600);
    if (fd < 0) return fd;
    err = nidoi_sys.unlink(call->temporary->name);
    if (!err) return fd;
    nidoi_sys.close(fd);
    return err;
}

static int tmpfile_open(const char *path)
{
    struct unnamed call = {path, temporary_new(path, true)};
    int fd;

    if (!call.temporary) return -ENOMEM;
    fd = (int)nido_offload(unnamed_open, &call);
    if (fd >= 0) nidoi_fd_adopt(nidoi_loop_self(), fd, -1);
    nidoi_mem.release(call.temporary);
    return fd;
}

int nido_tmpfile(const char *path)
{
    if (!path) path = "/tmp";
    nidoi_check_frames();
    return nidoi_file_name_failed(tmpfile_open(path), "temporary file in", path,
                                  __builtin_return_address(0));
}
