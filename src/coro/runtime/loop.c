#include "coro/runtime/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sys.h"
#include "nido/time.h"
#include "reactor/asleep.h"
#include "reactor/transit.h"

enum {
    MOST_RESUMES = 64, /* between two looks at the world */
    EXTERNAL_PEER_MS = 2,
    SLOWER = 10 /* than a peer at a descriptor, a program or a job may be */
};
#define TURN        NIDO_US(200) /* what posts, timers and tasks may take of it in all */
#define SHORT_BATCH NIDO_US(100)

/* A user's post. */
struct errand {
    struct nidoi_post post;
    nido_fn *fn;
    void *arg;
};

uint32_t nidoi_forks;

/* ---- The door ---- */

static nido_rt *remote_new(void)
{
    nido_rt *rt = nidoi_mem_zeroed(sizeof *rt);

    if (!rt) return NULL;
    rt->refs = 1;
    rt->forks = nidoi_forks;
    return rt;
}

nido_rt *nidoi_remote_retain(nido_rt *rt)
{
    __atomic_add_fetch(&rt->refs, 1, __ATOMIC_RELAXED);
    return rt;
}

void nidoi_remote_release(nido_rt *rt)
{
    if (__atomic_sub_fetch(&rt->refs, 1, __ATOMIC_ACQ_REL) > 0) return;
    nidoi_wakeup_close(&rt->wakeup);
    nidoi_mem.release(rt);
}

/* The loop sets `sleeping` and then looks at the posts and handles once more, we change those and
 * then look at `sleeping`: one of the two sees the other. */
static void wake_loop(nido_rt *rt)
{
    if (__atomic_exchange_n(&rt->sleeping, 0, __ATOMIC_SEQ_CST)) nidoi_wakeup_send(&rt->wakeup);
}

void nido_rt_retain(nido_rt *rt)
{
    nidoi_remote_retain(rt);
    __atomic_add_fetch(&rt->handles, 1, __ATOMIC_RELAXED);
}

void nido_rt_release(nido_rt *rt)
{
    if (!rt || rt->forks != nidoi_forks) return; /* the parent's: its bell is not ours to ring */
    if (__atomic_sub_fetch(&rt->handles, 1, __ATOMIC_SEQ_CST) == 0)
        wake_loop(rt); /* it may sleep because of this handle alone: is it stuck now? */
    nidoi_remote_release(rt);
}

nido_rt *nido_rt_self(void)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    if (!loop) return NULL;
    nido_rt_retain(loop->remote);
    return loop->remote;
}

/* Once it has the post the run may end, and the door must outlast the ring. */
bool nidoi_remote_post(nido_rt *remote, struct nidoi_post *post)
{
    bool taken;

    nidoi_remote_retain(remote);
    taken = nidoi_mpsc_push(&remote->posts, &post->link);
    if (taken) wake_loop(remote);
    nidoi_remote_release(remote);
    return taken;
}

static void run_errand(struct nidoi_loop *loop, struct nidoi_post *post)
{
    struct errand errand = *nidoi_container(post, struct errand, post);

    nidoi_mem.release(nidoi_container(post, struct errand, post));
    nidoi_no_parking_begin(&loop->sched);
    errand.fn(errand.arg);
    nidoi_no_parking_end(&loop->sched);
}

int nido_post(nido_rt *rt, nido_fn *fn, void *arg)
{
    struct errand *errand;

    if (!rt || !fn) return -EINVAL;
    if (rt->forks != nidoi_forks) return -EPERM;
    errand = nidoi_mem.alloc(sizeof *errand);
    if (!errand) return -ENOMEM;
    *errand = (struct errand){.post.call = run_errand, .fn = fn, .arg = arg};
    if (nidoi_remote_post(rt, &errand->post)) return 0;
    nidoi_mem.release(errand);
    return -ESHUTDOWN;
}

static bool posted(const struct nidoi_loop *loop)
{
    return loop->posts || !nidoi_mpsc_empty(&loop->remote->posts);
}

