#include <pthread.h>
#include <unistd.h>

#include "faults.h"
#include "inside_help.h"

/* ---- A job that waits for the test ---- */

struct gate {
    int pipe[2]; /* open: a byte lets one job pass */
    int started; /* pipe end: a byte for each job that has begun */
    int start[2];
    int runs;
};

static void gate_open(struct gate *gate)
{
    *gate = (struct gate){0};
    cr_assert(eq(int, pipe(gate->pipe), 0));
    cr_assert(eq(int, pipe(gate->start), 0));
}

static void gate_close(struct gate *gate)
{
    for (int i = 0; i < 2; i++) {
        close(gate->pipe[i]);
        close(gate->start[i]);
    }
}

static ssize_t pass(void *arg)
{
    struct gate *gate = arg;
    char byte = 0;

    gate->runs++;
    if (write(gate->start[1], "s", 1) != 1 || read(gate->pipe[0], &byte, 1) != 1) return -EIO;
    return byte;
}

static void await_start(struct gate *gate)
{
    char byte;

    cr_expect(eq(int, (int)nido_read(gate->start[0], &byte, 1), 1));
}

static void let_pass(struct gate *gate, char byte)
{
    cr_assert(eq(int, (int)write(gate->pipe[1], &byte, 1), 1));
}

static ssize_t count(void *arg)
{
    return ++*(int *)arg;
}

INSIDE(offload, a_job_runs_on_a_worker_and_its_result_comes_back)
{
    int n = 6;

    cr_expect(eq(int, (int)nido_offload(count, &n), 7));
    cr_expect(eq(int, n, 7));
}

static int pass_task(void *arg)
{
    return (int)nido_offload(pass, arg);
}

/* S305 */
INSIDE(offload, a_running_job_is_waited_for_by_a_cancelled_caller)
{
    struct gate gate;
    nido_group group;

    gate_open(&gate);
    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    begin(&group, pass_task, &gate);
    await_start(&gate);
    nido_group_cancel(&group, -ETIME, "enough");
    let_pass(&gate, 42);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    gate_close(&gate);
}
