/* coro/runtime/loop.h: a runtime: where tasks meet the world.
 *
 * struct nidoi_loop is one thread's runtime, with everything that its turns need; struct nido_rt is
 * its door, the one thing that other threads may touch and that outlives it.
 *
 * A turn: descriptors, posts, deadlines, a batch of tasks. What has arrived beats a deadline of the
 * same turn. While the first three run, tasks are made ready and nothing more. */
#ifndef NIDOI_LOOP_H
#define NIDOI_LOOP_H

#include "base/clock.h"
#include "base/mpsc.h"
#include "coro/task/probe.h"
#include "coro/task/sched.h"
#include "coro/task/slots.h"
#include "nido/run.h"
#include "reactor/reactor.h"

struct nidoi_loop;

/* Something for the loop to do between two batches; the sender's memory until it is called. */
struct nidoi_post {
    struct nidoi_mpsc_link link;
    void (*call)(struct nidoi_loop *loop, struct nidoi_post *post);
};

/* What an upper floor keeps for a runtime. */
enum nidoi_extension_kind {
    NIDOI_EXTENSION_SIGNALS,
    NIDOI_EXTENSION_RUN_ON,
    NIDOI_EXTENSION_POOL,
    NIDOI_EXTENSION_CHILDREN,
    NIDOI_EXTENSIONS
};
struct nidoi_extension {
    void (*end)(struct nidoi_loop *loop,
                struct nidoi_extension *extension); /* the run is over; frees it */
};

/* The door. */
struct nido_rt {
    struct nidoi_mpsc posts;
    struct nidoi_wakeup wakeup;
    uint32_t refs;           /* atomic: keeps this struct; the loop holds one while it runs */
    uint32_t handles;        /* atomic: held by users, who may still post */
    uint32_t sleeping;       /* atomic: the loop is about to wait in the kernel, ring the bell */
    uint32_t forks;          /* of the process when it was made */
    struct nidoi_loop *loop; /* for its own thread; NULL after the run */
    struct nidoi_link link;  /* among the doors of the process, while it runs */
};

struct nidoi_loop {
    struct nidoi_sched sched; /* first: the thread's one pointer leads to both */
    struct nidoi_reactor reactor;
    struct nidoi_timers timers; /* one for each task that has a deadline or sleeps */
    struct nidoi_clock clock;
    struct nidoi_stacks stacks;
    struct nidoi_stack_class *default_stack;
    nido_rt *remote;
    struct nidoi_mpsc_link *posts; /* taken from the door and not called yet, oldest first */
    nido_options options;
    struct nidoi_task *root; /* NULL before and after its life */
    struct nidoi_probe probe;
    struct nidoi_waitq settled; /* who wait until every other task is parked */
    int64_t patience;           /* how long peers outside may keep silent; < 0: for ever */
    struct nidoi_slots slots;
    uint32_t live;      /* tasks */
    uint32_t room;      /* tasks that every queue and heap has room for */
    uint32_t number;    /* of this runtime, for handles */
    uint64_t thread;    /* number of its thread, to which the objects of its tasks belong */
    uint32_t expected;  /* jobs and children: they will wake us, and virtual time waits for them */
    uint32_t abandoned; /* so many of them are jobs that their callers have left */
    uint32_t outside;   /* waits for what the outside world may do at any time: signals */
    struct nidoi_extension *extensions[NIDOI_EXTENSIONS]; /* NULL until needed; ended last first */
    uint64_t random;  /* state of the generator that nido_select draws from */
    int batch;        /* resumes between two readings of the clock, adapted to it */
    uint64_t strikes; /* cancels so far */
    bool spreading;   /* the scope tree must not change now */
    bool deadlocked;
    bool short_of_fds; /* said so once */
    int root_rc;
    nido_error *root_error;
    void (*root_ended)(struct nidoi_loop *loop); /* floor 7, if there are guests */
    bool (*fire_due)(struct nidoi_loop *loop); /* floor 5: of what is due a piece; true: not all */
    int64_t (*next_due)(
        struct nidoi_loop *loop); /* floor 5: the earliest instant, corrected; NIDO_NEVER */
};

static inline struct nidoi_loop *nidoi_loop_of(struct nidoi_sched *sched)
{
    return (struct nidoi_loop *)sched;
}

/* How many forks lie between this process and the program's first: what was made before the last one
 * is the parent's. */
extern uint32_t nidoi_forks;

/* This thread's, or NULL. */
static inline struct nidoi_loop *nidoi_loop_self(void)
{
    return (struct nidoi_loop *)nidoi_sched_self;
}

int nidoi_loop_init(struct nidoi_loop *loop, const nido_options *options);
void nidoi_loop_deinit(struct nidoi_loop *loop);

/* Turns until no task lives. `stuck` is called when nothing could ever wake anybody; it must wake
 * somebody. */
void nidoi_loop_run(struct nidoi_loop *loop, void (*stuck)(struct nidoi_loop *loop));

/* The run is over, though its memory may stay: whoever comes to the door from now on is refused, who
 * came before is answered. Again is fine. */
void nidoi_loop_shut(struct nidoi_loop *loop);

/* A reference that keeps the door but is no user's handle: nobody will post by it unless he is
 * counted by nidoi_loop_expect. Any thread. */
nido_rt *nidoi_remote_retain(nido_rt *remote);
void nidoi_remote_release(nido_rt *remote);

/* Has the loop call post->call; the order of one sender is kept. Any thread, and signal handlers.
 * The caller has a reference, or the run cannot end before it has the post; it may have ended when
 * this returns. False: the run is over, it will not be called. */
bool nidoi_remote_post(nido_rt *remote, struct nidoi_post *post);

/* One turn that does not wait, for a loop inside another; while it rests, posts ring the bell. */
void nidoi_loop_step(struct nidoi_loop *loop);
void nidoi_loop_rest(struct nidoi_loop *loop);
/* For how long nothing is to be done unless the backend's descriptor becomes readable, in ns;
 * NIDO_NEVER. */
int64_t nidoi_loop_timeout(struct nidoi_loop *loop);

/* A job or child of ours is out that will wake us though no descriptor or timer says so; or is no
 * longer. */
void nidoi_loop_expect(struct nidoi_loop *loop, int change);
/* The same for what may wake us or not. */
void nidoi_loop_outside(struct nidoi_loop *loop, int change);

static inline nido_task nidoi_loop_handle(const struct nidoi_loop *loop,
                                          const struct nidoi_task *task)
{
    return (nido_task){task->slot->timer.owner, loop->number, task->id};
}

/* Reads the clock. */
static inline int64_t nidoi_loop_refresh(struct nidoi_loop *loop)
{
    return loop->sched.now = nidoi_clock_read(&loop->clock);
}

/* The task's timer goes off at `when` or earlier. */
static inline void nidoi_loop_arm(struct nidoi_loop *loop, struct nidoi_task *task, int64_t when)
{
    struct nidoi_timer *timer = &task->slot->timer;

    if (!nidoi_timer_is_set(timer) || when < timer->when)
        nidoi_timers_set(&loop->timers, timer, when);
}

/* Says something to whoever listens: options.on_report or stderr. */
void nidoi_loop_report(struct nidoi_loop *loop, const char *text);

#endif
