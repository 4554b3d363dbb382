/* SPDX-License-Identifier: MIT */
#include "sweep_help.h"

#include <sys/wait.h>

#include "testkit/reports.h"

const char *sweep_broken_law;

static bool childless(void)
{
    siginfo_t info;

    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD;
}

static int check_laws(void *name, int rc)
{
    const char *law = sweep_broken_law ? sweep_broken_law : childless() ? NULL : "childless()";

    sweep_broken_law = NULL;
    if (law) fprintf(stderr, "%s, result %d: %s does not hold\n", (const char *)name, rc, law);
    return law ? -EBADMSG : 0;
}

int sweep_every_way(const char *name, nido_fn *fn, uint32_t flags)
{
    nido_test_options options;
    int broken;

    nido_test_options_init(&options);
    options.name = name;
    options.run.pool_threads = 1; /* whether another is started depends on how quick the first is */
    options.check = check_laws;
    options.ctx = (void *)name;
    options.flags = NIDO_TEST_BRIEF | flags;
    broken = nido_sweep(fn, NULL, &options);
    broken += nido_sweep_memory(fn, NULL, &options);
    broken += nido_sweep_calls(fn, NULL, &options);
    broken += nidoi_sweep_reports(fn, NULL, &options);
    options.flags |= NIDO_TEST_INNERMOST;
    return broken + nido_sweep(fn, NULL, &options);
}

int sweep_together(void *arg, nido_fn *const *fns, size_t n)
{
    nido_group group;
    int rc = 0;

    nido_group_open(&group, NIDO_FAIL_FAST, "together");
    for (size_t i = 0; i < n && !rc; i++) rc = nido_spawn(&group, fns[i], arg);
    return nido_group_close(&group, rc);
}
