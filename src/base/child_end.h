/* SPDX-License-Identifier: MIT */
/* base/child_end.h: waiting for a child's end where the kernel has no descriptors for processes
 * (pidfd_open came with Linux 5.3, and filters of system calls may deny it). */
#ifndef NIDOI_CHILD_END_H
#define NIDOI_CHILD_END_H

/* A descriptor that can be read when the child has ended; the caller closes it. A thread waits for
 * the child and does not reap it. Or -EMFILE, -ENFILE, -ENOMEM, -EAGAIN. */
int nidoi_child_end_fd(int pid);

#endif
