/* SPDX-License-Identifier: MIT */
/* Code that waits by itself and stops only when its own function is called: a task calls that, once, when
 * the scope is cancelled or its deadline has passed. */
#include <errno.h>
#include <nido.h>
#include <stdio.h>
#include <unistd.h>

struct machine { /* of a library that knows no cancel */
    int ends[2];
    nido_event done;
};

static ssize_t machine_run(void *arg) /* on a worker */
{
    struct machine *machine = arg;
    char order;
    ssize_t n = read(machine->ends[0], &order, 1);
    return n < 0 ? -errno : n == 1 && order == 's' ? -EINTR : 0;
}

static void machine_order(struct machine *machine, char order)
{
    if (write(machine->ends[1], &order, 1) != 1) perror("write");
}

static int stop_when_cancelled(void *arg)
{
    struct machine *machine = arg;
    int rc = nido_event_wait(&machine->done); /* or a cancel */
    if (!nido_event_is_set(&machine->done)) machine_order(machine, 's');
    return rc;
}

static int use(void *arg)
{
    struct machine *machine = arg;
    nido_group group;
    nido_event_init(&machine->done, "machine");
    nido_group_open(&group, NIDO_FAIL_FAST, "machine");
    int rc = nido_spawn(&group, stop_when_cancelled, machine);
    if (rc == 0) {
        rc = (int)nido_offload(machine_run, machine);
        printf("the machine: %s\n", nido_strerror(rc));
    }
    nido_event_set(&machine->done); /* from here on nothing is called */
    return nido_group_close(&group, rc == -EINTR ? nido_check() : rc);
}

static int app(void *unused)
{
    struct machine machine;
    (void)unused;
    if (pipe(machine.ends) < 0) return -errno;
    printf("with a limit: %s\n", nido_strerror(nido_with_timeout(NIDO_MS(10), use, &machine)));
    machine_order(&machine, 'e');
    printf("that ends: %s\n", nido_strerror(nido_with_timeout(NIDO_SEC(60), use, &machine)));
    close(machine.ends[0]);
    close(machine.ends[1]);
    return 0;
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, NULL));
}
/* prints:
 * the machine: EINTR: interrupted, or shut down from outside
 * with a limit: ETIMEDOUT: the deadline of a scope has passed, or the network timed out
 * the machine: OK
 * that ends: OK
 */
