/* SPDX-License-Identifier: MIT */
/* Work that computes goes to worker threads: one call for many parts, as many at once as there are
 * processors. Each part touches only what is its own. */
#include <nido.h>
#include <stdio.h>

enum { PARTS = 64, NUMBERS = 1000000 / PARTS };

static int add(void *sums, size_t part) /* on a worker: no call of nido that waits */
{
    uint64_t sum = 0;
    for (uint64_t i = part * NUMBERS; i < (part + 1) * NUMBERS; i++) sum += i;
    ((uint64_t *)sums)[part] = sum;
    return 0;
}

static int app(void *unused)
{
    uint64_t sums[PARTS], sum = 0;
    int rc = nido_parallel_for(PARTS, add, sums, NULL);
    (void)unused;
    for (int i = 0; i < PARTS && rc == 0; i++) sum += sums[i];
    if (rc == 0) printf("%llu\n", (unsigned long long)sum);
    return rc;
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, NULL));
}
/* prints:
 * 499999500000
 */
