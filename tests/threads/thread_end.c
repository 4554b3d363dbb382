/* SPDX-License-Identifier: MIT */
/* Threads that pthread_cancel or pthread_exit would end while others depend on them. */
#include <pthread.h>
#include <semaphore.h>

#include "abort_help.h"
#include "inside_help.h"

static int ran;

static int wait_for_cancel_and_work(void *sem)
{
    sem_post(sem);
    cr_expect(eq(int, nido_sleep(NIDO_MS(5)), 0));
    ran++;
    return 0;
}

static void *run(void *sem)
{
    ran += nido_run(wait_for_cancel_and_work, sem, NULL) == 0;
    pthread_testcancel();
    ran = -1;
    return NULL;
}

static void begin_and_cancel(void *(*fn)(void *), void *arg, sem_t *begun)
{
    pthread_t thread;
    void *result = NULL;

    ran = 0;
    cr_assert(eq(int, pthread_create(&thread, NULL, fn, arg), 0));
    if (begun) sem_wait(begun);
    cr_expect(eq(int, pthread_cancel(thread), 0));
    cr_expect(eq(int, pthread_join(thread, &result), 0));
    cr_expect(eq(ptr, result, PTHREAD_CANCELED), "the cancel takes effect afterwards");
}

NIDO_TEST(thread_end, a_cancelled_thread_first_ends_its_run)
{
    sem_t begun;

    sem_init(&begun, 0, 0);
    begin_and_cancel(run, &begun, &begun);
    cr_expect(eq(int, ran, 2));
}

static int sleep_in_a_step(void *unused)
{
    (void)unused;
    return nido_sleep(NIDO_MS(1));
}

static void step_with_a_cancel_pending(void)
{
    nido_rt *rt;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    cr_expect(eq(int, nido_rt_new(NULL, &rt), 0));
    cr_expect(eq(int, nido_rt_start(rt, sleep_in_a_step, NULL), 0));
    pthread_cancel(pthread_self());
    while (nido_rt_step(rt) == 1) continue;
    ran += nido_rt_free(rt) == 0;
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
}

/* Without variables: AddressSanitizer does not hear that a cancel leaves their scope. */
static void *step_to_the_end(void *unused)
{
    (void)unused;
    step_with_a_cancel_pending();
    pthread_testcancel();
    return NULL;
}

NIDO_TEST(thread_end, steps_keep_what_the_caller_has_set)
{
    begin_and_cancel(step_to_the_end, NULL, NULL);
    cr_expect(eq(int, ran, 1));
}

static struct visit {
    nido_rt *rt;
    nido_xevent *begun, *cancelled;
    pthread_t visitor;
} visit;

static int guest(void *unused)
{
    (void)unused;
    nido_xevent_set(visit.begun);
    cr_expect(eq(int, nido_xevent_wait(visit.cancelled), 0));
    return 5;
}

static void *call_on(void *unused)
{
    (void)unused;
    ran = nido_run_on(visit.rt, guest, NULL);
    pthread_testcancel();
    ran = -1;
    return NULL;
}

INSIDE(thread_end, a_cancelled_visitor_stays_until_its_guest_has_come_home)
{
    void *result = NULL;

    visit.rt = nido_rt_self();
    cr_assert(eq(int, nido_xevent_new(&visit.begun), 0));
    cr_assert(eq(int, nido_xevent_new(&visit.cancelled), 0));
    cr_assert(eq(int, pthread_create(&visit.visitor, NULL, call_on, NULL), 0));
    cr_expect(eq(int, nido_xevent_wait(visit.begun), 0));
    pthread_cancel(visit.visitor);
    nido_xevent_set(visit.cancelled);
    while (nido_yield() == 0 && pthread_tryjoin_np(visit.visitor, &result)) continue;
    cr_expect(eq(ptr, result, PTHREAD_CANCELED));
    cr_expect(eq(int, ran, 5));
    nido_xevent_free(visit.begun);
    nido_xevent_free(visit.cancelled);
    nido_rt_release(visit.rt);
}

static ssize_t leave(void *unused)
{
    (void)unused;
    pthread_exit(NULL);
}

static int job_that_leaves(void *unused)
{
    nido_offload_options options;

    (void)unused;
    nido_offload_options_init(&options);
    options.name = "hasty";
    return (int)nido_offload_with(leave, NULL, &options);
}

NIDO_TEST(thread_end, a_job_that_ends_its_thread_is_found)
{
    EXPECT_LAST_WORDS(job_that_leaves,
                      "nido: a job of a worker thread ends its thread (pthread_exit",
                      "the job is hasty");
}

static ssize_t cancel_itself(void *unused)
{
    int before;

    (void)unused;
    pthread_cancel(pthread_self());
    pthread_testcancel();
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    return before;
}

INSIDE(thread_end, a_worker_cannot_be_cancelled)
{
    cr_expect(eq(int, (int)nido_offload(cancel_itself, NULL), PTHREAD_CANCEL_DISABLE));
}
