/* pool/interrupt.c: ending the system calls of jobs that asked for it.
 *
 * A signal reaches a thread before or after the instant it enters its system call as well as in it,
 * so one is not enough: they come until the job is over. */
#include "pool/interrupt.h"

#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/sys.h"
#include "coro/run/fork.h"
#include "nido/time.h"

enum { INTERRUPTION = SIGURG }; /* ignored by default, and hardly anybody handles it */
#define PERIOD  NIDO_MS(10)
#define PASSING NIDO_US(200) /* for jobs that are not to wait at all */

struct nidoi_interrupter {
    pthread_t thread;
    pthread_cond_t wanted;
    struct nidoi_link jobs; /* struct nidoi_job: cancelled, and running */
    bool closing;
};

/* The disposition of a signal is the process's: the first pool takes it, the last gives it back. */
static pthread_mutex_t disposition = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction before;
static unsigned users;

static void do_nothing(int signal)
{
    (void)signal;
}

/* The threads that the signal was for are the parent's. */
static void forked(void)
{
    static const pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;

    disposition = fresh;
    if (users) nidoi_sys_give_back(INTERRUPTION, do_nothing, &before);
    users = 0;
}

static struct nidoi_fork_handler at_fork = {.forked = forked};

static int take_signal(void)
{
    struct sigaction ours = {.sa_handler = do_nothing}; /* without SA_RESTART */
    int err = 0;

    nidoi_fork_register(&at_fork);
    pthread_mutex_lock(&disposition);
    if (!users) {
        nidoi_sys.sigaction(INTERRUPTION, NULL, &before);
        if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN)
            err = -EBUSY;
        else
            nidoi_sys.sigaction(INTERRUPTION, &ours, NULL);
    }
    if (!err) users++;
    pthread_mutex_unlock(&disposition);
    return err;
}

static void give_signal_back(void)
{
    pthread_mutex_lock(&disposition);
    if (--users == 0) nidoi_sys_give_back(INTERRUPTION, do_nothing, &before);
    pthread_mutex_unlock(&disposition);
}

static void *interrupt(void *arg)
{
    struct nidoi_pool *pool = arg;
    struct nidoi_interrupter *mine = pool->interrupter;

    pthread_mutex_lock(&pool->lock);
    while (!mine->closing) {
        int64_t period = PERIOD;

        for (struct nidoi_link *link = mine->jobs.next; link != &mine->jobs; link = link->next) {
            const struct nidoi_job *job = nidoi_container(link, struct nidoi_job, link);

            pthread_kill(job->thread, INTERRUPTION);
            if (job->passing) period = PASSING;
        }
        if (nidoi_list_empty(&mine->jobs))
            pthread_cond_wait(&mine->wanted, &pool->lock);
        else
            nidoi_sys_cond_wait(&mine->wanted, &pool->lock, period);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

int nidoi_interrupter_need(struct nidoi_pool *pool)
{
    struct nidoi_interrupter *made;
    int err;

    if (pool->interrupter) return nidoi_sys_handled_by(INTERRUPTION, do_nothing) ? 0 : -EBUSY;
    made = nidoi_mem_zeroed(sizeof *made);
    if (!made) return -ENOMEM;
    err = take_signal();
    if (err) goto fail;
    nidoi_sys_cond_init(&made->wanted);
    nidoi_list_init(&made->jobs);
    pool->interrupter = made;
    err = nidoi_sys.thread(&made->thread, interrupt, pool);
    if (!err) return 0;
    pool->interrupter = NULL;
    pthread_cond_destroy(&made->wanted);
    give_signal_back();
fail:
    nidoi_mem.release(made);
    return err;
}

void nidoi_interrupter_signal(struct nidoi_job *job)
{
    struct nidoi_interrupter *interrupter = job->pool->interrupter;

    if (nidoi_linked(&job->link)) return;
    nidoi_list_append(&interrupter->jobs, &job->link);
    pthread_cond_signal(&interrupter->wanted);
}

void nidoi_interrupter_spare(struct nidoi_job *job)
{
    if (nidoi_linked(&job->link)) nidoi_list_remove(&job->link);
}

void nidoi_interrupter_end(struct nidoi_pool *pool)
{
    struct nidoi_interrupter *interrupter = pool->interrupter;

    if (!interrupter) return;
    pthread_mutex_lock(&pool->lock);
    interrupter->closing = true;
    pthread_cond_signal(&interrupter->wanted);
    pthread_mutex_unlock(&pool->lock);
    pthread_join(interrupter->thread, NULL);
    pthread_cond_destroy(&interrupter->wanted);
    give_signal_back();
    nidoi_mem.release(interrupter);
    pool->interrupter = NULL;
}

/* One that came for an earlier job, after its end, is not this one's. */
static void forget_pending(const sigset_t *set)
{
    sigset_t pending;
    int taken;

    if (sigpending(&pending) || !sigismember(&pending, INTERRUPTION)) return;
#ifdef __APPLE__
    sigwait(set, &taken);
#else
    taken = sigtimedwait(set, NULL, &(struct timespec){0});
#endif
    (void)taken;
}

void nidoi_interruptible(bool on)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, INTERRUPTION);
    if (on) forget_pending(&set);
    pthread_sigmask(on ? SIG_UNBLOCK : SIG_BLOCK, &set, NULL);
}
