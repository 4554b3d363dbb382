/* SPDX-License-Identifier: MIT */
/* A runtime inside another loop: here poll(2). */
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "faults.h"
#include "inside_help.h"

static nido_rt *made(nido_fn *fn, void *arg)
{
    nido_rt *rt = NULL;

    cr_assert(eq(int, nido_rt_new(NULL, &rt), 0));
    cr_expect(eq(int, nido_rt_start(rt, fn, arg), 0));
    return rt;
}

/* Steps until all is over, asleep in poll in between; how often it stepped. */
static int drive(nido_rt *rt)
{
    int steps = 1;

    while (nido_rt_step(rt) == 1) {
        int64_t ns = nido_rt_timeout(rt);
        struct pollfd wait = {.fd = nido_rt_fd(rt), .events = POLLIN};

        cr_expect(ge(i64, ns, 0));
        poll(&wait, 1, ns == NIDO_NEVER ? -1 : (int)((ns + 999999) / 1000000));
        steps++;
    }
    return steps;
}

static void end(nido_rt *rt, int expected)
{
    int rc = 1;

    cr_expect(eq(int, nido_rt_result(rt, &rc), 0));
    cr_expect(eq(int, rc, expected));
    cr_expect(eq(int, nido_rt_free(rt), 0));
}

static int sleep_a_little(void *arg)
{
    int rc = nido_sleep(NIDO_MS(2));

    ++*(int *)arg;
    return rc;
}

static int sleepers(void *arg)
{
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 10; i++) begin(&group, sleep_a_little, arg);
    return nido_group_close(&group, 7);
}

NIDO_TEST(step, tasks_run_and_sleep_in_the_steps_of_another_loop)
{
    int woken = 0;
    nido_rt *rt = made(sleepers, &woken);

    drive(rt);
    cr_expect(eq(int, woken, 10));
    end(rt, 7);
}

static int ends[2];

static int read_a_byte(void *arg)
{
    char byte = 0;

    (void)arg;
    cr_expect(eq(int, (int)nido_read(ends[0], &byte, 1), 1));
    return byte;
}

static void *write_a_byte(void *arg)
{
    (void)arg;
    cr_expect(eq(int, (int)write(ends[1], "x", 1), 1));
    return NULL;
}

NIDO_TEST(step, its_descriptor_tells_when_there_is_something_to_do)
{
    nido_rt *rt;
    pthread_t thread;
    int steps;

    cr_assert(eq(int, pipe(ends), 0));
    rt = made(read_a_byte, NULL);
    cr_expect(eq(int, nido_rt_step(rt), 1));
    cr_expect(eq(i64, nido_rt_timeout(rt), NIDO_NEVER), "nothing but the descriptor");
    cr_assert(eq(int, pthread_create(&thread, NULL, write_a_byte, NULL), 0));
    steps = drive(rt);
    cr_expect(le(int, steps, 4), "it does not spin: %d", steps);
    end(rt, 'x');
    pthread_join(thread, NULL);
    close(ends[0]);
    close(ends[1]);
}

static int wait_for_event(void *arg)
{
    return nido_event_wait(arg);
}

static int set_event(void *arg)
{
    return nido_event_set(arg);
}

struct post {
    nido_rt *rt;
    nido_event *event;
};

static void *post_from_outside(void *arg)
{
    struct post *post = arg;

    cr_expect(eq(int, nido_post(post->rt, set_event, post->event), 0));
    return NULL;
}

NIDO_TEST(step, a_post_from_another_thread_wakes_it)
{
    nido_event event;
    struct post post = {.event = &event};
    pthread_t thread;

    nido_event_init(&event, NULL);
    post.rt = made(wait_for_event, &event);
    cr_expect(eq(int, nido_rt_step(post.rt), 1));
    cr_assert(eq(int, pthread_create(&thread, NULL, post_from_outside, &post), 0));
    drive(post.rt);
    pthread_join(thread, NULL);
    end(post.rt, 0);
}

