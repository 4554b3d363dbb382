/* SPDX-License-Identifier: MIT */
/* select.c: a select over channels of which one has an item, each in its turn: nothing parks. The
 * send that puts the item there is counted too. */
#include "baselines/floors.h"
#include "cases.h"

enum { CHANNELS_MOST = 128 };

struct board {
    nido_chan *chans[CHANNELS_MOST];
    nido_arm arms[CHANNELS_MOST];
    long item; /* what any of the arms receives */
};

static int set_up(struct board *board, long count)
{
    int rc = 0;
    for (long i = 0; i < count && !rc; i++) {
        rc = nido_chan_new(sizeof board->item, 1, NULL, NULL, &board->chans[i]);
        nido_arm_recv(&board->arms[i], board->chans[i], &board->item);
    }
    return rc;
}

static int choose(struct board *board, const struct bench_ask *ask)
{
    int rc = 0;
    for (long i = 0; i < ask->rounds && rc >= 0; i++) {
        rc = nido_chan_try_send(board->chans[i % ask->count], &i);
        if (!rc) rc = nido_select(board->arms, (size_t)ask->count, 0);
    }
    return rc < 0 ? rc : 0;
}

static int select_ready(void *arg)
{
    const struct bench_run *run = arg;
    static struct board board;
    int rc = set_up(&board, run->ask->count);
    int64_t start = bench_now();
    if (!rc) rc = choose(&board, run->ask);
    bench_per_operation(run->out, bench_now() - start, run->ask->rounds);
    for (long i = 0; i < run->ask->count; i++) nido_chan_free(board.chans[i]);
    return rc;
}

static void measure(const struct bench_ask *ask, struct bench_sample *out)
{
    bench_nido(select_ready, ask, out);
}

const struct bench_case case_select_2 = {
    .name = "select_2",
    .what = "an item sent, and received by a select over 2 channels",
    .count = 2,
    .nido = measure,
    .floor = floor_select,
    .metrics = {{.unit = "ns/select"}},
};

const struct bench_case case_select_16 = {
    .name = "select_16",
    .what = "the same over 16 channels",
    .count = 16,
    .nido = measure,
    .floor = floor_select,
    .metrics = {{.unit = "ns/select"}},
};

const struct bench_case case_select_128 = {
    .name = "select_128",
    .what = "the same over 128 channels",
    .count = CHANNELS_MOST,
    .nido = measure,
    .floor = floor_select,
    .metrics = {{.unit = "ns/select"}},
};
