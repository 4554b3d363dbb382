/* SPDX-License-Identifier: MIT */
/* sqlite.h: SQLite from tasks: statements run on workers, and a cancel interrupts them.
 *
 *     static int sum(sqlite3 *db, void *arg)       runs on a worker, and may block
 *     {
 *         return sqlite3_exec(db, "update accounts set sum = sum + 1", NULL, NULL, NULL);
 *     }
 *
 *     sl_pool pool;
 *     rc = sl_pool_open(&pool, "accounts.db", 4);
 *     rc = sl_run(&pool, sum, NULL);               in any task
 */
#ifndef ADAPTER_SQLITE_H
#define ADAPTER_SQLITE_H

#include <nido.h>
#include <sqlite3.h>

/* Any statements on one connection. It runs on a worker and must not make nido's waiting calls. A
 * result of SQLite, SQLITE_OK for success; a transaction that it leaves open is rolled back. */
typedef int sl_fn(sqlite3 *db, void *arg);

/* Connections to one file, made when they are needed. Caller's memory; fields are private. */
typedef struct sl_pool {
    const char *path;
    nido_chan *places; /* of sqlite3 *: the connections that are free, NULL for one to be made */
} sl_pool;

/* A pool of at most n connections; path outlives it. Not a cancellation point. 0; -ENOMEM; -EINVAL:
 * n is 0. */
int sl_pool_open(sl_pool *pool, const char *path, unsigned n);

/* Runs fn(db, arg) with a connection of the pool, waiting until one is free. Cancellation point: a
 * cancel interrupts the statement that runs, and is waited for, so arg may lie on the caller's
 * stack. 0; -ECANCELED: SQLite has rolled the statement back; -EIO: SQLite's own failure, which is
 * the text; or as nido_offload. */
int sl_run(sl_pool *pool, sl_fn *fn, void *arg);

/* Closes the connections. No task is in sl_run. Not a cancellation point. */
void sl_pool_close(sl_pool *pool);

#endif
