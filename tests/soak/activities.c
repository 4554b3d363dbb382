/* SPDX-License-Identifier: MIT */
/* Activities without sockets: groups, channels, locks, pipes, posts from another thread. */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "soak.h"

/* ---- Groups ---- */

enum { MOST_CHILDREN = 8, MOST_DEPTH = 3 };

struct branch {
    struct seeded seeded;
    int depth;
};

static int leaf(struct seeded *seeded)
{
    static const int results[] = {0, 0, 1, -EIO};
    int rc = nido_sleep(soak_moment(seeded, 3000));

    return rc ? rc : results[seeded_below(seeded, 4)];
}

static int grow(void *arg);

static int spawn_branches(nido_group *group, struct branch *branch)
{
    int rc = 0;

    for (unsigned i = seeded_below(&branch->seeded, MOST_CHILDREN); i > 0 && !rc; i--) {
        struct branch child = {{seeded_next(&branch->seeded)}, branch->depth + 1};

        rc = nido_spawn_copy(group, grow, &child, sizeof child);
    }
    if (soak_chance(&branch->seeded, 6)) nido_group_cancel(group, -EBUSY, "soak");
    return rc;
}

/* A tree of groups in which branches fail, win, are late and are cancelled. */
static int grow(void *arg)
{
    struct branch *branch = arg;
    struct seeded *seeded = &branch->seeded;
    nido_group_options options;
    nido_group group;

    if (branch->depth == MOST_DEPTH || soak_chance(seeded, 3)) return leaf(seeded);
    nido_group_options_init(&options);
    options.policy = (enum nido_policy)seeded_below(seeded, 3);
    if (soak_chance(seeded, 3)) options.deadline = nido_after(soak_moment(seeded, 2000));
    nido_group_open_with(&group, &options);
    return nido_group_close(&group, spawn_branches(&group, branch));
}

int soak_groups(struct seeded *seeded)
{
    struct branch root = {{seeded_next(seeded)}, 0};
    nido_scope scope;
    int rc;

    nido_scope_open(&scope);
    rc = nido_scope_close(&scope, grow(&root));
    if (rc >= 0 || rc == -EIO || rc == -EBUSY || rc == -ETIMEDOUT) return 0;
    if (rc == -ECANCELED) return rc;
    return soak_complain("a tree of groups ended with %s", nido_strerror(rc));
}

/* ---- Channels ---- */

enum { ENDS = 4, ITEMS = 50 };

struct market {
    nido_chan *chan;
    uint64_t sent, received, dropped;
};

struct trader {
    struct market *market;
    struct seeded seeded;
};

static void drop(void *ctx, void *item, int result)
{
    uint64_t value;

    (void)result;
    memcpy(&value, item, sizeof value);
    ((struct market *)ctx)->dropped += value;
}

static int send_some(struct trader *self)
{
    for (int i = 0; i < ITEMS; i++) {
        uint64_t item = seeded_below(&self->seeded, 1000);
        int rc = nido_chan_send(self->market->chan, &item);

        if (rc) return rc;
        self->market->sent += item;
        if (soak_chance(&self->seeded, 8)) nido_sleep(soak_moment(&self->seeded, 200));
    }
    return 0;
}

static int sell(void *arg)
{
    struct trader *self = arg;
    nido_scope scope;
    int rc;

    nido_timeout_open(&scope, soak_moment(&self->seeded, 5000));
    rc = nido_scope_close(&scope, send_some(self));
    nido_chan_release_send(self->market->chan);
    return rc == -ETIMEDOUT || rc == -EPIPE ? 0 : rc;
}

/* By calls and by selects with an instant beside them. */
static int receive_one(struct trader *self, uint64_t *item)
{
    nido_arm arms[2];
    int index;

    if (soak_chance(&self->seeded, 2)) return nido_chan_recv(self->market->chan, item);
    nido_arm_recv(&arms[0], self->market->chan, item);
    nido_arm_timer(&arms[1], nido_after(soak_moment(&self->seeded, 300)));
    index = nido_select(arms, 2, 0);
    return index == 1 ? -EAGAIN : index < 0 ? index : arms[0].status;
}

static int buy(void *arg)
{
    struct trader *self = arg;
    uint64_t item;
    int rc;

    do {
        rc = receive_one(self, &item);
        if (!rc) self->market->received += item;
    } while (rc == 0 || rc == -EAGAIN);
    return rc == -EPIPE ? 0 : rc;
}

static int spawn_traders(nido_group *group, struct market *market, struct seeded *seeded)
{
    int rc = 0;

    for (int i = 0; i < 2 * ENDS && !rc; i++) {
        struct trader trader = {market, {seeded_next(seeded)}};

        if (i < ENDS) nido_chan_retain_send(market->chan);
        rc = nido_spawn_copy(group, i < ENDS ? sell : buy, &trader, sizeof trader);
    }
    nido_chan_release_send(market->chan);
    return rc;
}

int soak_channels(struct seeded *seeded)
{
    struct market market = {0};
    nido_group group;
    int rc = nido_chan_new(sizeof(uint64_t), seeded_below(seeded, 4), drop, &market, &market.chan);

    if (rc) return rc;
    nido_group_open(&group, NIDO_FAIL_FAST, "market");
    rc = spawn_traders(&group, &market, seeded);
    if (soak_chance(seeded, 4)) nido_group_cancel(&group, 0, "the market is closed");
    rc = nido_group_close(&group, rc);
    nido_chan_free(market.chan);
    if (market.sent == market.received + market.dropped) return rc;
    return soak_complain("items were lost, or came twice");
}

/* ---- Locks ---- */

enum { WORKERS = 6, TURNS = 20, PERMITS = 2 };

