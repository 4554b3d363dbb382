/* SPDX-License-Identifier: MIT */
/* The remote of a runtime: what other threads may do. */
#include <pthread.h>
#include <semaphore.h>

#include "group_help.h"

enum { POSTERS = 4, POSTS = 1000 };

/* Everything that the threads and the run share. */
static struct hall {
    nido_rt *rt;
    nido_event event;
    pthread_t runner;
    sem_t go;
    int next[POSTERS], total;
    int disorders, strangers; /* out of order; not on the runtime's thread */
} hall;

struct poster {
    int who, failures;
    pthread_t thread;
};

struct letter {
    int who, number;
};

static struct letter letters[POSTERS][POSTS];

static int deliver(void *arg)
{
    struct letter *letter = arg;

    hall.disorders += letter->number != hall.next[letter->who]++;
    hall.strangers += !pthread_equal(pthread_self(), hall.runner);
    return ++hall.total == POSTERS * POSTS ? nido_event_set(&hall.event) : 0;
}

static void *post_letters(void *arg)
{
    struct poster *poster = arg;

    for (int i = 0; i < POSTS; i++) {
        letters[poster->who][i] = (struct letter){poster->who, i};
        poster->failures += nido_post(hall.rt, deliver, &letters[poster->who][i]) != 0;
    }
    return NULL;
}

static int await_letters(void *unused)
{
    struct poster posters[POSTERS];
    int rc;

    (void)unused;
    nido_event_init(&hall.event, "letters");
    hall.rt = nido_rt_self();
    hall.runner = pthread_self();
    for (int i = 0; i < POSTERS; i++) {
        posters[i] = (struct poster){.who = i};
        pthread_create(&posters[i].thread, NULL, post_letters, &posters[i]);
    }
    rc = nido_event_wait(&hall.event);
    for (int i = 0; i < POSTERS; i++) {
        pthread_join(posters[i].thread, NULL);
        cr_expect(zero(int, posters[i].failures));
    }
    nido_rt_release(hall.rt);
    return rc;
}

static void expect_all_delivered(const nido_options *options)
{
    cr_expect(zero(int, nido_run(await_letters, NULL, options)));
    cr_expect(eq(int, hall.total, POSTERS *POSTS));
    cr_expect(zero(int, hall.disorders));
    cr_expect(zero(int, hall.strangers));
}

/* S343 */
NIDO_TEST(remote, posts_of_many_threads_arrive_once_and_in_order)
{
    expect_all_delivered(NULL);
}

NIDO_TEST(remote, posts_arrive_under_the_virtual_clock)
{
    nido_options options = nido_test_virtual();

    expect_all_delivered(&options);
}

NIDO_TEST(remote, posts_arrive_at_a_loop_that_spins)
{
    nido_options options;

    nido_options_init(&options);
    options.spin_ns = NIDO_US(50);
    expect_all_delivered(&options);
}

/* ---- Shutdown ---- */

static void *shut_down(void *rt)
{
    cr_assert(zero(int, nido_rt_shutdown(rt, "closing time")));
    nido_rt_release(rt);
    return NULL;
}

static int wait_to_be_shut_down(void *cause)
{
    pthread_t thread;
    int rc;

    nido_event_init(&hall.event, NULL);
    pthread_create(&thread, NULL, shut_down, nido_rt_self());
    rc = nido_event_wait(&hall.event);
    nido_cancel_cause(cause);
    pthread_join(thread, NULL);
    return rc;
}

NIDO_TEST(remote, shutdown_cancels_the_root)
{
    nido_cause cause;

    cr_expect(eq(int, nido_run(wait_to_be_shut_down, &cause, NULL), -EINTR));
    cr_expect(eq(int, cause.kind, NIDO_CAUSE_SHUTDOWN));
    cr_expect(eq(int, cause.code, -EINTR));
    cr_expect(eq(str, (char *)cause.reason, "closing time"));
}

