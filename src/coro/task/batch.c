/* SPDX-License-Identifier: MIT */
#include "coro/task/batch.h"

#include "coro/task/probe.h"
#include "coro/task/switch.h"

void nidoi_batch_run(struct nidoi_sched *sched, int batch)
{
    sched->batch = batch;
    if (sched->probe) {
        nidoi_probe_run(sched, batch);
    } else if (nidoi_sched_ready(sched)) {
        nidoi_switch_resume(sched, nidoi_switch_next(sched));
        sched->resumes += (uint64_t)(sched->batch > 0 ? 1 + batch - sched->batch : batch);
        if (sched->probe) nidoi_probe_began(sched);
    }
    sched->budget = 1; /* no call may park on the loop's own stack: nidoi_no_parking_begin */
}
