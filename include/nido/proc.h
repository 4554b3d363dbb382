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
 * or, if all that is wanted is its output, nido_proc_run. A child gets its three standard
 * descriptors and no other of this program's, an empty signal mask, and default actions for all
 * signals. What has become of it is noted whether somebody waits or not, so there are no zombies,
 * a status is never lost, and a signal never reaches a stranger that got the child's number.
 *
 * SIGCHLD is the program's own business. If the program ignores it, or reaps children that are not
 * its own, the kernel gives the status away: nido_proc_wait then fails with -ECHILD.
 *
 * A child that is out keeps the virtual clock from jumping, so a grace does not end under it; and
 * no deadlock is reported. All calls belong to the thread that spawned the child. */
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
    NIDO_STDIO_PIPE = 3,    /* a pipe; our end is owned, see nido_proc_stdin and its kin */
    NIDO_STDIO_FD = 4,    /* a duplicate of `fd`, which stays the caller's; not one that nido owns,
                               for those do not block, and most programs do not expect that */
    NIDO_STDIO_STDOUT = 5 /* `err` only: wherever its standard output goes */
};

/* Where a standard descriptor of a child comes from. */
typedef struct nido_stdio {
    enum nido_stdio_kind kind;
    int fd; /* NIDO_STDIO_FD */
} nido_stdio;

