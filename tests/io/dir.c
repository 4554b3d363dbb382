/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "faults.h"
#include "inside_help.h"

enum { FILES = 700 }; /* more than one job reads */

static char path[] = "/tmp/nido-dir-XXXXXX";

static void fill(void)
{
    int at;

    cr_assert(ne(ptr, mkdtemp(path), NULL));
    at = open(path, O_DIRECTORY | O_RDONLY);
    for (int i = 0; i < FILES; i++) {
        char name[40];

        snprintf(name, sizeof name, "file-with-some-name-%03d", i);
        close(openat(at, name, O_CREAT | O_WRONLY, 0600));
    }
    cr_expect(eq(int, mkdirat(at, "sub", 0700), 0));
    cr_expect(eq(int, symlinkat("sub", at, "link"), 0));
    close(at);
}

static void empty(void)
{
    char command[64];

    snprintf(command, sizeof command, "rm -r %s", path);
    cr_expect(eq(int, system(command), 0));
}

INSIDE(dir, every_entry_comes_once_with_its_kind)
{
    static bool seen[FILES];
    nido_dirent entry;
    nido_dir *dir;
    int rc, others = 0;

    fill();
    cr_expect(eq(int, nido_opendir(path, &dir), 0));
    while ((rc = nido_readdir(dir, &entry)) == 1) {
        int i = -1;

        cr_expect(ne(ulong, (unsigned long)entry.inode, 0));
        if (sscanf(entry.name, "file-with-some-name-%d", &i) == 1) {
            cr_expect(not(seen[i]));
            seen[i] = true;
            cr_expect(eq(int, entry.kind, NIDO_FILE_REGULAR));
        } else {
            cr_expect(eq(int, entry.kind,
                         strcmp(entry.name, "sub") ? NIDO_FILE_LINK : NIDO_FILE_DIRECTORY));
            others++;
        }
    }
    cr_expect(eq(int, rc, 0));
    cr_expect(eq(int, nido_readdir(dir, &entry), 0), "still the end");
    cr_expect(eq(int, others, 2));
    for (int i = 0; i < FILES; i++) cr_expect(seen[i]);
    cr_expect(eq(int, nido_closedir(dir), 0));
    empty();
}

INSIDE(dir, a_failure_is_told_after_what_was_read_before_it)
{
    nido_dirent entry;
    nido_dir *dir;
    int entries = 0, rc;

    fill();
    cr_expect(eq(int, nido_opendir(path, &dir), 0));
    faults_begin();
    faults_fail(FAULT_readdir, 10, -EIO);
    while ((rc = nido_readdir(dir, &entry)) == 1) entries++;
    cr_expect(eq(int, rc, -EIO));
    cr_expect(ge(int, entries, 7), "but . and ..");
    cr_expect(eq(int, nido_readdir(dir, &entry), -EIO), "it does not come back");
    faults_end();
    nido_closedir(dir);
    empty();
}

INSIDE(dir, what_cannot_be_opened_is_told)
{
    nido_dir *dir;

    cr_expect(eq(int, nido_opendir("/nowhere/at/all", &dir), -ENOENT));
    cr_expect(eq(int, nido_opendir("/dev/null", &dir), -ENOTDIR));
    faults_begin();
    faults_fail(FAULT_memory, 1, 0);
    cr_expect(eq(int, nido_opendir("/", &dir), -ENOMEM));
    faults_end();
    cr_expect(eq(int, nido_closedir(NULL), 0));
}

static int read_one(void *dir)
{
    nido_dirent entry;

    return nido_readdir(dir, &entry);
}

INSIDE(dir, two_readers_at_once_are_refused)
{
    nido_dir *dir;
    nido_group group;
    nido_dirent entry;

    fill();
    cr_expect(eq(int, nido_opendir(path, &dir), 0));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, read_one, dir);
    nido_yield(); /* its job is out; nobody has looked whether it is done */
    cr_expect(eq(int, nido_readdir(dir, &entry), -EBUSY));
    cr_expect(eq(int, nido_closedir(dir), -EBUSY));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, nido_closedir(dir), 0));
    empty();
}

/* ---- Names without a bound ---- */

enum { LONG_NAMES = 60, LONGEST = 40000 };

static size_t length_of(int i)
{
    return i % 20 == 7 ? LONGEST : 300 + (size_t)i * 61;
}

/* A stream as the C library has it: an entry stays until the next is asked for. */
static int given;
static _Alignas(struct dirent) char stream[offsetof(struct dirent, d_name) + LONGEST + 1];

static int give_long(DIR *dir, struct dirent **out)
{
    char *name = stream + offsetof(struct dirent, d_name);

    (void)dir;
    *out = NULL;
    if (given == LONG_NAMES) return 0;
    memset(stream, 0, sizeof stream);
    memset(name, 'a' + given % 26, length_of(given));
    *out = (struct dirent *)(void *)stream;
    (*out)->d_ino = (ino_t)given++ + 1;
    (*out)->d_type = DT_REG;
    return 0;
}

INSIDE(dir, names_have_no_bound)
{
    nido_dirent entry;
    nido_dir *dir;
    int i = 0;

    faults_begin();
    nidoi_sys.readdir = give_long;
    cr_expect(eq(int, nido_opendir("/", &dir), 0));
    for (; nido_readdir(dir, &entry) == 1; i++) {
        cr_expect(eq(int, (int)entry.inode, i + 1));
        cr_expect(eq(ulong, strlen(entry.name), length_of(i)));
        cr_expect(eq(int, entry.kind, NIDO_FILE_REGULAR));
        cr_expect(entry.name[0] == 'a' + i % 26 && entry.name[length_of(i) - 1] == entry.name[0]);
    }
    cr_expect(eq(int, i, LONG_NAMES));
    cr_expect(eq(int, nido_closedir(dir), 0));
    faults_end();
}
