/* SPDX-License-Identifier: MIT */
/* json.h: the reports that json.c writes and compare.c reads. */
#ifndef NIDO_BENCH_JSON_H
#define NIDO_BENCH_JSON_H

#include <jansson.h>

#include "report.h"

struct json_report {
    json_t *root, *results;
};

#endif
