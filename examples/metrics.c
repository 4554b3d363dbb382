/* SPDX-License-Identifier: MIT */
/* metrics: the numbers of all runtimes of the process, for Prometheus.
 *
 * Shows nido_stats_process, the histograms and times of a measured run, and a server of a few lines: it answers GET
 * /metrics in the text format, version 0.0.4, beside the work that it measures. Here the work is a crowd of tasks that
 * sleep.
 *
 *     ./example_metrics PORT [TASKS [REQUESTS]]
 *     ./example_metrics 9464 100
 *     curl http://127.0.0.1:9464/metrics
 */
#include <errno.h>
#include <nido.h>
#include <nido/sugar.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct program {
    const char *port;
    long tasks, requests; /* 0 requests: no end */
};

static const struct {
    const char *name, *type, *help;
    size_t at; /* in nido_stats */
} metrics[] = {
#define METRIC(name, type, field, help)                       \
    {                                                         \
        "nido_" name, type, help, offsetof(nido_stats, field) \
    }
    METRIC("runtimes", "gauge", runtimes, "Runtimes of the process."),
    METRIC("tasks_spawned_total", "counter", tasks_spawned, "Tasks that were spawned."),
    METRIC("tasks", "gauge", tasks_live, "Tasks that live."),
    METRIC("tasks_ready", "gauge", tasks_ready, "Tasks that wait for their turn."),
    METRIC("resumes_total", "counter", resumes, "How often a task went on."),
    METRIC("turns_total", "counter", turns, "Turns of the loops."),
    METRIC("polls_total", "counter", polls, "System calls that asked for reports."),
    METRIC("reports_total", "counter", reports, "Reports of descriptors."),
    METRIC("cancels_total", "counter", cancels, "Cancelled scopes."),
    METRIC("timers", "gauge", timers, "Tasks with a timer."),
    METRIC("descriptor_waits", "gauge", fd_waits, "Waits for descriptors."),
    METRIC("jobs_total", "counter", jobs, "Jobs for worker threads."),
    METRIC("jobs_out", "gauge", jobs_out, "Jobs and children that have not ended."),
    METRIC("stacks", "gauge", stacks, "Stacks in use."),
    METRIC("stack_bytes", "gauge", stack_bytes, "Address space for stacks in bytes."),
};

static const struct {
    const char *name, *help;
    enum nido_histogram_kind kind;
} histograms[] = {
    {"nido_turn_seconds", "How long the loops take for a turn.", NIDO_HISTOGRAM_TURN},
    {"nido_ready_seconds", "How long ready tasks wait for their turn.", NIDO_HISTOGRAM_READY},
};

/* Buckets from 1.024 us to 17 s: what is shorter is in the first of them. */
enum { BODY = 32768, FIRST_BUCKET = 10, LAST_BUCKET = 34 };

struct text {
    char at[BODY];
    size_t used;
};

static void add(struct text *text, const char *format, ...) NIDO_PRINTF(2, 3);
static void add(struct text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text->at + text->used, BODY - text->used, format, args);
    va_end(args);
    if (n > 0) text->used += (size_t)n;
    if (text->used >= BODY) text->used = BODY - 1;
}

