/* process/child.h: what a runtime knows of a child process.
 *
 * 1. From its start to its end a child is watched, whether anybody waits or not. The end comes as
 * the readiness of a descriptor; the watch posts, and the post reaps, between two batches.
 * 2. What is waited for is not the descriptor but a queue: the status is copied to each waiter in
 * the claim, for the record may be gone when he runs.
 * 3. Only the post reaps, so as long as a child is not OVER its number is its own, unless somebody
 * outside nido reaps too. The leader of a group stays a zombie until the release: its number is the
 * group's.
 * 4. The record belongs to its handle until that is released, then to the loop; it is freed when it
 * is released and OVER.
 *
 *   nidoi_child_begin      fire              arrived
 *   -----------------> OUT ------> ENDING ------------> OVER
 *                       ^             |
 *                       '-------------'  arrived, and it was not the end
 *
 * One that somebody else has reaped before it could be watched begins as OVER. */
#ifndef NIDOI_CHILD_H
#define NIDOI_CHILD_H

#include "coro/runtime/loop.h"
#include "nido/proc.h"

enum nidoi_child_state { NIDOI_CHILD_OUT, NIDOI_CHILD_ENDING, NIDOI_CHILD_OVER };

struct nidoi_child {
    struct nidoi_link link;   /* among the loop's */
    struct nidoi_watch watch; /* linked while OUT */
    struct nidoi_post post;   /* on its way while ENDING */
    struct nidoi_sync ended;  /* who waits, while not OVER */
    enum nidoi_child_state state;
    int pid;
    int fd;      /* says when it ends; -1: closed, or there never was one */
    int ends[3]; /* ours of its pipes, or -1 */
    int result;  /* OVER: 0, and the status is known; -ECHILD */
    nido_proc_status status;
    int64_t grace;
    bool leads; /* a group */
    bool released;
    char name[48];
};

/* The loop's annex for children, made when first asked for. 0, -ENOMEM. */
int nidoi_children_need(struct nidoi_loop *loop);

/* Watches a child that has been started, its fields set, its fd as nidoi_child_open said. 0, or it
 * has been killed and reaped: -ENOMEM, -ENOSPC. */
int nidoi_child_begin(struct nidoi_loop *loop, struct nidoi_child *child);

/* A child that cannot be watched: kills and reaps it. Any thread, which it blocks until then. */
void nidoi_child_undo(int pid);

/* Reaps a child that has ended; with `keep` only looks, and its number is not given away. 0 and
 * *out; -EAGAIN: it has not ended; -ECHILD: it was reaped by another part of the program. */
int nidoi_child_reap(int fd, int pid, bool keep, siginfo_t *out);

/* Sends a signal to it or, if it leads a group, to that group and to the leader wherever it is now.
 * 0: it has reached one of them; -ESRCH: the leader was reaped; -EPERM, -EINVAL. */
int nidoi_child_kill(const struct nidoi_child *child, int signal);

/* What a child that was sent SIGKILL may take to end before the wait for it is given up; for tests.
 */
extern int64_t nidoi_child_reaping_ns;

/* Closes our end of a pipe, if there is one. */
void nidoi_child_shut(struct nidoi_child *child, int which);

void nidoi_child_release(struct nidoi_loop *loop, struct nidoi_child *child);

#endif
