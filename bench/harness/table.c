/* SPDX-License-Identifier: MIT */
/* table.c: the table on the terminal. */
#include "report.h"

#include <math.h>

/* Three digits, as many as the spread lets one believe. */
static const char *number(char *text, size_t size, double value)
{
    int decimals = fabs(value) < 10 ? 2 : fabs(value) < 100 ? 1 : 0;
    if (isnan(value))
        snprintf(text, size, "-");
    else
        snprintf(text, size, "%.*f", decimals, value);
    return text;
}

static const char *percent(char *text, size_t size, double share)
{
    if (isnan(share))
        snprintf(text, size, "-");
    else
        snprintf(text, size, "%.0f%%", share * 100);
    return text;
}

static const char *verdict(const struct bench_metric *metric, double value, double target)
{
    if (target == 0 || isnan(value)) return "-";
    return metric_met(metric, value, target) ? "yes" : "NO";
}

static void name_missing(FILE *out, const struct runner_options *options)
{
    for (int p = 0; p < options->peer_count; p++)
        if (!options->peers[p].cases)
            fprintf(out, "not installed: %s (%s)\n", options->peers[p].label,
                    options->peers[p].package);
}

void table_head(FILE *out, const struct machine *machine, const struct runner_options *options)
{
    fprintf(out, "nido " NIDO_VERSION ", %s, %d CPU%s%s, %s\n", machine->cpu, machine->cpus,
            machine->cpus == 1 ? "" : "s", machine->pinned ? "" : " (not pinned)", machine->kernel);
    fprintf(out, "%s, %s, %s\n", machine->compiler, machine->flags, machine->date);
    if (machine->load >= 0.5)
        fprintf(out, "caution: other work runs on this machine (load %.1f)\n", machine->load);
    name_missing(out, options);
    fprintf(out, "\n%-34s %-11s %8s %6s %8s %6s %8s %4s %6s %4s\n", "case", "unit", "nido",
            "spread", "floor", "ratio", "target", "met", "xfloor", "met");
}

static void row(FILE *out, const struct result *result, size_t m)
{
    const struct bench_metric *metric = &result->test->metrics[m];
    char name[64], cells[6][24];
    double value = series_median(&result->nido[m]);
    double ratio = series_median(&result->ratio[m]);
    snprintf(name, sizeof name, "%s%s%s", result->test->name, metric->name ? " " : "",
             metric->name ? metric->name : "");
    fprintf(
        out, "%-34s %-11s %8s %6s %8s %6s %8s %4s %6s %4s\n", name, metric->unit,
        number(cells[0], sizeof cells[0], value),
        percent(cells[1], sizeof cells[1], series_spread(&result->nido[m])),
        number(cells[2], sizeof cells[2], series_median(&result->floor[m])),
        number(cells[3], sizeof cells[3], ratio),
        number(cells[4], sizeof cells[4], metric->target > 0 ? metric->target : NAN),
        verdict(metric, value, metric->target),
        number(cells[5], sizeof cells[5], metric->target_ratio > 0 ? metric->target_ratio : NAN),
        verdict(metric, ratio, metric->target_ratio));
}

/* Of the metrics, peers show the main one and the one after it; the others are in the file. */
enum { PEER_METRICS = 2 };

static void peer_row(FILE *out, const struct peer_result *peer, size_t m)
{
    char name[64], cells[3][24];
    snprintf(name, sizeof name, "%s %s", peer->peer->label, peer->peer->version);
    if (!peer->has)
        fprintf(out, "  %-44s %8s\n", name, "-");
    else if (peer->outcome != BENCH_MEASURED)
        fprintf(out, "  %-32s %s%s\n", name,
                peer->outcome == BENCH_FAILED ? "FAILED: " : "not run: ", peer->why);
    else
        fprintf(out, "  %-44s %8s %6s %8s %6s xnido\n", name,
                number(cells[0], sizeof cells[0], series_median(&peer->values[m])),
                percent(cells[1], sizeof cells[1], series_spread(&peer->values[m])), "",
                number(cells[2], sizeof cells[2], series_median(&peer->ratio[m])));
}

/* Some metrics are nido's alone. */
static bool any_peer(const struct result *result, size_t m)
{
    bool any = m == 0;
    for (int p = 0; p < result->peer_count; p++) any = any || result->peers[p].values[m].n;
    return any;
}

static void rows(FILE *out, const struct result *result, size_t m)
{
    row(out, result, m);
    if (m >= PEER_METRICS || !any_peer(result, m)) return;
    for (int p = 0; p < result->peer_count; p++)
        if (result->peers[p].peer->cases) peer_row(out, &result->peers[p], m);
}

void table_result(FILE *out, const struct result *result)
{
    if (result->outcome == BENCH_MEASURED)
        for (size_t m = 0; m < BENCH_METRICS_MOST && result->test->metrics[m].unit; m++)
            rows(out, result, m);
    else
        fprintf(out, "%-34s %s%s\n", result->test->name,
                result->outcome == BENCH_FAILED ? "FAILED: " : "not run: ", result->why);
    fflush(out);
}
