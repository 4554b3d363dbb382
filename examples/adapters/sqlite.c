/* SPDX-License-Identifier: MIT */
/* sqlite.c: see sqlite.h. */
#define _POSIX_C_SOURCE 200809L
#include "sqlite.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

enum {
    STEPS = 1000,          /* of SQLite's machine, between two looks */
    LOCK_NS = 5000 * 1000, /* between two tries to get a lock of another process */
};

struct sl_job {
    sl_pool *pool;
    sl_fn *fn;
    void *arg;
    sqlite3 *db;
    char text[128]; /* of a failure */
};

/* What sqlite3_interrupt would do from outside, it is asked to do from inside. */
static int sl_is_cancelled(void *unused)
{
    (void)unused;
    return nido_job_cancelled();
}

static int sl_wait_for_lock(void *unused, int tries)
{
    (void)unused;
    (void)tries;
    nanosleep(&(struct timespec){.tv_nsec = LOCK_NS}, NULL);
    return !nido_job_cancelled();
}

static void sl_watch(sqlite3 *db, bool on)
{
    sqlite3_progress_handler(db, on ? STEPS : 0, sl_is_cancelled, NULL);
}

static int sl_connect(struct sl_job *job)
{
    int rc = sqlite3_open(job->pool->path, &job->db);
    if (rc == SQLITE_OK) rc = sqlite3_busy_handler(job->db, sl_wait_for_lock, NULL);
    if (rc == SQLITE_OK) return sl_watch(job->db, true), rc;
    snprintf(job->text, sizeof job->text, "%s", sqlite3_errmsg(job->db));
    sqlite3_close(job->db); /* also one that could not be opened has a handle */
    job->db = NULL;
    return rc;
}

static ssize_t sl_work(void *arg)
{
    struct sl_job *job = arg;
    int rc = job->db ? SQLITE_OK : sl_connect(job);
    if (rc != SQLITE_OK) return rc;
    rc = job->fn(job->db, job->arg);
    if (rc != SQLITE_OK) snprintf(job->text, sizeof job->text, "%s", sqlite3_errmsg(job->db));
    if (!sqlite3_get_autocommit(job->db)) {
        sl_watch(job->db, false); /* what is begun is rolled back, cancelled or not */
        sqlite3_exec(job->db, "rollback", NULL, NULL, NULL);
        sl_watch(job->db, true);
    }
    return rc;
}

int sl_pool_open(sl_pool *pool, const char *path, unsigned n)
{
    sqlite3 *none = NULL;
    if (n == 0) return -EINVAL;
    int rc = nido_chan_new(sizeof none, n, NULL, NULL, &pool->places);
    if (rc < 0) return rc;
    nido_chan_set_name(pool->places, "connections");
    pool->path = path;
    for (unsigned i = 0; i < n; i++) nido_chan_try_send(pool->places, &none);
    return 0;
}

int sl_run(sl_pool *pool, sl_fn *fn, void *arg)
{
    struct sl_job job = {.pool = pool, .fn = fn, .arg = arg};
    int rc = nido_chan_recv(pool->places, &job.db);
    if (rc < 0) return rc;
    rc = (int)nido_offload(sl_work, &job);
    nido_chan_try_send(pool->places, &job.db); /* there is room: this took its place */
    if (rc <= 0) return rc;
    if (nido_cancelled()) return -ECANCELED;
    return nido_fail(-EIO, "sqlite: %s", job.text);
}

void sl_pool_close(sl_pool *pool)
{
    sqlite3 *db;
    while (nido_chan_try_recv(pool->places, &db) == 0) sqlite3_close(db);
    nido_chan_free(pool->places);
}
