/* SPDX-License-Identifier: MIT */
#include "coro/runtime/counts.h"

#include "base/time.h"
#include "coro/runtime/measuring.h"
#include "nido/time.h"

#define OFTEN NIDO_MS(10)

void nidoi_counts_read(const struct nidoi_loop *loop, struct nidoi_counts *out)
{
    *out = (struct nidoi_counts){.of = {[NIDOI_COUNT_SPAWNED] = nidoi_slots_taken(&loop->slots),
                                        [NIDOI_COUNT_LIVE] = loop->live,
                                        [NIDOI_COUNT_READY] = nidoi_sched_ready(&loop->sched),
                                        [NIDOI_COUNT_MOST] = loop->slots.made,
                                        [NIDOI_COUNT_RESUMES] = loop->sched.resumes,
                                        [NIDOI_COUNT_TURNS] = loop->turns,
                                        [NIDOI_COUNT_POLLS] = loop->reactor.polls,
                                        [NIDOI_COUNT_REPORTS] = loop->reactor.reported,
                                        [NIDOI_COUNT_CANCELS] = loop->cancel_count,
                                        [NIDOI_COUNT_TIMERS] = loop->timers.count,
                                        [NIDOI_COUNT_FD_WAITS] = loop->reactor.watching,
                                        [NIDOI_COUNT_JOBS] = loop->jobs,
                                        [NIDOI_COUNT_JOBS_OUT] = loop->expected,
                                        [NIDOI_COUNT_STACKS] = loop->stacks.in_use,
                                        [NIDOI_COUNT_STACK_BYTES] = loop->stacks.mapped}};
}

void nidoi_counts_tell(struct nidoi_loop *loop)
{
    struct nidoi_counts now;

    nidoi_counts_read(loop, &now);
    for (int i = 0; i < NIDOI_COUNTS; i++)
        __atomic_store_n(&loop->remote->counts.of[i], now.of[i], __ATOMIC_RELAXED);
    if (loop->measuring)
        nidoi_measuring_tell(loop, nidoi_time_add(loop->sched.now, OFTEN));
    else
        loop->tell_counts_at = nidoi_time_add(loop->sched.now, OFTEN);
}

void nidoi_counts_look(struct nidoi_loop *loop)
{
    if (!loop->measuring || nidoi_measuring_turn(loop)) nidoi_counts_tell(loop);
}

void nidoi_counts_told(const nido_rt *remote, struct nidoi_counts *out)
{
    for (int i = 0; i < NIDOI_COUNTS; i++)
        out->of[i] = __atomic_load_n(&remote->counts.of[i], __ATOMIC_RELAXED);
}
