/* SPDX-License-Identifier: MIT */
/* Why was it cancelled? A cancel has a code and a reason; its reason is made at run time here, beside the
 * scope. A failure that cancels the others brings its error object to the close of the group. */
#include <errno.h>
#include <nido.h>
#include <stdio.h>

static int tell_why(void *unused)
{
    nido_cause cause;
    (void)unused;
    int rc = nido_sleep(NIDO_NEVER);
    nido_cancel_cause(&cause);
    printf("cancelled: %s\n", cause.reason[0] ? cause.reason : nido_strerror(cause.code));
    return rc;
}

static int by_hand(void)
{
    char reason[64]; /* lives as long as the group */
    nido_group group;
    nido_group_open(&group, NIDO_FAIL_FAST, "readers");
    int rc = nido_spawn(&group, tell_why, NULL);
    if (rc == 0) rc = nido_yield();
    snprintf(reason, sizeof reason, "disk %d is full", 3);
    nido_group_cancel(&group, -ENOSPC, reason);
    return nido_group_close(&group, rc);
}

static int fails(void *disk)
{
    return nido_fail(-EIO, "disk %d does not answer", *(int *)disk);
}

static int by_a_failure(void)
{
    int disk = 4;
    nido_group group;
    nido_group_open(&group, NIDO_FAIL_FAST, "readers");
    int rc = nido_spawn(&group, tell_why, NULL);
    if (rc == 0) rc = nido_spawn(&group, fails, &disk);
    rc = nido_group_close(&group, rc);
    printf("failed: %s\n", nido_error_text(nido_error_last()));
    return rc;
}

static int app(void *unused)
{
    (void)unused;
    printf("%s\n", nido_strerror(by_hand()));
    printf("%s\n", nido_strerror(by_a_failure()));
    return 0;
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, &NIDO_OPTIONS(.clock = NIDO_CLOCK_VIRTUAL)));
}
/* prints:
 * cancelled: disk 3 is full
 * ENOSPC: no space left
 * cancelled: a member of the group failed
 * failed: disk 4 does not answer
 * EIO: input/output error
 */
