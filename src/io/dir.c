/* io/dir.c: reading a directory, many entries a job.
 *
 * How long an entry is, the kernel says: names have no bound that a struct could know (d_name[256] is
 * none: FUSE and NTFS have longer ones). What does not fit in behind the others stays with the stream,
 * which keeps it until it is asked for the next, and is handed out from there. */
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
    const struct dirent *held; /* the stream's own: comes behind the entries, for lack of room */
    bool busy;                 /* a task is reading */
    bool ended;                /* the stream has no more */
    int err;                   /* what ended it, told when the entries before it have been read */
    size_t at;                 /* of the next entry */
    size_t used;               /* bytes of entries */
    _Alignas(max_align_t) char entries[ROOM]; /* struct entry, name, zero; each aligned */
};

struct entry {
    uint64_t inode;
    enum nido_file_kind kind;
    uint32_t size; /* with its name */
};

static enum nido_file_kind kind_of(unsigned char type)
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

static const char *name_of(const struct dirent *found)
{
    return (const char *)found + offsetof(struct dirent, d_name);
}

/* False: there is no room. */
static bool add(nido_dir *dir, const struct dirent *found)
{
    size_t length = strlen(name_of(found)) + 1, align = _Alignof(struct entry);
    size_t size = (sizeof(struct entry) + length + align - 1) & ~(align - 1);
    struct entry *entry = (struct entry *)(void *)(dir->entries + dir->used);

    if (size > sizeof dir->entries - dir->used) return false;
    *entry = (struct entry){found->d_ino, kind_of(found->d_type), (uint32_t)size};
    memcpy(entry + 1, name_of(found), length);
    dir->used += size;
    return true;
}

/* On a worker: fills the room. */
static ssize_t read_ahead(void *arg)
{
    nido_dir *dir = arg;

    dir->at = dir->used = 0;
    while (!dir->held && !dir->ended) {
        struct dirent *found;

        dir->err = nidoi_sys.readdir(dir->stream, &found);
        dir->ended = dir->err || !found;
        if (!dir->ended && !is_dots(name_of(found)) && !add(dir, found)) dir->held = found;
    }
    return 0;
}

static int more(nido_dir *dir)
{
    int err;

    if (dir->at < dir->used || dir->held || dir->ended) return 0;
    dir->busy = true;
    err = (int)nido_offload(read_ahead, dir);
    dir->busy = false;
    return err;
}

static nido_dirent next_entry(nido_dir *dir)
{
    const struct entry *entry = (const struct entry *)(const void *)(dir->entries + dir->at);

    dir->at += entry->size;
    return (nido_dirent){(const char *)(entry + 1), entry->inode, entry->kind};
}

static nido_dirent take_held(nido_dir *dir)
{
    const struct dirent *held = dir->held;

    dir->held = NULL;
    return (nido_dirent){name_of(held), held->d_ino, kind_of(held->d_type)};
}

int nido_readdir(nido_dir *dir, nido_dirent *out)
{
    struct nidoi_loop *loop;
    int err = nidoi_enter(&loop);

    if (!err && dir->busy) err = -EBUSY;
    if (!err) err = more(dir);
    if (err) return err;
    if (dir->at == dir->used && !dir->held) return dir->err;
    *out = dir->at < dir->used ? next_entry(dir) : take_held(dir);
    return 1;
}

struct opening {
    const char *path;
    nido_dir *dir;
};

static ssize_t open_stream(void *arg)
{
    const struct opening *call = arg;

    return nidoi_sys.opendir(call->path, &call->dir->stream);
}

int nido_opendir(const char *path, nido_dir **out)
{
    struct opening call = {path, nidoi_mem_zeroed(sizeof *call.dir)};
    int err;

    nidoi_check_frames();
    if (!call.dir) return -ENOMEM;
    err = (int)nido_offload(open_stream, &call);
    if (err)
        nidoi_mem.release(call.dir);
    else
        *out = call.dir;
    return err;
}

int nido_closedir(nido_dir *dir)
{
    if (!dir) return 0;
    if (dir->busy) return -EBUSY;
    nidoi_sys.closedir(dir->stream);
    nidoi_mem.release(dir);
    return 0;
}
