/* SPDX-License-Identifier: MIT */
/* startup.c: what nido adds to the start and to the size of a program that says hello. The programs
 * are those of ../hello, and their three kinds the rows of both cases: linked with libnido.a, with
 * libnido.so, and with everything, libc too, in the program itself. */
#include "cases.h"
#include "harness/peers.h"

#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KINDS = 3 };
static const char *const kinds[KINDS] = {"archive", "shared", "static"};

static const char *path_of(char *path, size_t size, const char *program, int kind)
{
    snprintf(path, size, BENCH_HELLO "/%s-%s", program, kinds[kind]);
    return path;
}

/* Linked with libnido.so or not, a program without nido is the same. */
static const char *plain_path(char *path, size_t size, int kind)
{
    return path_of(path, size, "plain", strcmp(kinds[kind], "static") != 0 ? 0 : kind);
}

/* From the start of a program to its end, `rounds` times, in ns; 0 if it does not run. */
static int64_t start_many(const char *path, long rounds)
{
    char *argv[] = {(char *)path, "startup", "1", "1", NULL};
    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    int status = 0;
    int64_t start = bench_now();
    for (long i = 0; i < rounds && !status; i++) {
        pid_t pid;
        if (posix_spawn(&pid, path, &quiet, NULL, argv, environ) || waitpid(pid, &status, 0) != pid)
            status = -1;
    }
    int64_t ns = bench_now() - start;
    posix_spawn_file_actions_destroy(&quiet);
    return status ? 0 : ns;
}

/* The first start reads the program from the disk. */
static void start_kind(const char *path, int kind, long rounds, struct bench_sample *out)
{
    if (!start_many(path, 1)) {
        bench_fail(out, "%.150s did not run, or not to a good end", path);
        return;
    }
    int64_t ns = start_many(path, rounds);
    out->outcome = BENCH_MEASURED;
    out->ns += ns;
    out->values[kind] = (double)ns / 1000 / (double)rounds;
}

static void measure_start(const struct bench_ask *ask, struct bench_sample *out)
{
    char path[512];
    for (int kind = 0; kind < KINDS; kind++)
        if (!access(path_of(path, sizeof path, "hello", kind), X_OK))
            start_kind(path, kind, ask->rounds, out);
}

static void measure_plain_start(const struct bench_ask *ask, struct bench_sample *out)
{
    char path[512];
    for (int kind = 0; kind < KINDS; kind++)
        if (!access(plain_path(path, sizeof path, kind), X_OK))
            start_kind(path, kind, ask->rounds, out);
}

static void measure_peer_start(const struct peer *peer, const struct bench_ask *ask,
                               struct bench_sample *out)
{
    start_kind(peer->path, 0, ask->rounds, out);
}

/* Of a file, in KiB; NAN if there is none. */
static double weigh(const char *path)
{
    struct stat about;
    return stat(path, &about) ? NAN : (double)about.st_size / 1024;
}

static void measure_size(const struct bench_ask *ask, struct bench_sample *out)
{
    char path[512];
    (void)ask;
    out->outcome = BENCH_MEASURED;
    for (int kind = 0; kind < KINDS; kind++)
        out->values[kind] = weigh(path_of(path, sizeof path, "hello", kind));
    out->values[KINDS] = weigh(BENCH_HELLO "/libnido.so");
}

static void measure_plain_size(const struct bench_ask *ask, struct bench_sample *out)
{
    char path[512];
    (void)ask;
    out->outcome = BENCH_MEASURED;
    for (int kind = 0; kind < KINDS; kind++)
        out->values[kind] = weigh(plain_path(path, sizeof path, kind));
}

const struct bench_case case_startup = {
    .name = "startup",
    .what = "a program with one task that says hello, from its start to its end",
    .nido = measure_start,
    .floor = measure_plain_start,
    .peer = measure_peer_start,
    .metrics = {{.unit = "us/start"},
                {.name = "shared", .unit = "us/start"},
                {.name = "static", .unit = "us/start"}},
};

const struct bench_case case_size = {
    .name = "size",
    .what = "the same program's file, stripped, and that of libnido.so",
    .rounds = 1,
    .nido = measure_size,
    .floor = measure_plain_size,
    .metrics = {{.unit = "KiB"},
                {.name = "shared", .unit = "KiB"},
                {.name = "static", .unit = "KiB"},
                {.name = "libnido.so", .unit = "KiB"}},
};
