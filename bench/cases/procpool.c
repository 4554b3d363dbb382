/* SPDX-License-Identifier: MIT */
/* procpool.c: jobs in worker processes. */
#include "baselines/floors.h"
#include "cases.h"

enum { BYTES = 64 };

static int echo(nido_procjob *job)
{
    size_t len;
    const void *bytes = nido_procjob_input(job, &len);
    return nido_procjob_reply(job, bytes, len);
}

static int call_many(nido_procpool *pool, long rounds)
{
    nido_procpool_result result;
    char bytes[BYTES] = {0};
    int rc = 0;
    for (long i = 0; i < rounds && !rc; i++) {
        rc = nido_procpool_call(pool, echo, bytes, sizeof bytes, NULL, &result);
        nido_procpool_result_deinit(&result);
    }
    return rc;
}

static int call(void *arg)
{
    const struct bench_run *run = arg;
    nido_procpool *pool;
    int rc = nido_procpool_new(NULL, &pool);
    if (rc) return rc;
    rc = call_many(pool, bench_warm_up(run->ask));
    int64_t start = bench_now();
    if (!rc) rc = call_many(pool, run->ask->rounds);
    bench_per_operation(run->out, bench_now() - start, run->ask->rounds);
    nido_procpool_free(pool);
    return rc;
}

static void measure(const struct bench_ask *ask, struct bench_sample *out)
{
    int err = nido_procpool_prepare();
    if (err)
        bench_fail(out, "nido_procpool_prepare: %s", nido_strerror(err));
    else
        bench_nido(call, ask, out);
}

const struct bench_case case_procpool_call = {
    .name = "procpool_call",
    .what = "64 bytes to a worker process and back",
    .nido = measure,
    .floor = floor_process,
    .metrics = {{.unit = "ns/call"}},
};
