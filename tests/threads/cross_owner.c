/* SPDX-License-Identifier: MIT */
/* Objects between threads at the edges of their life: freed by whoever was woken, waited for by a
 * thread that is cancelled. (In a forked child: fork_calls.c.) */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sys.h"
#ifdef NIDOI_KQUEUE
#include <sys/event.h>
#endif

#include "inside_help.h"

/* ---- Who was woken frees it, while who woke it is still inside its call ---- */

enum { MARK = 0xa5 };

/* What is freed meanwhile stays, marked, so that a later touch is seen. */
static struct nidoi_mem real_mem;
static struct nidoi_sys real_sys;
static struct watched {
    char *memory;
    size_t size;
    int freed; /* atomic */
} watched;

static void *note_size(size_t size)
{
    void *memory = real_mem.alloc(size);

    if (watched.size) return memory;
    watched.memory = memory;
    watched.size = size;
    return memory;
}

static void keep(void *memory)
{
    if (!memory || memory != watched.memory) {
        real_mem.release(memory);
        return;
    }
    memset(memory, MARK, watched.size);
    __atomic_store_n(&watched.freed, 1, __ATOMIC_SEQ_CST);
}

/* The waiter has been woken; the call that did it goes on when the object has been freed. */
static void let_it_be_freed(void)
{
    int64_t end = nidoi_sys_now() + NIDO_SEC(5);

    while (!__atomic_load_n(&watched.freed, __ATOMIC_SEQ_CST) && nidoi_sys_now() < end)
        sched_yield();
}

#ifdef NIDOI_KQUEUE
static int wake_and_wait(int kq, const struct kevent *change)
{
    int rc = real_sys.kevent_change(kq, change);

    if (change->filter == EVFILT_USER && change->fflags & NOTE_TRIGGER) let_it_be_freed();
    return rc;
}
#define WAKING kevent_change
#else
static int wake_and_wait(int fd)
{
    int rc = real_sys.eventfd_write(fd);

    let_it_be_freed();
    return rc;
}
#define WAKING eventfd_write
#endif

struct one_shot {
    void *object;
    int (*make)(void **out);
    int (*wait)(void *object);
    void (*give)(void *object);
    void (*end)(void *object);
    pthread_t giver;
};

static void *give(void *arg)
{
    struct one_shot *shot = arg;

    shot->give(shot->object);
    return NULL;
}

static void begin_giving(void *ctx)
{
    struct one_shot *shot = ctx;

    nidoi_sys.WAKING = wake_and_wait;
    cr_expect(eq(int, pthread_create(&shot->giver, NULL, give, shot), 0));
}

static int post_begin(void *arg)
{
    begin_giving(arg);
    return 0;
}

/* The giver is started when this task is parked: a post comes between two batches. */
static int wait_and_free(void *arg)
{
    struct one_shot *shot = arg;
    nido_rt *rt = nido_rt_self();
    int rc;

    cr_expect(eq(int, nido_post(rt, post_begin, shot), 0));
    nido_rt_release(rt);
    rc = shot->wait(shot->object);
    shot->end(shot->object);
    return rc;
}

static void expect_untouched(struct one_shot *shot)
{
    size_t touched = 0;

    watched = (struct watched){0};
    real_mem = nidoi_mem;
    real_sys = nidoi_sys;
    nidoi_mem.alloc = note_size;
    nidoi_mem.release = keep;
    cr_assert(eq(int, shot->make(&shot->object), 0));
    nidoi_mem.alloc = real_mem.alloc;
    cr_expect(eq(int, nido_run(wait_and_free, shot, NULL), 0));
    cr_expect(eq(int, pthread_join(shot->giver, NULL), 0));
    nidoi_mem = real_mem;
    nidoi_sys = real_sys;
    cr_expect(watched.freed);
    for (size_t i = 0; i < watched.size; i++) touched += (unsigned char)watched.memory[i] != MARK;
    cr_expect(eq(sz, touched, 0), "the giver has changed what was freed");
    nidoi_mem.release(watched.memory);
}

static int make_event(void **out)
{
    return nido_xevent_new((nido_xevent **)out);
}

