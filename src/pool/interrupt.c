/* SPDX-License-Identifier: MIT */
/* A signal may reach a thread before it has entered its system call, or after it has left it, so
 * one signal is not enough: they are sent until the job is over. */
#include "pool/interrupt.h"

#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/sys.h"
#include "coro/run/fork.h"
#include "nido/time.h"

enum { INTERRUPTION = SIGURG }; /* ignored by default, and programs hardly ever handle it */
#define PERIOD       NIDO_MS(10)
#define SHORT_PERIOD NIDO_US(200) /* for jobs that must not wait at all */

struct nidoi_interrupter {
    pthread_t thread;
    pthread_cond_t wanted;
    struct nidoi_link jobs; /* struct nidoi_job: cancelled, and running */
    bool closing;
};

/* The signal's handler is the process's: the first pool sets it, the last one restores the old
 * one. */
static pthread_mutex_t disposition = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction before;
static unsigned users;

static void do_nothing(int signal)
{
    (void)signal;
}

/* The threads that the signal was sent to are the parent's. */
static void interrupt_forked(void)
{
    static const pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;

    disposition = fresh;
    if (users) nidoi_sys_restore_handler(INTERRUPTION, do_nothing, &before);
    users = 0;
}

static struct nidoi_fork_handler at_fork = {.forked = interrupt_forked};

static int signal_take(void)
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

static void signal_give_back(void)
{
    pthread_mutex_lock(&disposition);
    if (--users == 0) nidoi_sys_restore_handler(INTERRUPTION, do_nothing, &before);
    pthread_mutex_unlock(&disposition);
}

static void *interrupter_main(void *arg)
{
    struct nidoi_pool *pool = arg;
    struct nidoi_interrupter *interrupter = pool->interrupter;

    pthread_mutex_lock(&pool->lock);
    while (!interrupter->closing) {
        int64_t period = PERIOD;

        for (struct nidoi_link *link = interrupter->jobs.next; link != &interrupter->jobs;
             link = link->next) {
            const struct nidoi_job *job = nidoi_container(link, struct nidoi_job, link);

            pthread_kill(job->thread, INTERRUPTION);
            if (job->no_wait) period = SHORT_PERIOD;
        }
        if (nidoi_list_empty(&interrupter->jobs))
            pthread_cond_wait(&interrupter->wanted, &pool->lock);
        else
            nidoi_sys_cond_wait(&interrupter->wanted, &pool->lock, period);
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
    err = signal_take();
    if (err) goto fail;
    nidoi_sys_cond_init(&made->wanted);
    nidoi_list_init(&made->jobs);
    pool->interrupter = made;
    err = nidoi_sys.thread(&made->thread, interrupter_main, pool);
    if (!err) return 0;
    pool->interrupter = NULL;
    pthread_cond_destroy(&made->wanted);
    signal_give_back();
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

void nidoi_interrupter_stop(struct nidoi_job *job)
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
    signal_give_back();
    nidoi_mem.release(interrupter);
    pool->interrupter = NULL;
}

/* A signal for an earlier job, sent after its end, must not interrupt this one. */
static void signal_forget_pending(const sigset_t *set)
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
    if (on) signal_forget_pending(&set);
    pthread_sigmask(on ? SIG_UNBLOCK : SIG_BLOCK, &set, NULL);
}
