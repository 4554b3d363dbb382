/* SPDX-License-Identifier: MIT */
/* Who was woken from a line and has not run yet is still the first in it. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "io_help.h"

enum { EACH = 3 };

static int fd, ends[2], clients[EACH], order[EACH], served, next_number;
static bool foreign;

static void serve(int me)
{
    if (served < EACH) order[served] = me;
    served++;
}

static int accept_one(void *unused)
{
    int me = next_number++, taken = nido_accept(fd, NULL, NULL);

    (void)unused;
    cr_expect(ge(int, taken, 0));
    serve(me);
    return nido_close(taken);
}

static int receive_one(void *unused)
{
    int me = next_number++;
    char c;

    (void)unused;
    cr_expect(eq(int, (int)nido_recvfrom(ends[0], &c, 1, 0, NULL, NULL), 1));
    serve(me);
    return 0;
}

static nido_fn *one;

/* Comes when the first has been served: the second was woken by that, and has not run yet. */
static int come_late(void *unused)
{
    while (!served) nido_yield();
    return one(unused);
}

static void expect_arrival(void)
{
    cr_expect(eq(int, served, EACH));
    for (int i = 0; i < EACH; i++) cr_expect(eq(int, order[i], i), "place %d", i);
}

static int three_for_three(nido_fn *wait_for_one, nido_fn *bring)
{
    nido_group group;

    one = wait_for_one;
    served = next_number = 0;
    nido_group_open(&group, NIDO_FAIL_FAST, "line");
    cr_expect(eq(int, nido_spawn(&group, one, NULL), 0));
    cr_expect(eq(int, nido_spawn(&group, one, NULL), 0));
    nido_sleep(NIDO_MS(1));
    bring(NULL);
    cr_expect(eq(int, nido_spawn(&group, come_late, NULL), 0));
    return nido_group_close(&group, 0);
}

static int connect_all(void *unused)
{
    (void)unused;
    for (int i = 0; i < EACH; i++) clients[i] = io_connect();
    return 0;
}

static int accept_in_line(void *unused)
{
    (void)unused;
    fd = io_listen();
    if (foreign) nido_fd_forget(fd);
    cr_expect(eq(int, three_for_three(accept_one, connect_all), 0));
    expect_arrival();
    for (int i = 0; i < EACH; i++) close(clients[i]);
    return nido_close(fd);
}

NIDO_TEST(fd_order, who_was_woken_to_accept_is_not_overtaken)
{
    cr_expect(eq(int, io_run(accept_in_line), 0));
}

NIDO_TEST(fd_order, who_was_woken_to_accept_from_a_foreign_listener_is_not_overtaken)
{
    foreign = true;
    cr_expect(eq(int, io_run(accept_in_line), 0));
}

static int send_all(void *unused)
{
    (void)unused;
    for (int i = 0; i < EACH; i++) cr_expect(eq(int, (int)send(ends[1], "x", 1, 0), 1));
    return 0;
}

static int receive_in_line(void *unused)
{
    (void)unused;
    cr_expect(eq(int, nido_socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0));
    cr_expect(eq(int, three_for_three(receive_one, send_all), 0));
    expect_arrival();
    io_close_pair(ends);
    return 0;
}

NIDO_TEST(fd_order, who_was_woken_to_receive_is_not_overtaken)
{
    cr_expect(eq(int, io_run(receive_in_line), 0));
}

/* One that is served and comes again at once stands behind who waits. */
static int accept_again_and_again(void *unused)
{
    int me = next_number++;

    (void)unused;
    for (;;) {
        int taken = nido_accept(fd, NULL, NULL);

        if (taken < 0) return taken == -EBADF ? 0 : taken;
        serve(me);
        nido_close(taken);
        if (served == EACH) nido_close(fd);
    }
}

static int take_turns(void *unused)
{
    nido_group group;

    (void)unused;
    fd = io_listen();
    nido_group_open(&group, NIDO_FAIL_FAST, "turns");
    for (int i = 0; i < 2; i++)
        cr_expect(eq(int, nido_spawn(&group, accept_again_and_again, NULL), 0));
    nido_sleep(NIDO_MS(1));
    connect_all(NULL);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, served, EACH));
    for (int i = 0; i < EACH; i++) cr_expect(eq(int, order[i], i % 2), "place %d", i);
    for (int i = 0; i < EACH; i++) close(clients[i]);
    return 0;
}

NIDO_TEST(fd_order, who_comes_again_stands_behind_who_waits)
{
    cr_expect(eq(int, io_run(take_turns), 0));
}
