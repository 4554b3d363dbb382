/* SPDX-License-Identifier: MIT */
/* A run that is stuck and has had visitors from other threads. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "nido_test.h"

static struct {
    nido_rt *rt;
    bool over; /* atomic: it has been and has let go */
    char report[4096];
} brief;

static int nothing(void *unused)
{
    (void)unused;
    return 0;
}

static void *visit_briefly(void *unused)
{
    cr_expect(zero(int, nido_run_on(brief.rt, nothing, unused)));
    nido_rt_release(brief.rt);
    __atomic_store_n(&brief.over, true, __ATOMIC_SEQ_CST);
    return NULL;
}

static int be_stuck_after_a_visit(void *unused)
{
    nido_event never;
    pthread_t thread;

    brief.rt = nido_rt_self();
    cr_assert(zero(int, pthread_create(&thread, NULL, visit_briefly, unused)));
    while (!__atomic_load_n(&brief.over, __ATOMIC_SEQ_CST)) nido_yield();
    pthread_join(thread, NULL);
    nido_event_init(&never, "never");
    return nido_event_wait(&never);
}

static void keep_report(void *ctx, const char *text)
{
    (void)ctx;
    snprintf(brief.report, sizeof brief.report, "%s", text);
}

NIDO_TEST(deadlock_host, a_report_knows_the_root_from_the_server_of_calls)
{
    nido_options options = nido_test_virtual();
    const char *host;

    options.on_report = keep_report;
    cr_expect(eq(int, nido_run(be_stuck_after_a_visit, NULL, &options), -EDEADLK));
    host = strstr(brief.report, "\"server of other threads\"");
    cr_assert(ne(ptr, (void *)host, NULL), "%s", brief.report);
    cr_expect(ne(ptr, strstr(host, "nido's own"), NULL), "%s", host);
    cr_expect(ne(ptr,
                 strstr(brief.report, "#1 \"\"  waits for event \"never\", 0.0 s  spawned at "),
                 NULL),
              "%s", brief.report);
    cr_expect(eq(ptr, strstr(host, "spawned at "), NULL), "%s", host);
}
