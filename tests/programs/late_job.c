/* SPDX-License-Identifier: MIT */
/* A library that the tests load when the fork server has long been forked. */
#include <nido.h>

nido_procjob_fn late_job;

__attribute__((visibility("default"))) int late_job(nido_procjob *job)
{
    (void)job;
    return 9;
}
