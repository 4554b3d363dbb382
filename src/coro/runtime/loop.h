/* SPDX-License-Identifier: MIT */
/* coro/runtime/loop.h: a runtime: what one thread's run consists of. Its turns are in coro/run/turn.c;
 * what other threads may touch is struct nido_rt (coro/runtime/remote.h). */
#ifndef NIDOI_LOOP_H
#define NIDOI_LOOP_H

#include "base/clock.h"
#include "coro/runtime/remote.h"
#include "coro/task/probe.h"
#include "coro/task/sched.h"
#include "coro/task/slots.h"
#include "reactor/reactor.h"

struct nidoi_loop;
struct nidoi_users;

/* No object's number of a thread has this bit, so a runtime's with it equals none. */
#define NIDOI_LOOP_NOTES_USERS (UINT64_C(1) << 63)

/* What an upper floor keeps for a runtime. */
enum nidoi_extension_kind {
    NIDOI_EXTENSION_SIGNALS,
    NIDOI_EXTENSION_RUN_ON,
    NIDOI_EXTENSION_POOL,
    NIDOI_EXTENSION_CHILDREN,
    NIDOI_EXTENSION_STREAMS,
    NIDOI_EXTENSIONS
};
struct nidoi_extension {
    void (*end)(struct nidoi_loop *loop,
                struct nidoi_extension *extension); /* the run is over; frees it */
};

/* What those who change the tree of scopes have to heed. */
enum nidoi_tree {
    NIDOI_TREE_SPREADING = 1, /* it must not change now */
    NIDOI_TREE_TOLD = 2       /* changes are noted, for a trace or a measured run */
};

/* For how long no task has run (coro/run/silence.h). */
struct nidoi_silence {
    int64_t limit; /* 0: no matter */
    int64_t since;
    uint64_t resumes; /* of the run at that time */
};

struct nidoi_loop {
    struct nidoi_sched sched; /* first: the thread's one pointer leads to both */
    struct nidoi_reactor reactor;
    struct nidoi_timers timers; /* one for each task that has a deadline or sleeps */
    struct nidoi_clock clock;
    struct nidoi_stacks stacks;
    struct nidoi_stack_class *default_stack;
    nido_rt *remote;
    struct nidoi_mpsc_link *posts; /* taken from `remote` and not called yet, oldest first */
    nido_options options;
    struct nidoi_task *root; /* NULL before and after its life */
    nido_scope *calls;       /* of the group of calls from other threads, while it is open */
    struct nidoi_waiter *calls_waiter; /* of the task that serves them: woken when the root ends */
    struct nidoi_probe probe;
    struct nidoi_waitq idle_waiters; /* they wait until every other task is parked */
    int64_t external_wait_ns;        /* for how long peers outside may be silent; < 0: for ever */
    struct nidoi_slots slots;
    uint32_t live;     /* tasks */
    uint32_t room;     /* tasks that every queue and heap has room for */
    uint32_t number;   /* of this runtime, for handles */
    uint64_t thread;   /* number of its thread, to which the objects of its tasks belong; may have
                        NIDOI_LOOP_NOTES_USERS beside it */
    int system_thread; /* the system's number of it; 0: unknown */
    int64_t began;     /* by its clock */
    struct nidoi_users *users; /* debug/users.h: of objects; NULL: they are not noted */
    uint32_t expected;  /* jobs and children: they will wake us, and virtual time waits for them */
    uint32_t abandoned; /* so many of them are jobs that their callers have left */
    uint32_t outside;   /* waits for what the outside world may do at any time: signals */
    struct nidoi_extension *extensions[NIDOI_EXTENSIONS]; /* NULL until needed; ended last first */
    uint64_t random; /* state of the generator that nido_select draws from */
    int batch;       /* resumes between two readings of the clock, adapted to it */
    uint64_t cancel_count;
    uint64_t turns, jobs;              /* ever */
    int64_t tell_counts_at;            /* coro/runtime/counts.h; INT64_MIN: the run is measured */
    struct nidoi_measuring *measuring; /* coro/runtime/measuring.h; NULL: not measured */
    uint8_t tree;                      /* enum nidoi_tree */
    struct nidoi_trace *trace;         /* the last one, on or not, until the run ends; NULL: none */
    struct nidoi_trace *probing; /* serves the static probes while `trace` is not on; NULL: none */
    bool served;                 /* their users have been noticed */
    bool deadlocked;
    bool frames_gone; /* scopes lay in frames that have returned: their tree is not read any more */
    bool short_of_fds; /* said so once */
    struct nidoi_silence silence;
    int root_rc;
    nido_error *root_error;
};

static inline struct nidoi_loop *nidoi_loop_of(struct nidoi_sched *sched)
{
    return (struct nidoi_loop *)sched;
}

/* This thread's, or NULL. */
static inline struct nidoi_loop *nidoi_loop_self(void)
{
    return (struct nidoi_loop *)nidoi_sched_self;
}

/* Of the calling thread, the same for all its runs: struct nidoi_loop.thread. */
uint64_t nidoi_thread_number(void);

int nidoi_loop_init(struct nidoi_loop *loop, const nido_options *options);
void nidoi_loop_deinit(struct nidoi_loop *loop);

/* The run is over, though its memory may stay: posts are refused from now on, and those that came
 * before are called. Again is fine. */
void nidoi_loop_shut(struct nidoi_loop *loop);

/* Has something been posted and not been called? */
static inline bool nidoi_loop_posted(const struct nidoi_loop *loop)
{
    return loop->posts || !nidoi_mpsc_empty(&loop->remote->posts);
}

/* Calls what was taken, until `end`: the rest is the next turn's, before what has come meanwhile. */
void nidoi_loop_call_posts(struct nidoi_loop *loop, int64_t end);

/* A job or child is out that will wake the loop though no descriptor or timer says so; or is no
 * longer. */
void nidoi_loop_expect(struct nidoi_loop *loop, int change);
/* The same for what may wake it or not. */
void nidoi_loop_outside(struct nidoi_loop *loop, int change);

static inline nido_task nidoi_loop_handle(const struct nidoi_loop *loop,
                                          const struct nidoi_task *task)
{
    return (nido_task){task->slot->timer.owner, loop->number, task->id};
}

/* The task that serves calls from other threads looks again: one came, or the root ended. */
static inline void nidoi_loop_wake_calls(struct nidoi_loop *loop)
{
    struct nidoi_waiter *waiter = loop->calls_waiter;

    loop->calls_waiter = NULL;
    if (waiter) nidoi_wake(waiter, 0);
}

/* Reads the clock. (The watchdog looks at it: coro/run/stall.h.) */
static inline int64_t nidoi_loop_refresh(struct nidoi_loop *loop)
{
    int64_t now = nidoi_clock_read(&loop->clock);

    __atomic_store_n(&loop->sched.now, now, __ATOMIC_RELAXED);
    return now;
}

/* The task's timer goes off at `when` or earlier. */
static inline void nidoi_loop_arm(struct nidoi_loop *loop, struct nidoi_task *task, int64_t when)
{
    struct nidoi_timer *timer = &task->slot->timer;

    if (!nidoi_timer_is_set(timer) || when < timer->when)
        nidoi_timers_set(&loop->timers, timer, when);
}

/* To options.on_report, or to stderr. */
void nidoi_loop_report(struct nidoi_loop *loop, const char *text);

#endif
