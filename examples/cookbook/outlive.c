/* SPDX-License-Identifier: MIT */
/* Tasks that belong to the program and not to their caller: a group around everything, which every task
 * below finds as a value. */
#include <nido.h>
#include <stdio.h>

static const nido_value_key background = NIDO_VALUE_KEY_INIT("background", 0);

static int write_statistics(void *request)
{
    int rc = nido_sleep(NIDO_SEC(1));
    printf("statistics of %s: %s\n", (char *)request, nido_strerror(rc));
    return rc;
}

static int handle(void *request)
{
    nido_group *group = nido_value_get(&background);
    printf("%s\n", (char *)request);
    return nido_spawn(group, write_statistics, request); /* the answer does not wait for it */
}

static int serve(void) /* knows nothing of the group */
{
    nido_group group;
    nido_group_open(&group, NIDO_FAIL_FAST, "requests");
    int rc = nido_spawn(&group, handle, "request 1");
    if (rc == 0) rc = nido_spawn(&group, handle, "request 2");
    rc = nido_group_close(&group, rc);
    printf("served\n");
    return rc;
}

static int app(void *unused)
{
    nido_group group;
    nido_value value;
    (void)unused;
    nido_group_open(&group, NIDO_WAIT_ALL, "background");
    nido_value_open(&value, &background, &group);
    int rc = serve();
    nido_value_close(&value);
    return nido_group_close(&group, rc);
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, &NIDO_OPTIONS(.clock = NIDO_CLOCK_VIRTUAL)));
}
/* prints:
 * request 1
 * request 2
 * served
 * statistics of request 1: OK
 * statistics of request 2: OK
 */
