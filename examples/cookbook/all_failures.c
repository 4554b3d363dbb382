/* SPDX-License-Identifier: MIT */
/* Every task runs to its end, and all failures are collected: NIDO_WAIT_ALL. The group's error holds the
 * first of them, and the others behind it. */
#include <errno.h>
#include <nido.h>
#include <stdio.h>

static int check(void *disk)
{
    int number = *(int *)disk;
    int rc = nido_sleep(NIDO_MS(number));
    if (rc == 0 && number % 2 == 1) rc = nido_fail(-EIO, "disk %d is bad", number);
    return rc;
}

static int app(void *unused)
{
    int disks[] = {1, 2, 3, 4, 5}, rc = 0;
    nido_group group;
    (void)unused;
    nido_group_open(&group, NIDO_WAIT_ALL, "disks");
    for (int i = 0; i < 5 && rc == 0; i++) rc = nido_spawn(&group, check, &disks[i]);
    rc = nido_group_close(&group, rc);

    const nido_error *all = nido_error_last();
    printf("%s\n", nido_error_text(all));
    for (size_t i = 0; i < nido_error_suppressed_count(all); i++)
        printf("%s\n", nido_error_text(nido_error_suppressed(all, i)));
    return rc == -EIO ? 0 : rc;
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, &NIDO_OPTIONS(.clock = NIDO_CLOCK_VIRTUAL)));
}
/* prints:
 * disk 1 is bad
 * disk 3 is bad
 * disk 5 is bad
 */
