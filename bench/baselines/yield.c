/* SPDX-License-Identifier: MIT */
/* yield.c: floors of the switch.
 *
 * Ping-pong is the bare primitive: two contexts, no queue at all. The ring adds an intrusive queue.
 * Both leave out whatever a runtime does beside switching. The ring does not prefetch: its tasks
 * run in the order of their stacks, which the hardware foresees on some CPUs better than software
 * can. */
#include "floors.h"
#include "mini.h"

static void ping(struct transfer transfer)
{
    for (;;) transfer = jump_fcontext(transfer.from, NULL);
}

void floor_ping_pong(const struct bench_ask *ask, struct bench_sample *out)
{
    static char stack[MINI_STACK] __attribute__((aligned(16)));
    struct transfer transfer = {.from = make_fcontext(stack + sizeof stack, sizeof stack, ping)};
    for (long i = 0; i < bench_warm_up(ask); i++) transfer = jump_fcontext(transfer.from, NULL);
    int64_t start = bench_now();
    for (long i = 0; i < ask->rounds; i++) transfer = jump_fcontext(transfer.from, NULL);
    bench_per_operation(out, bench_now() - start, ask->rounds * 2);
}

static void follower(struct mini_task *self)
{
    for (;;) mini_yield(self);
}

/* One of its turns is a turn of every task; when it ends, the rest would go on for ever, so it goes
 * straight back to the driver. */
static void leader(struct mini_task *self)
{
    struct bench_run *run = self->mini->arg;
    for (long i = 0; i < bench_warm_up(run->ask); i++) mini_yield(self);
    int64_t start = bench_now();
    for (long i = 0; i < run->ask->rounds; i++) mini_yield(self);
    bench_per_operation(run->out, bench_now() - start, run->ask->rounds * run->ask->count);
    mini_switch(self, &self->mini->driver);
}

void floor_ring(const struct bench_ask *ask, struct bench_sample *out)
{
    struct bench_run run = {.ask = ask, .out = out};
    struct mini mini;
    if (!mini_init(&mini, ask->count, &run, out)) return;
    mini_spawn(&mini, 0, leader);
    for (long i = 1; i < ask->count; i++) mini_spawn(&mini, i, follower);
    mini_drive(&mini);
}
