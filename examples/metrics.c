/* metrics: the numbers of all runtimes of the process, for Prometheus.
 *
 * Shows nido_stats_process, and a server of a few lines: it answers GET /metrics in the text format, version 0.0.4,
 * beside the work that it measures. Here the work is a crowd of tasks that sleep.
 *
 *     ./example_metrics PORT [TASKS [REQUESTS]]
 *     ./example_metrics 9464 100
 *     curl http://127.0.0.1:9464/metrics
 */
#include <arpa/inet.h>
#include <errno.h>
#include <nido.h>
#include <nido/sugar.h>
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

enum { BODY = 8192 };

static int render(char *body)
{
    nido_stats stats;
    size_t used = 0;
    nido_stats_init(&stats);
    int rc = nido_stats_process(&stats);
    if (rc < 0) return rc;
    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++) {
        uint64_t value;
        memcpy(&value, (const char *)&stats + metrics[i].at, sizeof value);
        used += (size_t)snprintf(body + used, BODY - used, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n",
                                 metrics[i].name, metrics[i].help, metrics[i].name, metrics[i].type,
                                 metrics[i].name, (unsigned long long)value);
    }
    return (int)used;
}

static int answer(int fd)
{
    char body[BODY], head[160];
    int length = render(body);
    if (length < 0) return length;
    int n = snprintf(
        head, sizeof head,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: %d\r\n"
        "Connection: close\r\n\r\n",
        length);
    int rc = nido_write_all(fd, head, (size_t)n, NULL);
    return rc < 0 ? rc : nido_write_all(fd, body, (size_t)length, NULL);
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
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    NIDO_SCOPED_FD fd = nido_listen("127.0.0.1", program->port, NULL);
    if (fd < 0) return fd;
    if (getsockname(fd, (struct sockaddr *)&address, &length) < 0) return -errno;
    printf("listening on port %d\n", ntohs(address.sin_port));
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
    return nido_exit_status(nido_run(run, &program, &options));
}
