/* SPDX-License-Identifier: MIT */
/* Every call that makes a descriptor makes one that no executed program inherits, that does not
 * block, and that is none of the standard streams, even if the program has closed these. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "faults.h"
#include "io_help.h"

/* What a call has made. */
struct made {
    int fds[2];
    int n;
    bool blocks; /* its caller says whether it does */
};

static void made_one(struct made *made, int fd)
{
    cr_expect(ge(int, fd, 0));
    made->fds[made->n++] = fd;
}

/* ---- Those that need something first ---- */

/* A listener with a connection in its queue. */
static void accept_by(struct made *made, int (*call)(int, struct sockaddr *, socklen_t *))
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), peer;

    snprintf(address.sun_path, sizeof address.sun_path, "%s", io_place() + 5);
    unlink(address.sun_path);
    cr_expect(zero(int, bind(listener, (struct sockaddr *)&address, sizeof address)));
    cr_expect(zero(int, listen(listener, 1)));
    peer = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_expect(zero(int, connect(peer, (struct sockaddr *)&address, sizeof address)));
    made_one(made, call(listener, NULL, NULL));
    close(listener);
    close(peer);
    unlink(address.sun_path);
}

static void pass(int to, int fd)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec iov = {(char[]){'x'}, 1};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};

    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    cr_expect(eq(int, (int)sendmsg(to, &message, 0), 1));
}

/* Its number and whether it blocks are the sender's and the kernel's affair. */
static void receive(struct made *made)
{
    char control[CMSG_SPACE(sizeof(int))], byte;
    struct iovec iov = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    int ends[2], fd;

    cr_expect(zero(int, socketpair(AF_UNIX, SOCK_STREAM, 0, ends)));
    pass(ends[0], ends[1]);
    cr_expect(eq(int, (int)nidoi_sys.recvmsg(ends[1], &message, 0), 1));
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    made_one(made, nidoi_sys.dup(fd, STDERR_FILENO + 1));
    cr_expect(eq(int, fcntl(fd, F_GETFD), FD_CLOEXEC), "the one that came");
    made->blocks = true;
    close(fd);
    close(ends[0]);
    close(ends[1]);
}

static void reopen(struct made *made)
{
    int ends[2];

    cr_expect(zero(int, pipe(ends)));
#ifdef __linux__
    made_one(made, nidoi_sys.reopen(ends[0], false));
#endif
    close(ends[0]);
    close(ends[1]);
}

static void open_a_file(struct made *made)
{
    made->blocks = true;
    made_one(made, nidoi_sys.open("/dev/null", O_RDONLY, 0));
}

static void open_a_directory(struct made *made)
{
    DIR *dir = NULL;

    cr_expect(zero(int, nidoi_sys.opendir("/", &dir)));
    made->blocks = true;
    made_one(made, dup(dirfd(dir)));
    cr_expect(eq(int, fcntl(dirfd(dir), F_GETFD), FD_CLOEXEC));
    cr_expect(gt(int, dirfd(dir), STDERR_FILENO));
    close(made->fds[0]);
    made->n = 0;
    nidoi_sys.closedir(dir);
}

static void open_a_child(struct made *made)
{
    int pid = fork(), fd;

    if (pid == 0) _exit(0);
    fd = nidoi_sys.process_fd(pid);
    made->blocks = true;
    if (fd != -ENOSYS) made_one(made, fd);
    cr_expect(eq(int, waitpid(pid, NULL, 0), pid));
}

/* ---- All ---- */

