/* SPDX-License-Identifier: MIT */
/* json.c: the results as JSON, every sample included. A value that is missing is null. */
#include "json.h"

#include <math.h>
#include <stdlib.h>

static const char *const outcomes[] = {"failed", "skipped", "measured"};

static json_t *number(double value)
{
    return isnan(value) ? json_null() : json_real(value);
}

/* Of a target: 0 means that none was set. */
static json_t *target(double value)
{
    return value > 0 ? json_real(value) : json_null();
}

static json_t *met(const struct bench_metric *metric, double value, double goal)
{
    return goal > 0 && !isnan(value) ? json_boolean(metric_met(metric, value, goal)) : json_null();
}

static json_t *command_line(int argc, char **argv)
{
    json_t *words = json_array();
    for (int i = 0; i < argc; i++) json_array_append_new(words, json_string(argv[i]));
    return words;
}

static json_t *describe(const struct machine *machine)
{
    return json_pack("{s:s, s:i, s:b, s:s, s:s, s:s, s:s, s:s, s:o}", "cpu", machine->cpu, "cpus",
                     machine->cpus, "pinned", machine->pinned, "kernel", machine->kernel,
                     "compiler", machine->compiler, "flags", machine->flags, "date", machine->date,
                     "commit", machine->commit, "load",
                     number(machine->load < 0 ? NAN : machine->load));
}

/* The peers that were asked, and which version of it was there; null: none. */
static json_t *describe_asked(const struct runner_options *options)
{
    json_t *asked = json_object();
    for (int p = 0; p < options->peer_count; p++) {
        const struct peer *peer = &options->peers[p];
        json_object_set_new(asked, peer->label,
                            peer->cases ? json_string(peer->version) : json_null());
    }
    return asked;
}

struct json_report *json_new(const struct machine *machine, const struct runner_options *options,
                             int argc, char **argv)
{
    struct json_report *report = malloc(sizeof *report);
    if (!report) abort();
    report->results = json_array();
    report->root =
        json_pack("{s:s, s:o, s:o, s:b, s:o, s:O}", "nido", NIDO_VERSION, "machine",
                  describe(machine), "command", command_line(argc, argv), "quick", options->quick,
                  "peers", describe_asked(options), "results", report->results);
    return report;
}

static json_t *describe_series(const struct series *series, long repeats)
{
    if (!series->n) return json_null();
    json_t *samples = json_array();
    for (long i = 0; i < repeats; i++) json_array_append_new(samples, number(series->values[i]));
    return json_pack("{s:o, s:o, s:o}", "median", number(series_median(series)), "spread",
                     number(series_spread(series)), "samples", samples);
}

static json_t *describe_peer(const struct peer_result *peer, size_t m, long repeats)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "peer", peer->peer->label, "version",
                     peer->peer->version, "outcome", outcomes[peer->outcome], "why", peer->why,
                     "result", describe_series(&peer->values[m], repeats), "to_nido",
                     number(series_median(&peer->ratio[m])));
}

/* Those that have the case. */
static json_t *describe_peers(const struct result *result, size_t m)
{
    json_t *all = json_array();
    for (int p = 0; p < result->peer_count; p++)
        if (result->peers[p].has)
            json_array_append_new(all, describe_peer(&result->peers[p], m, result->repeats));
    return all;
}

static json_t *describe_metric(const struct result *result, size_t m)
{
    const struct bench_metric *metric = &result->test->metrics[m];
    double value = series_median(&result->nido[m]);
    double ratio = series_median(&result->ratio[m]);
    return json_pack("{s:s?, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "metric",
                     metric->name, "unit", metric->unit, "more_is_better", metric->more_is_better,
                     "nido", describe_series(&result->nido[m], result->repeats), "floor",
                     describe_series(&result->floor[m], result->repeats), "ratio", number(ratio),
                     "target", target(metric->target), "target_met",
                     met(metric, value, metric->target), "target_ratio",
                     target(metric->target_ratio), "target_ratio_met",
                     met(metric, ratio, metric->target_ratio), "peers", describe_peers(result, m));
}

void json_add(struct json_report *report, const struct result *result)
{
    json_t *metrics = json_array();
    for (size_t m = 0; m < BENCH_METRICS_MOST && result->test->metrics[m].unit; m++)
        if (result->outcome == BENCH_MEASURED)
            json_array_append_new(metrics, describe_metric(result, m));
    json_array_append_new(report->results,
                          json_pack("{s:s, s:s, s:s, s:s, s:o}", "case", result->test->name, "what",
                                    result->test->what, "outcome", outcomes[result->outcome], "why",
                                    result->why, "metrics", metrics));
}

bool json_write(const struct json_report *report, FILE *file)
{
    int rc = json_dumpf(report->root, file, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    return !rc && fputs("\n", file) >= 0;
}

void json_free(struct json_report *report)
{
    json_decref(report->results);
    json_decref(report->root);
    free(report);
}
