/* SPDX-License-Identifier: MIT */
/* phaser: an object of one's own, made of nido/lowlevel.h: a barrier whose parties come and go.
 *
 * After Java's java.util.concurrent.Phaser: a task that registers is one of the parties; a phase
 * ends when all have arrived; who deregisters arrives too, and is no party of the next phase. A
 * call that is cancelled while it waits takes its arrival back, so its task can still deregister,
 * and nobody waits for it for ever. The end of a phase can be one of the arms of a nido_select.
 *
 * Here each worker stays for one phase more than the one before it, and a watcher, no party,
 * prints how many there are.
 *
 *     ./example_phaser WORKERS
 *     ./example_phaser 3
 */
#include <errno.h>
#include <nido.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- The object ---- */

struct phaser {
    nido_waitq queue; /* first: a pointer to it is one to the phaser */
    unsigned phase;   /* from 0 */
    unsigned parties;
    unsigned missing; /* parties that have not arrived in this phase */
};

/* The item of a wait is the number of the phase whose end it waits for. */
static int phaser_attempt(nido_waitq *queue, void *item)
{
    const struct phaser *phaser = (const struct phaser *)queue;
    const unsigned *phase = item;
    return phaser->phase == *phase ? -EAGAIN : 0;
}

static const nido_wait_kind phaser_kind = {.name = "phaser", .attempt = phaser_attempt};

static void phaser_init(struct phaser *phaser, const char *name)
{
    *phaser = (struct phaser){.phase = 0};
    nido_waitq_init(&phaser->queue, &phaser_kind, name);
}

/* 0; -EBUSY: it has parties, or tasks wait. */
static int phaser_deinit(struct phaser *phaser)
{
    return phaser->parties || phaser->missing ? -EBUSY : nido_waitq_deinit(&phaser->queue);
}

static void phaser_end_phase(struct phaser *phaser)
{
    phaser->phase++;
    phaser->missing = phaser->parties;
    nido_waitq_wake_all(&phaser->queue, 0);
}

/* One more party, of this phase already. 0; -EXDEV, -EPERM: see nido_waitq_use. */
static int phaser_register(struct phaser *phaser)
{
    int err = nido_waitq_use(&phaser->queue, false);
    if (err) return err;
    phaser->parties++;
    phaser->missing++;
    return 0;
}

/* A party arrives and does not wait. 0; -EINVAL: all have arrived; -EXDEV, -EPERM. */
static int phaser_arrive(struct phaser *phaser)
{
    int err = nido_waitq_use(&phaser->queue, false);
    if (err) return err;
    if (phaser->missing == 0) return -EINVAL;
    if (--phaser->missing == 0) phaser_end_phase(phaser);
    return 0;
}

/* The same, and it is a party no longer. */
static int phaser_deregister(struct phaser *phaser)
{
    int err = nido_waitq_use(&phaser->queue, false);
    if (err) return err;
    if (phaser->missing == 0) return -EINVAL;
    phaser->parties--;
    if (--phaser->missing == 0) phaser_end_phase(phaser);
    return 0;
}

/* A party arrives and waits for the end of the phase. Cancellation point. 0; -ECANCELED: it has not
 * arrived; -EINVAL: all have; -EXDEV. */
static int phaser_arrive_and_await(struct phaser *phaser)
{
    unsigned phase = phaser->phase;
    int rc = nido_check();
    if (rc == 0) rc = phaser_arrive(phaser);
    if (rc < 0) return rc;
    rc = nido_waitq_wait(&phaser->queue, &phase);
    if (phaser->phase != phase) return 0; /* it ended, and the arrival has counted */
    phaser->missing++;
    return rc;
}

/* An arm of nido_select: the phase *phase ends. */
static void phaser_arm(nido_arm *arm, struct phaser *phaser, unsigned *phase)
{
    nido_arm_waitq(arm, &phaser->queue, phase);
}

/* ---- Its use ---- */

struct worker {
    struct phaser *phaser;
    unsigned phases; /* for how many it stays */
};

static int work(void *arg)
{
    struct worker *worker = arg;
    int rc = 0;
    for (unsigned i = 1; rc == 0; i++) {
        rc = nido_sleep(NIDO_MS(worker->phases));
        if (i == worker->phases) break;
        if (rc == 0) rc = phaser_arrive_and_await(worker->phaser);
    }
    phaser_deregister(worker->phaser); /* cancelled or not: the others do not wait for it */
    return rc;
}

static int watch(void *arg)
{
    struct phaser *phaser = arg;
    int rc = 0;
    while (rc == 0 && phaser->parties > 0) {
        unsigned phase = phaser->phase, parties = phaser->parties;
        nido_arm arms[2];
        phaser_arm(&arms[0], phaser, &phase);
        nido_arm_timer(&arms[1], nido_after(NIDO_SEC(60)));
        rc = nido_select(arms, 2, 0);
        if (rc == 0) printf("phase %u: %u of them\n", phase, parties);
        if (rc == 1) rc = nido_fail(-ETIMEDOUT, "phase %u has not ended for a minute", phase);
    }
    return rc;
}

static int run(void *arg)
{
    struct worker workers[100];
    struct phaser phaser;
    nido_group group;
    unsigned n = *(unsigned *)arg;
    int rc = 0;
    phaser_init(&phaser, "work");
    nido_group_open(&group, NIDO_FAIL_FAST, "parties");
    for (unsigned i = 0; i < n && rc == 0; i++) {
        workers[i] = (struct worker){&phaser, i + 1};
        rc = phaser_register(&phaser);
        if (rc < 0) break;
        rc = nido_spawn(&group, work, &workers[i]);
        if (rc < 0) phaser_deregister(&phaser);
    }
    if (rc == 0) rc = nido_spawn(&group, watch, &phaser);
    rc = nido_group_close(&group, rc);
    return phaser_deinit(&phaser) ? nido_fail(-EBUSY, "the phaser is in use") : rc;
}

int main(int argc, char **argv)
{
    unsigned long n = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
    unsigned workers = (unsigned)n;
    if (n < 1 || n > 100) {
        fprintf(stderr, "usage: %s WORKERS (1 to 100)\n", argv[0]);
        return 2;
    }
    return nido_exit_status(nido_run(run, &workers, NULL));
}
