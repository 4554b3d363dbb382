/* SPDX-License-Identifier: MIT */
/* The frame: reading instructions, comparing, and one run from beginning to end. */
#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coro/group/group.h"
#include "outside.h"

struct world world;

/* ---- Complaining ---- */

enum { TRACE = 24 };

static struct {
    int task, op, status;
    unsigned a, b;
    int64_t now;
} trace[TRACE];
static unsigned traced;

void expect(const char *what, int64_t got, int64_t wanted)
{
    if (got == wanted) return;
    fprintf(stderr, "%s: %lld, not %lld\n", what, (long long)got, (long long)wanted);
    for (unsigned i = traced > TRACE ? traced - TRACE : 0; i < traced; i++)
        fprintf(stderr, "  %lld: task %d: op %d (%u, %u): %d\n",
                (long long)(trace[i % TRACE].now / TICK), trace[i % TRACE].task,
                trace[i % TRACE].op, trace[i % TRACE].a, trace[i % TRACE].b,
                trace[i % TRACE].status);
    abort();
}

/* ---- Keeping up ---- */

void expect_end(const struct task *task, const char *what, int status)
{
    enum { IT_WAITS = 1000 };

    expect(what, status, task->op.waiting ? IT_WAITS : task->op.status);
}

static void expect_no_lost_byte(void)
{
    const struct pipe *pipe = &world.pipe;

    for (int i = 0; i < 2; i++) {
        const struct way *way = &sockets.ways[i];

        if (!way->reader || !way->reader->op.waiting || weather_holds()) continue;
        expect("bytes that no reader was told of", way->bytes, 0);
        expect("an end that no reader was told of", way->ended, 0);
    }
    if (!pipe->reader || !pipe->reader->op.waiting || pipe->whole) return;
    expect("bytes that nobody told the reader of", pipe->bytes, 0);
    expect("an end that nobody told the reader of", pipe->ends[1] < 0, 0);
}

/* Has this closer run, found its children gone and told its services to go? */
static bool has_released(const struct task *task)
{
    int level = task->depth - 1;

    return task->live && !task->op.waiting && task->op.n && task->op.arms[0].kind == CLOSE &&
           level >= 0 && task->op.group == &task->levels[level] &&
           task->levels[level].state == CLOSING &&
           world.groups[task->number][level].state == NIDOI_GROUP_RELEASING;
}

void catch_up(void)
{
    int64_t now = nido_now();
    struct task *next;

    if (now > model.now) expect_no_lost_byte();
    advance(now);
    do {
        next = NULL;
        for (int i = 0; i < model.count; i++)
            if (has_released(&model.tasks[i]) && (!next || model.tasks[i].op.end < next->op.end))
                next = &model.tasks[i];
        if (next) release_services(next);
    } while (next);
}

bool refused(struct task *task)
{
    catch_up();
    expect("cancelled", nido_cancelled(), due(innermost(task)) <= model.now);
    return struck(task);
}

int64_t after(unsigned ticks)
{
    return model.now / TICK * TICK + (int64_t)(ticks + 1) * TICK + ++world.instants;
}

static void look(void)
{
    for (int i = 0; i < CHANS; i++)
        expect("items in a channel", (int64_t)nido_chan_count(world.chans[i]),
               model.chans[i].count);
    expect("permits", nido_sem_count(&world.sem), model.permits);
    expect("readers", world.rwlock.readers, model.rwlock.readers);
    expect("places of the limiter", world.limiter.borrowed, model.limiter.borrowed);
    expect("dropped successes", world.drops, model.drops);
}

/* ---- Tasks ---- */

static act *const acts[] = {
    act_scope,      act_shield, act_group,     act_group,       act_close,   act_cancel,
    act_move,       act_spawn,  act_spawn,     act_spawn_wait,  act_start,   act_started,
    act_join,       act_sleep,  act_try_join,  act_task_cancel, act_forget,  act_yield,
    act_post,       act_send,   act_recv,      act_reserve,     act_commit,  act_try,
    act_chan_close, act_event,  act_event_set, act_acquire,     act_release, act_lock,
    act_unlock,     act_wait,   act_notify,    act_select,      act_select,  act_read,
    act_write,      act_pipe,
};
enum { ACTS = sizeof acts / sizeof *acts };

