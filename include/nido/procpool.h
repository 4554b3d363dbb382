/* SPDX-License-Identifier: MIT */
/* nido/procpool.h: functions that run in processes of their own.
 *
 * A job gets bytes and returns bytes. If it crashes, exits, hangs or uses too much memory, that
 * ends its worker process and fails its own call, nothing else:
 *
 *     static int parse(nido_procjob *job)                    runs in a worker
 *     {
 *         size_t len;
 *         const char *text = nido_procjob_input(job, &len);
 *         ...
 *         return nido_procjob_reply(job, tree, tree_len);
 *     }
 *
 *     int main(void) { nido_procpool_prepare(); ... nido_run(app, NULL, NULL); }
 *
 *     rc = nido_procpool_call(pool, parse, text, len, NULL, &result);       in a task
 *
 * Workers are forks of a small server, which is itself a fork of this program as it was at
 * nido_procpool_prepare. So a job may use every function of the program, and sees its memory as it
 * was then: what has been opened, loaded, allocated or changed since (also the directory and the
 * environment) is not there. A worker has descriptors 0 and 1 of the program, and a descriptor 2 of
 * its own.
 *
 * Workers are not children of this program: no SIGCHLD arrives for them and no waitpid finds them
 * (nor the server, in a program that is PID 1 or adopts orphans). They end with the program,
 * however it ends. Signals of the terminal do not reach them; reading from the terminal gives EIO;
 * a stopped worker is continued. The processes that a job has started (its process group, and on
 * Linux all its descendants) end with the job: if one still runs when the job returns, the worker
 * does no other job. A job must not wait for them by waitpid(-1, ...), which may return other
 * children. Threads that a job leaves stay; where that matters, set `max_jobs` to 1.
 *
 * This isolates mistakes; it is no security boundary: a job has the rights of the program, its
 * files and its user, can signal its processes, and can return a wrong result. To restrict it
 * further: `max_jobs = 1`, so that no job sees what another left in its process; `no_new_privs`;
 * and `confine`, which installs the program's own filter (seccomp, Landlock) in each worker. */
#ifndef NIDO_PROCPOOL_H
#define NIDO_PROCPOOL_H

#include <string.h>

#include "nido/types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nido_procpool nido_procpool; /* belongs to the runtime in which it was made */
typedef struct nido_procjob nido_procjob;   /* a job's view of its call */

/* A job. >= 0 is success, < 0 a negated errno; the call returns the same. */
typedef int nido_procjob_fn(nido_procjob *job);

/* Called in each new worker before its first job, with the pool's name (its first 15 bytes), to
 * give up rights. The worker itself still needs read, write, close, recvfrom, sendto, getpid,
 * waitid, exit_group, what malloc needs, and with `cpu_seconds` clock_gettime and prlimit64. 0; or
 * a negated errno: the worker does no job, and the call fails with that code. */
typedef int nido_procpool_confine_fn(const char *pool);

/* Zero is the default of every field except size. */
typedef struct nido_procpool_options {
    size_t size;           /* sizeof(nido_procpool_options); nido_procpool_options_init sets it */
    const char *name;      /* for reports and lists of processes; copied; NULL: "procpool" */
    uint32_t workers;      /* most processes, and so jobs, at once; 0: as many as there are CPUs */
    uint32_t max_jobs;     /* a worker is replaced after so many jobs; 0: never */
    size_t max_frame;      /* bytes of one input, and of one reply; 0: 64 MiB */
    uint64_t memory;       /* bytes of address space of a worker (RLIMIT_AS); 0: no limit */
    uint32_t cpu_seconds;  /* CPU time of one job, rounded up (RLIMIT_CPU, SIGXCPU); 0: no limit */
    int64_t kill_grace_ns; /* between asking a worker to end and SIGKILL; 0: 5 s */
    bool kill_at_once;     /* a cancelled job gets no SIGTERM and no grace, but SIGKILL */
    bool cancel_on_free;   /* nido_procpool_free cancels the calls instead of waiting for them */
    bool no_new_privs;     /* no program that a worker executes gains rights by set-user-id and the
                              like (Linux; elsewhere calls fail with -ENOSYS) */
    /* What jobs write on stderr, as it comes; must not park. NULL: passed on to the program's
     * stderr, as far as that takes it without blocking. */
    void (*on_stderr)(void *ctx, const char *bytes, size_t len);
    void *ctx;
    nido_procpool_confine_fn *confine; /* in the program as nido_procpool_prepare found it, like a
                                          job; NULL: none */
} nido_procpool_options;

typedef struct nido_procpool_call_options {
    size_t size;      /* sizeof(nido_procpool_call_options); nido_procpool_call_options_init */
    const char *name; /* of the job, for errors; NULL: its function's */
} nido_procpool_call_options;

/* The result of a job, to be freed by nido_procpool_result_deinit. */
typedef struct nido_procpool_result {
    void *data;       /* the reply, and a zero byte behind it; NULL if the job did not return */
    size_t len;       /* bytes of the reply */
    int32_t pid;      /* of the worker that had the job; 0: the job has not begun */
    int32_t status;   /* what the job gave to exit, if it called that */
    int32_t signal;   /* the signal that killed its worker; 0: none */
    bool died;        /* instead of returning: nido_procpool_call gave -ECHILD for this */
    bool core_dumped; /* the signal left a core file */
    uint8_t spare[2];
    uint64_t spare64[2];
} nido_procpool_result;