/* Without a default: the compiler names a call that is new and not here. */
static void make(enum fault call, struct made *made)
{
    *made = (struct made){.n = 0};
    switch (call) {
    case FAULT_open:
        open_a_file(made);
        return;
    case FAULT_opendir:
        open_a_directory(made);
        return;
    case FAULT_accept:
        accept_by(made, nidoi_sys.accept);
        return;
    case FAULT_accept_once:
        accept_by(made, nidoi_sys.accept_once);
        return;
    case FAULT_socket:
        made_one(made, nidoi_sys.socket(AF_UNIX, SOCK_STREAM, 0));
        return;
    case FAULT_socketpair:
        cr_expect(zero(int, nidoi_sys.socketpair(AF_UNIX, SOCK_STREAM, 0, made->fds)));
        made->n = 2;
        return;
    case FAULT_pipe:
        cr_expect(zero(int, nidoi_sys.pipe(made->fds)));
        made->n = 2;
        return;
    case FAULT_reopen:
        reopen(made);
        return;
    case FAULT_dup:
        made->blocks = true;
        open_a_file(made);
        made_one(made, nidoi_sys.dup(made->fds[0], STDERR_FILENO + 1));
        return;
    case FAULT_recvmsg:
        receive(made);
        return;
    case FAULT_process_fd:
        open_a_child(made);
        return;
#ifdef NIDOI_KQUEUE
    case FAULT_kqueue:
        made->blocks = true;
        made_one(made, nidoi_sys.kqueue());
        return;
    case FAULT_kevent_change:
    case FAULT_kevent_wait:
#else
    case FAULT_epoll_create:
        made->blocks = true;
        made_one(made, nidoi_sys.epoll_create());
        return;
    case FAULT_eventfd:
        made_one(made, nidoi_sys.eventfd());
        return;
    case FAULT_epoll_ctl:
    case FAULT_epoll_wait:
    case FAULT_eventfd_write:
    case FAULT_pidfd_send_signal:
#endif
    case FAULT_dup2: /* its number is the caller's choice, and the child's program inherits it */
    case FAULT_read:
    case FAULT_readv:
    case FAULT_write:
    case FAULT_writev:
    case FAULT_recv:
    case FAULT_send:
    case FAULT_recvfrom:
    case FAULT_sendto:
    case FAULT_sendmsg:
    case FAULT_sendfile:
    case FAULT_splice:
    case FAULT_preadv:
    case FAULT_preadv_now:
    case FAULT_pwritev_now:
    case FAULT_readv_once:
    case FAULT_writev_once:
    case FAULT_pwritev:
    case FAULT_fsync:
    case FAULT_rename:
    case FAULT_unlink:
    case FAULT_fdatasync:
    case FAULT_stat:
    case FAULT_lstat:
    case FAULT_fstat:
    case FAULT_readdir:
    case FAULT_closedir:
    case FAULT_connect:
    case FAULT_shutdown:
    case FAULT_bind:
    case FAULT_listen:
    case FAULT_getsockopt:
    case FAULT_setsockopt:
    case FAULT_getaddrinfo:
    case FAULT_nonblock:
    case FAULT_blocks:
    case FAULT_end_linger:
    case FAULT_mode:
    case FAULT_family:
    case FAULT_unconfirmed:
    case FAULT_addresses:
    case FAULT_peer_process:
    case FAULT_unix_inodes:
    case FAULT_pipe_end:
    case FAULT_close:
    case FAULT_poll:
    case FAULT_map:
    case FAULT_unmap:
    case FAULT_protect_none:
    case FAULT_guard:
    case FAULT_release_pages:
    case FAULT_sigaction:
    case FAULT_thread:
    case FAULT_spawn:
    case FAULT_waitid:
    case FAULT_kill:
    case FAULT_fork:
    case FAULT_fork_unseen:
    case FAULT_adopts_orphans:
    case FAULT_adopt_orphans:
    case FAULT_list_children:
    case FAULT_no_new_privs:
    case FAULT_ended_child:
    case FAULT_stopped_child:
    case FAULT_reap:
    case FAULT_await_child:
    case FAULT_lead_group:
    case FAULT_follow_parent:
    case FAULT_limit:
    case FAULT_close_range:
    case FAULT_memory:
    case FAULT_KINDS:
        return;
    }
}

static void each_made(void (*look)(enum fault call, const struct made *made))
{
    for (enum fault call = 0; call < FAULT_KINDS; call++) {
        struct made made;

        make(call, &made);
        look(call, &made);
        for (int i = 0; i < made.n; i++) close(made.fds[i]);
    }
}

static void expect_flags(enum fault call, const struct made *made)
{
    for (int i = 0; i < made->n; i++) {
        cr_expect(eq(int, fcntl(made->fds[i], F_GETFD), FD_CLOEXEC), "call %d", call);
        cr_expect(made->blocks || fcntl(made->fds[i], F_GETFL) & O_NONBLOCK, "call %d", call);
    }
}

NIDO_TEST(sys_open, what_is_made_is_not_inherited_and_does_not_block)
{
    each_made(expect_flags);
}

static void expect_above(enum fault call, const struct made *made)
{
    for (int i = 0; i < made->n; i++)
        cr_expect(gt(int, made->fds[i], STDERR_FILENO), "call %d", call);
}

NIDO_TEST(sys_open, what_is_made_is_never_a_standard_stream)
{
    int kept[3];

    for (int i = 0; i < 3; i++) kept[i] = fcntl(i, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    for (int i = 0; i < 3; i++) close(i);
    each_made(expect_above);
    for (int i = 0; i < 3; i++) {
        if (kept[i] >= 0) dup2(kept[i], i);
        if (kept[i] >= 0) close(kept[i]);
    }
}
