/* SPDX-License-Identifier: MIT */
/* redis.c: starts redis-benchmark and reads its table. It measures by a number of requests, first all
 * that set, then all that get, and takes the time that it needs to connect along. */
#include "redis.h"
#include "client.h"

#include <stdio.h>
#include <string.h>

/* A row of the table; milliseconds. */
struct row {
    double rate, p50, p99;
};

static bool find_row(const char *text, const char *name, struct row *row)
{
    const char *line = strstr(text, name);
    return line && sscanf(line + strlen(name), ",\"%lf\",\"%*f\",\"%*f\",\"%lf\",\"%*f\",\"%lf\"",
                          &row->rate, &row->p50, &row->p99) == 3;
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

/* `half` requests set, and as many get. The percentiles are those of the slower half. */
static void report(const char *text, long half, int64_t cpu, struct bench_sample *out)
{
    struct row set, get;
    if (!find_row(text, "\"SET\"", &set) || !find_row(text, "\"GET\"", &get) || set.rate <= 0 ||
        get.rate <= 0) {
        bench_fail(out, "redis-benchmark printed no rows of SET and GET");
        return;
    }
    double requests = 2 * (double)half;
    double seconds = (double)half / set.rate + (double)half / get.rate;
    out->outcome = BENCH_MEASURED;
    out->ns = (int64_t)(seconds * 1e9);
    out->values[LOAD_CPU_US] = (double)cpu / 1000 / requests;
    out->values[LOAD_REQUESTS] = requests / seconds;
    out->values[LOAD_P50_US] = 1000 * larger(set.p50, get.p50);
    out->values[LOAD_P99_US] = 1000 * larger(set.p99, get.p99);
}

static int run(const struct load_plan *plan, uint16_t port, long half, char *text, size_t size)
{
    char at[16], requests[24], connections[24], pipeline[24];
    char *command[] = {
        "redis-benchmark", "-p", at,   "-t", "set,get",   "--csv", "-n",     requests, "-r",
        "10000",           "-d", "16", "-c", connections, "-P",    pipeline, NULL};
    snprintf(at, sizeof at, "%u", (unsigned)port);
    snprintf(requests, sizeof requests, "%ld", half);
    snprintf(connections, sizeof connections, "%ld", plan->connections);
    snprintf(pipeline, sizeof pipeline, "%ld", plan->pipeline);
    return client_run(command, text, size);
}

void redis_run(const struct load_plan *plan, pid_t server, uint16_t port, struct bench_sample *out)
{
    enum { A_SECOND = 100000, PIPELINED = 4 }; /* how many requests take about so long */
    long half = (long)(plan->seconds * A_SECOND) * (plan->pipeline > 1 ? PIPELINED : 1);
    char text[4096];
    clockid_t clock;
    if (clock_getcpuclockid(server, &clock)) {
        bench_fail(out, "no CPU clock of the server");
        return;
    }
    int64_t before = bench_clock(clock);
    int status = run(plan, port, half, text, sizeof text);
    int64_t cpu = bench_clock(clock) - before;
    if (status == CLIENT_NOT_THERE)
        bench_skip(out, "redis-benchmark is not installed (./dev bench --peers installs it)");
    else if (status)
        bench_fail(out, "redis-benchmark ended with status %d", status);
    else
        report(text, half, cpu, out);
}