/* These came later and have bytes of their own, so that old programs mean what they meant. */
static act *const later_acts[] = {
    act_enter, act_enter,   act_leave,     act_borrow, act_give_back, act_resize,
    act_meet,  act_barrier, act_broadcast, act_listen, act_set,       act_watch,
};
static act *const outside_acts[] = {
    act_socket,      act_socket,      act_socket_send, act_socket_send, act_socket_send,
    act_socket_recv, act_socket_recv, act_socket_recv, act_file,        act_file,
    act_job,         act_job,         act_child,       act_weather,
};
enum {
    LATER = sizeof later_acts / sizeof *later_acts,
    OUTSIDE = 240,
    HOME = OUTSIDE + sizeof outside_acts / sizeof *outside_acts
};

static act *act_of(unsigned byte)
{
    if (byte >= OUTSIDE) return outside_acts[byte - OUTSIDE];
    return byte < OUTSIDE - LATER ? acts[byte % ACTS] : later_acts[byte - (OUTSIDE - LATER)];
}

static uint8_t fetch(size_t at)
{
    return world.code[at % world.length];
}

static int step(struct task *task, size_t at, bool *ignores)
{
    unsigned op = fetch(at), a = fetch(at + 1), b = fetch(at + 2);
    unsigned i = traced++ % TRACE;
    int status;

    trace[i].task = task->number, trace[i].op = (int)op, trace[i].a = a, trace[i].b = b;
    trace[i].now = model.now, trace[i].status = 1;
    status = act_of(op)(task, a, b);
    if (trace[i].task == task->number) trace[i].status = status;
    *ignores = b & 64;
    catch_up();
    look();
    return status;
}

static int result(int status, uint8_t choice)
{
    static const int results[] = {0, 0, 1, 2, -EIO, -EBUSY, -ECANCELED};

    return choice & 8 ? status : results[choice % 7];
}

int run_task(void *arg)
{
    struct task *task = arg;
    size_t at = world.starts[task->number];
    bool ignores = false;
    int status = 0, rc;

    catch_up();
    world.handles[task->number] = nido_self();
    for (int n = 0; n < STEPS && fetch(at) < HOME; n++, at += 3) {
        status = step(task, at, &ignores);
        if (status == -ECANCELED && !ignores) break;
    }
    rc = status == -ECANCELED ? status : result(status, fetch(at + 1));
    while (task->depth) rc = close_level(task, rc);
    give_back(task);
    end_task(task, rc);
    return rc;
}

/* ---- A run ---- */

static void drop_item(void *ctx, void *item, int rc)
{
    uint32_t value;

    (void)ctx, (void)rc;
    memcpy(&value, item, sizeof value);
    world.dropped += value;
}

/* Nothing but a cancel can go on: does the model think so too? */
static void report(void *ctx, const char *text)
{
    (void)ctx;
    if (strstr(text, "without waiting")) expect("jobs that a run has left", 1, 0);
    if (!strstr(text, "DEADLOCK")) return;
    catch_up();
    for (int i = 0; i < model.count; i++) {
        if (!model.tasks[i].live) continue;
        expect("a task that waits in a deadlock", model.tasks[i].op.waiting, 1);
        expect("an alarm in a deadlock", model.tasks[i].op.alarm, NIDO_NEVER);
    }
    world.deadlocked = true;
    cancel_scope(&model.tasks[0].base, -EDEADLK);
}

static void ignore_error(void *ctx, const nido_error *error)
{
    (void)ctx, (void)error;
}

