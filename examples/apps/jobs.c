/* SPDX-License-Identifier: MIT */
/* jobs: runs a command for each line of its input, several at once, as xargs -P does.
 *
 * Shows child processes as tasks of a group with a limit: the reader of the lines waits for a place,
 * a signal or a job that asks for it ends reading and waiting, and no job outlives the program.
 * Input is a stream, be it a terminal, a pipe or a file. What a job prints comes out in one piece.
 *
 *     ./app_jobs [-P JOBS] [-g GRACE_MS] [COMMAND [ARG...]]
 *     ls *.png | ./app_jobs -P 4 optipng -quiet       (the line is the last argument)
 *     ./app_jobs -P 4 <commands.txt                   (each line is a command for sh)
 *
 * The exit status is that of xargs: 123: a job ended with 1 to 125; 124: one ended with 255, and no
 * more were begun; 125: a signal ended one; 126, 127: the command cannot run, or is not found; 1:
 * other failures; 128 + N: signal N has stopped all. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <limits.h>
#include <nido.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    MOST_WORDS = 256,
    LONGEST_LINE = 128 << 10, /* Linux takes no longer argument */
    PRINT_S = 5               /* for the output of a job that is stopped */
};

struct jobs {
    char *command[MOST_WORDS]; /* and room for the line */
    int words;
    uint32_t limit; /* 0: none */
    int64_t grace_ns;
    nido_scope reading; /* of the lines */
    nido_mutex output;
    int status;
};

struct job {
    struct jobs *jobs;
    char line[];
};

/* No more jobs are begun. */
static void jobs_stop(struct jobs *jobs, int status, const char *why)
{
    fprintf(stderr, "jobs: %s: %s\n", jobs->command[0], why);
    jobs->status = status;
    nido_scope_cancel(&jobs->reading, 0, "a job has failed");
}

static void job_judge(struct jobs *jobs, int rc, nido_proc_status status)
{
    if (rc < 0)
        jobs_stop(jobs, rc == -ENOENT ? 127 : 126, nido_strerror(rc));
    else if (status.signal)
        jobs_stop(jobs, 125, "terminated by a signal");
    else if (status.code == 255)
        jobs_stop(jobs, 124, "exited with status 255");
    else if (status.code && !jobs->status)
        jobs->status = 123;
}

/* All that a job has printed, also if it was stopped, with nothing of another job in between. */
static int job_print(struct jobs *jobs, const nido_proc_result *result)
{
    nido_scope shield;
    nido_shield_open(&shield, NIDO_SEC(PRINT_S));
    int rc = nido_mutex_lock(&jobs->output);
    if (rc == 0) {
        rc = nido_write_all(STDOUT_FILENO, result->out, result->out_len, NULL);
        if (rc == 0) rc = nido_write_all(STDERR_FILENO, result->err, result->err_len, NULL);
        nido_mutex_unlock(&jobs->output);
    }
    rc = nido_scope_close(&shield, rc);
    return rc < 0 ? nido_fail(rc, "output of a job") : 0;
}

static int job_run(void *arg)
{
    struct job *job = arg;
    struct jobs *jobs = job->jobs;
    char *argv[MOST_WORDS + 2] = {NULL};
    nido_proc_result result;
    memcpy(argv, jobs->command, (size_t)jobs->words * sizeof *argv);
    argv[jobs->words] = job->line;
    int rc = nido_proc_run(&NIDO_PROC_OPTIONS(.argv = argv, .kill_grace_ns = jobs->grace_ns,
                                              .new_group = true, .output_limit = INT_MAX),
                           NULL, 0, &result);
    if (rc != -ECANCELED) job_judge(jobs, rc, result.status);
    int printed = job_print(jobs, &result);
    nido_proc_result_free(&result);
    free(job);
    return rc == -ECANCELED ? rc : printed;
}

static int read_lines(struct jobs *jobs, nido_stream *in, nido_group *group)
{
    char *line;
    size_t length;
    int rc;
    while ((rc = nido_stream_line(in, &line, &length)) > 0) {
        struct job *job = malloc(sizeof *job + length + 1);
        if (!job) return -ENOMEM;
        job->jobs = jobs;
        memcpy(job->line, line, length + 1);
        rc = nido_spawn_wait(group, job_run, job);
        if (rc < 0) return free(job), rc;
    }
    return rc < 0 && rc != -ECANCELED ? nido_fail(rc, "standard input") : rc;
}

static int app(void *arg)
{
    struct jobs *jobs = arg;
    nido_stream in;
    nido_group group;
    int rc = nido_stream_open(&in, STDIN_FILENO,
                              &NIDO_STREAM_OPTIONS(.longest = LONGEST_LINE, .keep_open = true));
    if (rc < 0) return rc;
    nido_mutex_init(&jobs->output, "output");
    nido_group_open_with(&group, &NIDO_GROUP_OPTIONS(.name = "jobs", .limit = jobs->limit));
    nido_scope_open(&jobs->reading);
    rc = nido_scope_close(&jobs->reading, read_lines(jobs, &in, &group));
    rc = nido_group_close(&group, rc);
    nido_stream_close(&in);
    return rc;
}

int main(int argc, char **argv)
{
    struct jobs jobs = {.command = {"sh", "-c"}, .words = 2, .limit = 1, .grace_ns = NIDO_SEC(5)};
    int option;
    while ((option = getopt(argc, argv, "+P:g:")) >= 0) {
        if (option == 'P') jobs.limit = (uint32_t)strtoul(optarg, NULL, 10);
        if (option == 'g') jobs.grace_ns = NIDO_MS(strtol(optarg, NULL, 10));
        if (option == '?') break;
    }
    if (option == '?' || argc - optind > MOST_WORDS) {
        fprintf(stderr, "usage: %s [-P JOBS] [-g GRACE_MS] [COMMAND [ARG...]]\n", argv[0]);
        return 2;
    }
    if (optind < argc) {
        jobs.words = argc - optind;
        memcpy(jobs.command, argv + optind, (size_t)jobs.words * sizeof *argv);
    }
    int rc = nido_run(app, &jobs, &NIDO_OPTIONS(.signals = true));
    return rc < 0 ? nido_exit_status(rc) : jobs.status;
}
