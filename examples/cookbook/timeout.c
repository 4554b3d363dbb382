/* SPDX-License-Identifier: MIT */
/* A limit of time around anything: one call, several calls, a loop; and, on a worker, a call that blocks
 * and knows of no cancel. */
#include <errno.h>
#include <nido.h>
#include <nido/sugar.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static ssize_t block(void *fd) /* any call that blocks */
{
    char byte;
    return read(*(int *)fd, &byte, 1);
}

static void drop(void *unused, void *fd, int result) /* when it returns after all */
{
    (void)unused, (void)result;
    close(*(int *)fd);
    free(fd);
}

static int app(void *unused)
{
    nido_scope limit;
    int rc = 0, ends[2], *fd = malloc(sizeof *fd);
    (void)unused;
    if (!fd || pipe(ends) < 0) return free(fd), -ENOMEM;

    nido_timeout_open(&limit, NIDO_MS(25)); /* around several calls */
    while (rc == 0) rc = nido_sleep(NIDO_MS(1));
    rc = nido_scope_close(&limit, rc);
    printf("the loop: %s\n", nido_strerror(rc));

    *fd = ends[0];
    rc = (int)NIDO_TIMEOUT(NIDO_MS(25), nido_offload_abandon(block, fd, drop, NULL));
    printf("the call that blocks: %s\n", nido_strerror(rc));
    if (rc >= 0) drop(NULL, fd, rc); /* in time: it is ours again */
    close(ends[1]);                  /* ends the call that was abandoned */
    return rc == -ETIMEDOUT ? 0 : rc;
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, NULL));
}
/* prints:
 * the loop: ETIMEDOUT: the deadline of a scope has passed, or the network timed out
 * the call that blocks: ETIMEDOUT: the deadline of a scope has passed, or the network timed out
 */
