/* base/child_end.h: hearing of a child's end where the kernel has no descriptors for processes
 * (pidfd_open: Linux 5.3, or denied by a filter). */
#ifndef NIDOI_CHILD_END_H
#define NIDOI_CHILD_END_H

/* A descriptor that can be read when the child has ended, to be closed as any other. A thread waits
 * for that and reaps nothing. Or -EMFILE, -ENFILE, -ENOMEM, -EAGAIN. */
int nidoi_child_end_fd(int pid);

#endif
