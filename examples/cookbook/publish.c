/* SPDX-License-Identifier: MIT */
/* Every subscriber gets every item. The publisher never waits: a subscriber that falls more than four
 * items behind loses the oldest, and is told how many. */
#include <errno.h>
#include <nido.h>
#include <stdio.h>

struct subscriber {
    nido_broadcast *news;
    const char *name;
    int64_t pause;
};

static int follow(void *arg)
{
    const struct subscriber *subscriber = arg;
    nido_broadcast_reader reader;
    int item, rc, got = 0, lost = 0;
    nido_broadcast_subscribe(subscriber->news, &reader); /* from now on */
    while ((rc = nido_broadcast_recv(&reader, &item)) >= 0) {
        got++, lost += rc;
        if ((rc = nido_sleep(subscriber->pause)) < 0) return rc;
    }
    printf("%s: %d items, %d lost\n", subscriber->name, got, lost);
    return rc == -EPIPE ? 0 : rc;
}

static int app(void *unused)
{
    nido_broadcast *news;
    nido_group group;
    (void)unused;
    int rc = nido_broadcast_new(sizeof(int), 4, &news);
    if (rc < 0) return rc;
    struct subscriber quick = {news, "quick", 0}, slow = {news, "slow", NIDO_MS(26)};
    nido_group_open(&group, NIDO_FAIL_FAST, "subscribers");
    rc = nido_spawn(&group, follow, &quick);
    if (rc == 0) rc = nido_spawn(&group, follow, &slow);
    for (int i = 0; i < 12 && rc == 0; i++) {
        rc = nido_sleep(NIDO_MS(10));
        if (rc == 0) rc = nido_broadcast_send(news, &i);
    }
    nido_broadcast_close(news);
    rc = nido_group_close(&group, rc);
    nido_broadcast_free(news);
    return rc;
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, &NIDO_OPTIONS(.clock = NIDO_CLOCK_VIRTUAL)));
}
/* prints:
 * quick: 12 items, 0 lost
 * slow: 9 items, 3 lost
 */
