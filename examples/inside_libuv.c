/* SPDX-License-Identifier: MIT */
/* inside_libuv: a nido runtime in the steps of libuv's loop.
 *
 * Shows nido_rt_new and its steps: libuv watches one descriptor and one timer for us and calls
 * step() when either has news. libuv's own callbacks and nido's tasks share the thread, so they may
 * touch the same data; here a libuv timer sets an event that a task waits for.
 *
 *     ./example_inside_libuv 3
 */
#define _POSIX_C_SOURCE 200809L /* libuv's header uses threads' locks */
#include <nido.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

struct world {
    nido_rt *rt;
    nido_event tick;
    int rings; /* still to come */
    int result;
    uv_poll_t news;
    uv_timer_t due; /* nido's next deadline */
    uv_timer_t ringer;
};

/* ---- nido in libuv ---- */

static void on_due(uv_timer_t *timer);

/* libuv's milliseconds, rounded up: a step too late is no harm, one too early is for nothing. */
static void arm(struct world *world)
{
    int64_t ns = nido_rt_timeout(world->rt);
    if (ns == NIDO_NEVER)
        uv_timer_stop(&world->due);
    else
        uv_timer_start(&world->due, on_due, (uint64_t)((ns + 999999) / 1000000), 0);
}

static void finish(struct world *world)
{
    nido_rt_result(world->rt, &world->result);
    uv_close((uv_handle_t *)&world->news, NULL);
    uv_close((uv_handle_t *)&world->due, NULL);
    uv_close((uv_handle_t *)&world->ringer, NULL);
}

static void step(struct world *world)
{
    if (nido_rt_step(world->rt) == 0)
        finish(world);
    else
        arm(world);
}

static void on_due(uv_timer_t *timer)
{
    step(timer->data);
}

static void on_news(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    step(poll->data);
}

/* ---- What the two do for each other ---- */

/* A callback of libuv's: it may set, cancel and spawn, and then lets nido have a step. */
static void ring(uv_timer_t *timer)
{
    struct world *world = timer->data;
    nido_event_set(&world->tick);
    step(world);
}

static int listen_to_bells(void *arg)
{
    struct world *world = arg;
    for (int i = 1; world->rings > 0; i++, world->rings--) {
        int rc = nido_event_wait(&world->tick);
        if (rc < 0) return rc;
        nido_event_reset(&world->tick);
        nido_sleep(NIDO_MS(1)); /* nido's own timers work as ever */
        printf("ring %d\n", i);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s RINGS\n", argv[0]);
        return 2;
    }
    struct world world = {.rings = atoi(argv[1])};
    uv_loop_t *loop = uv_default_loop();
    nido_event_init(&world.tick, "tick");
    int rc = nido_rt_new(NULL, &world.rt);
    if (rc == 0) rc = nido_rt_start(world.rt, listen_to_bells, &world);
    if (rc < 0) {
        fprintf(stderr, "%s: %s\n", argv[0], nido_strerror(rc));
        return 1;
    }
    uv_poll_init(loop, &world.news, nido_rt_fd(world.rt));
    uv_timer_init(loop, &world.due);
    uv_timer_init(loop, &world.ringer);
    world.news.data = world.due.data = world.ringer.data = &world;
    uv_poll_start(&world.news, UV_READABLE, on_news);
    uv_timer_start(&world.ringer, ring, 1, 1);
    arm(&world); /* the first step is due at once */
    uv_run(loop, UV_RUN_DEFAULT);
    uv_loop_close(loop);
    nido_rt_free(world.rt);
    return nido_exit_status(world.result);
}
