/* SPDX-License-Identifier: MIT */
/* Each call has 50 ms, and all calls together have 120 ms. The inner limit gives -ETIMEDOUT; the outer
 * one is a cancel inside and -ETIMEDOUT at its own end. */
#include <errno.h>
#include <nido.h>
#include <stdio.h>

static int ask(void *delay)
{
    return nido_sleep(*(int64_t *)delay);
}

static int ask_all(void *unused)
{
    int64_t delays[] = {NIDO_MS(20), NIDO_MS(90), NIDO_MS(20), NIDO_MS(90)};
    (void)unused;
    for (int i = 0; i < 4; i++) {
        int rc = nido_with_timeout(NIDO_MS(50), ask, &delays[i]);
        printf("call %d: %s\n", i + 1, rc < 0 ? nido_strerror(rc) : "answered");
        if (rc < 0 && rc != -ETIMEDOUT) return rc;
    }
    return 0;
}

static int app(void *unused)
{
    int rc = nido_with_timeout(NIDO_MS(120), ask_all, unused);
    printf("all: %s\n", nido_strerror(rc));
    return 0;
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, &NIDO_OPTIONS(.clock = NIDO_CLOCK_VIRTUAL)));
}
/* prints:
 * call 1: answered
 * call 2: ETIMEDOUT: the deadline of a scope has passed, or the network timed out
 * call 3: answered
 * call 4: ECANCELED: cancelled by an enclosing scope
 * all: ETIMEDOUT: the deadline of a scope has passed, or the network timed out
 */
