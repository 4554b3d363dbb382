/* SPDX-License-Identifier: MIT */
/* Workers, files and signals, swept: a job that ran gives its result, and what it opened is closed. */
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nido/file.h"
#include "nido/offload.h"
#include "nido/parallel.h"
#include "nido/signal.h"
#include "sweep_help.h"

static int ran; /* atomic */

static ssize_t run_job(void *unused)
{
    (void)unused;
    __atomic_add_fetch(&ran, 1, __ATOMIC_SEQ_CST);
    return 5;
}

static int offload_one(void *unused)
{
    nido_scope scope;
    int rc;

    ran = 0;
    ALONE(scope, rc, nido_offload(run_job, unused));
    LAW(__atomic_load_n(&ran, __ATOMIC_SEQ_CST) == (rc == 5));
    return rc == 5 ? 0 : unless_struck(rc);
}
SWEPT(a_job_that_ran_gives_its_result, offload_one)

/* ---- Jobs that a cancel leaves behind, or disturbs ---- */

/* Whoever has the argument last gives it back: the caller if he has the result, else drop. Both may
 * be on another thread than the check of the laws. */
static int given_back; /* atomic */

static void give_back(void *ctx, void *arg, int result)
{
    (void)ctx, (void)arg, (void)result;
    __atomic_add_fetch(&given_back, 1, __ATOMIC_SEQ_CST);
}

static int abandon_one(void *unused)
{
    nido_scope scope;
    int rc;

    ran = given_back = 0;
    ALONE(scope, rc, nido_offload_abandon(run_job, unused, give_back, NULL));
    if (rc == 5) give_back(NULL, unused, rc);
    return rc == 5 ? 0 : unless_struck(rc);
}

static int abandon_and_count(void *unused)
{
    nido_scope shield;
    int rc = abandon_one(unused);

    /* The worker of an abandoned job is the only one, so this one comes after it. */
    nido_shield_open(&shield, NIDO_NEVER);
    if (nido_offload(run_job, unused) == 5)
        LAW(__atomic_load_n(&given_back, __ATOMIC_SEQ_CST) == 1);
    nido_scope_close(&shield, 0);
    return rc;
}
SWEPT_LOOSELY(an_argument_of_an_abandoned_job_is_given_back_once, abandon_and_count)

static int interrupt_one(void *unused)
{
    nido_offload_options options;
    nido_scope scope;
    bool called;
    int rc;

    nido_offload_options_init(&options);
    options.mode = NIDO_OFFLOAD_INTERRUPT;
    options.ran = &called;
    ran = 0;
    ALONE(scope, rc, nido_offload_with(run_job, unused, &options));
    LAW(__atomic_load_n(&ran, __ATOMIC_SEQ_CST) == called);
    LAW((rc == 5) == called);
    return rc == 5 ? 0 : unless_struck(rc);
}
SWEPT_LOOSELY(a_job_that_may_be_interrupted_gives_its_result_all_the_same, interrupt_one)

/* ---- Many indices ---- */

enum { INDICES = 6 };
static int marks[INDICES]; /* atomic, of calls */

static int mark_index(void *unused, size_t i)
{
    (void)unused;
    __atomic_add_fetch(&marks[i], 1, __ATOMIC_SEQ_CST);
    return 0;
}

/* Each at most once, and all of them if that is what the call says. */
static int mark_all(void *unused)
{
    nido_scope scope;
    int rc;

    for (int i = 0; i < INDICES; i++) __atomic_store_n(&marks[i], 0, __ATOMIC_SEQ_CST);
    ALONE(scope, rc,
          nido_parallel_for(INDICES, mark_index, unused,
                            &NIDO_PARALLEL_OPTIONS(.workers = 2, .piece = 2)));
    for (int i = 0; i < INDICES; i++) {
        int n = __atomic_load_n(&marks[i], __ATOMIC_SEQ_CST);

        LAW(n == 1 || (n == 0 && rc != 0));
    }
    return unless_struck(rc);
}
SWEPT_LOOSELY(every_index_is_done_once_or_the_call_has_failed, mark_all)

