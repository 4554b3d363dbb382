/* SPDX-License-Identifier: MIT */
/* group_help.h: tasks that do as they are told, for the tests of tasks and groups. */
#ifndef GROUP_HELP_H
#define GROUP_HELP_H

#include <errno.h>

#include "nido_test.h"

/* What follow() does, and what it met. */
struct plan {
    int64_t ns;  /* sleeps so long */
    int rc;      /* then returns this, if the sleep was not cancelled */
    int runs;    /* how often it was entered */
    int met;     /* what the sleep said */
    int64_t end; /* when it returned */
};

static inline int follow(void *arg)
{
    struct plan *plan = arg;

    plan->runs++;
    plan->met = nido_sleep(plan->ns);
    plan->end = nido_now();
    return plan->met < 0 ? plan->met : plan->rc;
}

/* Returns at once what its argument says. */
static inline int give(void *arg)
{
    return (int)(intptr_t)arg;
}

static inline void *result(int rc)
{
    return (void *)(intptr_t)rc;
}

#endif