static int wait_event(void *event)
{
    return nido_xevent_wait(event);
}

static void give_event(void *event)
{
    nido_xevent_set(event);
}

static void end_event(void *event)
{
    nido_xevent_free(event);
}

NIDO_TEST(cross_owner, who_is_woken_by_an_event_may_free_it)
{
    struct one_shot shot = {
        .make = make_event, .wait = wait_event, .give = give_event, .end = end_event};

    expect_untouched(&shot);
}

static int make_sem(void **out)
{
    return nido_xsem_new(0, (nido_xsem **)out);
}

static int wait_sem(void *sem)
{
    return nido_xsem_acquire(sem);
}

static void give_sem(void *sem)
{
    nido_xsem_release(sem, 1);
}

static void end_sem(void *sem)
{
    nido_xsem_free(sem);
}

NIDO_TEST(cross_owner, who_gets_a_permit_may_free_the_semaphore)
{
    struct one_shot shot = {.make = make_sem, .wait = wait_sem, .give = give_sem, .end = end_sem};

    expect_untouched(&shot);
}

static int make_chan(void **out)
{
    return nido_xchan_new(sizeof(int), 1, NULL, NULL, (nido_xchan **)out);
}

static int wait_chan(void *chan)
{
    int item = 0, rc = nido_xchan_recv(chan, &item);

    return rc ? rc : item - 7;
}

static void give_chan(void *chan)
{
    nido_xchan_send(chan, &(int){7});
}

static void end_chan(void *chan)
{
    nido_xchan_free(chan);
}

NIDO_TEST(cross_owner, who_receives_an_item_may_free_the_channel)
{
    struct one_shot shot = {
        .make = make_chan, .wait = wait_chan, .give = give_chan, .end = end_chan};

    expect_untouched(&shot);
}

static void close_chan(void *chan)
{
    nido_xchan_close(chan);
}

static int wait_refusal(void *chan)
{
    int item;

    return nido_xchan_recv(chan, &item) == -EPIPE ? 0 : -EIO;
}

NIDO_TEST(cross_owner, who_is_refused_by_a_close_may_free_the_channel)
{
    struct one_shot shot = {
        .make = make_chan, .wait = wait_refusal, .give = close_chan, .end = end_chan};

    expect_untouched(&shot);
}

/* ---- A thread that is cancelled while it waits ---- */

static void *acquire(void *sem)
{
    nido_xsem_acquire(sem);
    pthread_testcancel(); /* if it has not come to wait */
    return NULL;
}

static void cancel_and_join(pthread_t thread)
{
    void *result = NULL;

    cr_expect(eq(int, pthread_cancel(thread), 0));
    cr_expect(eq(int, pthread_join(thread, &result), 0));
    cr_expect(eq(ptr, result, PTHREAD_CANCELED));
}

NIDO_TEST(cross_owner, a_thread_that_is_cancelled_leaves_the_queue_and_the_lock)
{
    nido_xsem *sem = NULL;
    pthread_t threads[3];

    cr_assert(eq(int, nido_xsem_new(0, &sem), 0));
    for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, acquire, sem);
    for (int i = 0; i < 3; i++) cancel_and_join(threads[i]);
    cr_expect(eq(int, nido_xsem_release(sem, 1), 0));
    cr_expect(eq(int, nido_xsem_try_acquire(sem), 0), "nobody else has got it");
    nido_xsem_free(sem);
}

static void *receive(void *chan)
{
    long item;

    nido_xchan_recv(chan, &item);
    pthread_testcancel();
    return NULL;
}

NIDO_TEST(cross_owner, no_item_is_written_to_the_stack_of_a_cancelled_thread)
{
    nido_xchan *chan = NULL;
    pthread_t thread;

    cr_assert(eq(int, nido_xchan_new(sizeof(long), 0, NULL, NULL, &chan), 0));
    pthread_create(&thread, NULL, receive, chan);
    cancel_and_join(thread);
    cr_expect(eq(int, nido_xchan_try_send(chan, &(long){1}), -EAGAIN));
    nido_xchan_free(chan);
}
