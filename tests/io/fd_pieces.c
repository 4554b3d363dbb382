/* SPDX-License-Identifier: MIT */
/* A transfer whose attempts all succeed never parks: a hook lets each move one byte. Between its
 * pieces it looks at its scope, lets others run, and asks whether the number is still its file's. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "faults.h"
#include "io_help.h"

enum { LONG = 64 << 20 };

static struct nidoi_sys real;
static int fd, source;
static size_t done;
static atomic_int moved; /* of a file it is a worker that moves */

/* ---- Calls that move a byte, as if there always were one, or room for one ---- */

static ssize_t one(void)
{
    moved++;
    return 1;
}

static ssize_t one_read(int number, void *buf, size_t len)
{
    (void)number, (void)buf, (void)len;
    return one();
}

static ssize_t one_written(int number, const void *buf, size_t len)
{
    (void)number, (void)buf, (void)len;
    return one();
}

static ssize_t one_received(int number, void *buf, size_t len, int flags)
{
    (void)number, (void)buf, (void)len, (void)flags;
    return one();
}

static ssize_t one_sent(int number, const void *buf, size_t len, int flags)
{
    (void)number, (void)buf, (void)len, (void)flags;
    return one();
}

static ssize_t one_of_a_file(int out, int in, int64_t *offset, size_t len)
{
    (void)out, (void)in, (void)len;
    ++*offset;
    return one();
}

static void move_single_bytes(void)
{
    real = nidoi_sys;
    nidoi_sys.read = one_read;
    nidoi_sys.write = one_written;
    nidoi_sys.recv = one_received;
    nidoi_sys.send = one_sent;
    nidoi_sys.sendfile = one_of_a_file;
}

/* ---- The transfers ---- */

static char nowhere[LONG]; /* is never looked at */

static int read_all(void)
{
    return nido_read_full(fd, nowhere, LONG, &done);
}

static int write_all(void)
{
    return nido_write_all(fd, nowhere, LONG, &done);
}

static int send_file(void)
{
    return nido_sendfile(fd, source, 0, LONG, &done);
}

/* What it has got is its result, so a byte less than all is the sign of a failure. */
static int receive_all(void)
{
    ssize_t n = nido_recv(fd, nowhere, LONG, MSG_WAITALL);

    done = n > 0 ? (size_t)n : 0;
    return done < LONG ? -ECANCELED : 0;
}

static int (*const transfers[])(void) = {read_all, write_all, receive_all, send_file};

enum { TRANSFERS = sizeof transfers / sizeof *transfers, SENDFILE = TRANSFERS - 1 };

/* Each is tried on an owned descriptor and on a foreign one. */
static int each_transfer(int (*attempt)(int (*transfer)(void)), int n)
{
    source = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    for (int i = 0; i < 2 * n; i++) {
        int ends[2];

        cr_assert(zero(int, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)));
        if (i % 2) cr_expect(zero(int, nido_fd_own(ends[0])));
        fd = ends[0];
        moved = 0;
        done = 0;
        move_single_bytes();
        cr_expect(zero(int, attempt(transfers[i / 2])), "transfer %d", i);
        nidoi_sys = real;
        cr_expect(lt(sz, done, LONG), "transfer %d", i);
        nido_close(fd);
        close(ends[1]);
    }
    close(source);
    return 0;
}

/* ---- A deadline ---- */

static int until_a_deadline(int (*transfer)(void))
{
    nido_scope scope;
    int rc;

    nido_timeout_open(&scope, NIDO_MS(2));
    rc = nido_scope_close(&scope, transfer());
    return rc == -ETIMEDOUT && moved ? 0 : -EPROTO;
}

static int each_until_a_deadline(void *unused)
{
    (void)unused;
    return each_transfer(until_a_deadline, SENDFILE);
}

NIDO_TEST(fd_pieces, a_transfer_that_never_parks_ends_at_its_deadline)
{
    cr_expect(zero(int, nido_run(each_until_a_deadline, NULL, NULL)));
}

/* ---- A cancel ---- */

static int cancel(void *group)
{
    while (!moved) nido_yield();
    return nido_group_cancel(group, -ETIME, "enough");
}

static int perform(void *transfer)
{
    int rc = (*(int (**)(void))transfer)();

    return rc == -ECANCELED ? 0 : -EPROTO;
}

/* The second task runs when the transfer lets it. */
static int until_a_cancel(int (*transfer)(void))
{
    nido_group group;
    int rc;

    nido_group_open(&group, NIDO_WAIT_ALL, "transfer");
    rc = nido_spawn(&group, perform, &transfer);
    if (!rc) rc = nido_spawn(&group, cancel, &group);
    rc = nido_group_close(&group, rc);
    return rc != -EPROTO && moved ? 0 : -EPROTO;
}

static int each_until_a_cancel(void *unused)
{
    (void)unused;
    return each_transfer(until_a_cancel, TRANSFERS);
}

NIDO_TEST(fd_pieces, a_transfer_that_never_parks_lets_others_cancel_it)
{
    cr_expect(zero(int, nido_run(each_until_a_cancel, NULL, NULL)));
}

/* ---- Another file under the number ---- */

static int at_the_close;

static int replace(void *unused)
{
    (void)unused;
    nido_close(fd);
    cr_expect(eq(int, open("/dev/null", O_RDWR | O_CLOEXEC), fd), "the lowest free number");
    at_the_close = moved;
    return 0;
}

static int perform_to_ebadf(void *transfer)
{
    int rc = (*(int (**)(void))transfer)();

    return rc == -EBADF || rc == -ECANCELED ? 0 : -EPROTO;
}

static int until_it_is_replaced(int (*transfer)(void))
{
    nido_group group;
    int rc;

    nido_group_open(&group, NIDO_FAIL_FAST, "transfer");
    rc = nido_spawn(&group, perform_to_ebadf, &transfer);
    if (!rc) rc = nido_spawn(&group, replace, NULL);
    rc = nido_group_close(&group, rc);
    return rc ? rc : moved == at_the_close ? 0 : -EPROTO;
}

static int each_until_it_is_replaced(void *unused)
{
    (void)unused;
    return each_transfer(until_it_is_replaced, SENDFILE);
}

NIDO_TEST(fd_pieces, a_transfer_that_never_parks_ends_when_its_number_is_used_again)
{
    cr_expect(zero(int, nido_run(each_until_it_is_replaced, NULL, NULL)));
}
