/* SPDX-License-Identifier: MIT */
/* Calls of worker processes, swept: a call says what came of its job, and no worker is left when its
 * pool is gone. */
#include <stdlib.h>
#include <string.h>

#include "nido/procpool.h"
#include "sweep_help.h"

/* As in procpool.c, which is not in every program that these tests are in. */
__attribute__((constructor)) static void prepare(void)
{
    if (getenv("BXFI_MAP") && !getenv("NIDO_TEST_NO_SERVER")) nido_procpool_prepare();
}

static nido_procpool *pool;

static int double_job(nido_procjob *job)
{
    size_t len;
    const char *bytes = nido_procjob_input(job, &len);
    int err = nido_procjob_reply(job, bytes, len);

    if (!err) err = nido_procjob_reply(job, bytes, len);
    return err ? err : 7;
}

static int call_once(void *unused)
{
    nido_procpool_result result;
    nido_scope scope;
    int rc;

    (void)unused;
    ALONE(scope, rc, nido_procpool_call(pool, double_job, "twice", 5, NULL, &result));
    LAW((rc == 7) == (result.data && !strcmp(result.data, "twicetwice")));
    LAW(rc != 7 || result.pid > 0);
    nido_procpool_result_deinit(&result);
    return rc == 7 ? 0 : unless_struck(rc);
}

/* Two calls for one worker, so that one of them stands in line. */
static int call_a_worker(void *unused)
{
    nido_procpool_options options;
    int rc;

    nido_procpool_options_init(&options);
    options.workers = 1;
    rc = nido_procpool_new(&options, &pool);
    if (rc) return rc;
    rc = TOGETHER(unused, call_once, call_once);
    LAW(nido_procpool_free(pool) == 0);
    return rc;
}
SWEPT_LOOSELY(a_worker_is_given_back_or_gone, call_a_worker)
