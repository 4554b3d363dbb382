/* SPDX-License-Identifier: MIT */
/* libuv_inside: libuv's loop as a task of nido; the counterpart of inside_libuv.
 *
 * Shows nido_wait_fd on the descriptor that libuv has for this, under the timeout it asks for: so a
 * program of tasks can use a library that wants a libuv loop. The loop is a service: it runs while
 * there are tasks that may need it, and is taken down after them. Callbacks and tasks share the
 * thread: a callback sets an event that a task waits for. Here a libuv timer rings a bell, and each
 * ring's number is squared on one of libuv's threads; all of it within a time limit.
 *
 *     ./example_libuv_inside 3 1000
 */
#define _POSIX_C_SOURCE 200809L /* libuv's header uses threads' locks */
#include <errno.h>
#include <nido.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

struct world {
    uv_loop_t loop;
    uv_async_t nudge;
    uv_timer_t ringer;
    nido_event bell;
    int rings;
    int64_t limit_ns;
};

/* ---- libuv in nido ---- */

/* Until libuv has news, or its next timer is due. */
static int await_news(uv_loop_t *loop)
{
    nido_scope wait;
    uv_update_time(loop); /* its callbacks may have taken a while */
    int ms = uv_backend_timeout(loop);
    if (ms == 0) return nido_yield();
    nido_timeout_open(&wait, ms < 0 ? NIDO_NEVER : NIDO_MS(ms));
    int rc = nido_scope_close(&wait, nido_wait_fd(uv_backend_fd(loop), NIDO_IN));
    return rc == -ETIMEDOUT ? 0 : rc;
}

static void close_handle(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

static int serve(void *arg)
{
    uv_loop_t *loop = arg;
    int rc = 0;
    while (rc >= 0) {
        uv_run(loop, UV_RUN_NOWAIT);
        rc = await_news(loop);
    }
    uv_walk(loop, close_handle, NULL);
    uv_run(loop, UV_RUN_DEFAULT); /* what is being closed has nothing to wait for */
    uv_loop_close(loop);
    return rc;
}

/* libuv's callbacks run on the stack of this task: options.stack_size if 192 KiB are too few. */
static int spawn_loop(nido_group *group, uv_loop_t *loop)
{
    nido_spawn_options options;
    nido_spawn_options_init(&options);
    options.name = "libuv";
    options.service = true;
    return nido_spawn_with(group, serve, loop, &options, NULL);
}

/* ---- What tasks do with it ---- */

struct square {
    uv_work_t work;
    long long n;
    int status;
    nido_event done;
};

static void compute(uv_work_t *work) /* on a thread of libuv's */
{
    struct square *square = work->data;
    square->n *= square->n;
}

static void computed(uv_work_t *work, int status)
{
    struct square *square = work->data;
    square->status = status;
    nido_event_set(&square->done);
}

/* A request lies on our stack: when we are cancelled, so is it, and we wait until it is over. */
static int square(uv_loop_t *loop, int n, long long *out)
{
    struct square square = {.n = n};
    nido_scope shield;
    nido_event_init(&square.done, "square");
    square.work.data = &square;
    int rc = uv_queue_work(loop, &square.work, compute, computed);
    if (rc < 0) return rc; /* libuv's codes are negated errnos too */
    rc = nido_event_wait(&square.done);
    if (rc < 0) {
        uv_cancel((uv_req_t *)&square.work);
        nido_shield_open(&shield, NIDO_NEVER);
        nido_event_wait(&square.done);
        nido_scope_close(&shield, 0);
        return rc;
    }
    *out = square.n;
    return square.status;
}

static void ring(uv_timer_t *timer)
{
    nido_event_set(timer->data);
}

static int ring_and_square(struct world *world)
{
    uv_timer_start(&world->ringer, ring, 1, 1);
    uv_async_send(&world->nudge); /* a task has started something: libuv is to look again */
    for (int i = 1; i <= world->rings; i++) {
        long long result = 0;
        int rc = nido_event_wait(&world->bell);
        if (rc == 0) rc = square(&world->loop, i, &result);
        if (rc < 0) return rc;
        nido_event_reset(&world->bell);
        printf("ring %d: %lld\n", i, result);
    }
    return 0;
}

static int run(void *arg)
{
    struct world *world = arg;
    nido_group group;
    nido_scope limit;
    nido_timeout_open(&limit, world->limit_ns);
    nido_group_open(&group, NIDO_FAIL_FAST, "with libuv");
    int rc = spawn_loop(&group, &world->loop);
    if (rc == 0) rc = ring_and_square(world);
    return nido_scope_close(&limit, nido_group_close(&group, rc));
}

int main(int argc, char **argv)
{
    struct world world = {0};
    if (argc != 3) {
        fprintf(stderr, "usage: %s RINGS LIMIT_MS\n", argv[0]);
        return 2;
    }
    world.rings = atoi(argv[1]);
    world.limit_ns = NIDO_MS(atoi(argv[2]));
    nido_event_init(&world.bell, "bell");
    int rc = uv_loop_init(&world.loop);
    if (rc < 0) {
        fprintf(stderr, "%s: %s\n", argv[0], uv_strerror(rc));
        return 1;
    }
    uv_async_init(&world.loop, &world.nudge, NULL);
    uv_timer_init(&world.loop, &world.ringer);
    world.ringer.data = &world.bell;
    rc = nido_run(run, &world, NULL);
    if (rc < 0) fprintf(stderr, "%s\n", rc == -ETIMEDOUT ? "out of time" : nido_strerror(rc));
    return nido_exit_status(rc);
}