static int wait_and_succeed(void *cause)
{
    cr_expect(eq(int, wait_to_be_shut_down(cause), -ECANCELED));
    return 3;
}

NIDO_TEST(remote, a_root_that_succeeds_nevertheless_has_succeeded)
{
    nido_cause cause;

    cr_expect(eq(int, nido_run(wait_and_succeed, &cause, NULL), 3));
}

/* ---- Late posts ---- */

static int count_call(void *calls)
{
    return ++*(int *)calls;
}

static int take_a_handle(void *out)
{
    *(nido_rt **)out = nido_rt_self();
    return 0;
}

NIDO_TEST(remote, what_comes_after_the_run_is_told_so)
{
    nido_rt *rt = NULL;
    int calls = 0;

    cr_expect(zero(int, nido_run(take_a_handle, &rt, NULL)));
    cr_expect(eq(int, nido_post(rt, count_call, &calls), -ESHUTDOWN));
    cr_expect(eq(int, nido_rt_shutdown(rt, "late"), -ESHUTDOWN));
    nido_rt_retain(rt);
    nido_rt_release(rt);
    cr_expect(zero(int, nido_run(give, NULL, NULL)), "another run has another remote");
    cr_expect(eq(int, nido_post(rt, count_call, &calls), -ESHUTDOWN));
    nido_rt_release(rt);
    nido_rt_release(NULL);
    cr_expect(zero(int, calls));
}

static int post_and_end(void *calls)
{
    nido_rt *rt = nido_rt_self();

    cr_expect(eq(int, nido_post(rt, NULL, NULL), -EINVAL));
    cr_expect(zero(int, nido_post(rt, count_call, calls)));
    nido_rt_release(rt);
    return 0;
}

NIDO_TEST(remote, a_post_is_called_once_even_if_the_run_ends)
{
    int calls = 0;

    cr_expect(zero(int, nido_run(post_and_end, &calls, NULL)));
    cr_expect(eq(int, calls, 1));
}

/* The race between posts and the end of the run: each post is either called or refused. */
static void *post_until_refused(void *calls)
{
    int accepted = 0;

    sem_wait(&hall.go);
    while (nido_post(hall.rt, count_call, calls) == 0) accepted++;
    nido_rt_release(hall.rt);
    return (void *)(intptr_t)accepted;
}

static int end_under_fire(void *unused)
{
    (void)unused;
    hall.rt = nido_rt_self();
    sem_post(&hall.go);
    for (int i = 0; i < 100; i++) cr_expect(zero(int, nido_yield()));
    return 0;
}

NIDO_TEST(remote, no_post_is_lost_at_the_end_of_the_run)
{
    int calls = 0;
    pthread_t thread;
    void *accepted;

    sem_init(&hall.go, 0, 0);
    pthread_create(&thread, NULL, post_until_refused, &calls);
    cr_expect(zero(int, nido_run(end_under_fire, NULL, NULL)));
    pthread_join(thread, &accepted);
    cr_expect(eq(int, calls, (int)(intptr_t)accepted));
    sem_destroy(&hall.go);
}

/* ---- What a posted function may do ---- */

static int spawn_from_a_post(void *group)
{
    return nido_spawn(group, count_call, &hall.total);
}

static int spawn_by_post(void *unused)
{
    nido_group group;
    nido_rt *rt = nido_rt_self();

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_post(rt, spawn_from_a_post, &group)));
    nido_rt_release(rt);
    cr_expect(zero(int, nido_sleep(1)));
    cr_expect(eq(int, nido_group_close(&group, 5), 5));
    return hall.total;
}

NIDO_TEST(remote, a_posted_function_may_spawn)
{
    cr_expect(eq(int, nido_test_run(spawn_by_post, NULL), 1));
}

static int cancel_from_a_post(void *group)
{
    return nido_group_cancel(group, -ENODATA, "posted");
}

