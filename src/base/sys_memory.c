/* SPDX-License-Identifier: MIT */
/* base/sys_memory.c: mapping memory, guarding it and giving it back. */
#include "base/sys_call.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/syscall.h>
#endif

#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

/* ---- As the systems have it ---- */

#ifdef __linux__

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#endif

/* All in one call where the kernel lets a process advise itself so (Linux 6.14), else one by one.
 */
static bool guarded_at_once(const struct iovec *pages, int n)
{
#ifdef SYS_process_madvise
    enum { SELF = -10000 }; /* PIDFD_SELF */
    size_t size = 0;

    for (int i = 0; i < n; i++) size += pages[i].iov_len;
    return syscall(SYS_process_madvise, SELF, pages, n, MADV_GUARD_INSTALL, 0) == (long)size;
#else
    (void)pages, (void)n;
    return false;
#endif
}

static int guard_pages(const struct iovec *pages, int n)
{
    if (guarded_at_once(pages, n)) return 0;
    for (int i = 0; i < n; i++)
        if (madvise(pages[i].iov_base, pages[i].iov_len, MADV_GUARD_INSTALL) < 0) return -1;
    return 0;
}

enum { UNUSED_MEMORY = MADV_DONTNEED };

#else

static int guard_pages(const struct iovec *pages, int n)
{
    (void)pages, (void)n;
    errno = EINVAL;
    return -1;
}

/* Elsewhere MADV_DONTNEED only says that the pages will not be read soon. */
enum { UNUSED_MEMORY = MADV_FREE };

#endif

/* ---- Entries of the table ---- */

int nidoi_os_map(size_t size, void **out)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);

    if (memory == MAP_FAILED) return -errno;
    *out = memory;
    return 0;
}

int nidoi_os_unmap(void *memory, size_t size)
{
    return munmap(memory, size) < 0 ? -errno : 0;
}

int nidoi_os_protect_none(void *memory, size_t size)
{
    return mprotect(memory, size, PROT_NONE) < 0 ? -errno : 0;
}

int nidoi_os_guard(const struct iovec *pages, int n)
{
    if (guard_pages(pages, n) == 0) return 0;
    return nidoi_lacks_call() ? -EINVAL : -errno;
}

int nidoi_os_release_pages(void *memory, size_t size)
{
    return madvise(memory, size, UNUSED_MEMORY) < 0 ? -errno : 0;
}
