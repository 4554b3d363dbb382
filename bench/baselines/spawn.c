/* SPDX-License-Identifier: MIT */
/* spawn.c: floors of spawning on warm stacks: a context made on a stack that was used before, run,
 * and left. They leave out handles, groups, results, names, and any pool beyond an array. */
#include "floors.h"
#include "mini.h"

static void come_and_go(struct transfer transfer)
{
    jump_fcontext(transfer.from, NULL);
}

/* One task at a time on one stack: no queue either. */
void floor_spawn_join(const struct bench_ask *ask, struct bench_sample *out)
{
    static char stack[MINI_STACK] __attribute__((aligned(16)));
    int64_t start = bench_now();
    for (long i = 0; i < ask->rounds; i++)
        jump_fcontext(make_fcontext(stack + sizeof stack, sizeof stack, come_and_go), NULL);
    bench_per_operation(out, bench_now() - start, ask->rounds);
}

static void nothing(struct mini_task *self)
{
    (void)self;
}

/* All alive, then each runs once; the driver goes on when the queue is empty, which is the join. */
void floor_spawn_many(const struct bench_ask *ask, struct bench_sample *out)
{
    struct mini mini;
    if (!mini_init(&mini, ask->count, NULL, out)) return;
    mini_spawn_all(&mini, nothing);
    mini_drive(&mini);
    int64_t start = bench_now();
    for (long i = 0; i < ask->rounds; i++) {
        mini_spawn_all(&mini, nothing);
        mini_drive(&mini);
    }
    bench_per_operation(out, bench_now() - start, ask->rounds * ask->count);
}
