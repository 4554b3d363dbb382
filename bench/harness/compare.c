/* SPDX-License-Identifier: MIT */
/* compare.c: this run beside an earlier one. Two differ if the ranges of their samples, from the
 * 10th percentile to the 90th, do not meet; with fewer than three samples it cannot be told. The
 * multiple of the floor is compared too: it stays when the whole machine is slower today. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "stats.h"

struct json_past {
    json_t *root;
};

struct json_past *json_past_read(const char *path)
{
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    struct json_past *past = malloc(sizeof *past);
    if (root && past && json_is_array(json_object_get(root, "results"))) {
        past->root = root;
        return past;
    }
    fprintf(stderr, "nido-bench: %s: %s\n", path, root ? "no report of nido-bench" : error.text);
    json_decref(root);
    free(past);
    return NULL;
}

void json_past_free(struct json_past *past)
{
    json_decref(past->root);
    free(past);
}

static bool same_text(const json_t *one, const json_t *other, const char *key)
{
    return json_equal(json_object_get(one, key), json_object_get(other, key));
}

/* The element of `array` that has the same `key` as `like`. */
static const json_t *find_like(const json_t *array, const json_t *like, const char *key)
{
    size_t i;
    json_t *element;
    json_array_foreach((json_t *)array, i,
                       element) if (same_text(element, like, key)) return element;
    return NULL;
}

static double sample(const json_t *metric, const char *side, size_t i)
{
    const json_t *series = json_object_get(metric, side);
    const json_t *value = json_array_get(json_object_get(series, "samples"), i);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* nido's samples, or those divided by the floor's. */
static struct series samples(const json_t *metric, bool to_floor)
{
    struct series out = {.n = 0};
    for (size_t i = 0; i < RUNNER_REPEATS_MOST; i++) {
        double value = sample(metric, "nido", i) / (to_floor ? sample(metric, "floor", i) : 1);
        if (!isnan(value)) out.sorted[out.n++] = value;
    }
    stats_sort(out.sorted, out.n);
    return out;
}

static double percentile(const struct series *series, double percent)
{
    return stats_percentile(series->sorted, series->n, percent);
}

static const char *verdict(const struct series *then, const struct series *now, bool more_is_better)
{
    enum { FEWEST = 3 };
    if (!then->n || !now->n) return "-";
    if (then->n < FEWEST || now->n < FEWEST) return "?";
    if (percentile(now, 10) > percentile(then, 90)) return more_is_better ? "BETTER" : "WORSE";
    if (percentile(now, 90) < percentile(then, 10)) return more_is_better ? "WORSE" : "BETTER";
    return "same";
}

static void number(FILE *out, double value)
{
    if (isnan(value))
        fprintf(out, " %8s", "-");
    else
        fprintf(out, " %8.*f", fabs(value) < 10 ? 2 : fabs(value) < 100 ? 1 : 0, value);
}

static void columns(FILE *out, const json_t *then, const json_t *now, bool to_floor)
{
    struct series before = samples(then, to_floor), after = samples(now, to_floor);
    double one = series_median(&before), other = series_median(&after);
    number(out, one);
    number(out, other);
    number(out, other / one);
    fprintf(out, " %-6s",
            verdict(&before, &after, json_is_true(json_object_get(now, "more_is_better"))));
}

static const char *text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value ? value : "";
}

static void compare_case(FILE *out, const json_t *then, const json_t *now)
{
    size_t i;
    char name[64];
    const json_t *metrics = json_object_get(then, "metrics");
    json_t *metric;
    json_array_foreach(json_object_get(now, "metrics"), i, metric)
    {
        const json_t *before = find_like(metrics, metric, "metric");
        if (!before) continue;
        snprintf(name, sizeof name, "%s %s", text(now, "case"), text(metric, "metric"));
        fprintf(out, "%-34s %-11s", name, text(metric, "unit"));
        columns(out, before, metric, false);
        columns(out, before, metric, true);
        fputs("\n", out);
    }
}

static void warn_of(FILE *out, const json_t *then, const json_t *now, const char *key)
{
    if (!same_text(then, now, key))
        fprintf(out, "caution: different %s then: %s\n", key, text(then, key));
}

static void head(FILE *out, const json_t *then, const json_t *now)
{
    static const char *const keys[] = {"cpu", "kernel", "compiler", "flags"};
    const json_t *machine = json_object_get(then, "machine");
    fprintf(out, "\ncompared with %s of %s\n", text(machine, "commit"), text(machine, "date"));
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        warn_of(out, machine, json_object_get(now, "machine"), keys[i]);
    if (!same_text(then, now, "quick")) fputs("caution: one of the two is a --quick run\n", out);
    fprintf(out, "\n%-46s %8s %8s %8s %-6s %8s %8s %8s\n", "case", "then", "now", "now/then", "",
            "xfloor", "now", "now/then");
}

void json_past_compare(const struct json_past *past, const struct json_report *now, FILE *out)
{
    size_t i;
    json_t *result;
    head(out, past->root, now->root);
    json_array_foreach(now->results, i, result)
    {
        const json_t *then = find_like(json_object_get(past->root, "results"), result, "case");
        if (then) compare_case(out, then, result);
    }
}
