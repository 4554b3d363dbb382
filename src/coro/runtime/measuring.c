/* SPDX-License-Identifier: MIT */
#include "coro/runtime/measuring.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/debug_words.h"
#include "base/mem.h"
#include "coro/task/measure.h"

struct nidoi_measuring {
    struct nidoi_measure measure;
    int64_t turn_began;
    uint64_t turns; /* of the loop, that were seen */
    int64_t tell_at;
    pthread_mutex_t lock;
    struct nidoi_measured told; /* under the lock */
};

static bool is_asked_for(const struct nidoi_loop *loop, uint32_t flag, const char *word)
{
    return loop->options.flags & flag || nidoi_debug_asks(word);
}

int nidoi_measuring_begin(struct nidoi_loop *loop)
{
    bool cpu = is_asked_for(loop, NIDO_RUN_CPU_TIME, "cpu");
    struct nidoi_measuring *measuring;

    if (!cpu && !is_asked_for(loop, NIDO_RUN_MEASURE, "measure")) return 0;
    measuring = nidoi_mem_zeroed(sizeof *measuring);
    if (!measuring) return -ENOMEM;
    nidoi_meter_init(&measuring->measure.meter, &loop->clock);
    measuring->measure.counts_cpu = cpu;
    measuring->turn_began = nidoi_meter_read(&measuring->measure.meter);
    pthread_mutex_init(&measuring->lock, NULL);
    loop->measuring = measuring;
    loop->sched.measure = &measuring->measure;
    loop->tree |= NIDOI_TREE_TOLD;
    loop->tell_counts_at = INT64_MIN;
    nidoi_probe_set(&loop->sched, &loop->probe);
    return 0;
}

void nidoi_measuring_end(struct nidoi_loop *loop)
{
    struct nidoi_measuring *measuring = loop->measuring;

    if (!measuring) return;
    loop->measuring = NULL;
    loop->sched.measure = NULL;
    pthread_mutex_destroy(&measuring->lock);
    nidoi_mem.release(measuring);
}

/* ---- Turns ---- */

bool nidoi_measuring_turn(struct nidoi_loop *loop)
{
    struct nidoi_measuring *measuring = loop->measuring;
    struct nidoi_measure *measure = &measuring->measure;
    int64_t now = nidoi_meter_read(&measure->meter);

    if (measuring->turns != loop->turns)
        nidoi_lengths_add(&measure->sums.lengths[NIDO_HISTOGRAM_TURN], now - measuring->turn_began);
    measuring->turns = loop->turns;
    measuring->turn_began = now;
    return loop->sched.now >= measuring->tell_at;
}

void nidoi_measuring_awake(struct nidoi_loop *loop)
{
    struct nidoi_meter *meter = &loop->measuring->measure.meter;

    nidoi_meter_set(meter);
    loop->measuring->turn_began = nidoi_meter_read(meter);
}

/* ---- Reading ---- */

const struct nidoi_measured *nidoi_measuring_read(struct nidoi_loop *loop)
{
    struct nidoi_measure *measure = loop->sched.measure;

    if (!measure) return NULL;
    nidoi_measured_settle(&measure->sums, nidoi_meter_read(&measure->meter));
    return &measure->sums;
}

void nidoi_measuring_tell(struct nidoi_loop *loop, int64_t next)
{
    struct nidoi_measuring *measuring = loop->measuring;

    measuring->tell_at = next;
    nidoi_meter_set(&measuring->measure.meter);
    nidoi_measuring_read(loop);
    pthread_mutex_lock(&measuring->lock);
    measuring->told = measuring->measure.sums;
    pthread_mutex_unlock(&measuring->lock);
}

void nidoi_measuring_add_told(const struct nidoi_loop *loop, struct nidoi_measured *sum)
{
    struct nidoi_measuring *measuring = loop->measuring;

    if (!measuring) return;
    pthread_mutex_lock(&measuring->lock);
    nidoi_measured_add(sum, &measuring->told);
    pthread_mutex_unlock(&measuring->lock);
}

void nidoi_measuring_forget(struct nidoi_loop *loop)
{
    struct nidoi_measuring *measuring = loop->measuring;

    if (!measuring) return;
    pthread_mutex_lock(&measuring->lock);
    memset(&measuring->told, 0, sizeof measuring->told);
    pthread_mutex_unlock(&measuring->lock);
}
