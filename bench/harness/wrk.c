/* SPDX-License-Identifier: MIT */
/* wrk.c: starts wrk and reads what wrk.lua makes it say. wrk measures for whole seconds and has no
 * warm-up: the time that it takes to connect is counted too. */
#include "wrk.h"
#include "client.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static int run(const struct load_plan *plan, uint16_t port, char *text, size_t size)
{
    char connections[32], url[64];
    char *command[] = {"wrk", "-t1", "-d1s", connections, "-s", BENCH_SOURCE "/bench/cases/wrk.lua",
                       url,   NULL};
    snprintf(connections, sizeof connections, "-c%ld", plan->connections);
    snprintf(url, sizeof url, "%s://127.0.0.1:%u/", plan->kind == LOAD_HTTPS ? "https" : "http",
             (unsigned)port);
    return client_run(command, text, size);
}

static double get(const json_t *said, const char *key)
{
    return json_number_value(json_object_get(said, key));
}

static void report(const json_t *said, int64_t cpu, struct bench_sample *out)
{
    double requests = get(said, "requests");
    if (requests < 1 || get(said, "errors") > 0) {
        bench_fail(out, "wrk: %.0f requests, %.0f errors", requests, get(said, "errors"));
        return;
    }
    out->outcome = BENCH_MEASURED;
    out->ns = (int64_t)(get(said, "us") * 1000);
    out->values[LOAD_CPU_US] = (double)cpu / 1000 / requests;
    out->values[LOAD_REQUESTS] = requests / (get(said, "us") / 1e6);
    out->values[LOAD_P50_US] = get(said, "p50");
    out->values[LOAD_P99_US] = get(said, "p99");
    out->values[LOAD_P999_US] = get(said, "p999");
}

void wrk_run(const struct load_plan *plan, pid_t server, uint16_t port, struct bench_sample *out)
{
    char text[4096];
    clockid_t clock;
    if (clock_getcpuclockid(server, &clock)) {
        bench_fail(out, "no CPU clock of the server");
        return;
    }
    int64_t before = bench_clock(clock);
    int status = run(plan, port, text, sizeof text);
    int64_t cpu = bench_clock(clock) - before;
    const char *line = strstr(text, "\n{");
    json_t *said = line ? json_loads(line, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
    if (status == CLIENT_NOT_THERE)
        bench_skip(out, "wrk is not installed (./dev bench --peers installs it)");
    else if (status || !said)
        bench_fail(out, "wrk ended with status %d", status);
    else
        report(said, cpu, out);
    json_decref(said);
}
