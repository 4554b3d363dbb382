/* SPDX-License-Identifier: MIT */
/* cancel.c: floor of cancelling: every parked task is marked and put into the queue in one pass,
 * then each is switched to once, sees its mark and ends. It leaves out the tree of scopes, wait
 * queues to be withdrawn from, results and reasons. */
#include "floors.h"
#include "mini.h"

static void wait_in_vain(struct mini_task *self)
{
    mini_park(self);
    if (self->fn) mini_park(self);
}

static void cancel_all(struct mini *mini)
{
    for (long i = 0; i < mini->count; i++) {
        struct mini_task *task = mini_at(mini, i);
        task->fn = NULL; /* the mark */
        mini_append(mini, task);
    }
}

void floor_cancel(const struct bench_ask *ask, struct bench_sample *out)
{
    struct mini mini;
    int64_t ns = 0;
    if (!mini_init(&mini, ask->count, NULL, out)) return;
    for (long i = 0; i < ask->rounds; i++) {
        mini_spawn_all(&mini, wait_in_vain);
        mini_drive(&mini);
        int64_t start = bench_now();
        cancel_all(&mini);
        mini_drive(&mini);
        ns += bench_now() - start;
    }
    bench_per_operation(out, ns, ask->rounds * ask->count);
}
