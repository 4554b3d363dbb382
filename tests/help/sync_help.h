/* SPDX-License-Identifier: MIT */
/* sync_help.h: calls that wait, each in a task of its own, and what became of them. */
#ifndef SYNC_HELP_H
#define SYNC_HELP_H

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "nido_test.h"

enum { WAITING = 12345 }; /* no call returns it */

/* One call of `fn(object)` in a task. */
struct call {
    nido_fn *fn;
    void *object;
    int rc;       /* WAITING until it returns */
    int next;     /* what the task's next cancellation point says */
    uint32_t end; /* the how manieth it was to return, from 1 */
    nido_task task;
};

static uint32_t calls_ended;

static inline int call_body(void *arg)
{
    struct call *call = arg;

    call->rc = call->fn(call->object);
    call->end = ++calls_ended;
    call->next = nido_check();
    return 0;
}

/* Lets all tasks run until each of them waits. Nobody here takes more turns than that. */
static inline void let_run(void)
{
    nido_scope shield;

    nido_shield_open(&shield, NIDO_NEVER);
    for (int i = 0; i < 20; i++) nido_yield();
    nido_scope_close(&shield, 0);
}

/* Spawned, but it has not run yet. */
static inline void call_spawn(nido_group *group, struct call *call, nido_fn *fn, void *object)
{
    nido_spawn_options options;

    nido_spawn_options_init(&options);
    *call = (struct call){.fn = fn, .object = object, .rc = WAITING};
    cr_expect(eq(int, nido_spawn_with(group, call_body, call, &options, &call->task), 0));
}

/* Made, and run until it waits or is over. */
static inline void call_make(nido_group *group, struct call *call, nido_fn *fn, void *object)
{
    call_spawn(group, call, fn, object);
    let_run();
}

static inline void call_cancel(struct call *call)
{
    cr_expect(eq(int, nido_task_cancel(call->task, 0, "test"), 0));
}

/* A task that takes something, keeps it until it is told to go, and gives it back. */
struct holder {
    nido_fn *take, *give; /* of the object; give NULL: it ends without */
    void *object;
    nido_event go;
    int rc;       /* what take returned; WAITING until it does */
    int next;     /* what the task's next cancellation point says */
    int gave;     /* what give returned */
    uint32_t end; /* the how manieth it was to take, from 1 */
    nido_task task;
};

static inline int holder_body(void *arg)
{
    struct holder *holder = arg;
    nido_scope shield;

    holder->rc = holder->take(holder->object);
    holder->end = ++calls_ended;
    holder->next = nido_check();
    nido_shield_open(&shield, NIDO_NEVER);
    nido_event_wait(&holder->go);
    nido_scope_close(&shield, 0);
    if (holder->give) holder->gave = holder->give(holder->object);
    return 0;
}

static inline void holder_spawn(nido_group *group, struct holder *holder, void *object,
                                nido_fn *take, nido_fn *give)
{
    nido_spawn_options options;

    nido_spawn_options_init(&options);
    *holder = (struct holder){
        .take = take, .give = give, .object = object, .rc = WAITING, .gave = WAITING};
    nido_event_init(&holder->go, "go");
    cr_expect(eq(int, nido_spawn_with(group, holder_body, holder, &options, &holder->task), 0));
}

static inline void holder_make(nido_group *group, struct holder *holder, void *object,
                               nido_fn *take, nido_fn *give)
{
    holder_spawn(group, holder, object, take, give);
    let_run();
}

static inline void holder_cancel(struct holder *holder)
{
    cr_expect(eq(int, nido_task_cancel(holder->task, 0, "test"), 0));
}

/* It goes on, and everybody with it. */
static inline void holder_go(struct holder *holder)
{
    nido_event_set(&holder->go);
    let_run();
}

/* A test whose body runs as the root task, in an open group. All its calls are over when it
 * returns. */
#define SYNC_TEST(suite, name)                                   \
    static void body_##name(nido_group *group);                  \
    static int root_##name(void *unused)                         \
    {                                                            \
        nido_group group;                                        \
        (void)unused;                                            \
        calls_ended = 0;                                         \
        nido_group_open(&group, NIDO_WAIT_ALL, #name);           \
        body_##name(&group);                                     \
        return nido_group_close(&group, 0);                      \
    }                                                            \
    NIDO_TEST(suite, name)                                       \
    {                                                            \
        cr_expect(eq(int, nido_test_run(root_##name, NULL), 0)); \
    }                                                            \
    static void body_##name(__attribute__((unused)) nido_group *group)

/* ---- Reports ---- */

static inline void keep_report(void *ctx, const char *text)
{
    snprintf(ctx, 4096, "%s", text);
}

/* Runs fn(arg) and keeps its last report in a text of 4096 bytes. */
static inline int run_for_report(nido_fn *fn, void *arg, char *report)
{
    nido_options options = nido_test_virtual();

    report[0] = '\0';
    options.on_report = keep_report;
    options.ctx = report;
    return nido_run(fn, arg, &options);
}

/* ---- Another thread ---- */

/* What fn(arg) returns on a thread without a runtime. */
struct elsewhere {
    nido_fn *fn;
    void *arg;
    int rc;
};

static inline void *elsewhere_plain(void *arg)
{
    struct elsewhere *call = arg;

    call->rc = call->fn(call->arg);
    return NULL;
}

static inline void *elsewhere_running(void *arg)
{
    struct elsewhere *call = arg;

    call->rc = nido_run(call->fn, call->arg, NULL);
    return NULL;
}

static inline int on_thread(void *(*how)(void *), nido_fn *fn, void *arg)
{
    struct elsewhere call = {fn, arg, WAITING};
    pthread_t thread;

    cr_expect(eq(int, pthread_create(&thread, NULL, how, &call), 0));
    cr_expect(eq(int, pthread_join(thread, NULL), 0));
    return call.rc;
}

/* What it returns on a thread without a runtime, and as the root of another runtime. */
static inline int on_plain_thread(nido_fn *fn, void *arg)
{
    return on_thread(elsewhere_plain, fn, arg);
}

static inline int in_other_runtime(nido_fn *fn, void *arg)
{
    return on_thread(elsewhere_running, fn, arg);
}

#endif
