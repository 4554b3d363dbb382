/* SPDX-License-Identifier: MIT */
/* report.h: what the runner found, for people and for programs. */
#ifndef NIDO_BENCH_REPORT_H
#define NIDO_BENCH_REPORT_H

#include <stdio.h>

#include "runner.h"

/* Where and with what the numbers were taken. */
struct machine {
    char cpu[128];
    char kernel[256];
    char date[32];
    char commit[64]; /* of the source tree at the time of the run */
    const char *compiler;
    const char *flags;
    int cpus; /* that this process may use */
    bool pinned;
    double load; /* mean number of running processes in the minute before; < 0: unknown */
};

void machine_read(struct machine *out);

/* The table on `out`: its head, and one result as soon as it is there. */
void table_head(FILE *out, const struct machine *machine, const struct runner_options *options);
void table_result(FILE *out, const struct result *result);

/* Says on a terminal at stderr what runs now; nothing if stderr is none. */
void progress_case(const char *name, long i, long count);
void progress_sample(const char *side, long i, long repeats);
void progress_clear(void);

/* Results as JSON. */
struct json_report;
/* Ends the process without memory. */
struct json_report *json_new(const struct machine *machine, const struct runner_options *options,
                             int argc, char **argv);
void json_add(struct json_report *report, const struct result *result);
/* False if it could not be written. */
bool json_write(const struct json_report *report, FILE *file);
void json_free(struct json_report *report);

/* An earlier report, to compare this one with. */
struct json_past;
/* NULL if the file is none; then says so on stderr. */
struct json_past *json_past_read(const char *path);
/* A table of what both have: then, now, and whether the difference is more than noise. */
void json_past_compare(const struct json_past *past, const struct json_report *now, FILE *out);
void json_past_free(struct json_past *past);

#endif
