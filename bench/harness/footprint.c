/* SPDX-License-Identifier: MIT */
/* footprint.c: memory as the kernel counts it. Pages come from smaps_rollup, which walks the page
 * tables: the counter in status lags by some pages for each CPU. */
#include "footprint.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static FILE *open_in(const char *folder, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return fopen(path, "r");
}

/* The value of a line "Key:   123 kB" in bytes, -1 if there is none. */
static int64_t read_kilobytes(const char *folder, const char *name, const char *key)
{
    char line[256];
    int64_t value = -1;
    FILE *file = open_in(folder, name);
    if (!file) return -1;
    while (value < 0 && fgets(line, sizeof line, file))
        if (!strncmp(line, key, strlen(key))) sscanf(line + strlen(key), ": %" SCNd64, &value);
    fclose(file);
    return value < 0 ? -1 : value * 1024;
}

static long count_lines(const char *folder, const char *name)
{
    long lines = 0;
    FILE *file = open_in(folder, name);
    if (!file) return -1;
    for (int c = fgetc(file); c != EOF; c = fgetc(file)) lines += c == '\n';
    fclose(file);
    return lines;
}

struct footprint footprint_of(pid_t pid)
{
    char folder[32];
    snprintf(folder, sizeof folder, "/proc/%d", (int)pid);
    return (struct footprint){
        .resident = read_kilobytes(folder, "smaps_rollup", "Rss"),
        .page_tables = read_kilobytes(folder, "status", "VmPTE"),
        .mappings = count_lines(folder, "maps"),
    };
}

struct footprint footprint_now(void)
{
    return footprint_of(getpid());
}

bool footprint_room(int64_t bytes, struct bench_sample *out)
{
    int64_t room = read_kilobytes("/proc", "meminfo", "MemAvailable");
    if (bytes <= room) return true;
    bench_skip(out, "needs %" PRId64 " MB of memory, %" PRId64 " MB are available", bytes / 1000000,
               room / 1000000);
    return false;
}

void footprint_sample(const struct footprint *before, const struct footprint *after, long count,
                      struct bench_sample *out)
{
    int64_t bytes = after->resident + after->page_tables - before->resident - before->page_tables;
    out->outcome = BENCH_MEASURED;
    out->values[0] = (double)bytes / (double)count;
    out->values[1] = (double)after->mappings;
}
