/* SPDX-License-Identifier: MIT */
/* Files that are replaced at once, and files without a name. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "faults.h"
#include "inside_help.h"

/* A directory of the test's own with a file in it. */
static char directory[64];
static char file[96];

static void set_up(const char *content)
{
    FILE *out;

    strcpy(directory, "/tmp/nido-whole-XXXXXX");
    cr_assert(ne(ptr, mkdtemp(directory), NULL));
    snprintf(file, sizeof file, "%s/file", directory);
    if (!content) return;
    out = fopen(file, "w");
    cr_assert(ne(ptr, out, NULL));
    fputs(content, out);
    fclose(out);
}

/* Names in the directory. */
static int entries(void)
{
    DIR *dir = opendir(directory);
    int n = 0;

    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) n += entry->d_name[0] != '.';
    rewinddir(dir);
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
        n += strncmp(entry->d_name, ".nido", 5) == 0;
    closedir(dir);
    return n;
}

static void take_down(void)
{
    unlink(file);
    cr_expect(zero(int, rmdir(directory)), "nothing else is left in it");
}

static const char *content(void)
{
    static char text[64];
    FILE *in = fopen(file, "r");

    memset(text, 0, sizeof text);
    cr_assert(ne(ptr, in, NULL));
    cr_expect(lt(sz, fread(text, 1, sizeof text, in), sizeof text));
    fclose(in);
    return text;
}

/* ---- Replacing ---- */

INSIDE(file_replace, the_new_content_takes_the_place_of_the_old)
{
    struct stat status;

    set_up("the old content, which is longer");
    cr_expect(zero(int, nido_file_replace(file, "new", 3, 0640)));
    cr_expect(eq(str, (char *)content(), "new"));
    cr_expect(zero(int, stat(file, &status)));
    cr_expect(eq(uint, status.st_mode & 0777 & ~0640u, 0), "less the umask");
    cr_expect(eq(int, entries(), 1));
    take_down();
}

INSIDE(file_replace, a_file_that_was_not_there_is_made)
{
    set_up(NULL);
    cr_expect(zero(int, nido_file_replace(file, "new", 3, 0600)));
    cr_expect(eq(str, (char *)content(), "new"));
    cr_expect(zero(int, nido_file_replace(file, NULL, 0, 0600)), "of no bytes");
    cr_expect(eq(str, (char *)content(), ""));
    take_down();
}

INSIDE(file_replace, a_name_without_a_directory_is_one_of_the_working_directory)
{
    char before[512];

    set_up("old");
    cr_assert(ne(ptr, getcwd(before, sizeof before), NULL));
    cr_assert(zero(int, chdir(directory)));
    cr_expect(zero(int, nido_file_replace("file", "new", 3, 0600)));
    cr_expect(zero(int, chdir(before)));
    cr_expect(eq(str, (char *)content(), "new"));
    take_down();
}

INSIDE(file_replace, a_link_is_replaced_itself)
{
    char link[128];

    set_up("old");
    snprintf(link, sizeof link, "%s/link", directory);
    cr_assert(zero(int, symlink("file", link)));
    cr_expect(zero(int, nido_file_replace(link, "new", 3, 0600)));
    cr_expect(eq(str, (char *)content(), "old"));
    cr_expect(zero(int, unlink(link)));
    take_down();
}

INSIDE(file_replace, what_cannot_be_is_told_with_the_path)
{
    set_up("old");
    cr_expect(eq(int, nido_file_replace("/nowhere/at/all", "new", 3, 0600), -ENOENT));
    cr_expect(eq(str, (char *)nido_error_text(nido_error_last()), "replace /nowhere/at/all"));
    cr_expect(eq(int, nido_file_replace(directory, "new", 3, 0600), -EISDIR));
    cr_expect(eq(int, nido_file_replace(NULL, "new", 3, 0600), -EFAULT));
    cr_expect(eq(str, (char *)content(), "old"));
    cr_expect(eq(int, entries(), 1));
    take_down();
}

NIDO_TEST(file_replace, outside_a_run_it_is_refused)
{
    set_up("old");
    cr_expect(eq(int, nido_file_replace(file, "new", 3, 0600), -EPERM));
    cr_expect(eq(int, nido_tmpfile(directory), -EPERM));
    take_down();
}

