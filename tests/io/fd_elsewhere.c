/* SPDX-License-Identifier: MIT */
/* nido_close on threads without a runtime. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>

#include "io_help.h"

static int ends[2], woken;

static void *close_it(void *unused)
{
    (void)unused;
    cr_expect(eq(int, nido_close(ends[0]), 0));
    return NULL;
}

static void *close_it_twice(void *unused)
{
    close_it(unused);
    cr_expect(eq(int, nido_close(ends[0]), -EBADF));
    return NULL;
}

static int read_it(void *unused)
{
    char c;

    (void)unused;
    cr_expect(eq(int, (int)nido_read(ends[0], &c, 1), -EBADF));
    __atomic_add_fetch(&woken, 1, __ATOMIC_RELAXED);
    return 0;
}

/* In both runtimes a task waits for the descriptor, in the second it is foreign. */
static pthread_barrier_t all_wait;

static int signal_that_all_wait(void *unused)
{
    (void)unused;
    pthread_barrier_wait(&all_wait);
    return 0;
}

static int wait_in_second(void *unused)
{
    (void)unused;
    return TOGETHER(NULL, read_it, signal_that_all_wait);
}

static void *second_runtime(void *unused)
{
    cr_expect(eq(int, nido_run(wait_in_second, unused, NULL), 0));
    return NULL;
}

static void *close_when_all_wait(void *unused)
{
    pthread_barrier_wait(&all_wait);
    return close_it(unused);
}

static int wait_in_both(void *unused)
{
    nido_rt *rt = nido_rt_self(); /* a wake from outside is to be expected */
    pthread_t closer, other;
    int rc;

    (void)unused;
    cr_expect(eq(int, nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0));
    pthread_barrier_init(&all_wait, NULL, 3);
    pthread_create(&other, NULL, second_runtime, NULL);
    pthread_create(&closer, NULL, close_when_all_wait, NULL);
    rc = TOGETHER(NULL, read_it, signal_that_all_wait);
    pthread_join(closer, NULL);
    pthread_join(other, NULL);
    cr_expect(eq(int, woken, 2));
    cr_expect(lt(int, fcntl(ends[0], F_GETFD), 0), "closed");
    pthread_barrier_destroy(&all_wait);
    nido_rt_release(rt);
    nido_close(ends[1]);
    return rc;
}

NIDO_TEST(fd_elsewhere, a_thread_that_closes_wakes_who_waits_in_every_runtime)
{
    cr_expect(eq(int, nido_run(wait_in_both, NULL, NULL), 0));
}

static int close_and_look(void *closer)
{
    pthread_t thread;
    int other;
    char c;

    cr_expect(eq(int, nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0));
    pthread_create(&thread, NULL, *(void *(**)(void *))closer, NULL);
    pthread_join(thread, NULL);
    other = open("/dev/null", O_RDONLY | O_CLOEXEC);
    cr_expect(ne(int, other, ends[0]), "the number is not free yet");
    close(other);
    nido_sleep(NIDO_MS(1));
    cr_expect(eq(int, (int)nido_read(ends[0], &c, 1), -EBADF));
    cr_expect(lt(int, fcntl(ends[0], F_GETFD), 0), "closed");
    return nido_close(ends[1]);
}

static void *(*once)(void *) = close_it, *(*twice)(void *) = close_it_twice;

NIDO_TEST(fd_elsewhere, the_number_is_not_free_before_the_runtimes_have_let_go)
{
    nido_options options = nido_test_virtual();

    cr_expect(eq(int, nido_run(close_and_look, &once, &options), 0));
}

NIDO_TEST(fd_elsewhere, a_second_close_on_its_way_is_refused)
{
    nido_options options = nido_test_virtual();

    cr_expect(eq(int, nido_run(close_and_look, &twice, &options), 0));
}
