/* SPDX-License-Identifier: MIT */
/* runner.c: each sample in a child of its own, rounds found by trying, floor, nido and peers in turn. */
#include "runner.h"
#include "stats.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SAMPLE_SECONDS_MOST = 120 };

static void clear(struct bench_sample *sample)
{
    memset(sample, 0, sizeof *sample);
    bench_fail(sample, "it gave no number");
    for (size_t i = 0; i < BENCH_METRICS_MOST; i++) sample->values[i] = NAN;
}

/* What does the work of a case. */
struct side {
    const char *name;
    bench_fn *fn;            /* NULL: a peer does it, or there is none */
    const struct peer *peer; /* NULL: fn does it */
    bench_peer_fn *ask_peer; /* what runs the peer */
    struct bench_ask ask;
    struct bench_sample sample;
};

static bool exists(const struct side *side)
{
    return side->fn || side->peer;
}

static _Noreturn void answer(const struct side *side, int fd)
{
    struct bench_sample sample;
    clear(&sample);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* what it starts ends with it in turn */
    alarm(SAMPLE_SECONDS_MOST);
    if (side->peer)
        side->ask_peer(side->peer, &side->ask, &sample);
    else
        side->fn(&side->ask, &sample);
    _exit(write(fd, &sample, sizeof sample) != sizeof sample);
}

/* The child left no sample. */
static void explain(int status, struct bench_sample *out)
{
    clear(out);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        bench_fail(out, "no end after %d s", SAMPLE_SECONDS_MOST);
    else if (WIFSIGNALED(status))
        bench_fail(out, "the process died: %s", strsignal(WTERMSIG(status)));
    else
        bench_fail(out, "the process ended with status %d", WEXITSTATUS(status));
}

/* True if there is a number. */
static bool take(struct side *side)
{
    struct bench_sample *out = &side->sample;
    int ends[2], status;
    fflush(NULL); /* or the child would print it again */
    clear(out);
    if (pipe(ends)) {
        bench_fail(out, "pipe: %s", strerror(errno));
        return false;
    }
    pid_t pid = fork();
    if (pid == 0) answer(side, ends[1]);
    close(ends[1]);
    ssize_t n = read(ends[0], out, sizeof *out);
    close(ends[0]);
    waitpid(pid, &status, 0);
    if (n != sizeof *out) explain(status, out);
    return out->outcome == BENCH_MEASURED;
}

/* Finds how many rounds make a sample about `want` ns long, trying `first` to begin with; the tries
 * are the warm-up. */
static bool find_rounds(struct side *side, long first, int64_t want)
{
    enum { STEP_MOST = 100 };
    long *rounds = &side->ask.rounds;
    *rounds = first;
    for (;;) {
        if (!take(side)) return false;
        double scale = (double)want / (double)(side->sample.ns > 0 ? side->sample.ns : 1);
        double next = (double)*rounds * (scale > STEP_MOST ? STEP_MOST : scale);
        if (scale > 1) *rounds = (long)next;
        if (scale <= 2) return true;
    }
}

static void add(struct series *series, long i, double value)
{
    series->values[i] = value;
    if (!isnan(value)) series->sorted[series->n++] = value;
}

static void add_ratio(struct series *series, long i, double value, double to)
{
    add(series, i, value / to);
}

static void sort(struct series *series)
{
    stats_sort(series->sorted, series->n);
}

static void sort_all(struct result *result)
{
    for (size_t m = 0; m < BENCH_METRICS_MOST; m++) {
        sort(&result->nido[m]);
        sort(&result->floor[m]);
        sort(&result->ratio[m]);
        for (int p = 0; p < result->peer_count; p++) {
            sort(&result->peers[p].values[m]);
            sort(&result->peers[p].ratio[m]);
        }
    }
}

enum { FLOOR, NIDO, FIRST_PEER, SIDES_MOST = FIRST_PEER + PEERS_MOST };

static void add_row(struct result *result, long i, const struct side *sides)
{
    for (size_t m = 0; m < BENCH_METRICS_MOST; m++) {
        double nido = sides[NIDO].sample.values[m], floor = sides[FLOOR].sample.values[m];
        add(&result->nido[m], i, nido);
        add(&result->floor[m], i, floor);
        add_ratio(&result->ratio[m], i, nido, floor);
        for (int p = 0; p < result->peer_count; p++) {
            double peer = sides[FIRST_PEER + p].sample.values[m];
            add(&result->peers[p].values[m], i, peer);
            add_ratio(&result->peers[p].ratio[m], i, peer, nido);
        }
    }
}

