/* SPDX-License-Identifier: MIT */
/* Work that computes goes to worker threads, one part for each of four tasks. A job touches only what
 * it was given. */
#include <nido.h>
#include <stdio.h>

struct part {
    uint64_t from, to, sum;
};

static ssize_t add(void *arg) /* on a worker: no call of nido that waits */
{
    struct part *part = arg;
    for (uint64_t i = part->from; i < part->to; i++) part->sum += i;
    return 0;
}

static int add_aside(void *part)
{
    return (int)nido_offload(add, part);
}

static int app(void *unused)
{
    struct part parts[4];
    uint64_t sum = 0;
    nido_group group;
    int rc = 0;
    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, "parts");
    for (unsigned i = 0; i < 4 && rc == 0; i++) {
        parts[i] = (struct part){i * 250000, (i + 1) * 250000, 0};
        rc = nido_spawn(&group, add_aside, &parts[i]);
    }
    rc = nido_group_close(&group, rc);
    for (int i = 0; i < 4 && rc == 0; i++) sum += parts[i].sum;
    printf("%llu\n", (unsigned long long)sum);
    return rc;
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, NULL));
}
/* prints:
 * 499999500000
 */
