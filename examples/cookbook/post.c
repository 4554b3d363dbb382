/* SPDX-License-Identifier: MIT */
/* A thread has nido call a function on the loop's thread; a signal handler wakes a task. (For plain
 * signals take nido/signal.h: no handler is needed.) */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <nido.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static nido_waker *waker; /* for the handler, and so it lives longer than that */
static nido_event summed;
static int sum, terms[] = {1, 2, 3}; /* touched on the loop's thread only */

static void on_usr1(int number)
{
    (void)number;
    nido_waker_wake(waker);
}

static int add(void *term) /* called by the loop; must not park */
{
    sum += *(int *)term;
    return term == &terms[2] ? nido_event_set(&summed) : 0;
}

static void *thread(void *rt)
{
    for (int i = 0; i < 3; i++) /* called in this order */
        while (nido_post(rt, add, &terms[i]) == -ENOMEM) sched_yield();
    kill(getpid(), SIGUSR1);
    return NULL;
}

static int with_thread(nido_rt *rt)
{
    pthread_t id;
    int rc = -pthread_create(&id, NULL, thread, rt);
    if (rc < 0) return rc;
    rc = nido_event_wait(&summed);
    if (rc == 0) printf("posted: %d\n", sum);
    if (rc == 0) rc = nido_waker_wait(waker);
    if (rc == 0) printf("signalled\n");
    pthread_join(id, NULL);
    return rc;
}

static int app(void *unused)
{
    (void)unused;
    int rc = nido_waker_new(&waker);
    if (rc < 0) return rc;
    nido_rt *rt = nido_rt_self(); /* a handle, for other threads */
    nido_event_init(&summed, "summed");
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = on_usr1}, NULL);
    rc = rt ? with_thread(rt) : -ENOMEM;
    signal(SIGUSR1, SIG_IGN);
    nido_rt_release(rt);
    nido_waker_release(waker);
    return rc;
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, NULL));
}
/* prints:
 * posted: 6
 * signalled
 */
