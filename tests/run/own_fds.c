/* SPDX-License-Identifier: MIT */
/* The library's own descriptors, and a program that treats them badly. (Not over the kqueue for tests,
 * which has descriptors of its own.) */
#include "abort_help.h"
#include "coro/runtime/loop.h"
#include "inside_help.h"

#ifndef NIDOI_KQUEUE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- 0, 1 and 2 stay what the program has made of them ---- */

static bool standard_ones_are_closed(void)
{
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) >= 0) return false;
    return true;
}

static int do_nothing(void *unused)
{
    (void)unused;
    return 0;
}

static ssize_t job(void *unused)
{
    (void)unused;
    return standard_ones_are_closed() ? 0 : -EBUSY;
}

/* Both ends of a connection by name, so that workers, sockets and an accept are in it. */
static int connect_both(int *out)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    char port[8];
    int listener = nido_listen("127.0.0.1", "0", NULL);

    if (listener < 0 || getsockname(listener, (void *)&address, &length)) return -EIO;
    snprintf(port, sizeof port, "%d", ntohs(address.sin_port));
    out[0] = listener;
    out[1] = nido_dial("127.0.0.1", port, NULL);
    out[2] = nido_accept(listener, NULL, NULL);
    return out[1] < 0 ? out[1] : out[2] < 0 ? out[2] : 0;
}

static int make_every_kind(void *unused)
{
    nido_proc_options options;
    nido_proc proc;
    nido_dir *dir;
    int fds[8], rc;

    (void)unused;
    if (!standard_ones_are_closed()) return 11;
    rc = connect_both(fds);
    if (rc || !standard_ones_are_closed()) return 12;
    fds[3] = nido_open("/dev/null", O_RDONLY, 0);
    if (nido_pipe(fds + 4) || nido_socketpair(AF_UNIX, SOCK_STREAM, 0, fds + 6)) return 13;
    if (!standard_ones_are_closed()) return 14;
    if (nido_opendir("/", &dir) || !standard_ones_are_closed()) return 15;
    if (nido_offload(job, NULL)) return 16;
    nido_proc_options_init(&options);
    options.argv = (char *[]){"true", NULL};
    options.in.kind = options.out.kind = options.err.kind = NIDO_STDIO_PIPE;
    if (nido_proc_spawn(&proc, &options) || !standard_ones_are_closed()) return 17;
    if (nido_proc_wait(&proc, NULL) || nido_proc_release(&proc)) return 18;
    nido_closedir(dir);
    for (int i = 0; i < 8; i++) {
        if (fds[i] < 3) return 20 + i;
        nido_close(fds[i]);
    }
    return standard_ones_are_closed() ? 0 : 19;
}

static int without_streams(nido_fn *fn)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        alarm(20);
        for (int fd = 0; fd < 3; fd++) close(fd);
        _exit(nido_run(fn, NULL, NULL));
    }
    cr_expect(eq(int, waitpid(child, &status, 0), child));
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

NIDO_TEST(own_fds, none_is_a_standard_stream_that_the_program_has_closed)
{
    cr_expect(eq(int, without_streams(do_nothing), 0));
    cr_expect(eq(int, without_streams(make_every_kind), 0));
}

/* ---- Closed behind our back ---- */

static int close_all_and_sleep(void *unused)
{
    (void)unused;
    nido_rt_self();
    closefrom(3);
    return nido_sleep(NIDO_MS(1)); /* a handle is out: the kernel is asked */
}

NIDO_TEST(own_fds, a_closefrom_ends_in_a_sentence_about_the_program)
{
    EXPECT_LAST_WORDS(close_all_and_sleep, "nido: the program has closed descriptor ",
                      "which is the runtime's own", "closefrom");
}

/* The number has another file by the time the run would close it. */
static int open_under_the_number_of_the_bell(void *unused)
{
    nido_rt *rt = nido_rt_self();

    (void)unused;
    close(rt->wakeup.fd);
    cr_expect(eq(int, open("/dev/null", O_RDONLY), rt->wakeup.fd));
    nido_rt_release(rt);
    return 0;
}

static int own_after_the_backend_was_closed(void *unused)
{
    int ends[2];

    (void)unused;
    cr_expect(eq(int, pipe(ends), 0));
    close(nidoi_loop_self()->reactor.backend.fd);
    return nido_fd_own(ends[0]);
}

NIDO_TEST(own_fds, a_number_that_was_closed_is_not_closed_for_its_new_owner)
{
    EXPECT_LAST_WORDS(open_under_the_number_of_the_bell,
                      "nido: the program has closed descriptor ");
    EXPECT_LAST_WORDS(own_after_the_backend_was_closed, "nido: the program has closed descriptor ");
}

static void *close_and_post(void *rt)
{
    close(((nido_rt *)rt)->wakeup.fd);
    while (nido_post(rt, do_nothing, NULL) == 0) sched_yield();
    return NULL;
}

/* Sooner or later a post finds the run asleep, and has to ring. */
static int sleep_behind_a_closed_bell(void *unused)
{
    nido_event never;
    pthread_t thread;

    (void)unused;
    alarm(20);
    pthread_create(&thread, NULL, close_and_post, nido_rt_self());
    nido_event_init(&never, NULL);
    return nido_event_wait(&never);
}

NIDO_TEST(own_fds, a_bell_that_was_closed_is_found_by_who_rings_it)
{
    EXPECT_LAST_WORDS(sleep_behind_a_closed_bell, "nido: the program has closed descriptor ");
}
#endif