static long repeats_of(const struct bench_case *test, const struct runner_options *options)
{
    if (options->repeats) return options->repeats;
    if (test->weight == BENCH_HUGE) return 1;
    if (!options->quick) return 5;
    return test->weight == BENCH_HEAVY ? 1 : 3;
}

static void set_up(struct side *side, const struct bench_case *test, bool quick)
{
    side->ask = (struct bench_ask){.name = test->name,
                                   .count = test->count,
                                   .rounds = test->rounds,
                                   .seconds = quick ? 0.15 : 0.5};
    side->ask_peer = test->peer ? test->peer : peer_measure;
    clear(&side->sample);
}

/* How many rounds a sample has. Peers begin their tries with fewer than nido needs: some are a
 * thousand times slower. */
static bool size(struct side *sides, int s, bool quick)
{
    enum { SLOWER = 1000 };
    struct side *side = &sides[s];
    bool fixed = side->ask.rounds > 0;
    if (fixed && quick && side->peer) side->ask.rounds = 1;
    if (fixed) return true;
    long first = s < FIRST_PEER ? 1 : sides[NIDO].ask.rounds / SLOWER + 1;
    return find_rounds(side, first, quick ? NIDO_MS(20) : NIDO_MS(100));
}

/* A case without a number of nido's or the floor's is one without numbers; a peer without one is
 * left out from then on. */
static bool go_on_without(struct side *side, int s, struct result *result)
{
    struct peer_result *peer = s < FIRST_PEER ? NULL : &result->peers[s - FIRST_PEER];
    *(peer ? &peer->outcome : &result->outcome) = side->sample.outcome;
    snprintf(peer ? peer->why : result->why, BENCH_WHY_SIZE, "%s", side->sample.why);
    side->fn = NULL;
    side->peer = NULL;
    return peer != NULL;
}

/* The first round finds the size of the samples. */
static void take_all(struct side *sides, struct result *result, bool quick,
                     void (*on_sample)(const char *side, long i, long repeats))
{
    for (long i = 0; i <= result->repeats; i++) {
        for (int s = 0; s < FIRST_PEER + result->peer_count; s++) {
            if (!exists(&sides[s])) continue;
            on_sample(sides[s].name, i, result->repeats);
            bool good = i ? take(&sides[s]) : size(sides, s, quick);
            if (!good && !go_on_without(&sides[s], s, result)) return;
        }
        if (i) add_row(result, i - 1, sides);
    }
}

/* Room for every peer, if any has the case. */
static void invite(const struct runner_options *options, struct side *sides, struct result *result)
{
    bool any = false;
    for (int p = 0; p < options->peer_count; p++) {
        const struct peer *peer = &options->peers[p];
        bool has = peer_has(peer, result->test->name);
        result->peers[p] =
            (struct peer_result){.peer = peer, .has = has, .outcome = BENCH_MEASURED};
        sides[FIRST_PEER + p].name = peer->label;
        if (has) sides[FIRST_PEER + p].peer = peer;
        any = any || has;
    }
    if (any) result->peer_count = options->peer_count;
}

void runner_run(const struct bench_case *test, const struct runner_options *options,
                void (*on_sample)(const char *side, long i, long repeats), struct result *out)
{
    struct side sides[SIDES_MOST] = {[FLOOR] = {.name = "floor", .fn = test->floor},
                                     [NIDO] = {.name = "nido", .fn = test->nido}};
    memset(out, 0, sizeof *out);
    out->test = test;
    out->outcome = BENCH_MEASURED;
    out->repeats = repeats_of(test, options);
    if (test->weight == BENCH_HUGE && options->quick && !options->named) {
        out->outcome = BENCH_SKIPPED;
        snprintf(out->why, sizeof out->why, "left out by --quick; --case %s runs it", test->name);
        return;
    }
    invite(options, sides, out);
    for (int s = 0; s < SIDES_MOST; s++) set_up(&sides[s], test, options->quick);
    take_all(sides, out, options->quick, on_sample);
    sort_all(out);
}

double series_median(const struct series *series)
{
    return stats_percentile(series->sorted, series->n, 50);
}

double series_spread(const struct series *series)
{
    if (series->n < 3) return NAN;
    double low = stats_percentile(series->sorted, series->n, 10);
    double high = stats_percentile(series->sorted, series->n, 90);
    return (high - low) / series_median(series);
}

bool metric_met(const struct bench_metric *metric, double value, double target)
{
    return metric->more_is_better ? value >= target : value <= target;
}