/* Calls what was taken, until `end`: the rest is the next turn's, before what has come meanwhile. */
static void call_posts(struct nidoi_loop *loop, int64_t end)
{
    while (loop->posts) {
        struct nidoi_post *post = nidoi_container(loop->posts, struct nidoi_post, link);

        loop->posts = loop->posts->next; /* the call ends the post's life */
        post->call(loop, post);
        if (loop->posts && nidoi_clock_read(&loop->clock) >= end) return;
    }
}

/* ---- Life ---- */

static void read_options(struct nidoi_loop *loop, const nido_options *options)
{
    const char *debug = getenv("NIDO_DEBUG");

    loop->options = *options;
    if (!loop->options.stack_size) loop->options.stack_size = NIDOI_STACK_DEFAULT;
    if (!loop->options.max_tasks) loop->options.max_tasks = 16u << 20;
    if (!loop->options.grace_ns) loop->options.grace_ns = NIDO_NEVER;
    if (!loop->options.pool_threads) loop->options.pool_threads = 64;
    if (!loop->options.pool_grace_ns) loop->options.pool_grace_ns = NIDO_SEC(1);
    nidoi_strict = options->flags & NIDO_RUN_STRICT || (debug && strstr(debug, "strict"));
}

/* Of the calling thread, the same for all its runs. */
static uint64_t thread_number(void)
{
    static uint64_t threads; /* atomic */
    static _Thread_local uint64_t number;

    if (!number) number = __atomic_add_fetch(&threads, 1, __ATOMIC_RELAXED);
    return number;
}

int nidoi_loop_init(struct nidoi_loop *loop, const nido_options *options)
{
    static uint32_t runtimes; /* atomic */
    int err;

    memset(loop, 0, sizeof *loop);
    read_options(loop, options);
    loop->number = __atomic_add_fetch(&runtimes, 1, __ATOMIC_RELAXED);
    loop->thread = thread_number();
    loop->batch = 1;
    loop->patience = -1;
    loop->random = options->seed;
    nidoi_clock_init(&loop->clock, options->clock != NIDO_CLOCK_REAL);
    nidoi_stacks_init(&loop->stacks);
    loop->default_stack = nidoi_stacks_class(&loop->stacks, loop->options.stack_size);
    nidoi_timers_init(&loop->timers);
    loop->remote = remote_new();
    if (!loop->remote) return -ENOMEM;
    loop->remote->loop = loop;
    err = nidoi_wakeup_open(&loop->remote->wakeup);
    if (err) goto fail_door;
    err = nidoi_reactor_init(&loop->reactor, &loop->remote->wakeup);
    if (err) goto fail_bell;
    err = nidoi_sched_init(&loop->sched);
    if (err) goto fail_reactor;
    nidoi_loop_refresh(loop);
    nidoi_waitq_init(&loop->settled);
    loop->probe.shuffled = options->flags & NIDO_RUN_SHUFFLE;
    loop->probe.random = options->seed;
    nidoi_probe_set(&loop->sched, &loop->probe);
    nidoi_sched_self = &loop->sched;
    return 0;

fail_reactor:
    nidoi_reactor_deinit(&loop->reactor);
fail_bell:
    nidoi_wakeup_close(&loop->remote->wakeup);
fail_door:
    nidoi_mem.release(loop->remote);
    return err;
}

void nidoi_loop_shut(struct nidoi_loop *loop)
{
    struct nidoi_mpsc_link *latest = nidoi_mpsc_close(&loop->remote->posts);

    call_posts(loop, NIDO_NEVER);
    loop->posts = latest;
    call_posts(loop, NIDO_NEVER);
}

