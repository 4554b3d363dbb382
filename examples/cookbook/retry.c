/* SPDX-License-Identifier: MIT */
/* A call that may fail is tried again, after pauses that double. A cancel, or a deadline around the
 * whole, also ends a pause. */
#include <errno.h>
#include <nido.h>
#include <stdio.h>

static int retry(int tries, int64_t pause, nido_fn *fn, void *arg)
{
    for (;;) {
        int rc = fn(arg);
        if (rc >= 0 || rc == -ECANCELED || --tries == 0) return rc;
        printf("%s; again in %d ms\n", nido_strerror(rc), (int)(pause / NIDO_MS(1)));
        rc = nido_sleep(pause);
        if (rc < 0) return rc;
        pause *= 2;
    }
}

static int ask(void *arg)
{
    int *calls = arg;
    return ++*calls < 3 ? -ECONNREFUSED : 42;
}

static int app(void *unused)
{
    int calls = 0;
    (void)unused;
    int rc = retry(5, NIDO_MS(100), ask, &calls);
    printf("call %d: %d\n", calls, rc);
    return rc;
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, &NIDO_OPTIONS(.clock = NIDO_CLOCK_VIRTUAL)));
}
/* prints:
 * ECONNREFUSED: connection refused; again in 100 ms
 * ECONNREFUSED: connection refused; again in 200 ms
 * call 3: 42
 */
