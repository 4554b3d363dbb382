/* SPDX-License-Identifier: MIT */
/* base/sys_file.c: files, directories, and what all descriptors have. */
#include "base/sys_call.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int nidoi_os_fsync(int fd)
{
    RETURN_RETRIED(int, fsync(fd));
}

int nidoi_os_fdatasync(int fd)
{
#ifdef __APPLE__
    RETURN_RETRIED(int, fsync(fd));
#else
    RETURN_RETRIED(int, fdatasync(fd));
#endif
}

int nidoi_os_stat(const char *path, struct stat *out)
{
    RETURN_RETRIED(int, stat(path, out));
}

int nidoi_os_lstat(const char *path, struct stat *out)
{
    RETURN_RETRIED(int, lstat(path, out));
}

int nidoi_os_fstat(int fd, struct stat *out)
{
    RETURN_RETRIED(int, fstat(fd, out));
}

int nidoi_os_rename(const char *from, const char *to)
{
    RETURN_RETRIED(int, rename(from, to));
}

int nidoi_os_unlink(const char *path)
{
    RETURN_RETRIED(int, unlink(path));
}

int nidoi_os_opendir(const char *path, DIR **out)
{
    int fd = nidoi_os_open(path, O_RDONLY | O_DIRECTORY | O_NONBLOCK, 0), err;

    if (fd < 0) return fd;
    *out = fdopendir(fd);
    if (*out) return 0;
    err = -errno;
    close(fd);
    return err;
}

int nidoi_os_readdir(DIR *dir, struct dirent **out)
{
    errno = 0;
    *out = readdir(dir);
    return *out ? 0 : -errno;
}

int nidoi_os_closedir(DIR *dir)
{
    RETURN_RETRIED(int, closedir(dir));
}

/* 1 if it was so already. */
int nidoi_os_nonblock(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0) return -errno;
    if (!(flags & O_NONBLOCK) == !on) return 1;
    return fcntl(fd, F_SETFL, flags ^ O_NONBLOCK) < 0 ? -errno : 0;
}

int nidoi_os_blocks(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags < 0 ? 0 : !(flags & O_NONBLOCK); /* the call itself tells what is wrong */
}

int nidoi_os_mode(int fd)
{
    struct stat status;

    return fstat(fd, &status) < 0 ? -errno : (int)status.st_mode;
}

/* Not retried: after EINTR the number is free on every system we know. */
int nidoi_os_close(int fd)
{
    return close(fd) < 0 && errno != EINTR ? -errno : 0;
}

int nidoi_os_poll(struct pollfd *fds, size_t n, int milliseconds)
{
    int ready = poll(fds, (nfds_t)n, milliseconds);

    return ready < 0 ? -errno : ready;
}

int nidoi_os_dup2(int fd, int to)
{
    RETURN_RETRIED(int, dup2(fd, to));
}
