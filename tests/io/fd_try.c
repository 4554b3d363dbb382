/* SPDX-License-Identifier: MIT */
/* nido_try_read and its like: one try, whatever the scope says. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "faults.h"
#include "io_help.h"
#include "nido/test.h"

static int ends[2];
static char buf[4096];
static int acceptor;
static bool another_ran;

static int note_that_it_ran(void *unused)
{
    (void)unused;
    another_ran = true;
    return 0;
}

/* ---- Owned ones ---- */

static int try_under_a_cancel(void *unused)
{
    nido_scope scope;
    int fd;

    (void)unused;
    nido_scope_open(&scope);
    nido_scope_cancel(&scope, -ETIME, NULL);
    cr_expect(eq(int, (int)nido_try_read(ends[0], buf, 8), -EAGAIN));
    cr_expect(eq(int, (int)nido_try_write(ends[1], "abcd", 4), 4));
    cr_expect(eq(int, (int)nido_try_read(ends[0], buf, 2), 2));
    cr_expect(eq(int, (int)nido_try_recv(ends[0], buf + 2, 8, 0), 2));
    cr_expect(eq(int, memcmp(buf, "abcd", 4), 0));
    cr_expect(eq(int, (int)nido_try_recv(ends[0], buf, 8, 0), -EAGAIN));
    cr_expect(eq(int, (int)nido_try_send(ends[1], "ef", 2, 0), 2));
    cr_expect(eq(int, (int)nido_try_read(ends[0], buf, 8), 2));
    fd = nido_try_accept(acceptor, NULL, NULL);
    cr_expect(ge(int, fd, 0));
    cr_expect(eq(int, nido_try_accept(acceptor, NULL, NULL), -EAGAIN));
    cr_expect(eq(int, fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK), "it is owned");
    cr_expect(eq(int, nido_close(fd), 0));
    cr_expect(nido_cancelled());
    return nido_scope_close(&scope, 0);
}

/* A socket pair of nido's in `ends`, and another task that is ready and must not run meanwhile. */
static int with_a_pair(nido_fn *fn)
{
    nido_group group;
    int rc = nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends);

    if (rc) return rc;
    another_ran = false;
    nido_group_open(&group, NIDO_FAIL_FAST, "bystander");
    cr_expect(eq(int, nido_spawn(&group, note_that_it_ran, NULL), 0));
    rc = fn(NULL);
    cr_expect(not(another_ran), "no try lets another task run");
    rc = nido_group_close(&group, rc);
    io_close_pair(ends);
    return rc;
}

static int pair_under_a_cancel(void *unused)
{
    int client, rc;

    (void)unused;
    acceptor = io_listen();
    client = io_connect();
    rc = with_a_pair(try_under_a_cancel);
    nido_close(client);
    nido_close(acceptor);
    return rc;
}

NIDO_TEST(fd_try, in_a_cancelled_scope_a_try_still_looks_and_runs_no_other_task)
{
    cr_expect(eq(int, io_run(pair_under_a_cancel), 0));
}

/* What nido remembers of a descriptor is older than what has arrived. */
static int try_what_came(void *unused)
{
    (void)unused;
    cr_expect(eq(int, (int)nido_try_read(ends[0], buf, 8), -EAGAIN));
    for (int i = 0; i < 3; i++) {
        cr_expect(eq(int, (int)write(ends[1], "ab", 2), 2));
        cr_expect(eq(int, (int)nido_try_read(ends[0], buf, 1), 1));
        cr_expect(eq(int, (int)nido_try_read(ends[0], buf, 8), 1));
        cr_expect(eq(int, (int)nido_try_read(ends[0], buf, 8), -EAGAIN));
    }
    cr_expect(eq(int, (int)write(ends[1], "abc", 3), 3));
    cr_expect(eq(int, (int)nido_try_read(ends[0], buf, 1), 1));
    return 0;
}

static int then_read_the_rest(void *unused)
{
    nido_scope scope;
    int rc = with_a_pair(try_what_came);

    (void)unused;
    if (rc) return rc;
    rc = nido_pipe(ends);
    if (rc) return rc;
    nido_timeout_open(&scope, NIDO_MS(1)); /* its edge is used up */
    cr_expect(eq(int, nido_scope_close(&scope, (int)nido_read(ends[0], buf, 8)), -ETIMEDOUT));
    cr_expect(eq(int, (int)write(ends[1], "abc", 3), 3));
    cr_expect(eq(int, (int)nido_try_read(ends[0], buf, 1), 1));
    cr_expect(eq(int, (int)nido_read(ends[0], buf, 8), 2), "what a try leaves is found");
    io_close_pair(ends);
    return 0;
}

