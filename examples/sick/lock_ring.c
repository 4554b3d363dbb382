/* SPDX-License-Identifier: MIT */
/* sick/lock_ring: two tasks take two locks in opposite orders.
 *
 * Each holds the lock that the other one wants. The second wish closes the ring; it is refused with -EDEADLK and a text
 * that names both tasks and both locks. The cure: one order for all.
 *
 *     ./sick_lock_ring             ./sick_lock_ring cured
 */
#include <nido.h>
#include <stdbool.h>
#include <stdio.h>

static bool cured;

static nido_mutex accounts, journal;

static int lock_both(nido_mutex *first, nido_mutex *second)
{
    int rc = nido_mutex_lock(first);
    if (rc < 0) return rc;
    rc = nido_yield(); /* another task runs here: a read, a sleep */
    if (rc == 0) rc = nido_mutex_lock(second);
    if (rc == 0) nido_mutex_unlock(second);
    nido_mutex_unlock(first);
    return rc;
}

static int transfer(void *unused)
{
    (void)unused;
    nido_set_name("transfer");
    return lock_both(&accounts, &journal);
}

static int report(void *unused)
{
    (void)unused;
    nido_set_name("report");
    return cured ? lock_both(&accounts, &journal) : lock_both(&journal, &accounts); /* the fault */
}

static int app(void *unused)
{
    nido_group clerks;
    nido_mutex_init(&accounts, "accounts");
    nido_mutex_init(&journal, "journal");
    nido_group_open(&clerks, NIDO_FAIL_FAST, "clerks");
    int rc = nido_spawn(&clerks, transfer, unused);
    if (rc == 0) rc = nido_spawn(&clerks, report, unused);
    return nido_group_close(&clerks, rc);
}

int main(int argc, char **argv)
{
    (void)argv;
    cured = argc > 1;
    int rc = nido_run(app, NULL, NULL);
    if (rc < 0) fprintf(stderr, "lock_ring: %s\n", nido_strerror(rc));
    return nido_exit_status(rc);
}
