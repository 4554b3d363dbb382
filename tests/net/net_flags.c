/* SPDX-License-Identifier: MIT */
/* Flags of the socket calls: each is the kernel's, or nido's own, or refused. And datagrams that are
 * refused. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "faults.h"
#include "io_help.h"

static int ends[2];
static char buf[64];

static int refuse_each(void *unused)
{
    static const int flags[] = {
        MSG_DONTWAIT,
#ifdef MSG_ERRQUEUE
        MSG_ERRQUEUE,
#endif
#ifdef MSG_FASTOPEN
        MSG_FASTOPEN,
#endif
    };
    struct msghdr message = {0};

    (void)unused;
    nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        int flag = flags[i];

        cr_expect(eq(int, (int)nido_recv(ends[0], buf, 1, flag), -EOPNOTSUPP));
        cr_expect(eq(int, (int)nido_send(ends[0], buf, 1, flag), -EOPNOTSUPP));
        cr_expect(eq(int, (int)nido_recvfrom(ends[0], buf, 1, flag, NULL, NULL), -EOPNOTSUPP));
        cr_expect(eq(int, (int)nido_sendto(ends[0], buf, 1, flag, NULL, 0), -EOPNOTSUPP));
        cr_expect(eq(int, (int)nido_recvmsg(ends[0], &message, flag), -EOPNOTSUPP));
        cr_expect(eq(int, (int)nido_sendmsg(ends[0], &message, flag), -EOPNOTSUPP));
    }
    cr_expect(eq(int, (int)nido_recv(ends[0], buf, 1, MSG_WAITALL | MSG_PEEK), -EOPNOTSUPP));
    cr_expect(eq(int, (int)nido_recvfrom(ends[0], buf, 1, MSG_WAITALL, NULL, NULL), -EOPNOTSUPP));
    cr_expect(eq(int, (int)nido_recvmsg(ends[0], &message, MSG_WAITALL), -EOPNOTSUPP));
    io_close_pair(ends);
    return 0;
}

NIDO_TEST(net_flags, what_cannot_be_honoured_is_refused)
{
    cr_expect(eq(int, io_run(refuse_each), 0));
}

static int receive_all(void *unused)
{
    (void)unused;
    cr_expect(eq(int, (int)nido_recv(ends[0], buf, 6, MSG_WAITALL), 6));
    cr_expect(eq(int, memcmp(buf, "abcdef", 6), 0));
    cr_expect(eq(int, (int)nido_recv(ends[0], buf, 6, MSG_WAITALL), 2), "the end came first");
    cr_expect(eq(int, (int)nido_recv(ends[0], buf, 6, MSG_WAITALL), 0));
    return 0;
}

static int send_pieces(void *unused)
{
    static const char *const pieces[] = {"abc", "de", "f", "gh"};

    (void)unused;
    for (int i = 0; i < 4; i++) {
        cr_expect(gt(int, (int)nido_send(ends[1], pieces[i], strlen(pieces[i]), 0), 0));
        nido_sleep(NIDO_MS(1));
    }
    return nido_close(ends[1]);
}

static int wait_for_all(void *unused)
{
    (void)unused;
    for (int foreign = 0; foreign < 2; foreign++) {
        nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
        if (foreign) nido_fd_forget(ends[0]);
        cr_expect(eq(int, TOGETHER(NULL, receive_all, send_pieces), 0));
        nido_close(ends[0]);
    }
    return 0;
}

NIDO_TEST(net_flags, a_receive_of_all_waits_for_all)
{
    cr_expect(eq(int, io_run(wait_for_all), 0));
}

static int cancel_in_the_middle(void *unused)
{
    nido_scope scope;
    int n;

    (void)unused;
    nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    cr_expect(eq(int, (int)nido_send(ends[1], "abc", 3, 0), 3));
    nido_timeout_open(&scope, NIDO_MS(10));
    n = (int)nido_recv(ends[0], buf, 6, MSG_WAITALL);
    cr_expect(eq(int, nido_scope_close(&scope, 0), 0));
    cr_expect(eq(int, n, 3), "what has arrived is not lost");
    io_close_pair(ends);
    nido_socketpair(AF_UNIX, SOCK_DGRAM, 0, ends);
    cr_expect(eq(int, (int)nido_send(ends[1], "abc", 3, 0), 3));
    cr_expect(eq(int, (int)nido_recv(ends[0], buf, 6, MSG_WAITALL), 3), "a message is all");
    io_close_pair(ends);
    return 0;
}

NIDO_TEST(net_flags, a_receive_of_all_that_is_cancelled_gives_what_came)
{
    cr_expect(eq(int, io_run(cancel_in_the_middle), 0));
}

/* ---- Datagrams that are refused ---- */

static int receiver, sender;
static struct sockaddr_un place;

static int send_one(void *unused)
{
    (void)unused;
    cr_expect(
        eq(int, (int)nido_sendto(sender, "b", 1, 0, (struct sockaddr *)&place, sizeof place), 1));
    return 0;
}

static int empty_after_a_second(void *unused)
{
    (void)unused;
    nido_sleep(NIDO_SEC(1));
    while (recv(receiver, buf, sizeof buf, MSG_DONTWAIT) > 0) continue;
    return 0;
}

static int send_to_a_full_queue(void *foreign)
{
    unsigned long tries;
    int rc;

    place.sun_family = AF_UNIX;
    snprintf(place.sun_path, sizeof place.sun_path, "%s", io_place() + 5);
    unlink(place.sun_path);
    receiver = nido_socket(AF_UNIX, SOCK_DGRAM, 0);
    sender = nido_socket(AF_UNIX, SOCK_DGRAM, 0);
    if (foreign) nido_fd_forget(sender);
    cr_expect(eq(int, bind(receiver, (struct sockaddr *)&place, sizeof place), 0));
    while (sendto(sender, "a", 1, MSG_DONTWAIT, (struct sockaddr *)&place, sizeof place) == 1)
        continue;
    faults_begin();
    rc = TOGETHER(NULL, send_one, empty_after_a_second);
    tries = faults_count(FAULT_sendto);
    faults_end();
    cr_expect(lt(ulong, tries, 300), "%lu", tries);
    nido_close(sender);
    nido_close(receiver);
    unlink(place.sun_path);
    return rc;
}

NIDO_TEST(net_flags, a_datagram_that_is_refused_again_and_again_pauses)
{
    nido_options options = nido_test_virtual();

    cr_expect(eq(int, nido_run(send_to_a_full_queue, NULL, &options), 0));
    cr_expect(eq(int, nido_run(send_to_a_full_queue, &options, &options), 0));
}
