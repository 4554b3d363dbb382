/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "faults.h"
#include "inside_help.h"

/* A directory of the test's own, made and removed by directory(). */
static char directory_path[64];

static void directory(void (*body)(void))
{
    char command[96];

    strcpy(directory_path, "/tmp/nido-file-XXXXXX");
    cr_assert(ne(ptr, mkdtemp(directory_path), NULL));
    body();
    snprintf(command, sizeof command, "rm -r %s", directory_path);
    cr_expect(eq(int, system(command), 0));
}

static const char *path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof path, "%s/%s", directory_path, name);
    return path;
}

#define IN_DIRECTORY(suite, name) \
    static void in_##name(void);  \
    INSIDE(suite, name)           \
    {                             \
        directory(in_##name);     \
    }                             \
    static void in_##name(void)

static int made(const char *name, const char *content)
{
    int fd = nido_open(path_of(name), O_RDWR | O_CREAT | O_EXCL, 0600);

    cr_expect(ge(int, fd, 0));
    cr_expect(eq(int, nido_write_all(fd, content, strlen(content), NULL), 0));
    return fd;
}

/* What the page cache has is read at once, which these tests do not want. */
static void without_cache(void)
{
    faults_begin();
    faults_fail(FAULT_preadv_now, FAULT_ALWAYS, -EAGAIN);
}

IN_DIRECTORY(file, what_was_written_is_read)
{
    int fd = made("a", "hello, disk");
    char text[32] = "";

    cr_expect(eq(int, (int)nido_pread(fd, text, 5, 7), 4));
    cr_expect(eq(str, text, "disk"));
    cr_expect(eq(int, (int)nido_pread(fd, text, 5, 11), 0), "the end");
    cr_expect(eq(int, (int)nido_pwrite(fd, "J", 1, 0), 1));
    cr_expect(eq(int, nido_fsync(fd), 0));
    cr_expect(eq(int, nido_fdatasync(fd), 0));
    cr_expect(eq(i64, (long)lseek(fd, 0, SEEK_SET), 0));
    cr_expect(eq(int, (int)nido_read(fd, text, sizeof text), 11));
    cr_expect(eq(int, strncmp(text, "Jello, disk", 11), 0));
    cr_expect(eq(int, nido_close(fd), 0));
}

/* S275 */
IN_DIRECTORY(file, a_read_of_a_regular_file_goes_to_a_worker_if_it_would_wait)
{
    struct iovec iov = {.iov_len = 3};
    char text[8] = "";
    int fd = made("a", "abcdef"), foreign = open(path_of("a"), O_RDONLY);

    without_cache();
    cr_expect(eq(int, (int)nido_read(foreign, text, 3), 3));
    iov.iov_base = text + 3;
    cr_expect(eq(int, (int)nido_readv(foreign, &iov, 1), 3));
    cr_expect(eq(str, text, "abcdef"));
    cr_expect(eq(int, (int)nido_read(foreign, text, 3), 0), "the end");
    cr_expect(eq(ulong, faults_count(FAULT_preadv), 3));
    cr_expect(eq(ulong, faults_count(FAULT_read), 0));
    faults_end();
    close(foreign);
    nido_close(fd);
}

IN_DIRECTORY(file, what_the_page_cache_has_takes_no_worker)
{
    int fd = made("a", "abcdef");
    char text[8] = "";

    faults_begin();
    cr_expect(eq(int, (int)nido_pread(fd, text, 6, 0), 6));
    if (faults_count(FAULT_preadv)) cr_skip("this file system cannot say what is cached");
    cr_expect(eq(ulong, faults_count(FAULT_preadv), 0));
    faults_end();
    nido_close(fd);
}

IN_DIRECTORY(file, a_foreign_file_is_written_by_a_worker)
{
    struct iovec iov = {"ghi", 3};
    int fd = open(path_of("a"), O_RDWR | O_CREAT, 0600);
    size_t done = 0;
    static const char big[70000];

    faults_begin();
    cr_expect(eq(int, nido_write_all(fd, big, sizeof big, &done), 0));
    cr_expect(eq(sz, done, sizeof big), "no pieces of PIPE_BUF");
    cr_expect(eq(int, (int)nido_writev(fd, &iov, 1), 3));
    cr_expect(eq(ulong, faults_count(FAULT_pwritev), 2));
    faults_end();
    close(fd);
}

static pthread_t sender;
static ssize_t (*real_sendfile)(int out, int in, int64_t *offset, size_t len);

static ssize_t noted_sendfile(int out, int in, int64_t *offset, size_t len)
{
    sender = pthread_self();
    return real_sendfile(out, in, offset, len);
}

IN_DIRECTORY(file, sendfile_reads_the_disk_on_a_worker)
{
    int fd = made("a", "0123456789"), ends[2];
    size_t done = 0;
    char text[8] = "";

    cr_expect(eq(int, nido_pipe(ends), 0));
    faults_begin();
    real_sendfile = nidoi_sys.sendfile;
    nidoi_sys.sendfile = noted_sendfile;
    sender = pthread_self();
    cr_expect(eq(int, nido_sendfile(ends[1], fd, 3, 4, &done), 0));
    cr_expect(eq(sz, done, 4));
    cr_expect(eq(int, (int)nido_read(ends[0], text, sizeof text), 4));
    cr_expect(eq(str, text, "3456"));
    cr_expect(eq(int, nido_sendfile(ends[1], fd, 8, 4, &done), -EPIPE), "the file is too short");
    cr_expect(eq(sz, done, 2));
    cr_expect(not(pthread_equal(sender, pthread_self())));
    faults_end();
    nido_close(fd);
    nido_close(ends[0]);
    nido_close(ends[1]);
}

/* What is copied on a worker cannot be cancelled, and what is copied on the loop's thread holds it. */
enum { PIECE = 4 << 20, PART = 1000 };
static char large[2 * PIECE + PART];

IN_DIRECTORY(file, a_call_moves_a_piece_at_most)
{
    struct iovec whole = {large, sizeof large};
    struct iovec some[] = {{large, 0}, {large, PART}, {large + PART, PIECE}};
    int fd = made("a", "");
    size_t done = 0;

    faults_begin();
    cr_expect(eq(int, nido_write_all(fd, large, sizeof large, &done), 0));
    cr_expect(eq(sz, done, sizeof large));
    cr_expect(eq(ulong, faults_count(FAULT_pwritev), 3));
    cr_expect(eq(long, (long)nido_pwrite(fd, large, sizeof large, 0), PIECE));
    cr_expect(eq(long, (long)nido_pread(fd, large, sizeof large, 0), PIECE));
    cr_expect(eq(long, (long)lseek(fd, 0, SEEK_SET), 0));
    cr_expect(eq(long, (long)nido_readv(fd, &whole, 1), PIECE));
    cr_expect(eq(long, (long)nido_readv(fd, some, 3), PART), "whole vectors");
    cr_expect(eq(long, (long)nido_readv(fd, some + 2, 1), PIECE));
    cr_expect(eq(long, (long)nido_writev(fd, some, 2), PART));
    faults_end();
    nido_close(fd);
}

IN_DIRECTORY(file, what_takes_long_to_copy_is_a_workers_though_the_page_cache_has_it)
{
    int fd = made("a", "");

    cr_expect(eq(int, nido_write_all(fd, large, sizeof large, NULL), 0));
    faults_begin();
    cr_expect(eq(long, (long)nido_pread(fd, large, 1 << 20, 0), 1 << 20));
    cr_expect(eq(ulong, faults_count(FAULT_preadv_now), 0));
    cr_expect(eq(long, (long)nido_pread(fd, large, 4096, 0), 4096));
    cr_expect(eq(ulong, faults_count(FAULT_preadv_now), 1));
    faults_end();
    nido_close(fd);
}

static struct {
    nido_rt *rt;
    nido_scope scope;
    int pieces;
} copying;

static int cancel_copying(void *unused)
{
    (void)unused;
    return nido_scope_cancel(&copying.scope, 0, NULL);
}

static ssize_t cancelled_sendfile(int out, int in, int64_t *offset, size_t len)
{
    if (++copying.pieces == 2) nido_post(copying.rt, cancel_copying, NULL);
    return real_sendfile(out, in, offset, len);
}

IN_DIRECTORY(file, a_cancelled_copy_ends_with_its_piece)
{
    int from = made("a", ""), to = made("b", "");
    size_t done = 0;
    struct stat out;

    cr_expect(eq(int, ftruncate(from, 8 * PIECE), 0));
    copying.rt = nido_rt_self();
    faults_begin();
    real_sendfile = nidoi_sys.sendfile;
    nidoi_sys.sendfile = cancelled_sendfile;
    nido_scope_open(&copying.scope);
    cr_expect(eq(int, nido_sendfile(to, from, 0, 8 * PIECE, &done), -ECANCELED));
    cr_expect(eq(int, nido_scope_close(&copying.scope, -ECANCELED), 0));
    faults_end();
    cr_expect(eq(sz, done, 2 * PIECE));
    cr_expect(eq(int, fstat(to, &out), 0));
    cr_expect(eq(sz, (size_t)out.st_size, done), "exact");
    nido_rt_release(copying.rt);
    nido_close(from);
    nido_close(to);
}

IN_DIRECTORY(file, what_is_known_of_files)
{
    struct stat by_name, by_number, of_link;
    int fd = made("a", "twelve bytes");

    cr_expect(eq(int, nido_stat(path_of("a"), &by_name), 0));
    cr_expect(eq(int, nido_fstat(fd, &by_number), 0));
    cr_expect(eq(i64, (long)by_name.st_size, 12));
    cr_expect(eq(ulong, (unsigned long)by_name.st_ino, (unsigned long)by_number.st_ino));
    cr_expect(eq(int, symlink("nowhere", path_of("link")), 0));
    cr_expect(eq(int, nido_lstat(path_of("link"), &of_link), 0));
    cr_expect(eq(u32, of_link.st_mode & S_IFMT, S_IFLNK));
    cr_expect(eq(int, nido_stat(path_of("link"), &of_link), -ENOENT));
    nido_close(fd);
}

IN_DIRECTORY(file, failures_are_the_system_calls_own)
{
    char byte;
    struct stat out;

    cr_expect(eq(int, nido_open(path_of("none"), O_RDONLY, 0), -ENOENT));
    cr_expect(eq(int, nido_open(directory_path, O_WRONLY, 0), -EISDIR));
    cr_expect(eq(int, nido_stat(path_of("none"), &out), -ENOENT));
    cr_expect(eq(int, nido_fsync(-1), -EBADF));
    cr_expect(eq(int, nido_fstat(12345, &out), -EBADF));
    cr_expect(eq(int, (int)nido_pread(-1, &byte, 1, 0), -EBADF));
    cr_expect(eq(int, nido_file_close(12345), -EBADF));
}

static void expect_text(int rc, const char *call, const char *path)
{
    char text[160];

    snprintf(text, sizeof text, "%s %s", call, path);
    cr_expect(eq(int, rc, -ENOENT));
    cr_expect(eq(int, nido_error_code(nido_error_last()), -ENOENT), "%s", text);
    cr_expect(eq(str, (char *)nido_error_text(nido_error_last()), text));
    cr_expect(ne(ptr, nido_error_fail_place(nido_error_last()), NULL));
}

IN_DIRECTORY(file, a_failure_names_the_call_and_the_path)
{
    const char *none = path_of("none");
    struct stat out;
    nido_dir *dir;

    expect_text(nido_open(none, O_RDONLY, 0), "open", none);
    expect_text(nido_stat(none, &out), "stat", none);
    expect_text(nido_lstat(none, &out), "lstat", none);
    expect_text(nido_opendir(none, &dir), "open directory", none);
}

IN_DIRECTORY(file, bad_offsets_are_refused)
{
    int fd = made("a", "abc");
    char byte;

    cr_expect(eq(int, (int)nido_pread(fd, &byte, 1, -1), -EINVAL));
    cr_expect(eq(int, (int)nido_pwrite(fd, &byte, 1, -1), -EINVAL));
    nido_close(fd);
}

IN_DIRECTORY(file, every_call_fails_as_its_system_call_does)
{
    int fd = made("a", "abc");
    struct stat out;
    char byte = 0;

    without_cache();
    faults_fail(FAULT_open, 1, -EMFILE);
    cr_expect(eq(int, nido_open(path_of("a"), O_RDONLY, 0), -EMFILE));
    faults_fail(FAULT_preadv, 1, -EIO);
    cr_expect(eq(int, (int)nido_pread(fd, &byte, 1, 0), -EIO));
    faults_fail(FAULT_pwritev, 1, -ENOSPC);
    cr_expect(eq(int, (int)nido_pwrite(fd, &byte, 1, 0), -ENOSPC));
    faults_fail(FAULT_pwritev, 1, -EDQUOT);
    cr_expect(eq(int, (int)nido_write(fd, &byte, 1), -EDQUOT));
    faults_fail(FAULT_fsync, 1, -EIO);
    cr_expect(eq(int, nido_fsync(fd), -EIO));
    faults_fail(FAULT_fdatasync, 1, -EIO);
    cr_expect(eq(int, nido_fdatasync(fd), -EIO));
    faults_fail(FAULT_fstat, 1, -EIO);
    cr_expect(eq(int, nido_fstat(fd, &out), -EIO));
    faults_fail(FAULT_stat, 1, -EACCES);
    cr_expect(eq(int, nido_stat(path_of("a"), &out), -EACCES));
    faults_fail(FAULT_lstat, 1, -EACCES);
    cr_expect(eq(int, nido_lstat(path_of("a"), &out), -EACCES));
    faults_end();
    nido_close(fd);
}

static int cancelled_calls(void *arg)
{
    int fd = *(int *)arg;
    struct stat out;
    nido_dir *dir;
    char byte;

    cr_expect(eq(int, nido_open(path_of("new"), O_CREAT | O_RDWR, 0600), -ECANCELED));
    cr_expect(eq(int, (int)nido_pread(fd, &byte, 1, 0), -ECANCELED));
    cr_expect(eq(int, (int)nido_pwrite(fd, "x", 1, 0), -ECANCELED));
    cr_expect(eq(int, (int)nido_read(fd, &byte, 1), -ECANCELED));
    cr_expect(eq(int, nido_fsync(fd), -ECANCELED));
    cr_expect(eq(int, nido_fdatasync(fd), -ECANCELED));
    cr_expect(eq(int, nido_fstat(fd, &out), -ECANCELED));
    cr_expect(eq(int, nido_stat(directory_path, &out), -ECANCELED));
    cr_expect(eq(int, nido_lstat(directory_path, &out), -ECANCELED));
    cr_expect(eq(int, nido_opendir(directory_path, &dir), -ECANCELED));
    cr_expect(eq(int, nido_file_close(fd), 0), "a close is not refused");
    return -ECANCELED;
}

IN_DIRECTORY(file, under_a_cancelled_scope_nothing_is_done_but_closing)
{
    int fd = made("a", "abc");
    struct stat out;
    char text[4] = "";

    cr_expect(eq(int, nido_with_timeout(0, cancelled_calls, &fd), -ETIMEDOUT));
    cr_expect(eq(int, nido_stat(path_of("new"), &out), -ENOENT));
    fd = nido_open(path_of("a"), O_RDONLY, 0);
    cr_expect(eq(int, (int)nido_read(fd, text, 3), 3));
    cr_expect(eq(str, text, "abc"));
    nido_close(fd);
}

/* ---- Closing while a worker reads ---- */

static int gate[2];
static int entered[2];

static ssize_t (*real_preadv)(int fd, const struct iovec *iov, int n, int64_t offset);

static ssize_t slow_preadv(int fd, const struct iovec *iov, int n, int64_t offset)
{
    char byte;

    if (write(entered[1], "e", 1) != 1 || read(gate[0], &byte, 1) != 1) return -EIO;
    return real_preadv(fd, iov, n, offset);
}

static int read_three(void *arg)
{
    char text[4] = "";
    ssize_t n = nido_pread(*(int *)arg, text, 3, 0);

    cr_expect(eq(str, text, "abc"));
    return (int)n;
}

IN_DIRECTORY(file, a_number_stays_taken_while_a_worker_uses_it)
{
    int fd = made("a", "abc"), other;
    nido_group group;
    nido_task reader;
    char byte;
    int rc = 0;

    cr_expect(eq(int, pipe(gate) | pipe(entered), 0));
    without_cache();
    real_preadv = nidoi_sys.preadv;
    nidoi_sys.preadv = slow_preadv;
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    reader = begin_kept(&group, read_three, &fd);
    cr_expect(eq(int, nido_wait_fd(entered[0], NIDO_IN), NIDO_IN));
    cr_expect(eq(int, (int)read(entered[0], &byte, 1), 1));
    cr_expect(eq(int, nido_close(fd), 0));
    cr_expect(eq(int, nido_close(fd), -EBADF), "it is closed");
    cr_expect(eq(int, (int)nido_pread(fd, &byte, 1, 0), -EBADF));
    other = dup(gate[0]);
    cr_expect(ne(int, other, fd), "nobody gets the number yet");
    close(other);
    cr_expect(eq(int, (int)write(gate[1], "g", 1), 1));
    cr_expect(eq(int, nido_join(reader, &rc), 0));
    cr_expect(eq(int, rc, 3), "the reader has its bytes");
    nido_group_close(&group, 0);
    cr_expect(eq(int, fcntl(fd, F_GETFD), -1), "and now the number is free");
    faults_end();
    for (int i = 0; i < 2; i++) {
        close(gate[i]);
        close(entered[i]);
    }
}

IN_DIRECTORY(file, a_named_pipe_is_opened_without_its_other_end)
{
    int fd;
    char byte;

    cr_expect(eq(int, mkfifo(path_of("fifo"), 0600), 0));
    fd = nido_open(path_of("fifo"), O_RDONLY, 0);
    cr_expect(ge(int, fd, 0));
    cr_expect(eq(int, (int)nido_read(fd, &byte, 1), 0));
    nido_close(fd);
}
