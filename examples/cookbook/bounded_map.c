/* SPDX-License-Identifier: MIT */
/* A function is called for each item of an array, for three of them at a time. The first failure
 * cancels the rest. */
#include <nido.h>
#include <stdio.h>

struct item {
    int in, out;
};

static int map(nido_fn *fn, struct item *items, size_t n, uint32_t limit)
{
    nido_group group;
    int rc = 0;
    nido_group_open_with(&group, &NIDO_GROUP_OPTIONS(.policy = NIDO_FAIL_FAST, .limit = limit));
    for (size_t i = 0; i < n && rc == 0; i++) rc = nido_spawn_wait(&group, fn, &items[i]);
    return nido_group_close(&group, rc);
}

static int square(void *arg)
{
    struct item *item = arg;
    int rc = nido_sleep(NIDO_MS(10)); /* some call that waits */
    item->out = item->in * item->in;
    return rc;
}

static int app(void *unused)
{
    struct item items[7] = {{1, 0}, {2, 0}, {3, 0}, {4, 0}, {5, 0}, {6, 0}, {7, 0}};
    int64_t begun = nido_now();
    (void)unused;
    int rc = map(square, items, 7, 3);
    for (int i = 0; i < 7; i++) printf("%d ", items[i].out);
    printf("after %d ms\n", (int)((nido_now() - begun) / NIDO_MS(1)));
    return rc;
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, &NIDO_OPTIONS(.clock = NIDO_CLOCK_VIRTUAL)));
}
/* prints:
 * 1 4 9 16 25 36 49 after 30 ms
 */
