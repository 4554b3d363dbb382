/* SPDX-License-Identifier: MIT */
/* A supervisor: a job that fails begins anew, after a pause, up to three times. Each life has a group
 * of its own, so nothing of a failed life is left when the next one begins. */
#include <errno.h>
#include <nido.h>
#include <stdio.h>

static int helper(void *unused)
{
    (void)unused;
    int rc = nido_sleep(NIDO_NEVER);
    printf("  the helper ends\n");
    return rc;
}

static int job(nido_group *group, void *arg)
{
    int *life = arg;
    int rc = nido_spawn(group, helper, NULL);
    if (rc == 0) rc = nido_sleep(NIDO_MS(10));
    if (rc < 0) return rc;
    if (++*life < 3) return -EIO;
    return nido_group_cancel(group, 0, "done");
}

static int supervise(void *arg)
{
    for (int restarts = 0;; restarts++) {
        int rc = nido_with_group(NIDO_FAIL_FAST, job, arg);
        printf("life %d: %s\n", restarts + 1, rc < 0 ? nido_strerror(rc) : "done");
        if (rc >= 0 || rc == -ECANCELED || restarts == 3) return rc;
        rc = nido_sleep(NIDO_MS(100) << restarts);
        if (rc < 0) return rc;
    }
}

int main(void)
{
    int life = 0;
    return nido_exit_status(nido_run(supervise, &life, &NIDO_OPTIONS(.clock = NIDO_CLOCK_VIRTUAL)));
}
/* prints:
 *   the helper ends
 * life 1: EIO: input/output error
 *   the helper ends
 * life 2: EIO: input/output error
 *   the helper ends
 * life 3: done
 */