struct workshop {
    nido_mutex mutex;
    nido_cond changed;
    nido_sem sem;
    int inside, holders, parts;
};

struct hand {
    struct workshop *shop;
    struct seeded seeded;
};

static int use_bench(struct workshop *shop, struct seeded *seeded)
{
    int rc = nido_sem_acquire(&shop->sem);

    if (rc) return rc;
    if (++shop->holders > PERMITS)
        return soak_complain("%d hold %d permits", shop->holders, PERMITS);
    rc = nido_sleep(soak_moment(seeded, 100));
    shop->holders--;
    nido_sem_release(&shop->sem);
    return rc;
}

/* Makes a part, or waits for one. */
static int use_store(struct workshop *shop, struct seeded *seeded)
{
    int rc = nido_mutex_lock(&shop->mutex);

    if (rc) return rc;
    if (++shop->inside > 1) return soak_complain("two have the mutex");
    if (soak_chance(seeded, 2)) {
        shop->parts++;
        nido_cond_notify(&shop->changed);
        rc = nido_sleep(soak_moment(seeded, 50));
    }
    while (!rc && !shop->parts) {
        shop->inside--;
        rc = nido_cond_wait(&shop->changed, &shop->mutex);
        if (++shop->inside > 1) return soak_complain("a condition let two in");
    }
    if (!rc) shop->parts--;
    shop->inside--;
    nido_mutex_unlock(&shop->mutex);
    return rc;
}

static int lend_a_hand(void *arg)
{
    struct hand *hand = arg;
    int rc = 0;

    for (int i = 0; i < TURNS && rc == 0; i++) {
        nido_scope scope;

        nido_timeout_open(&scope, soak_moment(&hand->seeded, 400));
        rc = soak_chance(&hand->seeded, 2) ? use_bench(hand->shop, &hand->seeded)
                                           : use_store(hand->shop, &hand->seeded);
        rc = nido_scope_close(&scope, rc);
        if (rc == -ETIMEDOUT) rc = 0;
    }
    return rc;
}

int soak_locks(struct seeded *seeded)
{
    struct workshop shop = {0};
    nido_group group;
    int rc = 0;

    nido_mutex_init(&shop.mutex, "store");
    nido_cond_init(&shop.changed, "parts");
    nido_sem_init(&shop.sem, PERMITS, PERMITS, "benches");
    nido_group_open(&group, NIDO_FAIL_FAST, "workshop");
    for (int i = 0; i < WORKERS && !rc; i++) {
        struct hand hand = {&shop, {seeded_next(seeded)}};

        rc = nido_spawn_copy(&group, lend_a_hand, &hand, sizeof hand);
    }
    rc = nido_group_close(&group, rc);
    if (rc) return rc;
    if (nido_sem_count(&shop.sem) != PERMITS) return soak_complain("a permit is lost");
    return nido_mutex_deinit(&shop.mutex) ? soak_complain("the mutex is still locked") : 0;
}

/* ---- Pipes ---- */

enum { STREAM = 200000 };

struct stream {
    int ends[2];
    struct seeded seeded;
};

static int pour(void *arg)
{
    struct stream *stream = arg;
    unsigned char bytes[5000];
    size_t done, at = 0;
    int rc = 0;

    while (!rc && at < STREAM) {
        for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(at + i);
        rc = nido_write_all(stream->ends[1], bytes, sizeof bytes, &done);
        at += done;
    }
    nido_close(stream->ends[1]);
    return rc == -EPIPE ? 0 : rc;
}

/* Under deadlines that often come first: not one byte may be lost by that. */
static int drink(struct stream *stream)
{
    unsigned char bytes[3000];
    size_t done, at = 0;
    int rc;

    do {
        nido_scope scope;

        nido_timeout_open(&scope, soak_moment(&stream->seeded, 100));
        rc = nido_read_full(stream->ends[0], bytes, sizeof bytes, &done);
        rc = nido_scope_close(&scope, rc);
        for (size_t i = 0; i < done; i++)
            if (bytes[i] != (unsigned char)(at + i)) return soak_complain("byte %zu", at + i);
        at += done;
        if (soak_chance(&stream->seeded, 500)) return 0;
    } while (rc == 0 || rc == -ETIMEDOUT);
    return rc == -EPIPE ? 0 : rc;
}

int soak_pipes(struct seeded *seeded)
{
    struct stream stream = {.seeded = {seeded_next(seeded)}};
    nido_group group;
    int rc = nido_pipe(stream.ends);

    if (rc) return rc;
    nido_group_open(&group, NIDO_FAIL_FAST, "stream");
    rc = nido_spawn(&group, pour, &stream);
    if (!rc) rc = drink(&stream);
    nido_close(stream.ends[0]);
    return nido_group_close(&group, rc);
}

/* ---- Posts ---- */

enum { POSTS = 200 };

struct letters {
    nido_rt *rt;
    nido_event all;
    int delivered;
};

static int deliver(void *arg)
{
    struct letters *letters = arg;

    return ++letters->delivered == POSTS ? nido_event_set(&letters->all) : 0;
}

static void *post_all(void *arg)
{
    struct letters *letters = arg;

    for (int i = 0; i < POSTS; i++)
        while (nido_post(letters->rt, deliver, letters) == -ENOMEM) {
        }
    return NULL;
}

int soak_posts(struct seeded *seeded)
{
    struct letters letters = {.rt = nido_rt_self()};
    pthread_t thread;
    int rc;

    nido_event_init(&letters.all, "letters");
    if (pthread_create(&thread, NULL, post_all, &letters)) return -EAGAIN;
    rc = nido_event_wait(&letters.all);
    pthread_join(thread, NULL);
    nido_rt_release(letters.rt);
    if (!rc) rc = nido_sleep(soak_moment(seeded, 5000));
    return rc;
}