static int cancelled_by_post(void *unused)
{
    nido_group group;
    nido_rt *rt = nido_rt_self();
    nido_cause cause;
    int rc;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_post(rt, cancel_from_a_post, &group)));
    nido_rt_release(rt);
    rc = nido_sleep(NIDO_SEC(1));
    nido_cancel_cause(&cause);
    cr_expect(zero(ulong, cause.task), "the runtime itself");
    return nido_group_close(&group, rc);
}

NIDO_TEST(remote, a_posted_function_may_cancel)
{
    cr_expect(eq(int, nido_test_run(cancelled_by_post, NULL), -ENODATA));
}

/* ---- Two runtimes ---- */

struct twin {
    pthread_t thread;
    int rc, tasks, strangers;
};

static int look_where_i_am(void *arg)
{
    struct twin *twin = arg;
    int err = nido_yield();

    twin->tasks++;
    twin->strangers += !pthread_equal(pthread_self(), twin->thread);
    return err;
}

static int spawn_a_thousand(void *twin)
{
    nido_group group;
    int rc = 0;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 1000 && !rc; i++) rc = nido_spawn(&group, look_where_i_am, twin);
    return nido_group_close(&group, rc);
}

static void *run_a_twin(void *arg)
{
    struct twin *twin = arg;

    twin->thread = pthread_self();
    twin->rc = nido_run(spawn_a_thousand, twin, NULL);
    return NULL;
}

/* S5 */
NIDO_TEST(remote, tasks_stay_on_the_thread_of_their_run)
{
    struct twin twins[2] = {0};
    pthread_t threads[2];

    for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, run_a_twin, &twins[i]);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        cr_expect(zero(int, twins[i].rc));
        cr_expect(eq(int, twins[i].tasks, 1000));
        cr_expect(zero(int, twins[i].strangers));
    }
}

/* What one runtime shows to a task of another: its group, a task's handle, an event somebody waits
 * on. */
static struct shown {
    nido_group group;
    nido_task task;
    nido_event event;
    int codes[9];
} shown;

static int try_what_is_shown(void *unused)
{
    int n = 0, *codes = shown.codes;

    (void)unused;
    codes[n++] = nido_spawn(&shown.group, give, NULL);
    codes[n++] = nido_spawn_wait(&shown.group, give, NULL);
    codes[n++] = nido_start(&shown.group, give, NULL, NULL);
    codes[n++] = nido_group_cancel(&shown.group, 0, NULL);
    codes[n++] = nido_join(shown.task, NULL);
    codes[n++] = nido_try_join(shown.task, NULL);
    codes[n++] = nido_task_cancel(shown.task, 0, NULL);
    codes[n++] = nido_task_forget(shown.task);
    codes[n++] = nido_event_wait(&shown.event);
    return nido_group_close(&shown.group, 0);
}

static void *run_elsewhere(void *unused)
{
    (void)unused;
    return (void *)(intptr_t)nido_run(try_what_is_shown, NULL, NULL);
}

static int wait_for_shown(void *unused)
{
    (void)unused;
    return nido_event_wait(&shown.event);
}

static int show(void *unused)
{
    pthread_t thread;
    void *closed;

    (void)unused;
    nido_event_init(&shown.event, NULL);
    nido_group_open(&shown.group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn_with(&shown.group, wait_for_shown, NULL, NULL, &shown.task)));
    cr_expect(zero(int, nido_yield()));
    pthread_create(&thread, NULL, run_elsewhere, NULL);
    pthread_join(thread, &closed);
    cr_expect(eq(int, (int)(intptr_t)closed, -EPERM));
    cr_expect(zero(int, nido_event_set(&shown.event)));
    return nido_group_close(&shown.group, 0);
}

NIDO_TEST(remote, what_belongs_to_another_run_is_out_of_reach)
{
    cr_expect(zero(int, nido_run(show, NULL, NULL)));
    for (int i = 0; i < 9; i++) cr_expect(eq(int, shown.codes[i], -EXDEV), "call %d", i);
}
