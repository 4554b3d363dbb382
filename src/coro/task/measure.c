/* SPDX-License-Identifier: MIT */
#include "coro/task/measure.h"

#include "base/thread_look.h"
#include "nido/group.h"

/* A task is counted by the name of its group; one without such a name by its own. */
static struct nidoi_times *times_of(struct nidoi_measure *measure, const struct nidoi_task *task)
{
    const char *name = task->group ? task->group->name : NULL;

    return nidoi_measured_times(&measure->sums, name ? name : task->name);
}

static struct nidoi_times *settled(const struct nidoi_task *task, int64_t now)
{
    nidoi_times_settle(task->times, now);
    return task->times;
}

void nidoi_measure_spawn(struct nidoi_measure *measure, struct nidoi_task *task)
{
    task->cpu_ns = 0;
    task->ready_since = nidoi_meter_read(&measure->meter);
    task->times = times_of(measure, task);
    task->times->sum.tasks++;
    settled(task, task->ready_since)->ready++;
}

/* A running task has got a name. */
void nidoi_measure_named(struct nidoi_measure *measure, struct nidoi_task *task)
{
    struct nidoi_times *times = times_of(measure, task);
    int64_t now = nidoi_meter_read(&measure->meter);

    if (times == task->times) return;
    settled(task, now)->running--;
    task->times = times;
    times->sum.tasks++;
    settled(task, now)->running++;
}

void nidoi_measure_wake(struct nidoi_measure *measure, struct nidoi_task *task)
{
    struct nidoi_times *times;

    task->ready_since = nidoi_meter_read(&measure->meter);
    times = settled(task, task->ready_since);
    times->waiting--;
    times->ready++;
}

void nidoi_measure_batch(struct nidoi_measure *measure)
{
    measure->fresh = false;
    if (measure->counts_cpu) measure->cpu_read = nidoi_thread_cpu_own();
}

void nidoi_measure_resume(struct nidoi_measure *measure, struct nidoi_task *task)
{
    int64_t now = measure->fresh ? measure->stopped : nidoi_meter_read(&measure->meter);
    struct nidoi_times *times = settled(task, now);

    measure->fresh = false;
    nidoi_lengths_add(&measure->sums.lengths[NIDO_HISTOGRAM_READY], now - task->ready_since);
    times->ready--;
    times->running++;
}

static void charge_cpu(struct nidoi_measure *measure, struct nidoi_task *task)
{
    int64_t read = nidoi_thread_cpu_own();
    uint64_t used = read > measure->cpu_read ? (uint64_t)(read - measure->cpu_read) : 0;

    task->cpu_ns += used;
    task->times->sum.cpu_ns += used;
    measure->cpu_read = read;
}

void nidoi_measure_stop(struct nidoi_measure *measure, struct nidoi_task *task)
{
    int64_t now = nidoi_meter_read(&measure->meter);
    struct nidoi_times *times = settled(task, now);

    measure->stopped = now;
    measure->fresh = true;
    times->running--;
    if (task->state == NIDOI_READY) {
        task->ready_since = now;
        times->ready++;
    } else if (task->state != NIDOI_DONE) {
        task->state = NIDOI_PARKED_TOLD;
        times->waiting++;
    }
    if (measure->counts_cpu) charge_cpu(measure, task);
}

bool nidoi_measure_cpu(const struct nidoi_task *task, uint64_t *ns)
{
    const struct nidoi_measure *measure = task->sched->measure;
    int64_t since;

    if (!measure || !measure->counts_cpu) return false;
    *ns = task->cpu_ns;
    if (task != task->sched->current) return true;
    since = nidoi_thread_cpu_own() - measure->cpu_read;
    if (since > 0) *ns += (uint64_t)since;
    return true;
}
