/* SPDX-License-Identifier: MIT */
/* At most ten calls a second, of which three may come at once. Each call takes the next instant that is
 * free and sleeps until then; tasks run one at a time, so no lock is needed. */
#include <nido.h>
#include <stdio.h>

struct rate {
    int64_t interval, next;
    int burst;
};

static int rate_wait(struct rate *rate)
{
    int64_t first = nido_now() - (rate->burst - 1) * rate->interval;
    int64_t mine = rate->next > first ? rate->next : first;
    rate->next = mine + rate->interval;
    return nido_sleep_until(mine);
}

static int app(void *unused)
{
    struct rate rate = {.interval = NIDO_MS(100), .burst = 3};
    int64_t begun = nido_now();
    int rc = 0;
    (void)unused;
    for (int i = 1; i <= 5 && rc == 0; i++) {
        rc = rate_wait(&rate);
        printf("call %d at %d ms\n", i, (int)((nido_now() - begun) / NIDO_MS(1)));
    }
    return rc;
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, &NIDO_OPTIONS(.clock = NIDO_CLOCK_VIRTUAL)));
}
/* prints:
 * call 1 at 0 ms
 * call 2 at 0 ms
 * call 3 at 0 ms
 * call 4 at 100 ms
 * call 5 at 200 ms
 */
