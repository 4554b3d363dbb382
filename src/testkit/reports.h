/* SPDX-License-Identifier: MIT */
/* testkit/reports.h: runs with a report at each step of calls on descriptors. */
#ifndef NIDOI_REPORTS_H
#define NIDOI_REPORTS_H

#include "nido/test.h"

/* Runs fn(arg) again and again. In each run, at another step (before or after a system call on a
 * descriptor), reports come that say nothing new, or reports come earlier or later than usual.
 * Otherwise as nido_sweep_calls. */
int nidoi_sweep_reports(nido_fn *fn, void *arg, const nido_test_options *options);

#endif
