/* SPDX-License-Identifier: MIT */
/* One side sends a byte every second; the other gives up when none has come for three seconds. */
#include <errno.h>
#include <nido.h>
#include <nido/sugar.h>
#include <stdio.h>

static int beat(void *fd)
{
    nido_ticker ticker;
    int rc = nido_ticker_init(&ticker, NIDO_SEC(1), NIDO_SKIP);
    for (int i = 0; i < 3 && rc >= 0; i++) { /* then it falls silent */
        rc = nido_ticker_wait(&ticker);
        if (rc > 0) rc = nido_write_all(*(int *)fd, ".", 1, NULL);
    }
    return rc;
}

static int listen_for_beats(int fd)
{
    char byte;
    int64_t begun = nido_now();
    for (;;) {
        ssize_t n = NIDO_TIMEOUT(NIDO_SEC(3), nido_read(fd, &byte, 1));
        printf("%d s: %s\n", (int)((nido_now() - begun) / NIDO_SEC(1)),
               n > 0 ? "a beat" : "silence");
        if (n <= 0) return n == -ETIMEDOUT ? 0 : (int)n;
    }
}

static int app(void *unused)
{
    int ends[2];
    nido_group group;
    (void)unused;
    int rc = nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    if (rc < 0) return rc;
    nido_group_open(&group, NIDO_FAIL_FAST, "heart");
    rc = nido_spawn(&group, beat, &ends[0]);
    if (rc == 0) rc = listen_for_beats(ends[1]);
    rc = nido_group_close(&group, rc);
    nido_close(ends[0]);
    nido_close(ends[1]);
    return rc;
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, &NIDO_OPTIONS(.clock = NIDO_CLOCK_VIRTUAL)));
}
/* prints:
 * 1 s: a beat
 * 2 s: a beat
 * 3 s: a beat
 * 6 s: silence
 */