void nidoi_loop_deinit(struct nidoi_loop *loop)
{
    nidoi_loop_shut(loop);
    nidoi_assert(!loop->outside); /* who waited for the outside world has been told or has left */
    for (int i = NIDOI_EXTENSIONS - 1; i >= 0; i--)
        if (loop->extensions[i]) loop->extensions[i]->end(loop, loop->extensions[i]);
    nidoi_sched_self = NULL;
    nidoi_sched_deinit(&loop->sched);
    nidoi_reactor_deinit(&loop->reactor);
    nidoi_timers_deinit(&loop->timers);
    nidoi_stacks_deinit(&loop->stacks);
    nidoi_slots_deinit(&loop->slots);
    loop->remote->loop = NULL;
    nidoi_remote_release(loop->remote);
}

/* ---- A turn ---- */

void nidoi_loop_expect(struct nidoi_loop *loop, int change)
{
    loop->expected += (uint32_t)change;
}

void nidoi_loop_outside(struct nidoi_loop *loop, int change)
{
    loop->outside += (uint32_t)change;
}

void nidoi_loop_report(struct nidoi_loop *loop, const char *text)
{
    if (loop->options.on_report) {
        nidoi_no_parking_begin(&loop->sched);
        loop->options.on_report(loop->options.ctx, text);
        nidoi_no_parking_end(&loop->sched);
    } else {
        fputs(text, stderr);
    }
}

static bool handles_out(const struct nidoi_loop *loop)
{
    return __atomic_load_n(&loop->remote->handles, __ATOMIC_SEQ_CST) != 0;
}

/* Not our own: whoever is out there may speak at any time. */
static bool others(const struct nidoi_loop *loop)
{
    return loop->reactor.watching || loop->expected || loop->outside;
}

/* Can anything but a ready task change the state of the world? */
static bool alone(const struct nidoi_loop *loop)
{
    return !others(loop) && !loop->timers.count && !handles_out(loop) && !posted(loop);
}

/* Waits for news, at most ns, unless a post has come since we looked. */
static int sleep_for(struct nidoi_loop *loop, int64_t ns, bool bound_to_wake)
{
    nido_rt *remote = loop->remote;
    int reports = ns && nidoi_asleep_asks() ? nidoi_asleep_ask(&loop->reactor) : 0;

    if (reports) return reports;
    __atomic_store_n(&remote->sleeping, 1, __ATOMIC_SEQ_CST);
    if (posted(loop) || (bound_to_wake && !handles_out(loop))) ns = 0;
    reports = nidoi_reactor_poll(&loop->reactor, ns);
    __atomic_store_n(&remote->sleeping, 0, __ATOMIC_RELAXED);
    return reports;
}

/* News that arrive within the spin spare both sides a wake-up of the processor. */
static bool spun(struct nidoi_loop *loop, int64_t limit)
{
    int64_t start = loop->sched.now;
    int64_t end = nidoi_time_add(start, loop->options.spin_ns);

    if (end > limit) end = limit;
    while (nidoi_loop_refresh(loop) < end)
        if (nidoi_reactor_poll(&loop->reactor, 0) > 0 || posted(loop)) return true;
    return false;
}

/* When to wake for what is due at `when`: all within one slack share one wake-up. */
static int64_t wake_time(const struct nidoi_loop *loop, int64_t when)
{
    int64_t slack = loop->options.timer_slack_ns;

    if (when > loop->stacks.trim_at) when = loop->stacks.trim_at;
    if (!slack || when <= loop->sched.now || when == NIDO_NEVER) return when;
    return nidoi_time_add(when - 1, slack - (when - 1) % slack);
}

/* What came first wins: the process may have been stopped between the end of its sleep and this
 * reading of the clock, by which deadlines fire. */
static void look_again(struct nidoi_loop *loop, int64_t until)
{
    bool late = nidoi_loop_refresh(loop) > nidoi_time_add(until, TURN);

    if (late && loop->reactor.watching) nidoi_reactor_poll(&loop->reactor, 0);
}

static void idle_real(struct nidoi_loop *loop, int64_t when, bool only_handles)
{
    int64_t until = wake_time(loop, when);
    int64_t now = nidoi_loop_refresh(loop);

    if (nidoi_stacks_trim(&loop->stacks, now)) until = now;
    if (until <= now && !loop->reactor.watching) return; /* nothing to ask the kernel */
    if (loop->options.spin_ns > 0 && spun(loop, until)) return;
    now = loop->sched.now;
    sleep_for(loop, until == NIDO_NEVER ? -1 : until > now ? until - now : 0, only_handles);
    look_again(loop, until);
}

