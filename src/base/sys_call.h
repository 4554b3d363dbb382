/* SPDX-License-Identifier: MIT */
/* base/sys_call.h: what the files of the system calls (base/sys_*.c) have in common. Each of them
 * defines entries of the table in base/sys.h, and whatever systems lack or call otherwise for them,
 * so that both sides of an #if are seen together. */
#ifndef NIDOI_SYS_CALL_H
#define NIDOI_SYS_CALL_H

#include <errno.h>

#include "base/sys.h"

#define NIDOI_OS_CALL(result, name, parameters, arguments) result nidoi_os_##name parameters;
NIDOI_SYSCALLS(NIDOI_OS_CALL)
#undef NIDOI_OS_CALL

enum { NANO = 1000000000 };

/* The result of an expression that sets errno, retried on EINTR. */
#define RETURN_RETRIED(type, expression)  \
    type result;                          \
    do result = (expression);             \
    while (result < 0 && errno == EINTR); \
    return result < 0 ? -errno : result

/* After a call that a kernel may be too old for: filters of system calls (seccomp, as containers
 * set them) answer EPERM where a kernel without the call says ENOSYS. */
static inline bool nidoi_lacks_call(void)
{
    return errno == ENOSYS || errno == EPERM;
}

/* Takes a descriptor, or -1, and returns it or its like above the standard streams; -1 with errno.
 * Defined in sys_open.c. */
int nidoi_above_stdio(int fd);

#endif