typedef struct nido_proc_options {
    size_t size;         /* sizeof(nido_proc_options); nido_proc_options_init sets it */
    char *const *argv;   /* at least one, and NULL after the last */
    const char *program; /* what is run, if not argv[0]; looked for in PATH if it has no slash */
    char *const *env;    /* "NAME=value", NULL after the last; NULL: this program's */
    const char *cwd;     /* directory it begins in, which also relative programs are looked for
                            from; NULL: this program's */
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

/* Starts a program and returns when it runs. `options` are read here and not kept. Cancellation
 * point, up to where it is being started: a cancel after that is seen by the next point. 0, and
 * *proc is to be released; or there is no child and *proc is zeros: what hinders the program from
 * running (-ENOENT, -EACCES, -E2BIG, ...; nido_error_last() names it, or /dev/null if it is that);
 * -ETXTBSY: a process has it open for writing, after half a second still (before that it is tried
 * again, and a cancel has to wait for the tries: a child that another thread is starting may hold a copy of the writer's descriptor); -ECANCELED; -EMFILE, -ENFILE;
 * -EAGAIN: too many processes or threads; -ENOMEM; -ENOSPC; -EBADF: a given descriptor is not open;
 * -EINVAL: no argv or a bad option. (If the kernel has no descriptor or memory left to watch it
 * with, a child that has begun is killed.) */
NIDO_API NIDO_MUST_CHECK int nido_proc_spawn(nido_proc *proc, const nido_proc_options *options);

/* Waits until it has ended; any number of tasks may, any number of times. Cancellation point, which
 * does nothing to the child. 0 and *out (may be NULL), also if it is cancelled after the end was
 * seen; -ECANCELED; -ECHILD: it has ended and somebody else has got its status; -EBADF: released,
 * also meanwhile; -EXDEV: of another run. */
NIDO_API int nido_proc_wait(nido_proc *proc, nido_proc_status *out);

/* Sends a signal to it, or to its group (options.new_group), of which members may be left after its
 * own end, and to it also if it went to another group; 0 only asks. One that is stopped, or traced,
 * has not ended. Not a cancellation point. 0; -ESRCH: it has ended (or, of a group: was reaped by
 * somebody else); -EINVAL: no such signal; -EPERM: it changed its user; or no runtime; -EBADF, -EXDEV
 * as nido_proc_wait. */
NIDO_API int nido_proc_kill(nido_proc *proc, int signal);

/* Ends it: its standard input is closed, if that is a pipe of ours; SIGTERM, and SIGCONT, so that one
 * that is stopped hears of it; the grace; SIGKILL; and waits for its end. Fine if it has ended. Not
 * a cancellation point: it works in a cancelled scope too, in which the grace of the run
 * (nido_options.grace_ns) may cut the child's short. 0 and *out (may be NULL); -EPERM: it changed its
 * user, as sudo does, and has not ended in the grace (with NIDO_NEVER: no grace), which it had for
 * the end of its input; -EBUSY: it has not ended 10 s after SIGKILL, the kernel or a debugger holds
 * it; or as nido_proc_wait, but not -ECANCELED. After -EPERM and -EBUSY it is left as it is: who
 * wants its end waits for it. */
NIDO_API int nido_proc_stop(nido_proc *proc, nido_proc_status *out);

/* Its number. A signal sent by that may meet a stranger: see nido_proc_kill. Not a cancellation
 * point. It, or -EBADF, -EXDEV, -EPERM. */
NIDO_API int nido_proc_pid(const nido_proc *proc);

/* Our end of its pipe, an owned descriptor that nido_proc_release will close; do not close it, but
 * take it before. Not a cancellation point. The descriptor; -EBADF: it is no pipe, or was taken;
 * -EXDEV, -EPERM. */
NIDO_API int nido_proc_stdin(const nido_proc *proc);
/* See nido_proc_stdin. Not a cancellation point. -EBADF, -EXDEV, -EPERM. */
NIDO_API int nido_proc_stdout(const nido_proc *proc);
/* See nido_proc_stdin. Not a cancellation point. -EBADF, -EXDEV, -EPERM. */
NIDO_API int nido_proc_stderr(const nido_proc *proc);

/* Hands our end of a pipe over to the caller, who closes it from now on, and keeps it beyond the
 * release if he likes: nido_close(nido_proc_take(&proc, 0)) ends the child's input. `which` is 0, 1
 * or 2. Not a cancellation point. As nido_proc_stdin; -EINVAL: another `which`. */
NIDO_API int nido_proc_take(nido_proc *proc, int which);

/* Lets go of it: closes what is ours of its pipes and sends everybody who waits home with -EBADF. A
 * child that still runs is left running, and reaped when it ends, also after the run. What was not
 * released is released when the run ends. Not a cancellation point. 0, also if there is none;
 * -EXDEV, -EPERM: nothing is done. */
NIDO_API int nido_proc_release(nido_proc *proc);

/* An arm of nido_select: waits for its end as nido_proc_wait does; that then gives the status at
 * once. Cannot fail. Not a cancellation point. */
NIDO_API void nido_arm_proc(struct nido_arm *arm, nido_proc *proc);

/* What nido_proc_run has got; to be given to nido_proc_result_free. */
typedef struct nido_proc_result {
    nido_proc_status status;
    char *out; /* standard output, a 0 after its end; NULL if it was not collected */
    size_t out_len;
    char *err; /* standard error */
    size_t err_len;
    bool truncated; /* there was more than output_limit */
} nido_proc_result;

/* Runs a program to its end: `len` bytes of `input` are its standard input, its outputs are
 * collected, all at the same time. By default (NIDO_STDIO_DEFAULT) `in` is a pipe if there is
 * input, else /dev/null; `out` and `err` are pipes; what is chosen otherwise is not fed or
 * collected. A program that does not read all its input is no failure, and neither is an exit
 * status but 0: look at out->status.
 *
 * Where others hold the pipes when the program has ended (a daemon it left behind), their output is
 * waited for no longer than the kill grace; options.new_group has them killed then.
 *
 * Cancellation point: a cancel stops the program as nido_proc_stop does, and afterwards kills what
 * is left of its group. 0; -ECANCELED, with the output so far in *out, if it had begun; -EPERM,
 * -EBUSY: it was to be stopped, but nido_proc_stop left it running (nido_error_last() has its
 * number), *out has the output so far; -EOVERFLOW: more output than the limit, the program was
 * stopped, *out has as much as the limit; -ENOMEM; -ECHILD; -EINVAL: input, but `in` is neither a pipe nor the default; as nido_proc_spawn. *out is
 * filled in every case. */
NIDO_API int nido_proc_run(const nido_proc_options *options, const void *input, size_t len,
                           nido_proc_result *out);

/* Frees the outputs and fills with zeros. Any thread. Cannot fail. Not a cancellation point. */
NIDO_API void nido_proc_result_free(nido_proc_result *result);

#ifdef __cplusplus
}
#endif

#endif
