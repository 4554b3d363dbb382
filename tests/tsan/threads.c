/* SPDX-License-Identifier: MIT */
/* What crosses threads, for ThreadSanitizer, under which Criterion does not start: a plain program that says what it
 * did and returns 0 if all of it was right. Few tasks: each is a fiber to the sanitizer. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mpsc.h"
#include "must.h"
#include "nido.h"

enum { THREADS = 4, POSTS = 2000, TASKS = 20, PUSHES = 5000 };

/* ---- Posts from several threads, in order of each ---- */

struct poster {
    nido_rt *rt;
    pthread_t thread;
};

static int expected[THREADS];
static int finished;

struct post {
    int poster, number;
};

static int receive(void *arg)
{
    struct post *post = arg;

    MUST(expected[post->poster]++ == post->number);
    if (post->number == POSTS - 1) finished++;
    free(post);
    return 0;
}

static struct poster posters[THREADS];

static void *post_many(void *arg)
{
    struct poster *poster = arg;

    for (int i = 0; i < POSTS; i++) {
        struct post *post = malloc(sizeof *post);

        *post = (struct post){(int)(poster - posters), i};
        MUST(nido_post(poster->rt, receive, post) == 0);
    }
    nido_rt_release(poster->rt);
    return NULL;
}

static int await_posts(void *unused)
{
    (void)unused;
    for (int i = 0; i < THREADS; i++) {
        posters[i].rt = nido_rt_self();
        MUST(pthread_create(&posters[i].thread, NULL, post_many, &posters[i]) == 0);
    }
    while (finished < THREADS) MUST(nido_sleep(NIDO_US(50)) == 0);
    for (int i = 0; i < THREADS; i++) pthread_join(posters[i].thread, NULL);
    return 0;
}

/* ---- A runtime on each thread; handles, names and errors of its own ---- */

static int work(void *arg)
{
    nido_set_name("worker %d", *(int *)arg);
    MUST(nido_yield() == 0);
    return *(int *)arg == 7 ? nido_fail(-EIO, "the seventh") : nido_sleep(NIDO_US(10));
}

static int fan_out(void *unused)
{
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_WAIT_ALL, "fan");
    for (int i = 0; i < TASKS; i++) MUST(nido_spawn_copy(&group, work, &i, sizeof i) == 0);
    MUST(nido_group_close(&group, 0) == -EIO);
    return 0;
}

static void *run_one(void *unused)
{
    (void)unused;
    for (int i = 0; i < 5; i++) MUST(nido_run(fan_out, NULL, NULL) == 0);
    return NULL;
}

static void run_beside_each_other(void)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++) MUST(pthread_create(&threads[i], NULL, run_one, NULL) == 0);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

/* ---- A shutdown from outside, and posts that come too late ---- */

static nido_rt *to_stop;

static int ignore(void *unused)
{
    (void)unused;
    return 0;
}

static void *stop_it(void *unused)
{
    (void)unused;
    MUST(nido_rt_shutdown(to_stop, "enough") == 0);
    while (nido_post(to_stop, ignore, NULL) == 0) {
    } /* until it is refused */
    nido_rt_release(to_stop);
    return NULL;
}

static int sleep_until_stopped(void *thread)
{
    to_stop = nido_rt_self();
    MUST(pthread_create(thread, NULL, stop_it, NULL) == 0);
    return nido_sleep(NIDO_NEVER);
}

/* ---- The queue of posts ---- */

static struct nidoi_mpsc queue;
static struct nidoi_mpsc_link links[THREADS][PUSHES];

static void *push_many(void *arg)
{
    struct nidoi_mpsc_link *mine = arg;

    for (int i = 0; i < PUSHES; i++) MUST(nidoi_mpsc_push(&queue, &mine[i]));
    return NULL;
}

static void push_and_take(void)
{
    pthread_t threads[THREADS];
    int taken = 0;

    for (int i = 0; i < THREADS; i++)
        MUST(pthread_create(&threads[i], NULL, push_many, links[i]) == 0);
    while (taken < THREADS * PUSHES)
        for (struct nidoi_mpsc_link *link = nidoi_mpsc_take(&queue); link; link = link->next)
            taken++;
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

int main(void)
{
    pthread_t stopper;

    push_and_take();
    MUST(nido_run(await_posts, NULL, NULL) == 0);
    run_beside_each_other();
    MUST(nido_run(sleep_until_stopped, &stopper, NULL) == -EINTR);
    pthread_join(stopper, NULL);
    puts("4 passed, 0 failed");
    return 0;
}
