/* SPDX-License-Identifier: MIT */
/* deadlock: what nido says when nothing can ever wake a program again.
 *
 * The producer waits until the buffer is empty, the consumer until it is filled, and neither event is
 * set by any other task. nido lists the tasks, what each waits for and where it was spawned, and
 * cancels the root with -EDEADLK. The cure is one line: nido_event_set(&emptied) before the spawns.
 *
 *     ./example_deadlock
 */
#include <nido.h>
#include <stdio.h>

static nido_event filled, emptied;

static int produce(void *unused)
{
    (void)unused;
    int rc = nido_event_wait(&emptied);
    return rc < 0 ? rc : nido_event_set(&filled);
}

static int consume(void *unused)
{
    (void)unused;
    int rc = nido_event_wait(&filled);
    return rc < 0 ? rc : nido_event_set(&emptied);
}

static int app(void *unused)
{
    nido_group stages;
    nido_spawn_options options;
    nido_spawn_options_init(&options);
    nido_event_init(&filled, "filled");
    nido_event_init(&emptied, "emptied");
    nido_group_open(&stages, NIDO_FAIL_FAST, "stages");
    options.name = "producer";
    int rc = nido_spawn_with(&stages, produce, unused, &options, NULL);
    options.name = "consumer";
    if (rc == 0) rc = nido_spawn_with(&stages, consume, unused, &options, NULL);
    return nido_group_close(&stages, rc);
}

int main(void)
{
    int rc = nido_run(app, NULL, NULL);
    if (rc < 0) fprintf(stderr, "deadlock: %s\n", nido_strerror(rc));
    return nido_exit_status(rc);
}