static int double_item(void *unused, const void *item, void *result)
{
    (void)unused;
    *(int *)result = 2 * *(const int *)item;
    return 0;
}

static int double_all(void *unused)
{
    int items[INDICES] = {1, 2, 3, 4, 5, 6}, results[INDICES] = {0}, rc;
    nido_scope scope;

    ALONE(scope, rc,
          nido_map(items, sizeof *items, results, sizeof *results, INDICES, double_item, unused,
                   &NIDO_PARALLEL_OPTIONS(.workers = 2, .piece = 2)));
    for (int i = 0; i < INDICES; i++) LAW(results[i] == 2 * items[i] || (!results[i] && rc));
    return unless_struck(rc);
}
SWEPT_LOOSELY(every_item_has_its_result_or_the_call_has_failed, double_all)

/* ---- Files ---- */

static int write_and_read_file(void *unused)
{
    char in[5];
    int fd = nido_open("/tmp", O_TMPFILE | O_RDWR, 0600), rc;

    (void)unused;
    if (fd < 0) return fd;
    rc = (int)nido_pwrite(fd, "hello", 5, 0);
    if (rc >= 0) rc = nido_fsync(fd);
    if (rc >= 0) rc = nido_fdatasync(fd);
    if (rc >= 0) rc = (int)nido_pread(fd, in, 5, 0);
    nido_close(fd);
    return rc;
}
SWEPT(a_file_is_closed_whatever_happens, write_and_read_file)

static int replace_file(void *unused)
{
    char path[64];
    int fd = nido_tmpfile(NULL), rc;

    (void)unused;
    if (fd < 0) return fd;
    nido_close(fd);
    snprintf(path, sizeof path, "/tmp/nido-swept-%d", (int)getpid());
    rc = nido_file_replace(path, "hello", 5, 0600);
    unlink(path);
    return rc;
}
SWEPT(a_file_is_replaced_or_not, replace_file)

static int ask_about_files(void *unused)
{
    struct stat status;
    int fd, rc = nido_stat("/", &status);

    (void)unused;
    if (rc == 0) rc = nido_lstat("/", &status);
    fd = rc == 0 ? nido_open("/dev/null", O_RDONLY, 0) : rc;
    if (fd < 0) return fd;
    rc = nido_fstat(fd, &status);
    nido_file_close(fd);
    return rc;
}
SWEPT(a_question_about_a_file_leaves_nothing_open, ask_about_files)

static int list_directory(void *unused)
{
    nido_dirent entry;
    nido_dir *dir;
    int rc = nido_opendir("/dev/fd/../../..", &dir);

    (void)unused;
    if (rc) return rc;
    while ((rc = nido_readdir(dir, &entry)) > 0) continue;
    nido_closedir(dir);
    return rc;
}
SWEPT(a_directory_is_closed_whatever_happens, list_directory)

/* A cancel leaves the look-up behind, and the end of the run takes it back. */
static int look_up(void *unused)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    int rc = nido_getaddrinfo("localhost", NULL, &hints, &list);

    (void)unused;
    if (rc == 0) freeaddrinfo(list);
    return rc == -ENOENT ? 0 : rc; /* not every machine knows itself */
}
SWEPT_LOOSELY(a_late_answer_to_a_look_up_is_freed, look_up)

/* ---- Signals ---- */

static int await_signal(void *unused)
{
    nido_signal signal;
    sigset_t set;
    nido_arm arm;
    int rc;

    (void)unused;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    rc = nido_signal_open(&signal, &set);
    if (rc) return rc;
    raise(SIGUSR1);
    nido_arm_signal(&arm, &signal);
    rc = nido_select(&arm, 1, 0);
    if (rc == 0) {
        raise(SIGUSR1);
        rc = nido_signal_wait(&signal);
    }
    LAW(nido_signal_close(&signal) == 0);
    return rc == SIGUSR1 ? 0 : rc;
}

/* One that nobody took is raised anew, perhaps only as the run ends. */
static int await_signal_harmlessly(void *unused)
{
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    return await_signal(unused);
}
SWEPT(a_receiver_of_signals_can_be_closed, await_signal_harmlessly)
