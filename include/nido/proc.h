/* SPDX-License-Identifier: MIT */
/* nido/proc.h: child processes.
 *
 *     nido_proc_options options;
 *     nido_proc proc;
 *     nido_proc_options_init(&options);
 *     options.argv = (char *[]){"sort", "-u", NULL};
 *     options.out.kind = NIDO_STDIO_PIPE;
 *     rc = nido_proc_spawn(&proc, &options);
 *     ... nido_read(nido_proc_stdout(&proc), ...) ...
 *     rc = nido_proc_wait(&proc, &status);
 *     nido_proc_release(&proc);
 *
 * or, if only its output is wanted, nido_proc_run. A child gets its three standard descriptors and
 * no other descriptor of this program, an empty signal mask, and default actions for all signals.
 * Its end is noted whether a task waits or not: so there are no zombies, a status is never lost,
 * and a signal never reaches another process that got the child's number later.
 *
 * SIGCHLD is the program's own business. If the program ignores it, or reaps children that are not
 * its own, the kernel gives the status away: nido_proc_wait then fails with -ECHILD.
 *
 * While a child has not been released, the virtual clock does not jump; while it runs, no deadlock
 * is reported. All calls on a child are for the thread that spawned it. */
#ifndef NIDO_PROC_H
#define NIDO_PROC_H

#include <string.h>

#include "nido/types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct nido_arm;

enum nido_stdio_kind {
    NIDO_STDIO_DEFAULT = 0, /* nido_proc_spawn: INHERIT; nido_proc_run says what */
    NIDO_STDIO_INHERIT = 1, /* as this program's own descriptor of that number */
    NIDO_STDIO_NULL = 2,    /* /dev/null */
    NIDO_STDIO_PIPE = 3,    /* a pipe; our end is owned, see nido_proc_stdin */
    NIDO_STDIO_FD = 4,      /* a duplicate of `fd`, which stays the caller's; not one that nido owns
                               (-EINVAL): those do not block, and most programs do not expect that */
    NIDO_STDIO_STDOUT = 5   /* `err` only: the same as its standard output */
};

/* Where a standard descriptor of a child comes from. */
typedef struct nido_stdio {
    enum nido_stdio_kind kind;
    int fd; /* NIDO_STDIO_FD */
} nido_stdio;

typedef struct nido_proc_options {
    size_t size;         /* sizeof(nido_proc_options); nido_proc_options_init sets it */
    char *const *argv;   /* at least one, and NULL after the last */
    const char *program; /* the program, if not argv[0]; searched in PATH if it has no slash */
    char *const *env;    /* "NAME=value", NULL after the last; NULL: this program's */
    const char *cwd;     /* directory in which it begins, and in which a relative program is
                            searched; NULL: this program's */
    nido_stdio in, out, err;
    int64_t
        kill_grace_ns;   /* between SIGTERM and SIGKILL; 0: 5 s; < 0: none; NIDO_NEVER: no SIGKILL.
                              On the runtime's clock */
    size_t output_limit; /* nido_proc_run: most bytes of each output; 0: 16 MiB */
    bool new_group;      /* it leads a process group of its own; signals go to all of that */
} nido_proc_options;

/* A child's end. */
typedef struct nido_proc_status {
    int code;         /* exit status, 0 to 255; -1: a signal ended it */
    int signal;       /* that signal; 0: it exited */
    bool core_dumped; /* by that signal */
    uint8_t spare[7];
} nido_proc_status;

/* A child, in the caller's memory; fields are private. All zeros is no child. */
typedef struct nido_proc {
    struct nidoi_child *child;
    uint32_t runtime;
    uint32_t spare;
} nido_proc;

/* Fills with zeros and sets `size`. Cannot fail. Not a cancellation point. */
static inline void nido_proc_options_init(nido_proc_options *options)
{
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
}
/* The same as an initialiser: &NIDO_PROC_OPTIONS(.field = value). In C. */
#define NIDO_PROC_OPTIONS(...) NIDOI_SIZED(nido_proc_options, __VA_ARGS__)

/* Starts a program and returns when it runs. `options` are read here and not kept. Cancellation
 * point until the start begins: a later cancel is seen by the next point. 0, and *proc is to be
 * released; or an error, and there is no child and *proc is zeros: the reason why the program
 * cannot run (-ENOENT, -EACCES, -E2BIG, ...; nido_error_last() names the program, or /dev/null if
 * that is the reason); -ETXTBSY: a process still has the program open for writing after half a
 * second (until then the start is tried again, for a child that another thread is starting may hold
 * a copy of the writer's descriptor; a cancel waits for these tries); -ECANCELED; -EMFILE, -ENFILE;
 * -EAGAIN: too many processes or threads; -ENOMEM; -ENOSPC; -EBADF: a given descriptor is not open;
 * -EINVAL: no argv or a bad option. (If there is no descriptor or memory left to watch a child that
 * has begun, it is killed.) */
NIDO_API NIDO_MUST_CHECK int nido_proc_spawn(nido_proc *proc, const nido_proc_options *options);

/* Waits until the child has ended; any number of tasks may wait, any number of times. Cancellation
 * point; a cancel does nothing to the child. 0 and *out (may be NULL), also if the caller is
 * cancelled after the end was seen; -ECANCELED; -ECHILD: it has ended, and other code in the
 * program has taken its status; -EBADF: released, also meanwhile; -EXDEV: a child of another run.
 */
