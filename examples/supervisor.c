/* SPDX-License-Identifier: MIT */
/* supervisor: keeps programs running.
 *
 * Shows child processes that a task waits for as for anything else, a back-off that a cancel ends at
 * once, signals as values, and a shutdown that no program survives: SIGTERM or SIGINT cancels the
 * group, each keeper then stops its program (SIGTERM, a grace, SIGKILL), all at the same time, and
 * the close of the group waits until they are gone.
 *
 *     ./example_supervisor [-g GRACE_MS] [-b BACKOFF_MS] PROGRAM [ARG...] [-- PROGRAM [ARG...]]...
 *     ./example_supervisor -b 200 sh -c 'echo tick; sleep 1' -- sleep 1000
 *
 * A program that ends is started again, after a pause that doubles each time, up to a hundred times
 * the first, and begins anew when the program has run longer than that. One that cannot be started
 * at all ends the supervisor.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <nido.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct settings {
    char **argv; /* programs, with "--" between them */
    int64_t grace_ns, backoff_ns;
};

struct keeper {
    char **argv;
    const struct settings *settings;
};

static void tell(const struct keeper *keeper, int pid, const nido_proc_status *status)
{
    if (status->signal)
        printf("%s (%d): ended by signal %d\n", keeper->argv[0], pid, status->signal);
    else
        printf("%s (%d): ended with %d\n", keeper->argv[0], pid, status->code);
}

/* One life of the program. -ECANCELED: we were told to stop, and so it was. */
static int run_once(const struct keeper *keeper)
{
    nido_proc_options options;
    nido_proc_status status;
    nido_proc proc;
    nido_proc_options_init(&options);
    options.argv = keeper->argv;
    options.in.kind = NIDO_STDIO_NULL;
    options.kill_grace_ns = keeper->settings->grace_ns;
    options.new_group = true; /* what it starts is stopped with it, and Ctrl-C is ours alone */
    int rc = nido_proc_spawn(&proc, &options);
    if (rc < 0) return rc; /* nido_proc_spawn has kept a text that names the program */
    int pid = nido_proc_pid(&proc);
    printf("%s (%d): started\n", keeper->argv[0], pid);
    rc = nido_proc_wait(&proc, &status);
    int known = rc == -ECANCELED ? nido_proc_stop(&proc, &status) : rc;
    if (known == 0)
        tell(keeper, pid, &status);
    else
        fprintf(stderr, "%s (%d): %s\n", keeper->argv[0], pid, nido_strerror(known));
    nido_proc_release(&proc);
    return rc == -ECANCELED ? rc : 0;
}

static int keep(void *arg)
{
    const struct keeper *keeper = arg;
    int64_t first = keeper->settings->backoff_ns, most = 100 * first, pause = first;
    for (;;) {
        int64_t begun = nido_now();
        int rc = run_once(keeper);
        if (rc < 0) return rc;
        if (nido_now() - begun > most) pause = first;
        printf("%s: again in %lld ms\n", keeper->argv[0], (long long)(pause / 1000000));
        rc = nido_sleep(pause);
        if (rc < 0) return rc;
        pause = pause < most / 2 ? 2 * pause : most;
    }
}

/* The body of the group: waits for the signal that ends it all. */
static int await_signal(nido_group *keepers)
{
    sigset_t set;
    nido_signal stop;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    int rc = nido_signal_open(&stop, &set);
    if (rc < 0) return rc;
    rc = nido_signal_wait(&stop);
    if (rc > 0) {
        printf("stopping: signal %d\n", rc);
        nido_group_cancel(keepers, 0, "a signal");
        rc = 0;
    }
    nido_signal_close(&stop);
    return rc;
}

/* The next program of the list, cut off at "--"; *rest is what follows, or NULL. */
static char **cut(char **argv, char ***rest)
{
    char **end = argv;
    while (*end && strcmp(*end, "--") != 0) end++;
    *rest = *end ? end + 1 : NULL;
    *end = NULL;
    return argv;
}

static int supervise(void *arg)
{
    const struct settings *settings = arg;
    nido_group keepers;
    int rc = 0;
    nido_group_open(&keepers, NIDO_FAIL_FAST, "keepers");
    for (char **rest = settings->argv; rest && rc == 0;) {
        struct keeper keeper = {.argv = cut(rest, &rest), .settings = settings};
        rc = nido_spawn_copy(&keepers, keep, &keeper, sizeof keeper);
    }
    if (rc == 0) rc = await_signal(&keepers);
    return nido_group_close(&keepers, rc);
}

static int usage(const char *name)
{
    fprintf(stderr, "usage: %s [-g GRACE_MS] [-b BACKOFF_MS] PROGRAM [ARG...] [-- PROGRAM...]...\n",
            name);
    return 2;
}

int main(int argc, char **argv)
{
    struct settings settings = {.grace_ns = NIDO_SEC(5), .backoff_ns = NIDO_MS(100)};
    int option;
    while ((option = getopt(argc, argv, "+g:b:")) != -1) {
        if (option == '?') return usage(argv[0]);
        *(option == 'g' ? &settings.grace_ns : &settings.backoff_ns) =
            NIDO_MS(strtol(optarg, NULL, 10));
    }
    if (optind == argc) return usage(argv[0]);
    settings.argv = argv + optind;
    setvbuf(stdout, NULL, _IOLBF,
            BUFSIZ); /* Each line is to be seen at once, through a pipe too. */
    int rc = nido_run(supervise, &settings, NULL);
    if (rc < 0) fprintf(stderr, "%s: %s\n", argv[0], nido_strerror(rc));
    return nido_exit_status(rc);
}
