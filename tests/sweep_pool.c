/* Workers, files and signals, swept: a job that ran gives its result, and what it opened is closed. */
#include <fcntl.h>
#include <signal.h>

#include "nido/file.h"
#include "nido/offload.h"
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

static int write_and_read_file(void *unused)
{
    char in[5];
    int fd = nido_open("/tmp", O_TMPFILE | O_RDWR, 0600), rc;

    (void)unused;
    if (fd < 0) return fd;
    rc = (int)nido_pwrite(fd, "hello", 5, 0);
    if (rc >= 0) rc = nido_fsync(fd);
    if (rc >= 0) rc = (int)nido_pread(fd, in, 5, 0);
    nido_close(fd);
    return rc;
}
SWEPT(a_file_is_closed_whatever_happens, write_and_read_file)

static int await_signal(void *unused)
{
    nido_signal signal;
    sigset_t set;
    int rc;

    (void)unused;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    rc = nido_signal_open(&signal, &set);
    if (rc) return rc;
    raise(SIGUSR1);
    rc = nido_signal_wait(&signal);
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
