/* SPDX-License-Identifier: MIT */
/* Activities that have to do with other threads and processes: jobs on workers, child processes. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "nido/proc.h"
#include "soak.h"
#include "soak_pool.h"

enum { JOB_ROUNDS = 3, MOST_INPUT = 200000 };

/* ---- Jobs ---- */

/* Abandoned ones come home. */
static int settle(struct soak_pool *pool)
{
    int rc = 0;

    while (!rc && __atomic_load_n(&pool->dropped, __ATOMIC_RELAXED) < pool->handed)
        rc = nido_sleep(NIDO_US(100));
    while (!rc && nido_limiter_deinit(&pool->limiter) == -EBUSY) rc = nido_sleep(NIDO_US(100));
    return rc;
}

int soak_jobs(struct seeded *seeded)
{
    struct soak_pool pool = {.seed = {seeded_below(seeded, 1u << 30)}, .rounds = JOB_ROUNDS};
    int rc = soak_pool(&pool);

    if (!rc) rc = settle(&pool);
    if (rc) return soak_complain("jobs: %ld promises are broken, %d", pool.broken, rc);
    if (pool.results + pool.refusals != pool.calls)
        return soak_complain("jobs: of %ld, %ld gave a result and %ld were refused", pool.calls,
                             pool.results, pool.refusals);
    return 0;
}

/* ---- Children ---- */

static nido_proc_options program(char *const *argv)
{
    nido_proc_options options;

    nido_proc_options_init(&options);
    options.argv = argv;
    options.kill_grace_ns = NIDO_MS(200);
    return options;
}

/* The same for all, whoever is first. */
static const char *some_input(void)
{
    static char input[MOST_INPUT];

    for (size_t i = 0; i < MOST_INPUT && !input[MOST_INPUT - 1]; i++)
        input[i] = (char)(i % 251 + 1);
    return input;
}

/* Fed and listened to, perhaps until a deadline comes. */
static int run_cat(struct seeded *seeded)
{
    const char *input = some_input();
    char *argv[] = {(char *)"cat", NULL};
    nido_proc_options options = program(argv);
    size_t len = 1 + seeded_below(seeded, MOST_INPUT - 1);
    nido_proc_result result;
    nido_scope scope;
    int rc;

    options.new_group = soak_chance(seeded, 2);
    nido_timeout_open(&scope, soak_chance(seeded, 3) ? soak_moment(seeded, 5000) : NIDO_NEVER);
    rc = nido_scope_close(&scope, nido_proc_run(&options, input, len, &result));
    if (!rc && (result.status.code || result.out_len != len || memcmp(result.out, input, len) != 0))
        rc = soak_complain("cat gave %zu bytes of %zu and %d", result.out_len, len,
                           result.status.code);
    nido_proc_result_free(&result);
    return rc == -ETIMEDOUT ? 0 : rc;
}

/* Says how it ends, and does. */
static int run_exit(struct seeded *seeded)
{
    char command[32], *argv[] = {(char *)"sh", (char *)"-c", command, NULL};
    nido_proc_options options = program(argv);
    int code = (int)seeded_below(seeded, 256), rc;
    nido_proc_status status = {0};
    nido_proc child;

    snprintf(command, sizeof command, "exit %d", code);
    rc = nido_proc_spawn(&child, &options);
    if (rc) return rc;
    rc = nido_proc_wait(&child, &status);
    nido_proc_release(&child);
    if (!rc && status.code != code) rc = soak_complain("%d, not exit %d", status.code, code);
    return rc;
}

/* Ends by the end of its input, a signal, or the stop, whichever comes first. */
static int stop_cat(struct seeded *seeded)
{
    char *argv[] = {(char *)"cat", NULL};
    nido_proc_options options = program(argv);
    nido_proc_status status = {.code = -2};
    nido_proc child;
    int rc;

    options.in.kind = NIDO_STDIO_PIPE;
    rc = nido_proc_spawn(&child, &options);
    if (rc) return rc;
    if (soak_chance(seeded, 3)) nido_proc_kill(&child, SIGKILL);
    if (soak_chance(seeded, 3)) nido_close(nido_proc_take(&child, 0));
    if (soak_chance(seeded, 3)) rc = nido_sleep(soak_moment(seeded, 2000));
    if (!rc) rc = nido_proc_stop(&child, &status);
    nido_proc_release(&child);
    if (!rc && status.code != 0 && status.signal != SIGTERM && status.signal != SIGKILL)
        rc = soak_complain("cat ended by signal %d, with %d", status.signal, status.code);
    return rc;
}

int soak_children(struct seeded *seeded)
{
    static soak_round *const kinds[] = {run_cat, run_exit, stop_cat};

    return kinds[seeded_below(seeded, 3)](seeded);
}
