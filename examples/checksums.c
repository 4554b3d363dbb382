/* SPDX-License-Identifier: MIT */
/* checksums: the checksum of every file below a directory.
 *
 * Shows files without a blocked loop: listing, opening and reading go to workers by themselves, the
 * hashing is sent there by nido_offload, and a limit on the group keeps at most so many files open
 * however large the tree is. A file that cannot be read is named and counted and does not stop the
 * others; Ctrl-C stops all of them, and nothing is left open.
 *
 *     ./example_checksums /usr/share/doc 16
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <nido.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 1 << 16, PATH_ROOM = 4096 };

struct tree {
    nido_group files;
    int failures;
};

struct file {
    struct tree *tree;
    char path[]; /* the task's own, freed by it */
};

struct hash {
    uint64_t value; /* FNV-1a */
    const unsigned char *bytes;
    size_t n;
};

/* On a worker: a loop over megabytes would keep every other task waiting. */
static ssize_t hash_block(void *arg)
{
    struct hash *hash = arg;
    for (size_t i = 0; i < hash->n; i++)
        hash->value = (hash->value ^ hash->bytes[i]) * UINT64_C(0x100000001b3);
    return 0;
}

static int hash_all(int fd, struct hash *hash)
{
    unsigned char block[BLOCK]; /* a task's stack has 192 KiB */
    ssize_t n;
    while ((n = nido_read(fd, block, sizeof block)) > 0) {
        hash->bytes = block;
        hash->n = (size_t)n;
        ssize_t rc = nido_offload(hash_block, hash);
        if (rc < 0) return (int)rc;
    }
    return (int)n;
}

static int hash_file(const char *path, uint64_t *out)
{
    struct hash hash = {.value = UINT64_C(0xcbf29ce484222325)};
    int fd = nido_open(path, O_RDONLY, 0);
    if (fd < 0) return fd;
    int rc = hash_all(fd, &hash);
    nido_close(fd);
    *out = hash.value;
    return rc;
}

/* What stops the whole run is passed on; what is wrong with this one file is not. */
static int complain(struct tree *tree, const char *path, int rc)
{
    if (rc == -ECANCELED) return rc;
    fprintf(stderr, "%s: %s\n", path, nido_strerror(rc));
    tree->failures++;
    return 0;
}

static int show(void *arg)
{
    struct file *file = arg;
    uint64_t value = 0;
    int rc = hash_file(file->path, &value);
    if (rc < 0)
        rc = complain(file->tree, file->path, rc);
    else
        printf("%016" PRIx64 "  %s\n", value, file->path);
    free(file);
    return rc;
}

/* Waits here while the limit is reached: the walk is never far ahead of the reading. */
static int add_file(struct tree *tree, const char *path)
{
    size_t size = strlen(path) + 1;
    struct file *file = malloc(sizeof *file + size);
    if (!file) return -ENOMEM;
    file->tree = tree;
    memcpy(file->path, path, size);
    int rc = nido_spawn_wait(&tree->files, show, file);
    if (rc < 0) free(file);
    return rc;
}

static int walk(struct tree *tree, char *path, size_t length);

static int take_entry(struct tree *tree, char *path, size_t length, const nido_dirent *entry)
{
    int n = snprintf(path + length, PATH_ROOM - length, "/%s", entry->name);
    if (n < 0 || (size_t)n >= PATH_ROOM - length) return complain(tree, path, -ENAMETOOLONG);
    if (entry->kind == NIDO_FILE_DIRECTORY) return walk(tree, path, length + (size_t)n);
    return entry->kind == NIDO_FILE_REGULAR ? add_file(tree, path) : 0;
}

static int walk(struct tree *tree, char *path, size_t length)
{
    nido_dirent entry;
    nido_dir *dir;
    int rc = nido_opendir(path, &dir);
    if (rc < 0) return complain(tree, path, rc);
    while ((rc = nido_readdir(dir, &entry)) > 0) {
        rc = take_entry(tree, path, length, &entry);
        path[length] = '\0';
        if (rc < 0) break;
    }
    nido_closedir(dir);
    return rc;
}

struct order {
    const char *path;
    uint32_t limit;
};

static int checksums(void *arg)
{
    const struct order *order = arg;
    char path[PATH_ROOM];
    struct tree tree = {.failures = 0};
    nido_group_options options;
    nido_group_options_init(&options);
    options.name = "files";
    options.limit = order->limit;
    snprintf(path, sizeof path, "%s", order->path);
    nido_group_open_with(&tree.files, &options);
    int rc = nido_group_close(&tree.files, walk(&tree, path, strlen(path)));
    return rc < 0 ? rc : tree.failures ? nido_fail(-EIO, "%d could not be read", tree.failures) : 0;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: %s DIRECTORY [FILES AT ONCE]\n", argv[0]);
        return 2;
    }
    struct order order = {argv[1], argc == 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : 16};
    nido_options options;
    nido_options_init(&options);
    options.signals = true;
    int rc = nido_run(checksums, &order, &options);
    if (rc < 0) fprintf(stderr, "%s: %s\n", argv[0], nido_strerror(rc));
    return nido_exit_status(rc);
}
