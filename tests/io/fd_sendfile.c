/* SPDX-License-Identifier: MIT */
/* nido_sendfile where the kernel does not move bytes by itself, or would hold a worker for good. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "base/sys.h"
#include "io_help.h"

enum { FILE_SIZE = 200000, SOME = 700 };

static int file_of(size_t size)
{
    char path[] = "/tmp/nido-sendfile-XXXXXX";
    int fd = mkstemp(path);

    cr_assert(ge(int, fd, 0));
    unlink(path);
    cr_expect(eq(int, ftruncate(fd, (off_t)size), 0));
    return fd;
}

/* ---- A terminal that blocks and is nearly full ---- */

static struct {
    int master, slave, file;
} terminal;

static void terminal_open(void)
{
    static const char zeros[FILE_SIZE];
    struct termios raw;
    int filler;

    terminal.file = file_of(FILE_SIZE);
    terminal.master = posix_openpt(O_RDWR | O_NOCTTY);
    cr_assert(zero(int, grantpt(terminal.master)));
    cr_assert(zero(int, unlockpt(terminal.master)));
    terminal.slave = open(ptsname(terminal.master), O_RDWR | O_NOCTTY);
    cr_assert(ge(int, terminal.slave, 0));
    tcgetattr(terminal.slave, &raw);
    cfmakeraw(&raw);
    tcsetattr(terminal.slave, TCSANOW, &raw);
    filler = open(ptsname(terminal.master), O_WRONLY | O_NONBLOCK | O_NOCTTY);
    while (write(filler, zeros, sizeof zeros) > 0 || write(filler, zeros, 1) > 0) continue;
    close(filler);
}

static void terminal_close(void)
{
    close(terminal.master);
    close(terminal.slave);
    close(terminal.file);
}

static int send_to_the_terminal(void *done)
{
    return nido_sendfile(terminal.slave, terminal.file, 0, FILE_SIZE, done);
}

static int read_a_little(void *unused)
{
    char buf[SOME];

    (void)unused;
    return read(terminal.master, buf, sizeof buf) > 0 ? 0 : -EIO;
}

static int send_and_read(void *unused)
{
    size_t done = FILE_SIZE;

    (void)unused;
    terminal_open();
    cr_expect(eq(int, read_a_little(NULL), 0), "there is some room, but not for a page");
    cr_expect(eq(int, nido_with_timeout(NIDO_MS(100), send_to_the_terminal, &done), -ETIMEDOUT));
    cr_expect(lt(sz, done, FILE_SIZE));
    terminal_close();
    return 0;
}

NIDO_TEST(fd_sendfile, to_a_full_terminal_that_blocks_ends_by_its_deadline)
{
    cr_expect(eq(int, nido_run(send_and_read, NULL, NULL), 0));
}

/* ---- What the kernel refuses ---- */

static int send_to_what_is_appended_to(void *unused)
{
    char path[] = "/tmp/nido-sendfile-XXXXXX";
    int from = file_of(10000), to = mkstemp(path);
    size_t done = 0;

    (void)unused;
    cr_expect(eq(int, fcntl(to, F_SETFL, O_APPEND), 0));
    unlink(path);
    cr_expect(eq(int, nido_sendfile(to, from, 0, 10000, &done), 0));
    cr_expect(eq(sz, done, 10000));
    cr_expect(eq(long, (long)lseek(to, 0, SEEK_END), 10000));
    close(from);
    close(to);
    return 0;
}

NIDO_TEST(fd_sendfile, to_a_file_that_is_appended_to_is_written)
{
    cr_expect(eq(int, io_run(send_to_what_is_appended_to), 0));
}

static int send_to_who_refuses(void *unused)
{
    int from = file_of(100), full = open("/dev/full", O_WRONLY), ends[2];
    size_t done = 1;

    (void)unused;
    cr_expect(eq(int, pipe(ends), 0));
    cr_expect(eq(int, nido_sendfile(ends[0], from, 0, 100, &done), -EBADF), "it is for reading");
    cr_expect(eq(sz, done, 0));
    cr_expect(eq(int, nido_sendfile(full, from, 0, 100, &done), -ENOSPC));
    close(from);
    close(full);
    io_close_pair(ends);
    return 0;
}

NIDO_TEST(fd_sendfile, to_what_refuses_gives_the_error_of_a_write)
{
    cr_expect(eq(int, io_run(send_to_who_refuses), 0));
}

/* ---- Another file under the number while a worker reads ---- */

static struct nidoi_sys real;
static int out[2], next[2];
static atomic_bool reading, replaced;

static ssize_t no_read_now(int fd, const struct iovec *iov, int n, int64_t offset)
{
    (void)fd, (void)iov, (void)n, (void)offset;
    return -EAGAIN; /* the disk is needed */
}

static ssize_t slow_read(int fd, const struct iovec *iov, int n, int64_t offset)
{
    reading = true;
    while (!replaced) usleep(1000);
    return real.preadv(fd, iov, n, offset);
}

static int send_slowly(void *file)
{
    size_t done = 1;

    cr_expect(eq(int, nido_sendfile(out[1], *(int *)file, 0, SOME, &done), -EBADF));
    cr_expect(zero(sz, done));
    return 0;
}

static int replace_out(void *unused)
{
    (void)unused;
    while (!reading) nido_sleep(NIDO_MS(1));
    cr_expect(zero(int, nido_close(out[1])));
    cr_assert(zero(int, pipe(next)));
    cr_expect(eq(int, next[0], out[1]), "the lowest free number");
    cr_expect(eq(int, dup2(next[1], out[1]), out[1]), "which can be written");
    replaced = true;
    return 0;
}

/* A pipe that blocks and is not nido's: the bytes are read and written. */
static int replace_while_a_worker_reads(void *unused)
{
    int file = file_of(FILE_SIZE), rc;

    (void)unused;
    cr_assert(zero(int, pipe(out)));
    real = nidoi_sys;
    nidoi_sys.preadv_now = no_read_now;
    nidoi_sys.preadv = slow_read;
    rc = TOGETHER(&file, send_slowly, replace_out);
    nidoi_sys = real;
    close(file);
    close(out[0]);
    close(next[0]);
    close(next[1]);
    return rc;
}

NIDO_TEST(fd_sendfile, what_a_worker_has_read_does_not_go_to_the_next_file_of_a_number)
{
    cr_expect(zero(int, nido_run(replace_while_a_worker_reads, NULL, NULL)));
}
