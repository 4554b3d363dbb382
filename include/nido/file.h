/* SPDX-License-Identifier: MIT */
/* nido/file.h: files. A disk is never "ready" or "not ready", it takes time; so these calls run on
 * workers (nido/offload.h) while other tasks go on. Up to 256 KiB that the page cache has are read
 * at once, without a worker. One call moves 4 MiB at most; nido_read_full, nido_write_all and
 * nido_sendfile move everything, and can be cancelled in between. nido_read, nido_write and the
 * other calls of nido/fd.h do the same by themselves when a descriptor is a file.
 *
 * A cancel before the system call runs on a worker takes it out of the queue (-ECANCELED, and
 * nothing has happened). Once it runs, the call waits for it and returns its real result. All may
 * fail with -EAGAIN (no worker can be started) and -ENOMEM. */
#ifndef NIDO_FILE_H
#define NIDO_FILE_H

#include <sys/types.h>

#include "nido/types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct stat; /* <sys/stat.h> */

/* As open(2), close-on-exec and non-blocking: it does not wait for the other end of a named pipe,
 * and a descriptor that can be polled is owned (nido/fd.h). `mode`: for O_CREAT. Cancellation
 * point. The descriptor, to be closed by nido_close; -ECANCELED: none was opened; or open's own, and
 * nido_error_last() names the path. */
NIDO_API int nido_open(const char *path, int flags, unsigned mode);

/* As pread(2) and pwrite(2): at `offset` bytes, any number of tasks at once. Cancellation point.
 * Bytes moved, possibly fewer than `len`, 0 at the end; -ECANCELED; -EBADF; or the system call's
 * own. */
NIDO_API ssize_t nido_pread(int fd, void *buf, size_t len, int64_t offset);
/* See nido_pread. Cancellation point. Errors as nido_pread (-EBADF, -ENOSPC, ...). */
NIDO_API ssize_t nido_pwrite(int fd, const void *buf, size_t len, int64_t offset);

/* As fsync(2): returns when the data are on the disk. Cancellation point. 0; -ECANCELED; -EBADF; or
 * the system call's own. */
NIDO_API int nido_fsync(int fd);
/* As fdatasync(2), see nido_fsync. Cancellation point. Errors as nido_fsync (-EBADF, ...). */
NIDO_API int nido_fdatasync(int fd);

/* On 32 bit, glibc has a struct stat for each width of sizes and times. nido uses the one with 64
 * bits; nido.pc and the CMake targets give the flags for it. */
#if defined(__GLIBC__) && ((!defined(__OFF_T_MATCHES_OFF64_T) && !defined(__USE_FILE_OFFSET64)) || \
                           (__TIMESIZE == 32 && !defined(__USE_TIME_BITS64)))
#define NIDOI_WIDE __attribute__((error("compile with -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64")))
#else
#define NIDOI_WIDE
#endif

/* As stat(2), lstat(2), fstat(2). Cancellation point. 0; -ECANCELED; or the system call's own, and
 * nido_error_last() names the path of nido_stat and nido_lstat. */
NIDO_API NIDOI_WIDE int nido_stat(const char *path, struct stat *out);
/* See nido_stat. Cancellation point. Errors as nido_stat (-ENOENT, ...). */
NIDO_API NIDOI_WIDE int nido_lstat(const char *path, struct stat *out);
/* See nido_stat. Cancellation point. Errors as nido_stat (-EBADF, ...). */
NIDO_API NIDOI_WIDE int nido_fstat(int fd, struct stat *out);

/* As nido_close, but on a worker, for file systems whose close takes long (a network's): the
 * calling task waits, and a cancel does not end that wait. Not a cancellation point. 0; -EBADF: it
 * was not open; -EPERM: not in a task; or close's own, after which the number is free too. */
NIDO_API int nido_file_close(int fd);

/* ---- Whole files ---- */

/* Replaces the content of a file at once: any reader, and the next start after a crash, finds the
 * old content or the new. The `len` bytes are written to a temporary file in the same directory and
 * synced, that file is renamed to `path`, and the directory is synced. The file need not exist; the
 * new one has `mode` (less the umask) and belongs to the caller, whatever the old one had; a symbolic
 * link is replaced itself. No temporary file is left, unless the process is killed meanwhile.
 * Cancellation point: a cancel while the worker writes ends it after a piece of 4 MiB, and the file
 * is the old one. 0; -ECANCELED; the system calls' own, and nido_error_last() names the path (after
 * an -EIO of the directory's sync the new file is there, but a crash may bring the old one back). */
NIDO_API int nido_file_replace(const char *path, const void *data, size_t len, unsigned mode);

/* Opens a new file without a name, for reading and writing, in the directory `path` (NULL: /tmp):
 * it is gone when it is closed, however the process ends. Where the system has no such files
 * (O_TMPFILE), it has a name for a moment. Mode 0600, close-on-exec. Cancellation point. The
 * descriptor, to be closed by nido_close; -ECANCELED; or open's own, and nido_error_last() names the
 * path. */
NIDO_API int nido_tmpfile(const char *path);

/* ---- Directories ---- */

typedef struct nido_dir nido_dir;

enum nido_file_kind {
    NIDO_FILE_UNKNOWN = 0, /* the file system does not say: ask nido_lstat */
    NIDO_FILE_REGULAR = 1,
    NIDO_FILE_DIRECTORY = 2,
    NIDO_FILE_LINK = 3,
    NIDO_FILE_OTHER = 4
};

typedef struct nido_dirent {
    const char *name; /* of any length; valid until the next nido_readdir or nido_closedir */
    uint64_t inode;
    enum nido_file_kind kind;
    uint32_t spare;
} nido_dirent;

/* Opens a directory. Cancellation point. 0, and *out is to be closed by nido_closedir; -ECANCELED;
 * -ENOMEM; or opendir's own, and nido_error_last() names the path. */
NIDO_API int nido_opendir(const char *path, nido_dir **out);

/* The next entry, without "." and "..", in the order of the file system. One job of a worker reads
 * many entries. Cancellation point. 1 and *out; 0: there are no more; -ECANCELED: no entry was
 * skipped; -EBUSY: another task reads; or readdir's own. */
NIDO_API int nido_readdir(nido_dir *dir, nido_dirent *out);

/* Closes it; NULL is fine. Not a cancellation point. 0; -EBUSY: another task reads. */
NIDO_API int nido_closedir(nido_dir *dir);

#ifdef __cplusplus
}
#endif

#endif
