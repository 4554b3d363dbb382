/* SPDX-License-Identifier: MIT */
/* coro/runtime/remote.h: the part of a runtime that other threads may touch, struct nido_rt: posts, and
 * the wake-up of a loop that sleeps. It outlives the run.
 *
 * The loop sets `sleeping` and then looks at the posts and handles once more; other threads change
 * those and then look at `sleeping`: one of the two sees the other. */
#ifndef NIDOI_REMOTE_H
#define NIDOI_REMOTE_H

#include "base/list.h"
#include "base/mpsc.h"
#include "nido/run.h"
#include "reactor/backend.h"

struct nidoi_loop;

/* Something for the loop to do between two batches; the sender's memory until it is called. */
struct nidoi_post {
    struct nidoi_mpsc_link link;
    void (*call)(struct nidoi_loop *loop, struct nidoi_post *post);
};

/* Numbers of a runtime, in the order of nido_stats. */
enum nidoi_count {
    NIDOI_COUNT_SPAWNED,
    NIDOI_COUNT_LIVE,
    NIDOI_COUNT_READY,
    NIDOI_COUNT_MOST,
    NIDOI_COUNT_RESUMES,
    NIDOI_COUNT_TURNS,
    NIDOI_COUNT_POLLS,
    NIDOI_COUNT_REPORTS,
    NIDOI_COUNT_CANCELS,
    NIDOI_COUNT_TIMERS,
    NIDOI_COUNT_FD_WAITS,
    NIDOI_COUNT_JOBS,
    NIDOI_COUNT_JOBS_OUT,
    NIDOI_COUNT_STACKS,
    NIDOI_COUNT_STACK_BYTES,
    NIDOI_COUNTS
};
struct nidoi_counts {
    uint64_t of[NIDOI_COUNTS];
};

struct nido_rt {
    struct nidoi_mpsc posts;
    struct nidoi_wakeup wakeup;
    uint32_t refs;          /* atomic: keeps this struct; the loop holds one while it runs */
    uint32_t handles;       /* atomic: held by users: they may still post */
    uint32_t sleeping;      /* atomic: the loop is about to wait in the kernel and must be woken */
    uint32_t forks;         /* of the process when it was made */
    uint32_t dump_asked;    /* atomic: `dump` is on its way */
    struct nidoi_post dump; /* for nido_dump_request */
    uint32_t
        late_asked; /* atomic: the watchdog's post for late tasks is on its way (coro/run/late.h) */
    struct nidoi_loop *loop;    /* for its own thread; NULL after the run */
    struct nidoi_counts counts; /* atomic: as the loop has told them last (coro/runtime/counts.h) */
    struct nidoi_link link;     /* among the runtimes of the process, while it runs */
};

/* How many forks lie between this process and the program's first: what was made before the last one
 * is the parent's. */
extern uint32_t nidoi_forks;

/* Its wake-up is not open yet. NULL: no memory. */
nido_rt *nidoi_remote_new(struct nidoi_loop *loop);

/* A reference that keeps the memory but is no user's handle: nothing is posted by it unless that is
 * counted by nidoi_loop_expect. Any thread. */
nido_rt *nidoi_remote_retain(nido_rt *remote);
void nidoi_remote_release(nido_rt *remote);

/* Has the loop call post->call; the order of one sender is kept. Any thread, and signal handlers.
 * The caller has a reference, or the run cannot end before it has the post; it may have ended when
 * this returns. False: the run is over, it will not be called. */
bool nidoi_remote_post(nido_rt *remote, struct nidoi_post *post);

#endif
