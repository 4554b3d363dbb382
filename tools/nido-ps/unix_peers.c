/* SPDX-License-Identifier: MIT */
#include "unix_peers.h"

#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct question {
    struct nlmsghdr head;
    struct unix_diag_req unix_;
};

/* What the kernel says of one socket (sock_diag(7)). */
struct answer {
    const char *name; /* not terminated; NULL: none */
    size_t length;
    unsigned long peer; /* its inode; 0: none */
};

static void answer_read(struct answer *answer, const struct unix_diag_msg *message, size_t size)
{
    const struct nlattr *at = (const void *)(message + 1);

    memset(answer, 0, sizeof *answer);
    for (size -= sizeof *message;
         size >= sizeof *at && at->nla_len >= sizeof *at && at->nla_len <= size;) {
        size_t step = NLA_ALIGN(at->nla_len);

        if (at->nla_type == UNIX_DIAG_NAME) {
            answer->name = (const char *)(at + 1);
            answer->length = at->nla_len - sizeof *at;
        } else if (at->nla_type == UNIX_DIAG_PEER) {
            unsigned int peer;

            memcpy(&peer, at + 1, sizeof peer);
            answer->peer = peer;
        }
        if (step > size) break;
        size -= step;
        at = (const void *)((const char *)at + step);
    }
}

/* `room` holds what `answer` points at. */
static bool ask(int netlink, unsigned long inode, char *room, size_t size, struct answer *answer)
{
    struct question question = {.head = {.nlmsg_len = sizeof question,
                                         .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                                         .nlmsg_flags = NLM_F_REQUEST},
                                .unix_ = {.sdiag_family = AF_UNIX,
                                          .udiag_states = ~0u,
                                          .udiag_ino = (unsigned)inode,
                                          .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER,
                                          .udiag_cookie = {~0u, ~0u}}};
    const struct nlmsghdr *head = (const void *)room;
    ssize_t n;

    if (send(netlink, &question, sizeof question, 0) != sizeof question) return false;
    n = recv(netlink, room, size, 0);
    if (n < (ssize_t)sizeof *head || !NLMSG_OK(head, (size_t)n) ||
        head->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
        head->nlmsg_len < NLMSG_LENGTH(sizeof(struct unix_diag_msg)))
        return false;
    answer_read(answer, NLMSG_DATA(head), head->nlmsg_len - NLMSG_HDRLEN);
    return true;
}

/* An abstract name begins with a zero byte. */
static void print_name(const struct answer *answer, char *out, size_t size)
{
    size_t n = answer->length < size - 1 ? answer->length : size - 1;

    memcpy(out, answer->name, n);
    out[n] = '\0';
    if (n && !out[0]) out[0] = '@';
    for (; *out; out++)
        if ((unsigned char)*out < ' ' || *out == 127) *out = '?';
}

bool unix_peer_find(unsigned long inode, char *out, size_t size)
{
    int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    _Alignas(8) char room[4096];
    struct answer own, peer;
    bool found = netlink >= 0 && ask(netlink, inode, room, sizeof room, &own) && own.peer &&
                 ask(netlink, own.peer, room, sizeof room, &peer) && peer.name;

    if (found) print_name(&peer, out, size);
    if (netlink >= 0) close(netlink);
    return found;
}
