/* SPDX-License-Identifier: MIT */
/* What the calls of sockets, and those of all descriptors, say of them. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/sys.h"
#include "io_help.h"

/* Two TCP sockets that are connected over the loopback. */
static void tcp_pair(int ends[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    cr_assert(zero(int, bind(listener, (struct sockaddr *)&address, length)));
    cr_assert(zero(int, listen(listener, 1)));
    getsockname(listener, (struct sockaddr *)&address, &length);
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert(zero(int, connect(ends[0], (struct sockaddr *)&address, length)));
    ends[1] = accept(listener, NULL, NULL);
    close(listener);
}

/* ---- Families ---- */

NIDO_TEST(sys_socket, a_family_is_told_and_what_is_no_socket)
{
    int unix_end = socket(AF_UNIX, SOCK_DGRAM, 0), inet = socket(AF_INET, SOCK_DGRAM, 0), ends[2];

    cr_assert(zero(int, pipe(ends)));
    cr_expect(eq(int, nidoi_sys.family(unix_end), AF_UNIX));
    cr_expect(eq(int, nidoi_sys.family(inet), AF_INET));
    cr_expect(eq(int, nidoi_sys.family(ends[0]), -ENOTSOCK));
    cr_expect(eq(int, nidoi_sys.family(-1), -EBADF));
    close(unix_end);
    close(inet);
    close(ends[0]);
    close(ends[1]);
}

NIDO_TEST(sys_socket, both_addresses_of_a_connection_are_told)
{
    struct sockaddr_storage own[2], peer[2];
    int ends[2], lone = socket(AF_INET, SOCK_STREAM, 0);

    tcp_pair(ends);
    for (int i = 0; i < 2; i++)
        cr_expect(zero(int, nidoi_sys.addresses(ends[i], &own[i], &peer[i])));
    cr_expect(zero(int, memcmp(&own[0], &peer[1], sizeof *own)));
    cr_expect(zero(int, memcmp(&own[1], &peer[0], sizeof *own)));
    cr_expect(eq(int, nidoi_sys.addresses(lone, own, peer), -ENOTCONN));
    cr_expect(eq(int, nidoi_sys.addresses(-1, own, peer), -EBADF));
    close(lone);
    close(ends[0]);
    close(ends[1]);
}

#ifdef __linux__
/* "pipe:[4711]", "socket:[4712]": what proc(5) shows. */
static void expect_inode(int fd, const char *kind, uint64_t inode)
{
    char path[32], link[64] = "", expected[64];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    cr_assert(gt(int, (int)readlink(path, link, sizeof link - 1), 0));
    snprintf(expected, sizeof expected, "%s:[%llu]", kind, (unsigned long long)inode);
    cr_expect(eq(str, link, expected));
}

NIDO_TEST(sys_socket, ends_of_a_pipe_are_told_apart_and_belong_together)
{
    uint64_t inode[2];
    int ends[2], null = open("/dev/null", O_RDONLY);

    cr_assert(zero(int, pipe(ends)));
    cr_expect(eq(int, nidoi_sys.pipe_end(ends[0], &inode[0]), O_RDONLY));
    cr_expect(eq(int, nidoi_sys.pipe_end(ends[1], &inode[1]), O_WRONLY));
    for (int i = 0; i < 2; i++) expect_inode(ends[i], "pipe", inode[i]);
    cr_expect(eq(int, nidoi_sys.pipe_end(null, inode), -ENOTSUP));
    cr_expect(eq(int, nidoi_sys.pipe_end(-1, inode), -EBADF));
    close(null);
    close(ends[0]);
    close(ends[1]);
}

NIDO_TEST(sys_socket, unix_sockets_know_their_peers)
{
    uint64_t own[2], peer[2];
    int ends[2], lone = socket(AF_UNIX, SOCK_STREAM, 0);

    cr_assert(zero(int, socketpair(AF_UNIX, SOCK_STREAM, 0, ends)));
    cr_expect(lt(int, nidoi_sys.unix_inodes(lone, own, peer), 0));
    cr_expect(eq(int, nidoi_sys.unix_inodes(-1, own, peer), -EBADF));
    for (int i = 0; i < 2; i++) {
        if (nidoi_sys.unix_inodes(ends[i], &own[i], &peer[i]))
            continue; /* a kernel without, or a filter */
        expect_inode(ends[i], "socket", own[i]);
        expect_inode(ends[!i], "socket", peer[i]);
    }
    close(lone);
    close(ends[0]);
    close(ends[1]);
}
#endif

/* ---- Lingering ---- */

static void expect_linger(int on, int seconds, int expected)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct linger linger = {on, seconds};
    socklen_t length = sizeof linger;

    cr_assert(zero(int, setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, length)));
    cr_expect(zero(int, nidoi_sys.end_linger(fd)));
    cr_expect(zero(int, getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &length)));
    cr_expect(eq(int, linger.l_onoff != 0, expected), "%d, %d s", on, seconds);
    close(fd);
}

