/* SPDX-License-Identifier: MIT */
/* swept_libpq CONNINFO: cancels the adapter for libpq at each of its cancellation points, with a real
 * server. After each the pool must work, and nothing may be left behind. */
#include <nido/test.h>

#include "../adapters/libpq.h"

static const char *conninfo;
static bool is_broken; /* the last run has left a pool that does not work */

static int use_pool(pq_pool *pool)
{
    PGresult *result;
    PGconn *conn;
    int rc = pq_pool_take(pool, &conn);
    if (rc < 0) return rc;
    rc = pq_query(conn, "select pg_sleep(0.005)", 0, NULL, &result);
    if (rc == 0) PQclear(result);
    pq_pool_give(pool, conn);
    return rc;
}

static int use_pool_twice(void *unused)
{
    pq_pool pool;
    nido_scope scope;
    int rc = pq_pool_open(&pool, conninfo, 1);
    (void)unused;
    if (rc < 0) return rc;
    nido_scope_open(&scope);
    int first = nido_scope_close(&scope, use_pool(&pool));
    rc = use_pool(&pool);
    is_broken = nido_scope_was_cancelled(&scope) ? rc < 0 : first < 0 && rc < 0;
    pq_pool_close(&pool);
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
    conninfo = argv[1];
    nido_test_options_init(&options);
    options.name = "a pool of libpq";
    options.flags = NIDO_TEST_INNERMOST | NIDO_TEST_LOOSE;
    options.run.clock = NIDO_CLOCK_REAL;
    options.check = judge;
    int broken = nido_sweep(use_pool_twice, NULL, &options);
    broken += nido_sweep_memory(use_pool_twice, NULL, &options);
    broken += nido_sweep_calls(use_pool_twice, NULL, &options);
    return broken != 0;
}
