/* SPDX-License-Identifier: MIT */
/* Step 3: a failure cancels the rest, and so does a timeout. */
#include <errno.h>
#include <nido.h>
#include <stdio.h>

static int wait_long(void *name)
{
    int rc = nido_sleep(NIDO_SEC(3600));
    printf("%s: %s\n", (char *)name, nido_strerror(rc)); /* clean up here */
    return rc;
}

static int fail(void *unused)
{
    (void)unused;
    int rc = nido_sleep(NIDO_MS(20));
    return rc < 0 ? rc : nido_fail(-EIO, "the disk is full of sand");
}

static int two(void *second) /* two tasks: one that waits long, and the one given */
{
    nido_group group;
    nido_group_open(&group, NIDO_FAIL_FAST, "two");
    int rc = nido_spawn(&group, wait_long, "ada");
    if (rc == 0) rc = nido_spawn(&group, second ? fail : wait_long, "grace");
    return nido_group_close(&group, rc);
}

static int app(void *unused)
{
    (void)unused;
    int rc = two("fail");
    printf("failure: %s\n", nido_error_text(nido_error_last()));
    if (rc != -EIO) return rc;

    rc = nido_with_timeout(NIDO_MS(50), two, NULL);
    printf("timeout: %s\n", nido_strerror(rc));
    return rc == -ETIMEDOUT ? 0 : rc;
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, NULL));
}
/* prints:
 * ada: ECANCELED: cancelled by an enclosing scope
 * failure: the disk is full of sand
 * ada: ECANCELED: cancelled by an enclosing scope
 * grace: ECANCELED: cancelled by an enclosing scope
 * timeout: ETIMEDOUT: the deadline of a scope has passed, or the network timed out
 */
