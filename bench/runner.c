/* runner.c: each sample in a child of its own, rounds found by trying, floor and nido in turn. */
#include "runner.h"
#include "stats.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SAMPLE_SECONDS_MOST = 120 };

static void clear(struct bench_sample *sample)
{
    memset(sample, 0, sizeof *sample);
    bench_fail(sample, "it gave no number");
    for (size_t i = 0; i < BENCH_METRICS_MOST; i++) sample->values[i] = NAN;
}

static _Noreturn void answer(bench_fn *fn, const struct bench_ask *ask, int fd)
{
    struct bench_sample sample;
    clear(&sample);
    alarm(SAMPLE_SECONDS_MOST);
    fn(ask, &sample);
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

static void take(bench_fn *fn, const struct bench_ask *ask, struct bench_sample *out)
{
    int ends[2], status;
    fflush(NULL); /* or the child would print it again */
    clear(out);
    if (pipe(ends)) {
        bench_fail(out, "pipe: %s", strerror(errno));
        return;
    }
    pid_t pid = fork();
    if (pid == 0) answer(fn, ask, ends[1]);
    close(ends[1]);
    ssize_t n = read(ends[0], out, sizeof *out);
    close(ends[0]);
    waitpid(pid, &status, 0);
    if (n != sizeof *out) explain(status, out);
}

/* How many rounds make a sample about `want` ns long; the tries are the warm-up. */
static long find_rounds(bench_fn *fn, const struct bench_ask *ask, int64_t want,
                        struct bench_sample *sample)
{
    struct bench_ask try = *ask;
    try.rounds = 1;
    for (;;) {
        take(fn, &try, sample);
        if (sample->outcome != BENCH_MEASURED) return 1;
        double scale = (double)want / (double)(sample->ns > 0 ? sample->ns : 1);
        if (scale <= 2) return scale > 1 ? (long)((double)try.rounds * scale) : try.rounds;
        try.rounds = (long)((double)try.rounds * (scale > 100 ? 100 : scale));
    }
}

static void add(struct series *series, long i, double value)
{
    series->values[i] = value;
    if (!isnan(value)) series->sorted[series->n++] = value;
}

static void sort_all(struct result *result)
{
    for (size_t m = 0; m < BENCH_METRICS_MOST; m++) {
        stats_sort(result->nido[m].sorted, result->nido[m].n);
        stats_sort(result->floor[m].sorted, result->floor[m].n);
        stats_sort(result->ratio[m].sorted, result->ratio[m].n);
    }
}

static void add_pair(struct result *result, long i, const struct bench_sample *nido,
                     const struct bench_sample *floor)
{
    for (size_t m = 0; m < BENCH_METRICS_MOST; m++) {
        add(&result->nido[m], i, nido->values[m]);
        add(&result->floor[m], i, floor->values[m]);
        add(&result->ratio[m], i, nido->values[m] / floor->values[m]);
    }
}

static long repeats_of(const struct bench_case *test, const struct runner_options *options)
{
    if (options->repeats) return options->repeats;
    if (test->weight == BENCH_HUGE) return 1;
    if (!options->quick) return 5;
    return test->weight == BENCH_HEAVY ? 1 : 3;
}

/* One side of a case. */
struct side {
    const char *name;
    bench_fn *fn;
    struct bench_ask ask;
    struct bench_sample sample;
};

static bool ready(struct side *side, const struct bench_case *test, bool quick)
{
    int64_t want = quick ? NIDO_MS(20) : NIDO_MS(100);
    side->ask = (struct bench_ask){
        .count = test->count, .rounds = test->rounds, .seconds = quick ? 0.15 : 0.5};
    clear(&side->sample);
    if (!side->fn || test->rounds) return true;
    side->ask.rounds = find_rounds(side->fn, &side->ask, want, &side->sample);
    return side->sample.outcome == BENCH_MEASURED;
}

static bool one_sample(struct side *side)
{
    if (!side->fn) return true;
    take(side->fn, &side->ask, &side->sample);
    return side->sample.outcome == BENCH_MEASURED;
}

/* A case without a number on either side is one without numbers. */
static void give_up(struct result *result, const struct side *side)
{
    result->outcome = side->sample.outcome;
    snprintf(result->why, sizeof result->why, "%s", side->sample.why);
}

static const struct side *take_all(struct side sides[2], struct result *result, bool quick,
                                   void (*on_sample)(const char *side, long i, long repeats))
{
    for (int s = 0; s < 2; s++) {
        on_sample(sides[s].name, 0, result->repeats);
        if (!ready(&sides[s], result->test, quick)) return &sides[s];
    }
    for (long i = 0; i < result->repeats; i++) {
        for (int s = 0; s < 2; s++) {
            on_sample(sides[s].name, i + 1, result->repeats);
            if (!one_sample(&sides[s])) return &sides[s];
        }
        add_pair(result, i, &sides[1].sample, &sides[0].sample);
    }
    return NULL;
}

void runner_run(const struct bench_case *test, const struct runner_options *options,
                void (*on_sample)(const char *side, long i, long repeats), struct result *out)
{
    struct side sides[2] = {{.name = "floor", .fn = test->floor},
                            {.name = "nido", .fn = test->nido}};
    memset(out, 0, sizeof *out);
    out->test = test;
    out->outcome = BENCH_MEASURED;
    out->repeats = repeats_of(test, options);
    if (test->weight == BENCH_HUGE && options->quick && !options->named) {
        out->outcome = BENCH_SKIPPED;
        snprintf(out->why, sizeof out->why, "left out by --quick; --case %s runs it", test->name);
        return;
    }
    const struct side *stuck = take_all(sides, out, options->quick, on_sample);
    if (stuck) give_up(out, stuck);
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
