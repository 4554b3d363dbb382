/* SPDX-License-Identifier: MIT */
/* fan_out: a group of workers over an array of work.
 *
 * Shows how results come back: every worker writes into the struct that it was given, and the
 * array can be read as soon as the group is closed. The work here is Collatz's problem (halve an
 * even number, else triple it and add one: how many steps to 1?). What is no number fails, and the
 * first failure cancels the workers that are still on their way.
 *
 *     ./example_fan_out 27 97 871
 *     ./example_fan_out 27 many 871
 */
#include <errno.h>
#include <inttypes.h>
#include <nido.h>
#include <stdio.h>
#include <stdlib.h>

struct job {
    const char *text;
    uint64_t steps;
    uint64_t highest;
    bool done;
};

struct work {
    struct job *jobs;
    size_t n;
};

static int parse(const char *text, uint64_t *out)
{
    char *end;
    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    if (end == text || *end || number == 0) return nido_fail(-EINVAL, "%s: not a number", text);
    if (errno) return nido_fail(-errno, "%s: too large", text);
    *out = number;
    return 0;
}

static int step(struct job *job, uint64_t *number)
{
    if (*number % 2 == 1 && *number > (UINT64_MAX - 1) / 3)
        return nido_fail(-EOVERFLOW, "%s: leaves 64 bits", job->text);
    *number = *number % 2 ? *number * 3 + 1 : *number / 2;
    if (*number > job->highest) job->highest = *number;
    job->steps++;
    return nido_yield(); /* Tasks share one thread: one that computes must let the others run. */
}

static int walk(void *arg)
{
    struct job *job = arg;
    uint64_t number = 0;
    int rc = parse(job->text, &number);
    if (rc < 0) return rc;
    job->highest = number;
    while (number != 1 && rc == 0) rc = step(job, &number);
    job->done = rc == 0;
    return rc;
}

static int fan_out(void *arg)
{
    struct work *work = arg;
    nido_group workers;
    int rc = 0;
    nido_group_open(&workers, NIDO_FAIL_FAST, "workers");
    for (size_t i = 0; i < work->n && rc == 0; i++) rc = nido_spawn(&workers, walk, &work->jobs[i]);
    return nido_group_close(&workers, rc);
}

static void show(const struct job *job)
{
    if (job->done)
        printf("%s: %" PRIu64 " steps, highest %" PRIu64 "\n", job->text, job->steps, job->highest);
    else
        printf("%s: not finished\n", job->text);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s NUMBER...\n", argv[0]);
        return 2;
    }
    struct work work = {calloc((size_t)argc - 1, sizeof *work.jobs), (size_t)argc - 1};
    if (!work.jobs) {
        perror(argv[0]);
        return 1;
    }
    for (size_t i = 0; i < work.n; i++) work.jobs[i].text = argv[i + 1];
    int rc = nido_run(fan_out, &work, NULL); /* prints the root's error object, if there is one */
    for (size_t i = 0; i < work.n; i++) show(&work.jobs[i]);
    if (rc < 0) fprintf(stderr, "%s: %s\n", argv[0], nido_strerror(rc));
    free(work.jobs);
    return nido_exit_status(rc);
}
