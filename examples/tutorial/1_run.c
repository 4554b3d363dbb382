/* SPDX-License-Identifier: MIT */
/* Step 1: a run and its first task. */
#include <nido.h>
#include <stdio.h>

static int hello(void *name)
{
    printf("hello, %s\n", (char *)name);
    int rc = nido_sleep(NIDO_MS(50)); /* parks this task, not the thread */
    if (rc < 0) return rc;
    printf("good-bye, %s\n", (char *)name);
    return 0;
}

int main(void)
{
    int rc = nido_run(hello, "ada", NULL); /* NULL: default options */
    return nido_exit_status(rc);
}
/* prints:
 * hello, ada
 * good-bye, ada
 */
