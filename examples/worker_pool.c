/* SPDX-License-Identifier: MIT */
/* worker_pool: a few workers over a queue of jobs.
 *
 * The queue is a channel with little room, so the task that fills it waits for the workers:
 * however many jobs there are, only a few are in memory at any time. When all are sent, the sending
 * side is closed; the workers take what is left and return. The work is to take numbers apart into
 * their prime factors. What is no number fails, and the failure cancels all the others at once.
 *
 *     ./example_worker_pool 3 91 65536 1000003 4294967291
 */
#include <errno.h>
#include <inttypes.h>
#include <nido.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pool {
    nido_chan *jobs; /* items: const char *, a number as text */
    char **numbers;
    size_t n;
    int workers;
};

static int parse(const char *text, uint64_t *out)
{
    char *end;
    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    if (end == text || *end || text[0] == '-' || number < 2)
        return nido_fail(-EINVAL, "%s: not a number above 1", text);
    if (errno) return nido_fail(-errno, "%s: too large", text);
    *out = number;
    return 0;
}

/* The smallest factor above 1. */
static int split(uint64_t number, uint64_t *out)
{
    int rc = 0;
    for (*out = 2; number % *out != 0 && rc == 0; ++*out) {
        if (*out > number / *out) {
            *out = number; /* a prime */
            break;
        }
        if (*out % 4096 == 0) rc = nido_yield(); /* the others compute on the same thread */
    }
    return rc;
}

static int take_apart(const char *text)
{
    char line[512];
    uint64_t number = 0, factor = 0;
    int rc = parse(text, &number);
    int used = snprintf(line, sizeof line, "%s =", text);
    while (rc == 0 && number > 1) {
        rc = split(number, &factor);
        number /= factor;
        used += snprintf(line + used, sizeof line - (size_t)used, " %" PRIu64, factor);
    }
    if (rc == 0) puts(line);
    return rc;
}

static int work(void *arg)
{
    struct pool *pool = arg;
    const char *text;
    int rc;
    while ((rc = nido_chan_recv(pool->jobs, &text)) == 0) {
        rc = take_apart(text);
        if (rc < 0) return rc;
    }
    return rc == -EPIPE ? 0 : rc; /* -EPIPE: there are no more jobs */
}

static int hand_out(struct pool *pool)
{
    int rc = 0;
    for (size_t i = 0; i < pool->n && rc == 0; i++)
        rc = nido_chan_send(pool->jobs, &pool->numbers[i]);
    nido_chan_close_send(pool->jobs);
    return rc;
}

static int run_pool(void *arg)
{
    struct pool *pool = arg;
    nido_group workers;
    int rc = nido_chan_new(sizeof(const char *), 2, NULL, NULL, &pool->jobs);
    if (rc < 0) return rc;
    nido_group_open(&workers, NIDO_FAIL_FAST, "workers");
    for (int i = 0; i < pool->workers && rc == 0; i++) rc = nido_spawn(&workers, work, pool);
    if (rc == 0) rc = hand_out(pool);
    rc = nido_group_close(&workers, rc);
    nido_chan_free(pool->jobs);
    return rc;
}

int main(int argc, char **argv)
{
    int workers = argc > 1 ? atoi(argv[1]) : 0;
    if (argc < 3 || workers < 1) {
        fprintf(stderr, "usage: %s WORKERS NUMBER...\n", argv[0]);
        return 2;
    }
    struct pool pool = {NULL, argv + 2, (size_t)argc - 2, workers};
    int rc = nido_run(run_pool, &pool, NULL); /* prints the root's error object, if there is one */
    if (rc < 0) fprintf(stderr, "%s: %s\n", argv[0], nido_strerror(rc));
    return nido_exit_status(rc);
}
