/* testkit/reports.h: runs with a report at each step of calls on descriptors. */
#ifndef NIDOI_REPORTS_H
#define NIDOI_REPORTS_H

#include "nido/test.h"

/* Runs fn(arg) again and again; each time at another step, which is before or after a system call on a
 * descriptor, reports come that say nothing new, or earlier than the loop would fetch them, or later.
 * Otherwise as nido_sweep_calls. */
int nidoi_sweep_reports(nido_fn *fn, void *arg, const nido_test_options *options);

#endif