NIDO_TEST(fd_try, it_finds_what_no_report_has_told_yet)
{
    cr_expect(eq(int, io_run(then_read_the_rest), 0));
}

static int try_full_and_ended(void *unused)
{
    ssize_t n;

    (void)unused;
    io_fill(ends[1]);
    cr_expect(eq(int, (int)nido_try_write(ends[1], "x", 1), -EAGAIN));
    cr_expect(eq(int, (int)nido_try_send(ends[1], "x", 1, 0), -EAGAIN));
    shutdown(ends[1], SHUT_WR);
    while ((n = nido_try_read(ends[0], buf, sizeof buf)) > 0) continue;
    cr_expect(eq(int, (int)n, 0), "the end");
    shutdown(ends[0], SHUT_RDWR);
    cr_expect(eq(int, (int)nido_try_write(ends[1], "x", 1), -EPIPE));
    cr_expect(eq(int, (int)nido_try_write(ends[1], "", 0), 0));
    cr_expect(eq(int, (int)nido_try_read(ends[0], buf, 0), 0));
    cr_expect(eq(int, (int)nido_try_read(-1, buf, 1), -EBADF));
    cr_expect(eq(int, (int)nido_try_recv(ends[0], buf, 1, MSG_WAITALL), -EOPNOTSUPP));
    cr_expect(eq(int, (int)nido_try_send(ends[0], buf, 1, MSG_DONTWAIT), -EOPNOTSUPP));
    return 0;
}

static int pair_full_and_ended(void *unused)
{
    (void)unused;
    return with_a_pair(try_full_and_ended);
}

NIDO_TEST(fd_try, a_full_one_an_end_and_a_wrong_call_are_told_as_ever)
{
    cr_expect(eq(int, io_run(pair_full_and_ended), 0));
}

/* ---- Beside tasks that wait ---- */

static int read_one(void *unused)
{
    (void)unused;
    cr_expect(eq(int, (int)nido_read(ends[0], buf, 1), 1));
    return 0;
}

static int try_beside_a_reader(void *unused)
{
    (void)unused;
    cr_expect(eq(int, (int)nido_try_read(ends[0], buf, 1), -EBUSY));
    cr_expect(ne(ptr, strstr(nido_error_text(nido_error_last()), "reads from descriptor"), NULL));
    cr_expect(eq(int, (int)nido_try_write(ends[1], "x", 1), 1));
    return 0;
}

static int accept_in_line(void *unused)
{
    int fd = nido_accept(acceptor, NULL, NULL);

    (void)unused;
    cr_expect(ge(int, fd, 0));
    return nido_close(fd);
}

static int try_beside_an_acceptor(void *unused)
{
    int client = io_connect();

    (void)unused;
    cr_expect(eq(int, nido_try_accept(acceptor, NULL, NULL), -EAGAIN),
              "the connection is another's");
    return nido_close(client);
}

static int try_beside_others(void *unused)
{
    int rc = nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends);

    (void)unused;
    if (!rc) rc = TOGETHER(NULL, read_one, try_beside_a_reader);
    io_close_pair(ends);
    acceptor = io_listen();
    if (!rc) rc = TOGETHER(NULL, accept_in_line, try_beside_an_acceptor);
    nido_close(acceptor);
    return rc;
}

NIDO_TEST(fd_try, it_takes_nothing_from_tasks_that_wait)
{
    cr_expect(eq(int, io_run(try_beside_others), 0));
}

/* ---- Foreign ones ---- */

static void expect_blocking(int fd)
{
    cr_expect(eq(int, fcntl(fd, F_GETFL) & O_NONBLOCK, 0), "its flags are as they were");
}

/* A pipe where neither RWF_NOWAIT nor /proc is there: only a worker could try it. */
static bool needs_worker(ssize_t n)
{
    if (n == -EOPNOTSUPP) io_close_pair(ends);
    return n == -EOPNOTSUPP;
}

static void try_foreign_pair(void)
{
    for (int i = 0; i < 2; i++) {
        ssize_t n;

        cr_expect(eq(int, (int)nido_try_read(ends[0], buf, sizeof buf), -EAGAIN));
        cr_expect(eq(int, (int)write(ends[1], "ab", 2), 2));
        n = nido_try_read(ends[0], buf, sizeof buf);
        if (needs_worker(n)) return;
        cr_expect(eq(int, (int)n, 2));
    }
    cr_expect(eq(int, (int)nido_try_write(ends[1], "ab", 2), 2));
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    io_fill(ends[1]);
    fcntl(ends[1], F_SETFL, 0);
    cr_expect(eq(int, (int)nido_try_write(ends[1], buf, sizeof buf), -EAGAIN));
    for (int i = 0; i < 2; i++) expect_blocking(ends[i]);
    io_close_pair(ends);
}

