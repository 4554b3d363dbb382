/* SPDX-License-Identifier: MIT */
/* The first failure cancels the rest: that is what NIDO_FAIL_FAST says. The close waits until all have
 * cleaned up, and returns that failure with its text. */
#include <errno.h>
#include <nido.h>
#include <stdio.h>

static int copy(void *disk)
{
    int number = *(int *)disk;
    int rc = nido_sleep(NIDO_MS(10 * number));
    if (rc == 0 && number == 2) return nido_fail(-EIO, "disk %d does not answer", number);
    printf("disk %d: %s\n", number, rc < 0 ? "cancelled, its half copy removed" : "copied");
    return rc;
}

static int app(void *unused)
{
    int disks[] = {1, 2, 3, 4}, rc = 0;
    nido_group group;
    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, "disks");
    for (int i = 0; i < 4 && rc == 0; i++) rc = nido_spawn(&group, copy, &disks[i]);
    rc = nido_group_close(&group, rc);
    printf("failed: %s\n", nido_error_text(nido_error_last()));
    return rc == -EIO ? 0 : rc;
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, &NIDO_OPTIONS(.clock = NIDO_CLOCK_VIRTUAL)));
}
/* prints:
 * disk 1: copied
 * disk 3: cancelled, its half copy removed
 * disk 4: cancelled, its half copy removed
 * failed: disk 2 does not answer
 */