typedef struct nido_procpool_stats {
    uint32_t workers;  /* processes now, those that start and end too */
    uint32_t idle;     /* of these, without a job */
    uint32_t running;  /* calls that have a worker, or the right to one */
    uint32_t queued;   /* calls that wait for that */
    uint64_t started;  /* processes started so far */
    uint64_t answered; /* jobs that returned */
    uint64_t deaths;   /* jobs that died */
    uint64_t stopped;  /* jobs that were cancelled while they ran */
    uint64_t replaced; /* workers that died, sent invalid data or had no memory for a job, while
                          they had none */
    uint64_t recycled; /* workers that had done max_jobs, or whose job left processes behind */
    uint64_t spare[4];
} nido_procpool_stats;

/* Forks the server that starts the workers. Call it in the first line of main, before there are
 * threads. A second call does nothing; a child of fork that wants pools must call it again. Not a
 * cancellation point; blocks for the duration of a fork. 0; -EPERM: in a run; -EMFILE, -ENFILE,
 * -ENOMEM, -EAGAIN: the limit of processes; -EPIPE: the server died at once. */
NIDO_API int nido_procpool_prepare(void);

/* Fill with zeros and set `size`. Cannot fail. Not a cancellation point. */
static inline void nido_procpool_options_init(nido_procpool_options *options)
{
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
}
/* The same as an initialiser: &NIDO_PROCPOOL_OPTIONS(.field = value). In C. */
#define NIDO_PROCPOOL_OPTIONS(...) NIDOI_SIZED(nido_procpool_options, __VA_ARGS__)
/* See nido_procpool_options_init. Cannot fail. Not a cancellation point. */
static inline void nido_procpool_call_options_init(nido_procpool_call_options *options)
{
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
}
/* The same as an initialiser: &NIDO_PROCPOOL_CALL_OPTIONS(.field = value). In C. */
#define NIDO_PROCPOOL_CALL_OPTIONS(...) NIDOI_SIZED(nido_procpool_call_options, __VA_ARGS__)

/* Makes a pool; `options` may be NULL. Processes are started when calls need them. Not a
 * cancellation point. 0; -EPERM: outside a task, or nido_procpool_prepare was not called in this
 * process; -EINVAL: a bad option; -ENOMEM. *out is untouched on failure. */
NIDO_API int nido_procpool_new(const nido_procpool_options *options, nido_procpool **out);

/* Ends a pool made by this thread's runtime, which still runs: new calls are refused, calls under
 * way or in line go on to their end, or are cancelled if `cancel_on_free` is set or the caller is
 * cancelled; then the workers end. When it returns 0, no worker is left. NULL is fine. Parks, but
 * is not a cancellation point. 0; -EALREADY: it is being freed; -EBUSY: the grace of the run is
 * over while calls are still being ended, and the last of them frees the pool; -EXDEV; -EPERM: no
 * runtime; -EDEADLK: in a callback that must not park. */
NIDO_API int nido_procpool_free(nido_procpool *pool);

/* Runs fn in a worker, with a copy of the `len` bytes at `input`. Calls get workers in the order of
 * the requests. Cancellation point: a call in line leaves the line; a running job gets SIGTERM
 * (with its whole process group) and after the grace SIGKILL, and the call returns when the process
 * has ended. A reply that was complete by then is returned instead.
 *
 * What the job returned (if negative, with whatever it replied), or
 *   -ECHILD      the job died: `out` says how, nido_error_last() has the last 4 KiB that it wrote on
 *                stderr (nido_error_detail). Nothing else is disturbed. It is not tried again.
 *   -ECANCELED   and the job has not begun (pid 0) or was stopped
 *   -EMSGSIZE    input longer than max_frame, nothing was sent
 *   -ENOMEM      no room for the reply: the job has run; or none for the input: it has not
 *   -EINVAL      fn is NULL, input is, or a bad option; or fn is not in the program as
 *                nido_procpool_prepare found it (a library that was loaded later)
 *   -EPROTO      the job returned -ECANCELED, which only a scope may
 *   -ESHUTDOWN   the pool is being freed
 *   -EXDEV       another thread's pool
 *   or the reason why no worker could be started: a shortage (-EMFILE, -EAGAIN, -ENOMEM, ...) after
 *   2 s, any other reason after three failures in a row. Later calls try again.
 * `out` (may be NULL) is always written; the caller ends it by nido_procpool_result_deinit. */
NIDO_API int nido_procpool_call(nido_procpool *pool, nido_procjob_fn *fn, const void *input,
                                size_t len, const nido_procpool_call_options *options,
                                nido_procpool_result *out);

/* Frees the reply and makes the result all zeros; one of zeros is fine. Any thread. Cannot fail.
 * Not a cancellation point. */
NIDO_API void nido_procpool_result_deinit(nido_procpool_result *result);

/* Numbers about a pool. Cannot fail. Not a cancellation point. */
NIDO_API void nido_procpool_stats_get(const nido_procpool *pool, nido_procpool_stats *out);

/* ---- In the worker ---- */

/* The input, followed by a zero byte; never NULL; the job may also write there until it returns.
 * Cannot fail. Not a cancellation point. */
NIDO_API void *nido_procjob_input(nido_procjob *job, size_t *len);

/* Appends to the reply, which is sent when the job returns. Not a cancellation point. 0; -EMSGSIZE:
 * it would be longer than max_frame; -ENOMEM; then nothing is appended. */
NIDO_API int nido_procjob_reply(nido_procjob *job, const void *bytes, size_t len);

#ifdef __cplusplus
}
#endif

#endif