NIDO_TEST(sys_socket, only_a_close_that_would_wait_is_changed)
{
    expect_linger(0, 0, 0);
    expect_linger(0, 5, 0);
    expect_linger(1, 0, 1);
    expect_linger(1, 5, 0);
    cr_expect(eq(int, nidoi_sys.end_linger(-1), -EBADF));
}

/* ---- Connecting, and bytes on their way ---- */

NIDO_TEST(sys_socket, errors_of_options_and_connects_come_through)
{
    struct sockaddr_un nowhere = {.sun_family = AF_UNIX, .sun_path = "/nowhere"};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), value = 0;

    cr_expect(eq(int, nidoi_sys.connect(fd, (struct sockaddr *)&nowhere, sizeof nowhere), -ENOENT));
    cr_expect(zero(int, nidoi_sys.getsockopt(fd, SOL_SOCKET, SO_TYPE, &value)));
    cr_expect(eq(int, value, SOCK_STREAM));
    cr_expect(eq(int, nidoi_sys.getsockopt(-1, SOL_SOCKET, SO_TYPE, &value), -EBADF));
    cr_expect(eq(int, nidoi_sys.setsockopt(-1, SOL_SOCKET, SO_KEEPALIVE, 1), -EBADF));
    cr_expect(eq(int, nidoi_sys.listen(-1, 1), -EBADF));
    close(fd);
}

#ifdef __linux__
NIDO_TEST(sys_socket, bytes_that_the_peer_has_not_taken_are_counted)
{
    int ends[2];

    cr_assert(zero(int, socketpair(AF_UNIX, SOCK_STREAM, 0, ends)));
    cr_expect(zero(int, nidoi_sys.unconfirmed(ends[0])));
    cr_expect(eq(int, (int)nidoi_sys.write(ends[0], "abc", 3), 3));
    cr_expect(gt(int, nidoi_sys.unconfirmed(ends[0]), 0));
    cr_expect(lt(int, nidoi_sys.unconfirmed(-1), 0));
    close(ends[0]);
    close(ends[1]);
}
#endif

/* ---- Any descriptor ---- */

NIDO_TEST(sys_file, blocking_is_told_and_changed_once)
{
    int ends[2];

    cr_assert(zero(int, pipe(ends)));
    cr_expect(eq(int, nidoi_sys.blocks(ends[0]), 1));
    cr_expect(eq(int, nidoi_sys.nonblock(ends[0], false), 1));
    cr_expect(zero(int, nidoi_sys.nonblock(ends[0], true)));
    cr_expect(zero(int, nidoi_sys.blocks(ends[0])));
    cr_expect(eq(int, nidoi_sys.nonblock(ends[0], true), 1));
    cr_expect(zero(int, nidoi_sys.nonblock(ends[0], false)));
    cr_expect(eq(int, nidoi_sys.blocks(ends[0]), 1));
    close(ends[0]);
    close(ends[1]);
    cr_expect(eq(int, nidoi_sys.nonblock(-1, true), -EBADF));
    cr_expect(zero(int, nidoi_sys.blocks(-1)), "the call itself tells what is wrong");
}

NIDO_TEST(sys_file, what_is_not_open_has_no_mode_and_is_not_closed)
{
    int ends[2];

    cr_assert(zero(int, pipe(ends)));
    cr_expect(eq(int, nidoi_sys.mode(ends[0]) & S_IFMT, S_IFIFO));
    cr_expect(zero(int, nidoi_sys.close(ends[0])));
    cr_expect(eq(int, nidoi_sys.close(ends[0]), -EBADF));
    cr_expect(eq(int, nidoi_sys.mode(ends[0]), -EBADF));
    close(ends[1]);
}

NIDO_TEST(sys_file, a_directory_is_read_to_its_end)
{
    struct dirent *entry = NULL;
    DIR *dir = NULL;
    int n = 0;

    cr_expect(eq(int, nidoi_sys.opendir("/nowhere", &dir), -ENOENT));
    cr_expect(eq(int, nidoi_sys.opendir("/proc/self/exe", &dir), -ENOTDIR));
    cr_assert(zero(int, nidoi_sys.opendir("/proc/self/task", &dir)));
    for (; nidoi_sys.readdir(dir, &entry) == 0 && entry; n++) continue;
    cr_expect(ge(int, n, 3), "., .. and a thread");
    cr_expect(zero(int, nidoi_sys.closedir(dir)));
}
