/* nido/debug.h: what a program is doing: its tree of tasks, as text and as JSON.
 *
 * nido_options.flags with NIDO_RUN_DUMP, or NIDO_DEBUG=dump in the environment, prints the same on stderr
 * whenever the process gets SIGQUIT (Ctrl-\ on a terminal), for each runtime of the process. */
#ifndef NIDO_DEBUG_H
#define NIDO_DEBUG_H

#include <stdio.h>

#include "nido/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Prints the groups and tasks of the calling thread's runtime, a line each, as a tree: what each task
 * waits for and for how long, its deadline, why it is cancelled, how much of its stack is used, and
 * where it was spawned. Three or more equal subtrees of one group are shown once and counted. Control
 * characters in names are shown as "?". From a task, a function that the loop calls, or between two
 * nido_rt_step. Writes to `file` as stdio does when the tree has been read, and so may block the thread
 * for as long. 0; -EINVAL: file is NULL; -EPERM: the thread has no runtime; -ENOMEM; -EIO: stdio could
 * not write all of it. Not a cancellation point. */
NIDO_API int nido_dump(FILE *file);

/* The same as one JSON object; docs/semantics.md, section 42, has its fields. Each task has an entry of
 * its own, equal ones too. 0; -EINVAL; -EPERM; -ENOMEM; -EIO: as nido_dump. Not a cancellation point. */
NIDO_API int nido_dump_json(FILE *file);

#ifdef __cplusplus
}
#endif

#endif
