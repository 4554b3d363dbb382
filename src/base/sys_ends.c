/* SPDX-License-Identifier: MIT */
/* base/sys_ends.c: which ends of pipes and of Unix sockets belong together. Linux alone tells. */
#include "base/sys_call.h"

#ifdef __linux__

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { PIPE_FILE_SYSTEM = 0x50495045 }; /* PIPEFS_MAGIC of <linux/magic.h>: pipes without names */

int nidoi_os_pipe_end(int fd, uint64_t *inode)
{
    struct stat status;
    struct statfs system;
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fstat(fd, &status) < 0) return -errno;
    if (!S_ISFIFO(status.st_mode)) return -ENOTSUP;
    if (fstatfs(fd, &system) < 0) return -errno;
    if ((uint32_t)system.f_type != PIPE_FILE_SYSTEM) return -ENOTSUP;
    *inode = status.st_ino;
    return flags & O_ACCMODE;
}

/* ---- A question to the kernel about a socket: sock_diag(7) ----
 *
 * The structs are those of <linux/netlink.h> and <linux/unix_diag.h>, which not every C library brings. */

enum {
    NETLINK = 16, /* AF_NETLINK */
    NETLINK_SOCK_DIAG = 4,
    NETLINK_REQUEST = 1,
    DIAG_BY_FAMILY = 20,
    DIAG_SHOW_PEER = 4,
    DIAG_PEER = 2
};

struct netlink_head {
    uint32_t length;
    uint16_t type, flags;
    uint32_t sequence, port;
};

struct unix_question {
    struct netlink_head head;
    uint8_t family, protocol;
    uint16_t pad;
    uint32_t states, inode, show, cookie[2];
};

/* Of a socket with a peer: what was asked for comes before what the kernel adds unasked. */
struct unix_answer {
    struct netlink_head head;
    uint8_t family, type, state, pad;
    uint32_t inode, cookie[2];
    uint16_t attribute_length, attribute_type;
    uint32_t peer;
    char more[64];
};

static int unix_ask(int netlink, uint32_t inode, struct unix_answer *out)
{
    const struct unix_question question = {
        .head = {.length = sizeof question, .type = DIAG_BY_FAMILY, .flags = NETLINK_REQUEST},
        .family = AF_UNIX,
        .states = UINT32_MAX,
        .inode = inode,
        .show = DIAG_SHOW_PEER,
        .cookie = {UINT32_MAX, UINT32_MAX}}; /* whichever it is */
    ssize_t n = send(netlink, &question, sizeof question, 0);

    if (n >= 0) n = recv(netlink, out, sizeof *out, MSG_DONTWAIT); /* the send has answered it */
    if (n < 0) return -errno;
    return n >= (ssize_t)offsetof(struct unix_answer, more) && out->head.type == DIAG_BY_FAMILY &&
                   out->attribute_type == DIAG_PEER
               ? 0
               : -ENOTSUP;
}

int nidoi_os_unix_inodes(int fd, uint64_t *own, uint64_t *peer)
{
    struct unix_answer answer = {0};
    struct stat status;
    int netlink, err;

    if (fstat(fd, &status) < 0) return -errno;
    if (!S_ISSOCK(status.st_mode)) return -ENOTSOCK;
    netlink = socket(NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (netlink < 0) return -errno;
    err = unix_ask(netlink, (uint32_t)status.st_ino, &answer);
    close(netlink);
    if (err) return err;
    *own = answer.inode;
    *peer = answer.peer;
    return 0;
}

#else

int nidoi_os_pipe_end(int fd, uint64_t *inode)
{
    (void)fd;
    (void)inode;
    return -ENOTSUP;
}

int nidoi_os_unix_inodes(int fd, uint64_t *own, uint64_t *peer)
{
    (void)fd;
    (void)own;
    (void)peer;
    return -ENOTSUP;
}

#endif
