/* SPDX-License-Identifier: MIT */
#include "coro/run/stall.h"

#include <stdio.h>

#include "base/debug_words.h"
#include "base/sys.h"
#include "coro/group/waits.h"
#include "coro/run/question.h"
#include "coro/run/run.h"
#include "coro/scope/deadline.h"
#include "debug/stall.h"
#include "debug/trace_save.h"
#include "nido/time.h"

#define LIMIT NIDO_MS(100) /* if none is given */
enum { REPORT = 8192 };

/* ---- Reports ---- */

/* Without the holder, which is ready too if it has yielded. */
static uint32_t ready_others(const struct nidoi_sched *sched, uint64_t holder)
{
    uint32_t others = 0;

    for (uint32_t at = sched->head; at != sched->tail; at++)
        others += sched->ready[at & sched->mask]->id != holder;
    return others;
}

/* Those that were ready when it was told may have had their turn since, in the batch of the holder. */
static uint32_t count_waited(const struct nidoi_loop *loop, const struct nidoi_stall *stall,
                             int64_t end)
{
    uint32_t ready = ready_others(&loop->sched, stall->holder);

    return (ready > stall->ready ? ready : stall->ready) +
           nidoi_deadlines_due(loop, end, stall->holder);
}

static void stall_over(struct nidoi_loop *loop, struct nidoi_post *post)
{
    struct nidoi_stall *stall = nidoi_container(post, struct nidoi_stall, over);
    uint32_t waited;
    int64_t end;
    char room[512 + NIDOI_TRACE_SAVED], trace[NIDOI_TRACE_SAVED];
    struct nidoi_text text = {room, sizeof room, 0};

    nidoi_trace_save(loop, trace, sizeof trace);
    pthread_mutex_lock(stall->lock);
    end = stall->ended ? stall->ended : nidoi_sys_now();
    waited = count_waited(loop, stall, end);
    nidoi_text_add(room, sizeof room, &text.used, "nido: STALL over: the loop was held for ");
    nidoi_stall_add_time(&text, end - stall->read);
    nidoi_text_add(room, sizeof room, &text.used, " by %s; %u %s\n", stall->who, waited,
                   waited == 1 ? "task has waited" : "tasks have waited");
    nidoi_text_add(room, sizeof room, &text.used, "%s", trace);
    stall->told = false;
    pthread_mutex_unlock(stall->lock);
    nidoi_loop_report(loop, room);
}

/* On stderr in any case: a callback of the run is called on its own thread alone, and that is held. The post comes
 * first, for the loop may get on meanwhile, and what has waited would be gone; the lock keeps it behind the text. */
static void stall_tell(struct nidoi_run *run, struct nidoi_stall *stall,
                       const struct nidoi_stall_look *look)
{
    char room[REPORT];
    struct nidoi_text text = {room, sizeof room, 0};
    struct nidoi_text who = {stall->who, sizeof stall->who, 0};

    nidoi_stall_add(&text, look);
    nidoi_stall_add_who(&who, look);
    stall->holder = look->is_known && !look->is_loop ? look->task.id : 0;
    stall->ready = look->ready;
    stall->ended = 0;
    stall->told = nidoi_remote_post(run->loop.remote, &stall->over);
    fputs(room, stderr);
}

static bool is_blocked(const struct nidoi_stall_look *look)
{
    return look->thread.state >= NIDOI_THREAD_CALLS;
}

static void stall_look_closely(struct nidoi_run *run, struct nidoi_stall *stall, int64_t used)
{
    struct nidoi_stall_look look;

    if (!nidoi_stall_see(&run->loop, &stall->thread, stall->read, &look)) return;
    if (!is_blocked(&look)) {
        if (used && used - stall->used < stall->limit / 4) return;
        look.frame_count = nidoi_question_ask(run, &stall->thread, look.current, stall->read,
                                              look.frames, NIDOI_STALL_FRAMES);
    }
    look.held_ns = nidoi_sys_now() - stall->read;
    stall_tell(run, stall, &look);
}

/* A new reading of the clock: what the thread has used of the processor counts from here. */
static void stall_note_reading(struct nidoi_stall *stall, int64_t read, int64_t used)
{
    stall->read = read;
    stall->used = used;
}

int64_t nidoi_stall_look(struct nidoi_run *run, struct nidoi_stall *stall)
{
    int64_t read = __atomic_load_n(&run->loop.sched.now, __ATOMIC_RELAXED);
    bool sleeps = __atomic_load_n(&run->loop.remote->sleeping, __ATOMIC_RELAXED);
    int64_t used, held = nidoi_sys_now() - read;

    if (!stall->limit) return NIDO_NEVER;
    if (stall->told && !stall->ended && (sleeps || read != stall->read))
        stall->ended = nidoi_sys_now();
    if (stall->told || sleeps) return stall->limit / (stall->told ? 8 : 2);
    used = nidoi_thread_cpu(&stall->thread);
    if (read != stall->read) {
        stall_note_reading(stall, read, used);
        if (held > stall->limit / 2) held = stall->limit / 2;
    }
    if (held < stall->limit) return stall->limit - held;
    stall_look_closely(run, stall, used);
    return stall->limit / 4;
}

/* ---- A run ---- */

static int64_t limit_of(const nido_options *options)
{
    if (options->stall_ns) return options->stall_ns == NIDO_NEVER ? 0 : options->stall_ns;
    return nidoi_debug_asks("stall") ? LIMIT : 0;
}

int nidoi_stall_begin(struct nidoi_run *run, struct nidoi_stall *stall, pthread_mutex_t *lock)
{
    stall->limit = limit_of(&run->loop.options);
    if (!stall->limit) return 0;
    stall->lock = lock;
    stall->thread = nidoi_thread_self();
    stall->over.call = stall_over;
    return nidoi_aside_need(&run->aside);
}