/* What fails before the rename leaves the old file, and nothing else. */
static void expect_old_if_it_fails(enum fault kind, unsigned nth, int code)
{
    set_up("old");
    faults_begin();
    faults_fail(kind, nth, code);
    cr_expect(eq(int, nido_file_replace(file, "new", 3, 0600), code));
    faults_end();
    cr_expect(eq(str, (char *)content(), "old"));
    cr_expect(eq(int, entries(), 1));
    take_down();
}

INSIDE(file_replace, a_failure_leaves_the_old_file_and_no_temporary)
{
    expect_old_if_it_fails(FAULT_thread, FAULT_ALWAYS, -EAGAIN);
    expect_old_if_it_fails(FAULT_open, 1, -EACCES);
    expect_old_if_it_fails(FAULT_open, 2, -ENOSPC);
    expect_old_if_it_fails(FAULT_pwritev, 1, -ENOSPC);
    expect_old_if_it_fails(FAULT_pwritev, 1, -EINVAL);
    expect_old_if_it_fails(FAULT_fsync, 1, -EIO);
    expect_old_if_it_fails(FAULT_fsync, 1, -EINVAL);
    expect_old_if_it_fails(FAULT_rename, 1, -EXDEV);
    expect_old_if_it_fails(FAULT_rename, 1, -EINVAL);
    expect_old_if_it_fails(FAULT_memory, 1, -ENOMEM);
}

INSIDE(file_replace, a_failed_sync_of_the_directory_comes_after_the_replacement)
{
    set_up("old");
    faults_begin();
    faults_fail(FAULT_fsync, 2, -EIO);
    cr_expect(eq(int, nido_file_replace(file, "new", 3, 0600), -EIO));
    faults_fail(FAULT_fsync, 2, -EINVAL);
    cr_expect(zero(int, nido_file_replace(file, "newer", 5, 0600)), "it has no such sync");
    faults_end();
    cr_expect(eq(str, (char *)content(), "newer"));
    cr_expect(eq(int, entries(), 1));
    take_down();
}

INSIDE(file_replace, names_of_temporaries_that_are_taken_are_passed_over)
{
    set_up("old");
    faults_begin();
    faults_fail(FAULT_open, 2, -EEXIST);
    cr_expect(zero(int, nido_file_replace(file, "new", 3, 0600)));
    faults_end();
    cr_expect(eq(str, (char *)content(), "new"));
    take_down();
}

/* ---- Cancels ---- */

enum { LARGE = 20 << 20 };

/* The first piece is written; then the caller's scope is cancelled, on its own thread. */
static nido_scope scope;
static ssize_t (*real_pwritev)(int fd, const struct iovec *iov, int n, int64_t offset);
static int pieces;

static int strike(void *unused)
{
    (void)unused;
    return nido_scope_cancel(&scope, 0, "test");
}

static ssize_t write_and_strike(int fd, const struct iovec *iov, int n, int64_t offset)
{
    ssize_t done = real_pwritev(fd, iov, n, offset);

    if (++pieces > 1 || nido_call_in_loop(strike, NULL) != 0) return done;
    while (!nido_job_cancelled()) sched_yield();
    return done;
}

INSIDE(file_replace, a_cancel_between_two_pieces_leaves_the_old_file_and_no_temporary)
{
    char *data = calloc(1, LARGE);
    int rc;

    set_up("old");
    pieces = 0;
    real_pwritev = nidoi_sys.pwritev;
    nidoi_sys.pwritev = write_and_strike;
    nido_scope_open(&scope);
    rc = nido_file_replace(file, data, LARGE, 0600);
    cr_expect(eq(int, rc, -ECANCELED));
    nido_scope_close(&scope, rc);
    nidoi_sys.pwritev = real_pwritev;
    cr_expect(eq(int, pieces, 1));
    cr_expect(eq(str, (char *)content(), "old"));
    cr_expect(eq(int, entries(), 1));
    free(data);
    take_down();
}

