/* SPDX-License-Identifier: MIT */
/* process/child.h: what a runtime knows of a child process.
 *
 * 1. A child is watched from its start to its end, whether a task waits for it or not. Its end
 * makes a descriptor readable; the watch posts, and the post reaps, between two batches.
 * 2. Tasks wait in a queue and not for the descriptor: the status is copied to each waiter in the
 * claim, because the record may be freed before the waiter runs.
 * 3. Only the post reaps, so the number of a child that is not OVER is its own, unless other code
 * of the program reaps too. The leader of a group stays a zombie until the release: its number is
 * the group's.
 * 4. The record belongs to its handle until that is released, then to the loop; it is freed when it
 * is released and OVER.
 *
 *   nidoi_child_begin         child_fire        child_post_run
 *   -----------------> RUNNING ----------> ENDING --------------> OVER
 *                         ^                   |
 *                         '-------------------'  child_post_run, and it was not the end
 *
 * A child that other code has reaped before it could be watched begins as OVER. */
#ifndef NIDOI_CHILD_H
#define NIDOI_CHILD_H

#include "coro/runtime/loop.h"
#include "nido/proc.h"

enum nidoi_child_state { NIDOI_CHILD_RUNNING, NIDOI_CHILD_ENDING, NIDOI_CHILD_OVER };

struct nidoi_child {
    struct nidoi_link link;   /* among the loop's */
    struct nidoi_watch watch; /* linked while RUNNING */
    struct nidoi_post post;   /* queued while ENDING */
    struct nidoi_sync ended;  /* the waiters, while not OVER */
    enum nidoi_child_state state;
    int pid;
    int fd;       /* readable when the child has ended; -1: closed, or never opened */
    int pipes[3]; /* this side of its standard streams, or -1 */
    int result;   /* if OVER: 0, and the status is known; -ECHILD */
    nido_proc_status status;
    int64_t grace;
    bool leads; /* a process group */
    bool released;
    char name[48];
};

/* The loop's annex for children, made at the first call. 0, -ENOMEM. */
int nidoi_children_need(struct nidoi_loop *loop);

/* Watches a child that has been started. Its fields are set, its fd is that of nidoi_child_open. 0;
 * on -ENOMEM and -ENOSPC the child has been killed and reaped. */
int nidoi_child_begin(struct nidoi_loop *loop, struct nidoi_child *child);

/* Kills and reaps a child that cannot be watched. On any thread, which it blocks until then. */
void nidoi_child_kill_unwatched(int pid);

/* Reaps a child that has ended; with `keep` it only looks, and the child keeps its number. 0 and
 * *out; -EAGAIN: it has not ended; -ECHILD: another part of the program has reaped it. */
int nidoi_child_reap(int fd, int pid, bool keep, siginfo_t *out);

/* Sends a signal to the child or, if it leads a group, to that group and to the leader, which may
 * have left it. 0: one of them has got it; -ESRCH: the leader was reaped; -EPERM, -EINVAL. */
int nidoi_child_kill(const struct nidoi_child *child, int signal);

/* How long a child that was sent SIGKILL is waited for. A variable for tests. */
extern int64_t nidoi_child_reaping_ns;

/* Closes this side of a standard stream, if there is one. */
void nidoi_child_close_pipe(struct nidoi_child *child, int which);

void nidoi_child_release(struct nidoi_loop *loop, struct nidoi_child *child);

#endif