static void make_objects(unsigned settings)
{
    unsigned capacities = settings;

    for (int i = 0; i < CHANS; i++, capacities /= ROOM) {
        model.chans[i].capacity = (int)(capacities % ROOM);
        model.chans[i].send_open = model.chans[i].recv_open = true;
        expect("a channel",
               nido_chan_new(sizeof(uint32_t), capacities % ROOM, drop_item, NULL, &world.chans[i]),
               0);
    }
    for (int i = 0; i < EVENTS; i++) nido_event_init(&world.events[i], NULL);
    for (int i = 0; i < MUTEXES; i++) nido_mutex_init(&world.mutexes[i], NULL);
    for (int i = 0; i < CONDS; i++) nido_cond_init(&world.conds[i], NULL);
    nido_sem_init(&world.sem, PERMITS, PERMITS, NULL);
    model.permits = PERMITS;
    world.pipe.ends[0] = world.pipe.ends[1] = -1;
    make_meeting_places(settings / (ROOM * ROOM));
    make_outside();
}

static void expect_all_over(void)
{
    for (int i = 0; i < EVENTS; i++) expect("an event", nido_event_deinit(&world.events[i]), 0);
    for (int i = 0; i < MUTEXES; i++) expect("a mutex", nido_mutex_deinit(&world.mutexes[i]), 0);
    for (int i = 0; i < CONDS; i++) expect("a condition", nido_cond_deinit(&world.conds[i]), 0);
    expect("a semaphore", nido_sem_deinit(&world.sem), 0);
    expect_meeting_places_over();
    expect_outside_over();
    expect("permits at the end", nido_sem_count(&world.sem), PERMITS);
    for (int i = 0; i < CHANS; i++) expect("a channel", nido_chan_free(world.chans[i]), 0);
    expect("items at the end", (int64_t)(world.received + world.dropped), (int64_t)world.sent);
    for (int i = 0; i < model.count; i++) expect("a task that lives", model.tasks[i].live, 0);
    for (int i = 0; i < 2; i++)
        if (world.pipe.ends[i] >= 0) expect("a pipe", nido_close(world.pipe.ends[i]), 0);
}

/* The settings: the clock and the watchdog, the grace, the channels, the root's first group. */
static int run_root(void *arg)
{
    struct task *root = arg;

    model.now = nido_now();
    world.watched = world.code[0] & 1;
    if (world.watched) {
        int64_t deadline = after(200);

        push(root, deadline, false);
        nido_deadline_open(&world.scopes[0][0], deadline);
    }
    act_group(root, world.code[3], 0);
    for (unsigned i = 0; i < 1u + world.code[0] / 2 % 4; i++) act_spawn(root, 0, 7 + 32 * i);
    return run_task(root);
}

static int lowest_fd(void)
{
    int fd = dup(STDERR_FILENO);

    close(fd);
    return fd;
}

static void run(const uint8_t *data, size_t size)
{
    nido_options options;
    struct task *root;
    int fd = lowest_fd(), rc;

    memset(&world, 0, sizeof world);
    memset(&model, 0, sizeof model);
    traced = 0;
    world.code = data;
    world.length = size;
    world.starts[0] = 4;
    model.grace = data[1] % 4 ? NIDO_NEVER : (1 + data[1] / 4 % 8) * (int64_t)TICK + 1;
    root = new_task();
    join_group(root, NULL, false);
    make_objects(data[2]);
    nido_options_init(&options);
    options.clock = NIDO_CLOCK_VIRTUAL;
    options.flags = NIDO_RUN_STRICT;
    options.grace_ns = model.grace;
    options.pool_grace_ns = NIDO_SEC(60); /* a busy machine may keep a job for more than one */
    options.seed = data[1];
    options.on_report = report;
    options.on_error = ignore_error;
    rc = nido_run(run_root, root, &options);
    expect("the run", rc, world.deadlocked && root->result >= 0 ? -EDEADLK : root->result);
    expect_all_over();
    expect("the lowest free descriptor", lowest_fd(), fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size >= 8 && size <= 1024) run(data, size);
    return 0;
}
