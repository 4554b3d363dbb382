/* SPDX-License-Identifier: MIT */
/* pg_pool: runs each line of its input as a query of PostgreSQL, over a pool of connections.
 *
 * Shows the adapter for libpq (../adapters/libpq.h): a task for each query, as many at once as there
 * are connections, and each with a time limit, after which the server is told to stop. A query that
 * fails is printed as such and disturbs no other.
 *
 *     ./app_pg_pool CONNINFO [CONNECTIONS [TIMEOUT_MS]]
 *     echo 'select 1, 2' | ./app_pg_pool host=/run/postgresql 4 1000
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <nido/sugar.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../adapters/libpq.h"

struct queries {
    const char *conninfo;
    unsigned connections;
    int64_t timeout_ns;
    pq_pool pool;
    bool failed;
};

struct query {
    struct queries *queries;
    int number;
    char sql[];
};

static void print_rows(int number, const PGresult *result)
{
    for (int row = 0; row < PQntuples(result); row++) {
        printf("%d:", number);
        for (int column = 0; column < PQnfields(result); column++)
            printf("%c%s", column ? '|' : ' ', PQgetvalue(result, row, column));
        putchar('\n');
    }
    if (PQntuples(result) == 0) printf("%d: %s\n", number, PQcmdStatus((PGresult *)result));
}

static int take_and_query(struct query *query)
{
    pq_pool *pool = &query->queries->pool;
    PGresult *result;
    PGconn *conn;
    int rc = pq_pool_take(pool, &conn);
    if (rc < 0) return rc;
    rc = pq_query(conn, query->sql, 0, NULL, &result);
    if (rc == 0) print_rows(query->number, result), PQclear(result);
    pq_pool_give(pool, conn);
    return rc;
}

static int run_query(void *arg)
{
    struct query *query = arg;
    int rc = NIDO_TIMEOUT(query->queries->timeout_ns, take_and_query(query));
    if (rc < 0 && rc != -ECANCELED) {
        const char *text = nido_error_text(nido_error_last());
        query->queries->failed = true;
        printf("%d: %s\n", query->number, rc == -ETIMEDOUT || !*text ? nido_strerror(rc) : text);
        rc = 0; /* and disturbs no other */
    }
    fflush(stdout);
    free(query);
    return rc;
}

static int read_queries(struct queries *queries, nido_stream *in, nido_group *group)
{
    char *line;
    size_t length;
    int rc;
    for (int number = 1; (rc = nido_stream_line(in, &line, &length)) > 0; number++) {
        struct query *query = malloc(sizeof *query + length + 1);
        if (!query) return -ENOMEM;
        query->queries = queries;
        query->number = number;
        memcpy(query->sql, line, length + 1);
        rc = nido_spawn_wait(group, run_query, query);
        if (rc < 0) return free(query), rc;
    }
    return rc;
}

static int app(void *arg)
{
    struct queries *queries = arg;
    nido_stream in;
    nido_group group;
    int rc = nido_stream_open(&in, STDIN_FILENO, &NIDO_STREAM_OPTIONS(.keep_open = true));
    if (rc == 0) rc = pq_pool_open(&queries->pool, queries->conninfo, queries->connections);
    if (rc < 0) return rc;
    nido_group_open_with(&group,
                         &NIDO_GROUP_OPTIONS(.name = "queries", .limit = queries->connections));
    rc = nido_group_close(&group, read_queries(queries, &in, &group));
    pq_pool_close(&queries->pool);
    nido_stream_close(&in);
    return rc;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 4) {
        fprintf(stderr, "usage: %s CONNINFO [CONNECTIONS [TIMEOUT_MS]]\n", argv[0]);
        return 2;
    }
    struct queries queries = {.conninfo = argv[1],
                              .connections = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1,
                              .timeout_ns =
                                  argc > 3 ? NIDO_MS(strtol(argv[3], NULL, 10)) : NIDO_NEVER};
    int rc = nido_run(app, &queries, &NIDO_OPTIONS(.signals = true));
    return rc < 0 ? nido_exit_status(rc) : queries.failed;
}