NIDO_API int nido_proc_wait(nido_proc *proc, nido_proc_status *out);

/* Sends a signal to the child, or to its group (options.new_group), of which members may be left
 * after the child's own end, and then to the child also if it went to another group. Signal 0 only
 * asks. A child that is stopped or traced has not ended. Not a cancellation point. 0; -ESRCH: it
 * has ended (or, with a group: other code has reaped it); -EINVAL: no such signal; -EPERM: it
 * changed its user; or no runtime; -EBADF, -EXDEV as nido_proc_wait. */
NIDO_API int nido_proc_kill(nido_proc *proc, int signal);

/* Ends the child: closes its standard input, if that is a pipe of ours; sends SIGTERM, and SIGCONT
 * so that a stopped child receives it; waits for the grace; sends SIGKILL; and waits for its end.
 * Does nothing to a child that has ended. Not a cancellation point: it works in a cancelled scope
 * too, where the grace of the run (nido_options.grace_ns) may shorten the child's. 0 and *out (may
 * be NULL); -EPERM: it changed its user, as sudo does, and has not ended within the grace (with
 * NIDO_NEVER: no grace) after its input was closed; -EBUSY: it has not ended 10 s after SIGKILL,
 * because the kernel or a debugger holds it; or as nido_proc_wait, but not -ECANCELED. After -EPERM
 * and -EBUSY the child is left running; nido_proc_wait still waits for its end. */
NIDO_API int nido_proc_stop(nido_proc *proc, nido_proc_status *out);

/* Its process id. A signal sent to that number may reach another process after the child's end;
 * nido_proc_kill does not. Not a cancellation point. The process id, or -EBADF, -EXDEV, -EPERM. */
NIDO_API int nido_proc_pid(const nido_proc *proc);

/* Our end of its pipe: an owned descriptor that nido_proc_release will close. To close it yourself,
 * take it first (nido_proc_take). Not a cancellation point. The descriptor; -EBADF: it is no pipe,
 * or was taken; -EXDEV, -EPERM. */
NIDO_API int nido_proc_stdin(const nido_proc *proc);
/* See nido_proc_stdin. Not a cancellation point. -EBADF, -EXDEV, -EPERM. */
NIDO_API int nido_proc_stdout(const nido_proc *proc);
/* See nido_proc_stdin. Not a cancellation point. -EBADF, -EXDEV, -EPERM. */
NIDO_API int nido_proc_stderr(const nido_proc *proc);

/* Hands our end of a pipe over to the caller, which must close it and may keep it after the
 * release: nido_close(nido_proc_take(&proc, 0)) ends the child's input. `which` is 0, 1 or 2. Not a
 * cancellation point. As nido_proc_stdin; -EINVAL: another `which`. */
NIDO_API int nido_proc_take(nido_proc *proc, int which);

/* Releases the child: closes our ends of its pipes and wakes every waiter with -EBADF. A child that
 * still runs is left running, and is reaped when it ends, also after the run. A child that was not
 * released is released when the run ends. Not a cancellation point. 0, also for zeros; -EXDEV,
 * -EPERM: nothing is done. */
NIDO_API int nido_proc_release(nido_proc *proc);

/* An arm of nido_select: waits for the child's end as nido_proc_wait does; afterwards
 * nido_proc_wait gives the status at once. Cannot fail. Not a cancellation point. */
NIDO_API void nido_arm_proc(struct nido_arm *arm, nido_proc *proc);

/* The result of nido_proc_run, to be freed by nido_proc_result_free. */
typedef struct nido_proc_result {
    nido_proc_status status;
    char *out; /* standard output, a 0 after its end; NULL if it was not collected */
    size_t out_len;
    char *err; /* standard error */
    size_t err_len;
    bool truncated; /* there was more than output_limit */
    uint64_t spare[2];
} nido_proc_result;

/* Runs a program to its end: feeds it the `len` bytes of `input` and collects its outputs at the
 * same time. By default (NIDO_STDIO_DEFAULT) `in` is a pipe if there is input, else /dev/null, and
 * `out` and `err` are pipes; a descriptor of another kind is not fed or collected. It is no failure
 * if the program does not read all its input, or exits with a status other than 0: look at
 * out->status.
 *
 * If other processes hold the pipes after the program has ended (a daemon that it started), the
 * call waits for their output no longer than the kill grace; with options.new_group they are killed
 * then.
 *
 * Cancellation point: a cancel stops the program as nido_proc_stop does, and afterwards kills what
 * is left of its group. 0; -ECANCELED, with the output so far in *out, if the program had begun;
 * -EPERM, -EBUSY: it was to be stopped, but nido_proc_stop left it running (nido_error_last() has
 * its process id), and *out has the output so far; -EOVERFLOW: more output than the limit, so the
 * program was stopped, and *out has as much as the limit; -ENOMEM; -ECHILD; -EINVAL: there is
 * input, but `in` is neither a pipe nor the default; or as nido_proc_spawn. *out is filled in every
 * case. */
NIDO_API int nido_proc_run(const nido_proc_options *options, const void *input, size_t len,
                           nido_proc_result *out);

/* Frees the outputs and fills with zeros. Any thread. Cannot fail. Not a cancellation point. */
NIDO_API void nido_proc_result_free(nido_proc_result *result);

#ifdef __cplusplus
}
#endif

#endif
