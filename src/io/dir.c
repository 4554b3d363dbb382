/* SPDX-License-Identifier: MIT */
/* io/dir.c: reading a directory, many entries a job.
 *
 * The length of a name has no bound that a struct could have (d_name[256] is none: FUSE and NTFS
 * have longer ones). An entry that does not fit behind the others stays in the stream's memory,
 * which is valid until the stream is read again, and is returned from there. */
#include <dirent.h>
#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "base/sys.h"
#include "coro/scope/park.h"
#include "io/file.h"
#include "nido/file.h"

enum { ROOM = 16384 };

struct nido_dir {
    DIR *stream;
    const struct dirent *held; /* in the stream's memory, comes after the entries: it did not fit */
    bool busy;                 /* a task is reading */
    bool ended;                /* the stream has no more */
    int err;                   /* what ended it, returned after the entries before it */
    size_t at;                 /* of the next entry */
    size_t used;               /* bytes of entries */
    _Alignas(max_align_t) char entries[ROOM]; /* struct entry, name, zero; each aligned */
};

struct dir_entry {
    uint64_t inode;
    enum nido_file_kind kind;
    uint32_t size; /* with its name */
};

static enum nido_file_kind entry_kind(unsigned char type)
{
    switch (type) {
    case DT_UNKNOWN:
        return NIDO_FILE_UNKNOWN;
    case DT_REG:
        return NIDO_FILE_REGULAR;
    case DT_DIR:
        return NIDO_FILE_DIRECTORY;
    case DT_LNK:
        return NIDO_FILE_LINK;
    default:
        return NIDO_FILE_OTHER;
    }
}

static bool is_dots(const char *name)
{
    return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

static const char *dirent_name(const struct dirent *found)
{
    return (const char *)found + offsetof(struct dirent, d_name);
}

/* False: there is no room. */
static bool dir_add(nido_dir *dir, const struct dirent *found)
{
    size_t length = strlen(dirent_name(found)) + 1, align = _Alignof(struct dir_entry);
    size_t size = (sizeof(struct dir_entry) + length + align - 1) & ~(align - 1);
    struct dir_entry *entry = (struct dir_entry *)(void *)(dir->entries + dir->used);

    if (size > sizeof dir->entries - dir->used) return false;
    *entry = (struct dir_entry){found->d_ino, entry_kind(found->d_type), (uint32_t)size};
    memcpy(entry + 1, dirent_name(found), length);
    dir->used += size;
    return true;
}

/* On a worker: reads as many entries as fit. */
static ssize_t dir_fill(void *arg)
{
    nido_dir *dir = arg;

    dir->at = dir->used = 0;
    while (!dir->held && !dir->ended) {
        struct dirent *found;

        dir->err = nidoi_sys.readdir(dir->stream, &found);
        dir->ended = dir->err || !found;
        if (!dir->ended && !is_dots(dirent_name(found)) && !dir_add(dir, found)) dir->held = found;
    }
    return 0;
}

static int dir_need(nido_dir *dir)
{
    int err;

    if (dir->at < dir->used || dir->held || dir->ended) return 0;
    dir->busy = true;
    err = (int)nido_offload(dir_fill, dir);
    dir->busy = false;
    return err;
}

static nido_dirent dir_next(nido_dir *dir)
{
    const struct dir_entry *entry =
        (const struct dir_entry *)(const void *)(dir->entries + dir->at);

    dir->at += entry->size;
    return (nido_dirent){
        .name = (const char *)(entry + 1), .inode = entry->inode, .kind = entry->kind};
}

static nido_dirent dir_take_held(nido_dir *dir)
{
    const struct dirent *held = dir->held;

    dir->held = NULL;
    return (nido_dirent){
        .name = dirent_name(held), .inode = held->d_ino, .kind = entry_kind(held->d_type)};
}

int nido_readdir(nido_dir *dir, nido_dirent *out)
{
    struct nidoi_loop *loop;
    int err = nidoi_enter(&loop);

    if (!err && dir->busy) err = -EBUSY;
    if (!err) err = dir_need(dir);
    if (err) return err;
    if (dir->at == dir->used && !dir->held) return dir->err;
    *out = dir->at < dir->used ? dir_next(dir) : dir_take_held(dir);
    return 1;
}

struct dir_open_call {
    const char *path;
    nido_dir *dir;
};

static ssize_t dir_open(void *arg)
{
    const struct dir_open_call *call = arg;

    return nidoi_sys.opendir(call->path, &call->dir->stream);
}

int nido_opendir(const char *path, nido_dir **out)
{
    struct dir_open_call call = {path, nidoi_mem_zeroed(sizeof *call.dir)};
    int err;

    nidoi_check_frames();
    if (!call.dir) return -ENOMEM;
    err = (int)nido_offload(dir_open, &call);
    if (err)
        nidoi_mem.release(call.dir);
    else
        *out = call.dir;
    return nidoi_file_name_failed(err, "open directory", path, __builtin_return_address(0));
}

int nido_closedir(nido_dir *dir)
{
    if (!dir) return 0;
    if (dir->busy) return -EBUSY;
    nidoi_sys.closedir(dir->stream);
    nidoi_mem.release(dir);
    return 0;
}
