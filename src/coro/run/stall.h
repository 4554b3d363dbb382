/* SPDX-License-Identifier: MIT */
/* coro/run/stall.h: a loop that does not get on, because what it runs holds it.
 *
 * 1. A loop does nothing for it: it reads its clock after each batch and says when it sleeps in any case. While it
 * does neither for longer than the limit, what it runs holds it.
 * 2. The task and what the thread does are looked at from outside (debug/stall.h). Only the frames of one
 * that computes are told by the thread itself (coro/run/question.h). A thread that is blocked gets no signal, for
 * that would end some system calls with EINTR.
 * 3. A machine that is too busy to run the thread is no stall: a quarter of the limit it must have computed, or
 * be blocked.
 * 4. The end of a stall is a post, sent when its start is reported: the loop calls it as soon as it gets on. */
#ifndef NIDOI_STALL_H
#define NIDOI_STALL_H

#include "base/thread_look.h"
#include "coro/runtime/loop.h"

struct nidoi_run;

/* Of a run. */
struct nidoi_stall {
    pthread_mutex_t *lock; /* for all below but `over` */
    struct nidoi_thread thread;
    int64_t limit; /* 0: not watched for it */
    int64_t read;  /* the loop's clock at the last look */
    int64_t used;  /* and the processor time of the thread */
    struct nidoi_post over;
    bool told;       /* `over` is on its way */
    int64_t ended;   /* a stall that was told has ended, but `over` was not called yet: between two
                      steps of a run in another loop; else 0 */
    char who[256];   /* of the stall that was told: in words, */
    uint64_t holder; /* its number; 0: a function that the loop called, or not known */
    uint32_t ready;  /* tasks that waited when it was told */
};

/* `lock` is held around nidoi_stall_look, and by nothing that waits for a loop. 0 or -ENOMEM. */
int nidoi_stall_begin(struct nidoi_run *run, struct nidoi_stall *stall, pthread_mutex_t *lock);

/* Reports if need be. For how long it need not be looked at. */
int64_t nidoi_stall_look(struct nidoi_run *run, struct nidoi_stall *stall);

#endif
