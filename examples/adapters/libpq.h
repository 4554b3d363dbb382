/* SPDX-License-Identifier: MIT */
/* libpq.h: PostgreSQL from tasks, over libpq: a query that waits as a task waits, and a pool.
 *
 *     pq_pool pool;
 *     rc = pq_pool_open(&pool, "host=/run/postgresql", 10);
 *     ... in any task:
 *     rc = pq_pool_take(&pool, &conn);
 *     if (rc < 0) return rc;
 *     rc = pq_query(conn, "select name from users where id = $1", 1, (const char *[]){"7"}, &result);
 *     if (rc == 0) ... PQgetvalue(result, 0, 0) ..., PQclear(result);
 *     pq_pool_give(&pool, conn);
 *
 * A deadline is that of the caller's scope. If it passes, or the caller is cancelled, the server is
 * asked to stop the query. All calls return 0 or a negated errno with a text (nido_error_last). */
#ifndef ADAPTER_LIBPQ_H
#define ADAPTER_LIBPQ_H

#include <libpq-fe.h>
#include <nido.h>

/* Connects. Cancellation point. 0 and *out, to be closed by PQfinish; -ECONNREFUSED: there is no
 * connection, for whatever reason; -ECANCELED; -ENOMEM. A host that is a name is looked up by libpq,
 * which blocks the loop: give hostaddr or a Unix socket. */
int pq_connect(const char *conninfo, PGconn **out);

/* Runs one statement with n parameters as texts. Cancellation point. 0 and *out, to be freed by
 * PQclear; -EREMOTEIO: the server has refused the statement; -EPIPE: the connection is broken;
 * -EOPNOTSUPP: a COPY; -ECANCELED: the server was asked to stop it, which takes at most two seconds.
 * Afterwards the connection can be used unless PQtransactionStatus is PQTRANS_ACTIVE or _UNKNOWN. */
int pq_query(PGconn *conn, const char *sql, int n, const char *const *params, PGresult **out);

/* Connections to one database, made when they are needed. Caller's memory; fields are private. */
typedef struct pq_pool {
    const char *conninfo;
    nido_chan *places; /* of PGconn *: the connections that are free, NULL for one to be made */
} pq_pool;

/* A pool of at most n connections; conninfo outlives it. Not a cancellation point. 0; -ENOMEM;
 * -EINVAL: n is 0. */
int pq_pool_open(pq_pool *pool, const char *conninfo, unsigned n);

/* Takes a connection, and waits until one is free. One that has broken meanwhile is replaced.
 * Cancellation point. 0 and *out, for pq_pool_give; else as pq_connect. */
int pq_pool_take(pq_pool *pool, PGconn **out);

/* Gives it back. If it is broken, in a transaction or in a statement, it is closed, and a later
 * take makes another. Not a cancellation point. */
void pq_pool_give(pq_pool *pool, PGconn *conn);

/* Closes the connections. All have been given back. Not a cancellation point. */
void pq_pool_close(pq_pool *pool);

#endif
