/* SPDX-License-Identifier: MIT */
/* libpq.c: see libpq.h. libpq's non-blocking calls say what they wait for; nido_wait_fd waits. */
#include "libpq.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

enum { CANCEL_MS = 2000 };

/* The first line of libpq's message is the text of the failure. */
static int pq_fail(int rc, const char *what, const char *message)
{
    int length = (int)strcspn(message, "\n");
    return nido_fail(rc, "%s: %.*s", what, length, message);
}

static int pq_connect_finish(PGconn *conn)
{
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    if (PQstatus(conn) == CONNECTION_BAD) next = PGRES_POLLING_FAILED;
    while (next != PGRES_POLLING_OK) {
        if (next == PGRES_POLLING_FAILED)
            return pq_fail(-ECONNREFUSED, "connect", PQerrorMessage(conn));
        int rc = nido_wait_fd(PQsocket(conn), next == PGRES_POLLING_READING ? NIDO_IN : NIDO_OUT);
        if (rc < 0) return rc;
        next = PQconnectPoll(conn);
    }
    return PQsetnonblocking(conn, 1) < 0 ? -ENOMEM : 0;
}

int pq_connect(const char *conninfo, PGconn **out)
{
    PGconn *conn = PQconnectStart(conninfo);
    if (!conn) return -ENOMEM;
    int rc = pq_connect_finish(conn);
    if (rc < 0) return PQfinish(conn), rc;
    *out = conn;
    return 0;
}

/* Sends what libpq has buffered. What arrives meanwhile is read: else both sides might wait. */
static int pq_flush(PGconn *conn)
{
    int rc;
    while ((rc = PQflush(conn)) > 0) {
        rc = nido_wait_fd(PQsocket(conn), NIDO_IN | NIDO_OUT);
        if (rc < 0) return rc;
        if ((rc & NIDO_IN) && !PQconsumeInput(conn)) break;
    }
    return rc == 0 ? 0 : pq_fail(-EPIPE, "send", PQerrorMessage(conn));
}

/* The next result of the statement, NULL after the last. */
static int pq_next(PGconn *conn, PGresult **out)
{
    while (PQisBusy(conn)) {
        int rc = nido_wait_fd(PQsocket(conn), NIDO_IN);
        if (rc < 0) return rc;
        if (!PQconsumeInput(conn)) return pq_fail(-EPIPE, "receive", PQerrorMessage(conn));
    }
    *out = PQgetResult(conn);
    return 0;
}

/* Reads all results; the last is kept. */
static int pq_results(PGconn *conn, PGresult **out)
{
    PGresult *next = NULL;
    int rc;
    while ((rc = pq_next(conn, &next)) == 0 && next) {
        ExecStatusType status = PQresultStatus(next);
        PQclear(*out);
        *out = next;
        if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH)
            return nido_fail(-EOPNOTSUPP, "COPY needs calls of its own");
    }
    return rc;
}

static ssize_t cancel_job(void *cancel)
{
    char unused[256];
    return PQcancel(cancel, unused, sizeof unused) ? 0 : -EIO;
}

static void cancel_drop(void *unused, void *cancel, int result)
{
    (void)unused;
    (void)result;
    PQfreeCancel(cancel);
}

/* Asks the server to stop the statement, and reads what it still says. PQcancel blocks: it runs on
 * a worker. If this fails the connection stays in the statement, which pq_pool_give sees. */
static void pq_cancel(PGconn *conn)
{
    PGcancel *cancel = PQgetCancel(conn);
    PGresult *rest = NULL;
    nido_scope shield;
    if (!cancel) return;
    nido_shield_open(&shield, NIDO_MS(CANCEL_MS));
    int rc = (int)nido_offload_abandon(cancel_job, cancel, cancel_drop, NULL);
    if (rc == 0) PQfreeCancel(cancel);
    if (rc == 0) rc = pq_flush(conn);
    if (rc == 0) rc = pq_results(conn, &rest);
    nido_scope_close(&shield, rc);
    PQclear(rest);
}

static int pq_judge(PGconn *conn, const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return 0;
    if (PQstatus(conn) != CONNECTION_OK) return pq_fail(-EPIPE, "query", PQerrorMessage(conn));
    return pq_fail(-EREMOTEIO, "query", PQresultErrorMessage(result));
}

int pq_query(PGconn *conn, const char *sql, int n, const char *const *params, PGresult **out)
{
    PGresult *result = NULL;
    if (nido_cancelled()) return -ECANCELED;
    if (!PQsendQueryParams(conn, sql, n, NULL, params, NULL, NULL, 0))
        return pq_fail(-EPIPE, "query", PQerrorMessage(conn));
    int rc = pq_flush(conn);
    if (rc == 0) rc = pq_results(conn, &result);
    if (rc == -ECANCELED) pq_cancel(conn);
    if (rc == 0) rc = pq_judge(conn, result);
    if (rc == 0)
        *out = result;
    else
        PQclear(result);
    return rc;
}

/* ---- The pool ---- */

int pq_pool_open(pq_pool *pool, const char *conninfo, unsigned n)
{
    PGconn *none = NULL;
    if (n == 0) return -EINVAL;
    int rc = nido_chan_new(sizeof none, n, NULL, NULL, &pool->places);
    if (rc < 0) return rc;
    nido_chan_set_name(pool->places, "connections");
    pool->conninfo = conninfo;
    for (unsigned i = 0; i < n; i++) nido_chan_try_send(pool->places, &none);
    return 0;
}

/* A free connection is silent: the server speaks to say that it closes it. */
static bool pq_is_sound(PGconn *conn)
{
    return poll(&(struct pollfd){.fd = PQsocket(conn), .events = POLLIN}, 1, 0) == 0;
}

int pq_pool_take(pq_pool *pool, PGconn **out)
{
    PGconn *conn;
    int rc = nido_chan_recv(pool->places, &conn);
    if (rc < 0) return rc;
    if (conn && !pq_is_sound(conn)) PQfinish(conn), conn = NULL;
    if (!conn) rc = pq_connect(pool->conninfo, &conn);
    if (rc < 0)
        nido_chan_try_send(pool->places, &conn); /* there is room: this took its place */
    else
        *out = conn;
    return rc;
}

void pq_pool_give(pq_pool *pool, PGconn *conn)
{
    if (PQtransactionStatus(conn) != PQTRANS_IDLE) PQfinish(conn), conn = NULL;
    nido_chan_try_send(pool->places, &conn);
}

void pq_pool_close(pq_pool *pool)
{
    PGconn *conn;
    while (nido_chan_try_recv(pool->places, &conn) == 0) PQfinish(conn);
    nido_chan_free(pool->places);
}