static void add_head(struct text *text, const char *name, const char *type, const char *help)
{
    add(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static double seconds(uint64_t ns)
{
    return (double)ns / NIDO_SEC(1);
}

static int add_numbers(struct text *text)
{
    nido_stats stats;
    nido_stats_init(&stats);
    int rc = nido_stats_process(&stats);
    if (rc < 0) return rc;
    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++) {
        uint64_t value;
        memcpy(&value, (const char *)&stats + metrics[i].at, sizeof value);
        add_head(text, metrics[i].name, metrics[i].type, metrics[i].help);
        add(text, "%s %llu\n", metrics[i].name, (unsigned long long)value);
    }
    return 0;
}

/* Each bucket of the format holds those before it too. */
static int add_histogram(struct text *text, const char *name, enum nido_histogram_kind kind)
{
    nido_histogram histogram;
    uint64_t sum = 0;
    nido_histogram_init(&histogram);
    int rc = nido_histogram_process(kind, &histogram);
    if (rc < 0) return rc;
    for (int i = 0; i <= LAST_BUCKET; i++) {
        sum += histogram.of[i];
        if (i < FIRST_BUCKET) continue;
        add(text, "%s_bucket{le=\"%.9f\"} %llu\n", name, seconds(UINT64_C(1) << i),
            (unsigned long long)sum);
    }
    add(text, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %.9f\n%s_count %llu\n", name,
        (unsigned long long)histogram.count, name, seconds(histogram.sum_ns), name,
        (unsigned long long)histogram.count);
    return 0;
}

static void add_times(struct text *text, const nido_times *times, const char *state, uint64_t ns)
{
    add(text, "nido_group_seconds_total{group=\"");
    for (const char *at = times->name; *at; at++)
        add(text, strchr("\\\"\n", *at) ? "\\%c" : "%c", *at == '\n' ? 'n' : *at);
    add(text, "\",state=\"%s\"} %.9f\n", state, seconds(ns));
}

static int add_groups(struct text *text)
{
    nido_times times[NIDO_TIMES_MOST];
    int n = nido_times_process(times, NIDO_TIMES_MOST);
    add_head(text, "nido_group_seconds_total", "counter", "What the tasks of a group did.");
    for (int i = 0; i < n; i++) {
        add_times(text, &times[i], "running", times[i].running_ns);
        add_times(text, &times[i], "ready", times[i].ready_ns);
        add_times(text, &times[i], "waiting", times[i].waiting_ns);
    }
    return n < 0 ? n : 0;
}

static int render(struct text *text)
{
    text->used = 0;
    int rc = add_numbers(text);
    for (size_t i = 0; i < sizeof histograms / sizeof histograms[0] && !rc; i++) {
        add_head(text, histograms[i].name, "histogram", histograms[i].help);
        rc = add_histogram(text, histograms[i].name, histograms[i].kind);
    }
    return rc ? rc : add_groups(text);
}

static int answer(int fd)
{
    struct text body;
    char head[160];
    int rc = render(&body);
    if (rc < 0) return rc;
    int n = snprintf(
        head, sizeof head,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: %zu\r\n"
        "Connection: close\r\n\r\n",
        body.used);
    rc = nido_write_all(fd, head, (size_t)n, NULL);
    return rc < 0 ? rc : nido_write_all(fd, body.at, body.used, NULL);
}

/* The head of a request ends with an empty line. */
static int serve(int fd)
{
    static const char not_found[] =
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    char request[4096];
    size_t used = 0;
    while (used < sizeof request - 1) {
        int n = (int)nido_read(fd, request + used, sizeof request - 1 - used);
        if (n <= 0) return n;
        used += (size_t)n;
        request[used] = '\0';
        if (strstr(request, "\r\n\r\n")) break;
    }
    if (!strncmp(request, "GET /metrics ", 13)) return answer(fd);
    return nido_write_all(fd, not_found, sizeof not_found - 1, NULL);
}

/* One client after the other, each for a second at most: there is one collector. */
static int serve_all(struct program *program, int listener)
{
    for (long n = 0; program->requests == 0 || n < program->requests; n++) {
        NIDO_SCOPED_FD fd = nido_accept(listener, NULL, NULL);
        if (fd < 0) return fd;
        nido_scope limit;
        nido_timeout_open(&limit, NIDO_SEC(1));
        int rc = nido_scope_close(&limit, serve(fd));
        if (rc == -ECANCELED) return rc;
    }
    return 0;
}

static int work(void *unused)
{
    (void)unused;
    int rc = 0;
    while (!rc) rc = nido_sleep(NIDO_MS(100));
    return rc;
}

static int run(void *arg)
{
    struct program *program = arg;
    NIDO_SCOPED_FD fd = nido_listen("127.0.0.1", program->port, NULL);
    if (fd < 0) return fd;
    int bound = nido_local_port(fd);
    if (bound < 0) return bound;
    printf("listening on port %d\n", bound);
    nido_group workers;
    nido_group_open(&workers, NIDO_FAIL_FAST, "workers");
    int rc = 0;
    for (long i = 0; i < program->tasks && !rc; i++) rc = nido_spawn(&workers, work, NULL);
    if (!rc) rc = serve_all(program, fd);
    nido_group_cancel(&workers, 0, "all requests are answered");
    return nido_group_close(&workers, rc);
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 4) {
        fprintf(stderr, "usage: %s PORT [TASKS [REQUESTS]]\n", argv[0]);
        return 2;
    }
    struct program program = {.port = argv[1],
                              .tasks = argc > 2 ? strtol(argv[2], NULL, 10) : 10,
                              .requests = argc > 3 ? strtol(argv[3], NULL, 10) : 0};
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    nido_options options;
    nido_options_init(&options);
    options.signals = true;
    options.flags = NIDO_RUN_MEASURE;
    return nido_exit_status(nido_run(run, &program, &options));
}