static int try_foreign(void *unused)
{
    nido_scope scope;

    (void)unused;
    nido_timeout_open(&scope, 0);
    cr_assert(eq(int, pipe(ends), 0));
    try_foreign_pair();
    cr_assert(eq(int, socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0));
    try_foreign_pair();
    return nido_scope_close(&scope, 0);
}

NIDO_TEST(fd_try, on_a_foreign_descriptor_that_blocks_it_does_not)
{
    cr_expect(eq(int, io_run(try_foreign), 0));
}

static void expect_refused(ssize_t rc, const char *why)
{
    cr_expect(eq(int, (int)rc, -EOPNOTSUPP));
    cr_expect(ne(ptr, strstr(nido_error_text(nido_error_last()), why), NULL), "%s",
              nido_error_text(nido_error_last()));
}

static int try_what_needs_a_worker(void *unused)
{
    char path[] = "/tmp/nido-try-XXXXXX";
    int file = mkstemp(path), listener = io_listen(), flags = fcntl(listener, F_GETFL);

    (void)unused;
    cr_assert(ge(int, file, 0));
    unlink(path);
    expect_refused(nido_try_write(file, "x", 1), "is a file");
    expect_refused(nido_try_read(file, buf, 1), "is a file");
    close(file);
    nido_fd_forget(listener);
    fcntl(listener, F_SETFL, flags & ~O_NONBLOCK);
    expect_refused(nido_try_accept(listener, NULL, NULL), "blocks and is not nido's");
    fcntl(listener, F_SETFL, flags | O_NONBLOCK);
    cr_expect(eq(int, nido_try_accept(listener, NULL, NULL), -EAGAIN));
    return nido_close(listener);
}

NIDO_TEST(fd_try, what_only_a_worker_could_try_is_refused_with_a_text)
{
    cr_expect(eq(int, io_run(try_what_needs_a_worker), 0));
}

/* ---- Where nothing may park, and without a run ---- */

static int try_in_a_post(void *unused)
{
    (void)unused;
    cr_expect(eq(int, (int)nido_try_write(ends[1], "x", 1), 1));
    cr_expect(eq(int, (int)nido_try_read(ends[0], buf, 1), 1));
    cr_expect(eq(int, (int)nido_try_read(ends[0], buf, 1), -EAGAIN));
    return 0;
}

static int post_a_try(void *unused)
{
    nido_rt *rt = nido_rt_self();
    int rc = nido_pipe(ends);

    (void)unused;
    if (rc) return rc;
    cr_expect(eq(int, nido_post(rt, try_in_a_post, NULL), 0));
    rc = nido_sleep(1);
    nido_rt_release(rt);
    io_close_pair(ends);
    return rc;
}

NIDO_TEST(fd_try, a_posted_function_may_try)
{
    cr_expect(eq(int, io_run(post_a_try), 0));
    cr_expect(eq(int, (int)nido_try_read(0, buf, 1), -EPERM));
    cr_expect(eq(int, nido_try_accept(0, NULL, NULL), -EPERM));
}

/* ---- A shortage ---- */

static int accept_without_descriptors(void *unused)
{
    int fd, listener = io_listen(), client = io_connect();

    (void)unused;
    cr_expect(eq(int, nido_test_disturb("accept", 1, -EMFILE), 0));
    cr_expect(eq(int, nido_try_accept(listener, NULL, NULL), -EMFILE));
    fd = nido_try_accept(listener, NULL, NULL);
    cr_expect(ge(int, fd, 0), "the connection is still there");
    nido_test_forget();
    nido_close(fd);
    nido_close(client);
    return nido_close(listener);
}

NIDO_TEST(fd_try, an_accept_without_descriptors_is_told_at_once)
{
    cr_expect(eq(int, io_run(accept_without_descriptors), 0));
}

/* ---- No cancellation points ---- */

static int ask_each(void *unused)
{
    int rc = nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends);

    (void)unused;
    if (rc) return rc;
    cr_expect(NIDO_TEST_IS_NO_POINT(nido_try_read(ends[0], buf, 1)));
    cr_expect(NIDO_TEST_IS_NO_POINT(nido_try_write(ends[1], buf, 1)));
    cr_expect(NIDO_TEST_IS_NO_POINT(nido_try_recv(ends[0], buf, 1, 0)));
    cr_expect(NIDO_TEST_IS_NO_POINT(nido_try_send(ends[1], buf, 1, 0)));
    cr_expect(NIDO_TEST_IS_NO_POINT(nido_try_accept(ends[0], NULL, NULL)));
    io_close_pair(ends);
    return 0;
}

NIDO_TEST(fd_try, none_is_a_cancellation_point)
{
    cr_expect(eq(int, io_run(ask_each), 0));
}
