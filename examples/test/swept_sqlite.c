/* SPDX-License-Identifier: MIT */
/* swept_sqlite FILE: cancels the adapter for SQLite at each of its cancellation points. After each
 * the pool must work, and nothing may be left behind. */
#include <nido/test.h>

#include "../adapters/sqlite.h"

static const char *path;
static bool is_broken; /* the last run has left a pool that does not work */

/* Leaves a transaction open: the next one could not begin another if it were handed on. */
static int write_some(sqlite3 *db, void *unused)
{
    (void)unused;
    return sqlite3_exec(
        db,
        "begin immediate; create table if not exists t (a);"
        "insert into t with recursive c(x) as (select 1 union all select x + 1 from c"
        " limit 5000) select x from c",
        NULL, NULL, NULL);
}

static int use_pool_twice(void *unused)
{
    sl_pool pool;
    nido_scope scope;
    int rc = sl_pool_open(&pool, path, 1);
    (void)unused;
    is_broken = false;
    if (rc < 0) return rc;
    nido_scope_open(&scope);
    nido_scope_close(&scope, sl_run(&pool, write_some, NULL));
    rc = sl_run(&pool, write_some, NULL);
    is_broken = nido_scope_was_cancelled(&scope) && rc < 0;
    sl_pool_close(&pool);
    return rc;
}

static int judge(void *unused, int rc)
{
    (void)unused;
    (void)rc;
    return is_broken ? -1 : 0;
}

int main(int argc, char **argv)
{
    nido_test_options options;
    if (argc != 2) return 2;
    path = argv[1];
    nido_test_options_init(&options);
    options.name = "a pool of SQLite";
    options.flags = NIDO_TEST_INNERMOST | NIDO_TEST_LOOSE;
    options.run.clock = NIDO_CLOCK_REAL;
    options.check = judge;
    int broken = nido_sweep(use_pool_twice, NULL, &options);
    broken += nido_sweep_memory(use_pool_twice, NULL, &options);
    broken += nido_sweep_calls(use_pool_twice, NULL, &options);
    return broken != 0;
}
