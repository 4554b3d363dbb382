/* SPDX-License-Identifier: MIT */
/* wake.c: from a descriptor that becomes ready to the turn of the task that waits for it, while
 * no other task runs, and while others compute and yield. */
#include "harness/wake.h"
#include "cases.h"

#include <unistd.h>

struct table {
    const struct bench_ask *ask;
    struct wake_log *log;
    int fd;
    bool over;
};

static int busy(void *arg)
{
    const struct table *table = arg;
    int rc = 0;
    while (!table->over && !rc) {
        wake_work();
        rc = nido_yield();
    }
    return rc;
}

static int woken(void *arg)
{
    struct table *table = arg;
    int64_t stamps[WAKE_STAMPS];
    ssize_t n = nido_write_all(table->fd, "", 1, NULL);
    if (!n) n = nido_read(table->fd, stamps, sizeof stamps);
    while (n > 0) {
        wake_note(table->log, stamps, n);
        n = nido_read(table->fd, stamps, sizeof stamps);
    }
    table->over = true;
    return (int)n;
}

static int play(void *arg)
{
    struct table *table = arg;
    nido_group group;
    int rc = nido_fd_own(table->fd);
    if (rc) return rc;
    nido_group_open(&group, NIDO_FAIL_FAST, "wake");
    rc = nido_spawn(&group, woken, table);
    if (!rc) rc = bench_spawn_many(&group, table->ask->count, busy, table);
    rc = nido_group_close(&group, rc);
    nido_fd_forget(table->fd);
    return rc;
}

static int nido_wake(const struct bench_ask *ask, int fd, struct wake_log *log)
{
    struct table table = {.ask = ask, .log = log, .fd = fd};
    return nido_run(play, &table, NULL);
}

static void measure(const struct bench_ask *ask, struct bench_sample *out)
{
    wake_measure(ask, nido_wake, out);
}

static void measure_floor(const struct bench_ask *ask, struct bench_sample *out)
{
    wake_measure(ask, floor_wake, out);
}

#define PERCENTILES                                        \
    {                                                      \
        {.unit = "us p50"}, {.name = "p99", .unit = "us"}, \
        {                                                  \
            .name = "p999", .unit = "us"                   \
        }                                                  \
    }

const struct bench_case case_wake_idle = {
    .name = "wake_idle",
    .what = "from a descriptor that becomes ready to the turn of its waiter, no other task runs",
    .rounds = 1,
    .nido = measure,
    .floor = measure_floor,
    .peer = wake_measure_peer,
    .metrics = PERCENTILES,
};

const struct bench_case case_wake_busy = {
    .name = "wake_busy",
    .what = "the same while 100 others compute for 1 us and yield, again and again",
    .count = 100,
    .rounds = 1,
    .nido = measure,
    .floor = measure_floor,
    .peer = wake_measure_peer,
    .metrics = PERCENTILES,
};
