/* SPDX-License-Identifier: MIT */
/* support.c: what cases share. */
#include "bench.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

int64_t bench_cpu_now(void)
{
    return bench_clock(CLOCK_PROCESS_CPUTIME_ID);
}

void bench_per_operation(struct bench_sample *out, int64_t ns, int64_t operations)
{
    out->outcome = BENCH_MEASURED;
    out->ns = ns;
    out->values[0] = (double)ns / (double)operations;
}

void bench_skip(struct bench_sample *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    out->outcome = BENCH_SKIPPED;
    vsnprintf(out->why, sizeof out->why, format, args);
    va_end(args);
}

void bench_fail(struct bench_sample *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    out->outcome = BENCH_FAILED;
    vsnprintf(out->why, sizeof out->why, format, args);
    va_end(args);
}

/* A limit of the machine is no fault of nido. */
static bool is_limit(int code)
{
    return code == -EAGAIN || code == -ENOMEM || code == -EMFILE || code == -ENFILE ||
           code == -ENOSPC;
}

static void note(void *ctx, const nido_error *error)
{
    struct bench_sample *out = ctx;
    snprintf(out->why, sizeof out->why, "%s", nido_error_text(error));
}

void bench_nido(nido_fn *fn, const struct bench_ask *ask, struct bench_sample *out)
{
    nido_options options;
    nido_options_init(&options);
    bench_nido_with(&options, fn, ask, out);
}

void bench_nido_with(nido_options *options, nido_fn *fn, const struct bench_ask *ask,
                     struct bench_sample *out)
{
    struct bench_run run = {.ask = ask, .out = out};
    options->on_error = note;
    options->ctx = out;
    out->why[0] = '\0';
    int rc = nido_run(fn, &run, options);
    if (rc >= 0) return;
    char text[BENCH_WHY_SIZE];
    memcpy(text, out->why, sizeof text);
    (is_limit(rc) ? bench_skip : bench_fail)(out, "%.60s%s%.100s", nido_strerror(rc),
                                             text[0] ? ": " : "", text);
}

int bench_spawn_many(nido_group *group, long count, nido_fn *fn, void *arg)
{
    int rc = 0;
    for (long i = 0; i < count && !rc; i++) rc = nido_spawn(group, fn, arg);
    return rc;
}

bool bench_want_fds(long count, struct bench_sample *out)
{
    enum { OWN = 64 };
    struct rlimit limit;
    rlim_t want = (rlim_t)count + OWN;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= want) return true;
    if (limit.rlim_max >= want) {
        limit.rlim_cur = want;
        if (!setrlimit(RLIMIT_NOFILE, &limit)) return true;
    }
    bench_skip(out, "%ld connections need %ld descriptors, the hard limit is %ld (ulimit -Hn)",
               count, (long)want, (long)limit.rlim_max);
    return false;
}

/* The CPUs allowed at the start: a pinned process cannot ask any more. */
static const cpu_set_t *allowed(void)
{
    static cpu_set_t set;
    if (!CPU_COUNT(&set)) sched_getaffinity(0, sizeof set, &set);
    return &set;
}

int bench_cpus(void)
{
    return CPU_COUNT(allowed());
}

bool bench_pin(int which)
{
    const cpu_set_t *from = allowed();
    cpu_set_t one;
    int left = which % CPU_COUNT(from);
    int cpu = 0;
    while (!CPU_ISSET(cpu, from) || left-- > 0) cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    return !sched_setaffinity(0, sizeof one, &one);
}