/* How much real time others get before the virtual clock jumps to `when`; < 0: all there is. */
static int64_t patience_until(const struct nidoi_loop *loop, int64_t when)
{
    if (when <= loop->sched.now) return 0; /* there is nothing to jump over */
    if (loop->expected) return loop->patience < NIDO_NEVER / SLOWER ? SLOWER * loop->patience : -1;
    return when == NIDO_NEVER ? loop->patience : NIDO_MS(EXTERNAL_PEER_MS);
}

/* When the patience is over, would the clock have nowhere to jump, or must not? */
static bool must_not_jump(const struct nidoi_loop *loop, int64_t when)
{
    return when == NIDO_NEVER || (loop->expected && when > loop->sched.now);
}

/* Bytes between two of our sockets: on their way, or here since the last look. In this order, for
 * what is not on its way any more has arrived. */
static bool on_the_way(struct nidoi_loop *loop)
{
    return nidoi_reactor_in_transit(&loop->reactor) || nidoi_reactor_poll(&loop->reactor, 0) > 0;
}

/* The virtual clock jumps when nothing else can happen. A job or child that is out forbids it; a
 * peer outside this runtime (the other end of a descriptor, a thread with a handle) gets a moment
 * of real time first, and bytes on their way between two of our sockets as long as they take; one
 * that alone could wake us has `patience`, and a job or child more. That is used up by silence
 * alone, not by a late ring of the bell or a signal. */
static void idle_virtual(struct nidoi_loop *loop, int64_t when, bool only_handles,
                         void (*stuck)(struct nidoi_loop *loop))
{
    int64_t now = nidoi_loop_refresh(loop), patience = patience_until(loop, when);
    bool peers = others(loop) || handles_out(loop), last = must_not_jump(loop, when);
    int64_t end = last ? nidoi_time_add(nidoi_sys_now(), patience) : 0;

    nidoi_stacks_trim(&loop->stacks, now);
    if (peers && sleep_for(loop, patience, only_handles) > 0) return;
    if (patience < 0 || posted(loop)) return;
    if (!last && loop->reactor.watching && on_the_way(loop)) return;
    if (!last)
        nidoi_clock_jump(&loop->clock, when > now ? when : now);
    else if (nidoi_sys_now() >= end)
        stuck(loop);
    nidoi_loop_refresh(loop);
}

/* Somebody waits until every other task is parked: so they are, unless something is due now or on
 * its way. One at a time, for whoever goes on is not parked any more. */
static void settle(struct nidoi_loop *loop)
{
    if (loop->next_due(loop) <= nidoi_loop_refresh(loop)) return;
    if (loop->reactor.watching && sleep_for(loop, NIDO_MS(EXTERNAL_PEER_MS), false) > 0) return;
    if (!posted(loop)) nidoi_waitq_wake(&loop->settled, 0);
}

static void idle(struct nidoi_loop *loop, void (*stuck)(struct nidoi_loop *loop))
{
    bool manual = loop->options.clock == NIDO_CLOCK_MANUAL;
    int64_t when = manual ? NIDO_NEVER : loop->next_due(loop);
    bool only_handles = when == NIDO_NEVER && !others(loop);

    if (loop->probe.watcher) loop->probe.watcher->idle(loop->probe.ctx);
    if (nidoi_sched_ready(&loop->sched)) return;
    if (!nidoi_waitq_empty(&loop->settled))
        settle(loop);
    else if (only_handles && !handles_out(loop) && !posted(loop))
        stuck(loop);
    else if (!loop->clock.is_virtual)
        idle_real(loop, when, only_handles);
    else
        idle_virtual(loop, when, only_handles, stuck);
}

/* How many resumes go between two readings of the clock: twice as many while they are quick, else
 * what would have taken a turn. */