INSIDE(file_replace, a_cancelled_caller_changes_nothing)
{
    int rc;

    set_up("old");
    nido_scope_open(&scope);
    nido_scope_cancel(&scope, 0, "test");
    rc = nido_file_replace(file, "new", 3, 0600);
    cr_expect(eq(int, rc, -ECANCELED));
    cr_expect(eq(int, nido_tmpfile(directory), -ECANCELED));
    nido_scope_close(&scope, rc);
    cr_expect(eq(str, (char *)content(), "old"));
    cr_expect(eq(int, entries(), 1));
    take_down();
}

/* ---- Readers in another process ---- */

enum { ROUNDS = 30, BLOCK = 20000 };

/* Reads until the file is gone: each time as many bytes as there should be, all the same. */
static int look_until_gone(void)
{
    static char text[BLOCK + 1];

    for (int fd; (fd = open(file, O_RDONLY)) >= 0; close(fd)) {
        ssize_t n = 0, more;

        while ((more = read(fd, text + n, sizeof text - (size_t)n)) > 0) n += more;
        if (n != BLOCK) return 1;
        for (int i = 1; i < BLOCK; i++)
            if (text[i] != text[0]) return 2;
    }
    return 0;
}

static int replace_often(void *unused)
{
    static char text[BLOCK];

    (void)unused;
    for (int i = 0; i < ROUNDS; i++) {
        memset(text, 'a' + i % 26, sizeof text);
        cr_expect(zero(int, nido_file_replace(file, text, sizeof text, 0600)));
    }
    return 0;
}

NIDO_TEST(file_replace, another_process_sees_one_content_or_the_other)
{
    static char first[BLOCK + 1];
    int status = -1;
    pid_t reader;

    memset(first, '-', BLOCK);
    set_up(first);
    reader = fork();
    if (reader == 0) _exit(look_until_gone());
    cr_expect(zero(int, nido_test_run(replace_often, NULL)));
    unlink(file);
    cr_expect(eq(int, waitpid(reader, &status, 0), reader));
    cr_expect(zero(int, status));
    take_down();
}

/* ---- Without a name ---- */

/* It can be read and written, and no name leads to it. */
static void expect_unnamed(const char *path)
{
    char text[4] = "";
    struct stat status;
    int fd = nido_tmpfile(path);

    cr_expect(ge(int, fd, 0));
    cr_expect(zero(int, fstat(fd, &status)));
    cr_expect(zero(uint, (unsigned)status.st_nlink));
    cr_expect(eq(uint, status.st_mode & 0777, 0600));
    cr_expect(ne(int, fcntl(fd, F_GETFD) & FD_CLOEXEC, 0));
    cr_expect(eq(int, (int)nido_pwrite(fd, "abc", 3, 0), 3));
    cr_expect(eq(int, (int)nido_pread(fd, text, 3, 0), 3));
    cr_expect(eq(str, text, "abc"));
    cr_expect(zero(int, nido_close(fd)));
}

INSIDE(tmpfile, it_has_no_name)
{
    set_up(NULL);
    expect_unnamed(directory);
    expect_unnamed(NULL);
    cr_expect(zero(int, entries()));
    take_down();
}

INSIDE(tmpfile, where_the_system_has_none_its_name_is_taken_away)
{
    static const int codes[] = {-EOPNOTSUPP, -EISDIR, -EINVAL};

    set_up(NULL);
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        faults_begin();
#ifdef O_TMPFILE
        faults_fail(FAULT_open, 1, codes[i]);
#endif
        expect_unnamed(directory);
        cr_expect(eq(int, (int)faults_count(FAULT_unlink), 1));
        faults_end();
        cr_expect(zero(int, entries()));
    }
    take_down();
}

INSIDE(tmpfile, failures_name_the_directory)
{
    set_up(NULL);
    cr_expect(eq(int, nido_tmpfile("/nowhere"), -ENOENT));
    cr_expect(eq(str, (char *)nido_error_text(nido_error_last()), "temporary file in /nowhere"));
    faults_begin();
    faults_fail(FAULT_open, 1, -EMFILE);
    cr_expect(eq(int, nido_tmpfile(directory), -EMFILE));
    faults_fail(FAULT_memory, 1, -ENOMEM);
    cr_expect(eq(int, nido_tmpfile(directory), -ENOMEM));
    faults_end();
    take_down();
}
