/* SPDX-License-Identifier: MIT */
/* Another thread ends the work of a group. It gets a waker, and never sees the group, which may be gone
 * by then. A service of the group waits for the waker and cancels. */
#include <errno.h>
#include <nido.h>
#include <pthread.h>
#include <stdio.h>

static void *press_button(void *waker) /* a thread without a runtime */
{
    nido_waker_wake(waker);
    return NULL;
}

struct stop {
    nido_waker *waker;
    nido_group *group;
};

static int await_stop(void *arg)
{
    struct stop *stop = arg;
    int rc = nido_waker_wait(stop->waker);
    return rc < 0 ? rc : nido_group_cancel(stop->group, -EINTR, "the button");
}

static int work(void *unused)
{
    (void)unused;
    int rc = nido_sleep(NIDO_SEC(3600));
    printf("work: %s\n", nido_strerror(rc));
    return rc;
}

static int app(void *unused)
{
    nido_group group;
    struct stop stop = {.group = &group};
    pthread_t thread;
    int rc = nido_waker_new(&stop.waker);
    if (rc < 0) return rc;
    rc = -pthread_create(&thread, NULL, press_button, stop.waker);
    if (rc < 0) return nido_waker_release(stop.waker), rc;
    nido_group_open(&group, NIDO_FAIL_FAST, "work");
    rc = nido_spawn_with(&group, await_stop, &stop, &NIDO_SPAWN_OPTIONS(.service = true), NULL);
    if (rc == 0) rc = nido_spawn(&group, work, unused);
    rc = nido_group_close(&group, rc);
    printf("group: %s\n", nido_strerror(rc));
    pthread_join(thread, NULL);
    nido_waker_release(stop.waker);
    return 0;
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, NULL));
}
/* prints:
 * work: ECANCELED: cancelled by an enclosing scope
 * group: EINTR: interrupted, or shut down from outside
 */