static void adapt(struct nidoi_loop *loop, int resumes, int64_t took)
{
    if (took > TURN)
        loop->batch = (int)(resumes * TURN / took);
    else if (took < SHORT_BATCH)
        loop->batch *= 2;
    if (loop->batch < 1) loop->batch = 1;
    if (loop->batch > MOST_RESUMES) loop->batch = MOST_RESUMES;
}

/* Ready tasks until `end`, in batches that begin small after each idling and that the clock is read
 * after: never on a switch. Each is seen by adapt, for nothing tells how long the next resume will
 * take but the ones before it. */
static void run_tasks(struct nidoi_loop *loop, int64_t end)
{
    int64_t before = loop->sched.now;
    int left = MOST_RESUMES;

    while (nidoi_sched_ready(&loop->sched)) {
        int resumes = loop->batch < left ? loop->batch : left;

        nidoi_sched_run(&loop->sched, resumes);
        if (!nidoi_sched_ready(&loop->sched)) break; /* who idles reads it anyway */
        nidoi_loop_refresh(loop);
        adapt(loop, resumes, loop->sched.now - before);
        before = loop->sched.now;
        left -= resumes;
        if (!left || before >= end) return;
    }
    loop->batch = 1;
}

/* What has come, in the order of the promises, then tasks: within one turn's time, or a piece of
 * each. Deadlines fire by the clock as it was read before the descriptors were looked at; a post
 * that has read it since makes for another look. */
static void go_on(struct nidoi_loop *loop)
{
    int64_t seen = loop->sched.now, end = nidoi_time_add(seen, TURN);

    if (!loop->posts && posted(loop)) loop->posts = nidoi_mpsc_take(&loop->remote->posts);
    call_posts(loop, end);
    if (loop->sched.now > seen && loop->reactor.watching) nidoi_reactor_poll(&loop->reactor, 0);
    while (loop->fire_due(loop) && nidoi_clock_read(&loop->clock) < end) continue;
    run_tasks(loop, end);
}

static void turn(struct nidoi_loop *loop, void (*stuck)(struct nidoi_loop *loop))
{
    if (!nidoi_sched_ready(&loop->sched))
        idle(loop, stuck);
    else if (loop->reactor.watching)
        nidoi_reactor_poll(&loop->reactor, 0);
    go_on(loop);
}

void nidoi_loop_run(struct nidoi_loop *loop, void (*stuck)(struct nidoi_loop *loop))
{
    NIDOI_EXCEPTIONS_END();
    while (loop->live > 0)
        if (nidoi_sched_ready(&loop->sched) && alone(loop))
            run_tasks(loop, nidoi_time_add(loop->sched.now, TURN));
        else
            turn(loop, stuck);
}

/* ---- Inside another loop ---- */

void nidoi_loop_step(struct nidoi_loop *loop)
{
    NIDOI_EXCEPTIONS_END();
    nidoi_loop_refresh(loop); /* the time since the last step was the other loop's */
    __atomic_store_n(&loop->remote->sleeping, 0, __ATOMIC_RELAXED);
    nidoi_reactor_poll(&loop->reactor, 0); /* also to take the bell's ring away */
    go_on(loop);
    if (nidoi_asleep_asks() && !nidoi_sched_ready(&loop->sched)) nidoi_asleep_ask(&loop->reactor);
    nidoi_loop_rest(loop);
}

void nidoi_loop_rest(struct nidoi_loop *loop)
{
    __atomic_store_n(&loop->remote->sleeping, 1, __ATOMIC_SEQ_CST);
}

int64_t nidoi_loop_timeout(struct nidoi_loop *loop)
{
    int64_t until, now;

    if (nidoi_sched_ready(&loop->sched) || posted(loop)) return 0;
    until = wake_time(loop, loop->next_due(loop));
    if (until == NIDO_NEVER) return NIDO_NEVER;
    now = nidoi_loop_refresh(loop);
    if (nidoi_stacks_trim(&loop->stacks, now)) return 0;
    return until > now ? until - now : 0;
}
