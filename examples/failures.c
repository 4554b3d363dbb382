/* SPDX-License-Identifier: MIT */
/* failures: several failures at once, and the tree that they make.
 *
 * The members of a NIDO_WAIT_ALL group do not disturb each other: all of them run to their ends, and
 * the close gives the first failure. The others are not lost: the error keeps them, in order of
 * completion, and a group inside a group is a branch of the tree. The root's error is printed.
 *
 *     ./example_failures
 */
#include <errno.h>
#include <nido.h>
#include <stdio.h>
#include <string.h>

static int spawn_named(nido_group *group, nido_fn *fn, char *name)
{
    nido_spawn_options options;
    nido_spawn_options_init(&options);
    options.name = name;
    return nido_spawn_with(group, fn, name, &options, NULL);
}

static int send_mail(void *unused)
{
    (void)unused;
    return nido_fail(-ECONNREFUSED, "mail server");
}

static int check_disk(void *name)
{
    if (strcmp(name, "disk 1") == 0) return 0;
    return nido_fail(-EIO, "%s does not answer", (char *)name);
}

static int check_disks(void)
{
    static char names[][8] = {"disk 1", "disk 3", "disk 5"};
    nido_group disks;
    int rc = 0;
    nido_group_open(&disks, NIDO_WAIT_ALL, "disks");
    for (int i = 0; i < 3 && rc == 0; i++) rc = spawn_named(&disks, check_disk, names[i]);
    return nido_group_close(&disks, rc);
}

static int app(void *unused)
{
    (void)unused;
    nido_group jobs;
    nido_group_open(&jobs, NIDO_WAIT_ALL, "nightly jobs");
    int rc = spawn_named(&jobs, send_mail, "mail");
    if (rc == 0) rc = check_disks();
    return nido_group_close(&jobs, rc);
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, NULL));
}
