/* SPDX-License-Identifier: MIT */
/* sqlite_lines: runs each line of its input as a statement of SQLite, several at once.
 *
 * Shows the adapter for SQLite (../adapters/sqlite.h): statements run on workers while the loop goes
 * on, and one that is too late is interrupted.
 *
 *     ./app_sqlite_lines FILE [CONNECTIONS [TIMEOUT_MS]]
 *     echo 'select 1, 2' | ./app_sqlite_lines test.db 4 1000
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <nido/sugar.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../adapters/sqlite.h"

struct lines {
    const char *path;
    unsigned connections;
    int64_t timeout_ns;
    sl_pool pool;
    bool failed;
};

struct statement {
    struct lines *lines;
    int number;
    FILE *out; /* of the rows, in memory */
    char sql[];
};

/* On a worker. */
static int step(sqlite3 *db, void *arg)
{
    struct statement *it = arg;
    sqlite3_stmt *statement;
    int rc = sqlite3_prepare_v2(db, it->sql, -1, &statement, NULL);
    if (rc != SQLITE_OK) return rc;
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
        fprintf(it->out, "%d:", it->number);
        for (int i = 0; i < sqlite3_column_count(statement); i++)
            fprintf(it->out, "%c%s", i ? '|' : ' ',
                    (const char *)sqlite3_column_text(statement, i));
        fputc('\n', it->out);
    }
    sqlite3_finalize(statement);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int run_statement(void *arg)
{
    struct statement *it = arg;
    char *rows = NULL;
    size_t length;
    it->out = open_memstream(&rows, &length);
    int rc =
        it->out ? NIDO_TIMEOUT(it->lines->timeout_ns, sl_run(&it->lines->pool, step, it)) : -ENOMEM;
    if (it->out) fclose(it->out);
    if (rc == 0) fputs(rows, stdout);
    if (rc < 0 && rc != -ECANCELED) {
        it->lines->failed = true;
        printf("%d: %s\n", it->number,
               rc == -EIO ? nido_error_text(nido_error_last()) : nido_strerror(rc));
        rc = 0; /* and disturbs no other */
    }
    fflush(stdout);
    free(rows);
    free(it);
    return rc;
}

static int read_lines(struct lines *lines, nido_stream *in, nido_group *group)
{
    char *line;
    size_t length;
    int rc;
    for (int number = 1; (rc = nido_stream_line(in, &line, &length)) > 0; number++) {
        struct statement *it = malloc(sizeof *it + length + 1);
        if (!it) return -ENOMEM;
        it->lines = lines;
        it->number = number;
        memcpy(it->sql, line, length + 1);
        rc = nido_spawn_wait(group, run_statement, it);
        if (rc < 0) return free(it), rc;
    }
    return rc;
}

static int app(void *arg)
{
    struct lines *lines = arg;
    nido_stream in;
    nido_group group;
    int rc = nido_stream_open(&in, STDIN_FILENO, &NIDO_STREAM_OPTIONS(.keep_open = true));
    if (rc == 0) rc = sl_pool_open(&lines->pool, lines->path, lines->connections);
    if (rc < 0) return rc;
    nido_group_open_with(&group,
                         &NIDO_GROUP_OPTIONS(.name = "statements", .limit = lines->connections));
    rc = nido_group_close(&group, read_lines(lines, &in, &group));
    sl_pool_close(&lines->pool);
    nido_stream_close(&in);
    return rc;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 4) {
        fprintf(stderr, "usage: %s FILE [CONNECTIONS [TIMEOUT_MS]]\n", argv[0]);
        return 2;
    }
    struct lines lines = {.path = argv[1],
                          .connections = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1,
                          .timeout_ns = argc > 3 ? NIDO_MS(strtol(argv[3], NULL, 10)) : NIDO_NEVER};
    int rc = nido_run(app, &lines, &NIDO_OPTIONS(.signals = true));
    return rc < 0 ? nido_exit_status(rc) : lines.failed;
}
