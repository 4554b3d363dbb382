/* SPDX-License-Identifier: MIT */
/* Child processes, swept: whoever is struck, no child is left behind, dead or alive. */
#include <signal.h>
#include <string.h>

#include "nido/proc.h"
#include "sweep_help.h"

/* ---- A program that has one of each ---- */

static struct {
    nido_mutex mutex;
    nido_chan *chan;
    nido_event served;
    int pipe[2];
} shared;

static int use_mutex_and_channel(void)
{
    int rc = nido_mutex_lock(&shared.mutex), item = 7;

    if (rc) return rc;
    rc = nido_write_all(shared.pipe[1], "x", 1, NULL);
    LAW(nido_mutex_unlock(&shared.mutex) == 0);
    return rc ? rc : nido_chan_send(shared.chan, &item);
}

static void close_pipe(int end)
{
    if (shared.pipe[end] >= 0) nido_close(shared.pipe[end]);
    shared.pipe[end] = -1;
}

/* A task that was struck alone takes nobody along: it says by what it closes that it is gone. */
static int produce(void *unused)
{
    int rc = use_mutex_and_channel();

    (void)unused;
    close_pipe(1);
    nido_chan_close_send(shared.chan);
    return rc == -EPIPE ? 0 : rc;
}

static int take_byte_and_item(void)
{
    int rc, item = 0;
    char byte;

    rc = nido_read_full(shared.pipe[0], &byte, 1, NULL);
    if (!rc) rc = nido_mutex_lock(&shared.mutex);
    if (rc) return rc;
    rc = nido_chan_recv(shared.chan, &item);
    LAW(nido_mutex_unlock(&shared.mutex) == 0);
    LAW(item == (rc ? 0 : 7));
    return rc;
}

static int consume(void *unused)
{
    int rc = take_byte_and_item();

    (void)unused;
    nido_chan_close_recv(shared.chan);
    nido_event_set(&shared.served);
    return rc == -EPIPE ? 0 : rc;
}

/* Reads what nobody writes: nothing but its stop ends it. */
static int spawn_cat(nido_proc *child)
{
    char *argv[] = {(char *)"cat", NULL};
    nido_proc_options options;

    nido_proc_options_init(&options);
    options.argv = argv;
    options.in.kind = NIDO_STDIO_PIPE;
    options.out.kind = NIDO_STDIO_NULL;
    return nido_proc_spawn(child, &options);
}

/* The others begin when the child runs: while it is being started nothing else goes on, and each
 * run goes the same way. */
static int keep_child(void *unused)
{
    nido_proc_status status = {.code = -2};
    nido_proc child;
    int rc = spawn_cat(&child);

    (void)unused;
    if (rc) return rc;
    rc = nido_started(1);
    if (!rc) rc = nido_event_wait(&shared.served);
    LAW(nido_proc_stop(&child, &status) == 0);
    /* A stop that is struck kills at once, and which signal is first is the kernel's to say. */
    LAW(status.signal == SIGTERM || status.signal == SIGKILL || status.code == 0);
    LAW(nido_proc_release(&child) == 0);
    return rc;
}

static int work_together(void *unused)
{
    nido_group group;
    int rc;

    nido_group_open(&group, NIDO_FAIL_FAST, "together");
    rc = nido_start(&group, keep_child, unused, NULL);
    if (rc == 0) rc = nido_spawn(&group, consume, unused);
    if (rc == 0) rc = nido_spawn(&group, produce, unused);
    return nido_group_close(&group, rc == -EPROTO ? 0 : rc); /* the child alone was struck */
}

static int use_one_of_each(void *unused)
{
    int rc = nido_pipe(shared.pipe);

    if (rc) return rc;
    nido_mutex_init(&shared.mutex, "everybody's");
    nido_event_init(&shared.served, "served");
    rc = nido_chan_new(sizeof(int), 0, NULL, NULL, &shared.chan);
    if (!rc) {
        rc = work_together(unused);
        LAW(nido_chan_free(shared.chan) == 0);
    }
    LAW(nido_mutex_deinit(&shared.mutex) == 0);
    LAW(nido_event_deinit(&shared.served) == 0);
    close_pipe(0);
    close_pipe(1);
    return rc;
}

/* S110 */
NIDO_TEST(swept, a_program_with_lock_channel_descriptor_and_child_leaks_nothing)
{
    cr_expect(eq(int, sweep_every_way("use_one_of_each", use_one_of_each, 0), 0));
}

/* ---- Waiting for the end of a child ---- */

static nido_proc cat;

static int wait_for_cat(void *unused)
{
    nido_proc_status status = {.code = -2};
    nido_scope scope;
    int rc;

    (void)unused;
    ALONE(scope, rc, nido_proc_wait(&cat, &status));
    LAW((rc == 0) == (status.code == 0));
    return unless_struck(rc);
}

static int select_cat(void *unused)
{
    nido_scope scope;
    nido_arm arm;
    int rc;

    (void)unused;
    nido_arm_proc(&arm, &cat);
    ALONE(scope, rc, nido_select(&arm, 1, 0));
    return unless_struck(rc);
}

/* Its input ends when everybody waits. */
static int end_input(void *unused)
{
    int rc = nido_test_wait_all_parked();

    (void)unused;
    nido_close(nido_proc_take(&cat, 0));
    return rc;
}

static int see_cat_off(void *unused)
{
    int rc = spawn_cat(&cat);

    if (rc) return rc;
    rc = TOGETHER(unused, wait_for_cat, select_cat, end_input, wait_for_cat);
    LAW(nido_proc_stop(&cat, NULL) == 0);
    LAW(nido_proc_release(&cat) == 0);
    return rc;
}
SWEPT_LOOSELY(everybody_hears_of_the_end_of_a_child, see_cat_off)

/* ---- From its start to its end ---- */

static int run_program(const char *program, const char *input)
{
    char *argv[] = {(char *)program, NULL};
    nido_proc_options options;
    nido_proc_result result;
    nido_scope scope;
    int rc;

    nido_proc_options_init(&options);
    options.argv = argv;
    ALONE(scope, rc, nido_proc_run(&options, input, input ? strlen(input) : 0, &result));
    if (!rc && input) LAW(result.status.code != 0 || !strcmp(result.out, input));
    nido_proc_result_free(&result);
    return unless_struck(rc);
}

static int run_true(void *unused)
{
    (void)unused;
    return run_program("true", NULL);
}
SWEPT_LOOSELY(a_program_that_is_run_is_gone_afterwards, run_true)

/* More than a pipe takes, so that feeding and collecting wait for each other. */
static int run_cat(void *unused)
{
    static char input[100001];

    (void)unused;
    memset(input, 'x', sizeof input - 1);
    return run_program("cat", input);
}
SWEPT_LOOSELY(a_program_is_fed_and_listened_to, run_cat)
