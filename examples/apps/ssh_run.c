/* SPDX-License-Identifier: MIT */
/* ssh_run: commands on another machine, several at once.
 *
 * Shows the adapter for libssh2 (../adapters/ssh2.h): a task and a connection for each command.
 *
 *     ./app_ssh_run HOST PORT USER KEY KNOWN_HOSTS TIMEOUT_MS COMMAND...
 *     ./app_ssh_run example.org 22 ada ~/.ssh/id_ecdsa ~/.ssh/known_hosts 5000 uptime 'df -h /'
 */
#include <errno.h>
#include <nido/sugar.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "../adapters/ssh2.h"

struct commands {
    s2_login login;
    int64_t timeout_ns;
    char **first;
    bool failed;
};

struct run_args {
    struct commands *all;
    const char *command;
};

static int print(void *unused, const char *bytes, size_t n)
{
    (void)unused;
    return fwrite(bytes, 1, n, stdout) == n ? 0 : -EPIPE;
}

static int run_one(const struct run_args *me, int *status)
{
    s2_conn conn;
    int rc = s2_open(&conn, &me->all->login);
    if (rc < 0) return rc;
    rc = s2_run(&conn, me->command, print, NULL, status);
    s2_close(&conn);
    return rc;
}

static int run(void *arg)
{
    const struct run_args *me = arg;
    int status = 0;
    int rc = NIDO_TIMEOUT(me->all->timeout_ns, run_one(me, &status));
    if (rc == -ECANCELED) return rc;
    if (rc == -ETIMEDOUT)
        printf("%s: no end in time\n", me->command);
    else if (rc < 0)
        printf("%s: %s\n", me->command, nido_error_text(nido_error_last()));
    else if (status)
        printf("%s: status %d\n", me->command, status);
    me->all->failed |= rc < 0 || status;
    return 0; /* one command disturbs no other */
}

static int app(void *arg)
{
    struct commands *all = arg;
    nido_group group;
    int rc = 0;
    nido_group_open(&group, NIDO_FAIL_FAST, "commands");
    for (char **command = all->first; *command && rc == 0; command++)
        rc = NIDO_SPAWN(&group, run, .all = all, .command = *command);
    return nido_group_close(&group, rc);
}

int main(int argc, char **argv)
{
    if (argc < 8) {
        fprintf(stderr, "usage: %s HOST PORT USER KEY KNOWN_HOSTS TIMEOUT_MS COMMAND...\n",
                argv[0]);
        return 2;
    }
    struct commands all = {.login = {argv[1], argv[2], argv[5], argv[3], argv[4]},
                           .timeout_ns = NIDO_MS(strtol(argv[6], NULL, 10)),
                           .first = argv + 7};
    if (libssh2_init(0)) return 1;
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* Output is to be seen at once, through a pipe too. */
    int rc = nido_run(app, &all, &NIDO_OPTIONS(.signals = true));
    libssh2_exit();
    return rc < 0 ? nido_exit_status(rc) : all.failed;
}
