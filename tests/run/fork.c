/* SPDX-License-Identifier: MIT */
/* fork() in a program with a runtime. Children report by their exit status: no assertion of theirs
 * would be heard. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abort_help.h"
#include "faults.h"
#include "inside_help.h"

/* Runs fn in a forked child; its exit status, or -signal. */
static int in_child(int (*fn)(void *), void *arg)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) _exit(fn(arg));
    cr_expect(eq(int, waitpid(child, &status, 0), child));
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

#define SAY(number, condition) \
    if (!(condition)) return number

struct world {
    nido_rt *rt;
    nido_event event;
    int ends[2];
};

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int call_everything(void *arg)
{
    struct world *world = arg;
    nido_group group;
    char byte;

    SAY(1, nido_sleep(1) == -EPERM);
    SAY(2, nido_event_wait(&world->event) == -EPERM);
    SAY(3, nido_read(world->ends[0], &byte, 1) == -EPERM);
    SAY(4, nido_post(world->rt, do_nothing, NULL) == -EPERM);
    SAY(5, nido_rt_shutdown(world->rt, "no") == -EPERM);
    SAY(6, nido_run(do_nothing, NULL, NULL) == -EPERM);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    SAY(7, nido_spawn(&group, do_nothing, NULL) == -EPERM);
    SAY(8, nido_group_close(&group, 0) == -EPERM);
    SAY(9, nido_rt_self() == NULL);
    SAY(10, nido_offload(NULL, NULL) < 0);
    return 0;
}

static int read_a_byte(void *arg)
{
    char byte = 0;

    cr_expect(eq(int, (int)nido_read(((struct world *)arg)->ends[0], &byte, 1), 1));
    return byte == 'x' ? 0 : -EIO;
}

static void open_world(struct world *world)
{
    world->rt = nido_rt_self();
    nido_event_init(&world->event, NULL);
    cr_expect(eq(int, nido_pipe(world->ends), 0));
}

static void close_world(struct world *world)
{
    nido_rt_release(world->rt);
    nido_close(world->ends[0]);
    nido_close(world->ends[1]);
}

/* S361 */
INSIDE(fork, in_the_child_calls_are_refused_and_the_parent_goes_on)
{
    struct world world;
    nido_group group;

    open_world(&world);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, read_a_byte, &world);
    nido_yield(); /* it waits for the pipe now */
    cr_expect(eq(int, in_child(call_everything, &world), 0));
    cr_expect(eq(int, nido_write_all(world.ends[1], "x", 1, NULL), 0));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    close_world(&world);
}

static int run_its_own(void *arg)
{
    struct world *world = arg;
    int own[2];
    char byte = 0;

    (void)world;
    SAY(21, nido_pipe(own) == 0);
    SAY(22, nido_write_all(own[1], "y", 1, NULL) == 0);
    SAY(23, nido_read(own[0], &byte, 1) == 1 && byte == 'y');
    SAY(24, nido_sleep(NIDO_MS(1)) == 0);
    return 0;
}

static int reset_and_run(void *arg)
{
    SAY(31, nido_after_fork_reset() == 0);
    SAY(32, nido_after_fork_reset() == -EINVAL);
    return nido_run(run_its_own, arg, NULL);
}

/* S362 */
INSIDE(fork, the_child_can_reset_and_run_its_own_while_the_parent_keeps_its_descriptors)
{
    struct world world;
    nido_group group;

    open_world(&world);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, read_a_byte, &world);
    nido_yield();
    cr_expect(eq(int, nido_after_fork_reset(), -EINVAL), "this is the parent");
    cr_expect(eq(int, in_child(reset_and_run, &world), 0));
    cr_expect(eq(int, nido_write_all(world.ends[1], "x", 1, NULL), 0));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    close_world(&world);
}

static int raise_interrupt(void *arg)
{
    (void)arg;
    raise(SIGUSR1);
    return 0;
}

INSIDE(fork, in_the_child_signals_do_what_they_did_before)
{
    nido_signal receiver;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    cr_expect(eq(int, nido_signal_open(&receiver, &set), 0));
    cr_expect(eq(int, in_child(raise_interrupt, NULL), -SIGUSR1));
    cr_expect(eq(int, nido_signal_try(&receiver), -EAGAIN));
    raise(SIGUSR1);
    cr_expect(eq(int, nido_signal_wait(&receiver), SIGUSR1));
    nido_signal_close(&receiver);
}

static ssize_t fork_in_a_job(void *arg)
{
    int status = 0;
    pid_t child = fork();

    (void)arg;
    if (child == 0) _exit(nido_call_in_loop(do_nothing, NULL) == -EPERM ? 0 : 1);
    return waitpid(child, &status, 0) == child ? status : -1;
}

INSIDE(fork, a_job_that_forks_is_no_job_in_the_child)
{
    cr_expect(eq(int, (int)nido_offload(fork_in_a_job, NULL), 0));
}

static int fork_and_return(void *arg)
{
    int status;
    pid_t child = fork();

    (void)arg;
    if (child == 0) return 0;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : 0;
}

NIDO_TEST(fork, a_task_that_returns_in_the_child_ends_it_with_a_sentence)
{
    cr_expect(eq(int, nido_run(fork_and_return, NULL, NULL), -SIGABRT));
}
