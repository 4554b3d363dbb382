/* SPDX-License-Identifier: MIT */
/* The latest value of something, here the level of a log: tasks read it at any time and wait for its
 * changes. A slow reader misses values in between, never the last one. */
#include <errno.h>
#include <nido.h>
#include <stdio.h>

static int follow(void *level)
{
    uint64_t seen = 0; /* no version yet */
    int value, rc;
    while ((rc = nido_watch_wait(level, &value, &seen)) == 0) printf("level %d\n", value);
    return rc == -EPIPE ? 0 : rc; /* -EPIPE: closed, and the last value was seen */
}

static int app(void *unused)
{
    int value = 1;
    nido_watch level;
    nido_group group;
    (void)unused;
    int rc = nido_watch_init(&level, &value, sizeof value, "level");
    if (rc < 0) return rc;
    nido_group_open(&group, NIDO_FAIL_FAST, "followers");
    rc = nido_spawn(&group, follow, &level);
    for (int next = 2; next <= 5 && rc == 0; next++) {
        if (next != 4) rc = nido_sleep(NIDO_MS(10)); /* 4 comes right after 3 */
        if (rc == 0) rc = nido_watch_set(&level, &next);
    }
    nido_watch_close(&level);
    rc = nido_group_close(&group, rc);
    nido_watch_deinit(&level);
    return rc;
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, &NIDO_OPTIONS(.clock = NIDO_CLOCK_VIRTUAL)));
}
/* prints:
 * level 1
 * level 2
 * level 4
 * level 5
 */