NIDO_TEST(step, what_another_callback_of_the_loop_does_counts)
{
    nido_event event;
    nido_rt *rt;

    nido_event_init(&event, NULL);
    rt = made(wait_for_event, &event);
    cr_expect(eq(int, nido_rt_step(rt), 1));
    cr_expect(eq(int, nido_event_wait(&event), -EDEADLK), "there is no task here");
    cr_expect(eq(int, nido_event_set(&event), 0));
    cr_expect(eq(i64, nido_rt_timeout(rt), 0));
    cr_expect(eq(int, nido_rt_step(rt), 0));
    end(rt, 0);
}

static ssize_t job(void *arg)
{
    return *(int *)arg;
}

static int offload_it(void *arg)
{
    return (int)nido_offload(job, arg);
}

NIDO_TEST(step, a_job_of_the_pool_wakes_it)
{
    int value = 41;
    nido_rt *rt = made(offload_it, &value);

    drive(rt);
    end(rt, 41);
}

NIDO_TEST(step, a_silent_runtime_is_not_called_deadlocked)
{
    nido_event event;
    nido_rt *rt;

    nido_event_init(&event, NULL);
    rt = made(wait_for_event, &event);
    for (int i = 0; i < 3; i++) cr_expect(eq(int, nido_rt_step(rt), 1));
    cr_expect(eq(int, nido_rt_free(rt), -EBUSY));
    cr_expect(eq(int, nido_rt_shutdown(rt, "enough"), 0));
    cr_expect(eq(int, drive(rt), 1));
    end(rt, -EINTR);
}

static int call_home(void *arg)
{
    nido_rt *rt = *(nido_rt **)arg;
    int rc;

    cr_expect(eq(int, nido_rt_step(rt), -EBUSY));
    cr_expect(eq(int, nido_rt_free(rt), -EBUSY));
    cr_expect(eq(int, nido_rt_result(rt, &rc), -EBUSY));
    cr_expect(eq(int, nido_run(call_home, arg, NULL), -EBUSY));
    return 0;
}

static void *from_another_thread(void *rt)
{
    int rc;

    cr_expect(eq(int, nido_rt_start(rt, call_home, NULL), -EPERM));
    cr_expect(eq(int, nido_rt_step(rt), -EPERM));
    cr_expect(eq(int, nido_rt_fd(rt), -EPERM));
    cr_expect(eq(i64, nido_rt_timeout(rt), -EPERM));
    cr_expect(eq(int, nido_rt_result(rt, &rc), -EPERM));
    cr_expect(eq(int, nido_rt_free(rt), -EPERM));
    return NULL;
}

NIDO_TEST(step, calls_from_the_wrong_place_are_refused)
{
    nido_options options = nido_test_virtual();
    nido_rt *rt = NULL, *other = NULL;
    pthread_t thread;
    int rc;

    cr_expect(eq(int, nido_rt_new(&options, &rt), -EINVAL), "virtual time has nobody to jump it");
    options.size = 1;
    cr_expect(eq(int, nido_rt_new(&options, &rt), -EINVAL));
    rt = made(call_home, &rt);
    cr_expect(eq(int, nido_rt_new(NULL, &other), -EBUSY), "one a thread");
    cr_expect(eq(int, nido_rt_start(rt, call_home, NULL), -EALREADY));
    cr_expect(eq(int, nido_rt_result(rt, &rc), -EBUSY));
    cr_assert(eq(int, pthread_create(&thread, NULL, from_another_thread, rt), 0));
    pthread_join(thread, NULL);
    drive(rt);
    end(rt, 0);
}

NIDO_TEST(step, one_that_never_started_can_be_freed)
{
    nido_rt *rt = NULL;

    cr_assert(eq(int, nido_rt_new(NULL, &rt), 0));
    cr_expect(eq(int, nido_rt_start(rt, NULL, NULL), -EINVAL));
    cr_expect(eq(int, nido_rt_step(rt), 0));
    cr_expect(eq(int, nido_rt_free(rt), 0));
}

NIDO_TEST(step, one_that_cannot_be_made_leaves_nothing)
{
    nido_rt *rt = NULL;

    for (unsigned nth = 1;; nth++) {
        int err;

        faults_begin();
        faults_fail(FAULT_memory, nth, 0);
        err = nido_rt_new(NULL, &rt);
        faults_end();
        if (!err) break;
        cr_expect(eq(int, err, -ENOMEM));
    }
    cr_expect(eq(int, nido_rt_free(rt), 0));
}
