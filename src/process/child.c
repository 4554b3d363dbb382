/* SPDX-License-Identifier: MIT */
#include "process/child.h"

#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sys.h"
#include "nido/fd.h"
#include "nido/time.h"
#include "sync/sync.h"

/* After SIGKILL only the kernel or a debugger holds a process up. */
int64_t nidoi_child_reaping_ns = NIDO_SEC(10);

struct children {
    struct nidoi_extension extension;
    struct nidoi_link all; /* struct nidoi_child */
};

static void child_set_state(struct nidoi_child *child, enum nidoi_child_state from,
                            enum nidoi_child_state to)
{
    nidoi_assert(child->state == from);
    child->state = to;
}

void nidoi_child_close_pipe(struct nidoi_child *child, int which)
{
    if (child->pipes[which] >= 0) nido_close(child->pipes[which]);
    child->pipes[which] = -1;
}

static void child_close_fd(struct nidoi_child *child)
{
    if (child->fd >= 0) nido_close(child->fd);
    child->fd = -1;
}

/* ---- Asking the kernel ---- */

static bool is_end(const siginfo_t *info)
{
    return info->si_code == CLD_EXITED || info->si_code == CLD_KILLED ||
           info->si_code == CLD_DUMPED;
}

/* A process that traces its child also gets the child's stops and traps here, which are for the
 * code that traces. So this looks first, and reaps only a child that has ended. */
int nidoi_child_reap(int fd, int pid, bool keep, siginfo_t *out)
{
    int err;

    out->si_pid = 0;
    err = nidoi_child_ask(fd, pid, WEXITED | WNOHANG | WNOWAIT, out);
    if (err) return err;
    if (!out->si_pid || !is_end(out)) return -EAGAIN;
    return keep ? 0 : nidoi_child_ask(fd, pid, WEXITED | WNOHANG, out);
}

/* The group has the number of its leader, which no other process gets before the leader is reaped.
 * The leader may have moved to another group; and if the group is out of reach, the leader is
 * signalled by its descriptor. */
static int child_kill_group(const struct nidoi_child *child, int signal)
{
    int err = nidoi_child_signal(child->fd, child->pid, 0), rest;

    if (err == -ESRCH) return err;
    rest = nidoi_sys.kill(-child->pid, signal);
    if (!rest && signal != SIGKILL && getpgid(child->pid) == child->pid) return 0;
    err = nidoi_child_signal(child->fd, child->pid, signal);
    return rest ? err : 0;
}

int nidoi_child_kill(const struct nidoi_child *child, int signal)
{
    return child->leads ? child_kill_group(child, signal)
                        : nidoi_child_signal(child->fd, child->pid, signal);
}

/* ---- The end of a child ---- */

static nido_proc_status status_of(const siginfo_t *info)
{
    bool exited = info->si_code == CLD_EXITED;

    return (nido_proc_status){.code = exited ? info->si_status : -1,
                              .signal = exited ? 0 : info->si_status,
                              .core_dumped = info->si_code == CLD_DUMPED};
}

/* For a child that is released and has no waiters. */
static void child_free(struct nidoi_child *child)
{
    siginfo_t info;

    if (child->leads && child->fd >= 0) nidoi_child_reap(child->fd, child->pid, false, &info);
    child_close_fd(child);
    nidoi_list_remove(&child->link);
    nidoi_mem.release(child);
}

static void child_wake_waiters(struct nidoi_child *child)
{
    struct nidoi_node *node;

    while ((node = nidoi_waitq_first(&child->ended.waiters)) != NULL) {
        if (node->item) *(nido_proc_status *)node->item = child->status;
        nidoi_claim(node, child->result);
    }
}

static void child_ended(struct nidoi_loop *loop, struct nidoi_child *child, int result,
                        const siginfo_t *info)
{
    child_set_state(child, NIDOI_CHILD_ENDING, NIDOI_CHILD_OVER);
    child->result = result;
    if (!result) child->status = status_of(info);
    if (!child->leads) child_close_fd(child);
    if (child->released) {
        child_free(child);
        return;
    }
    nidoi_loop_expect(loop, -1);
    child_wake_waiters(child);
}

static void child_post_run(struct nidoi_loop *loop, struct nidoi_post *post)
{
    struct nidoi_child *child = nidoi_container(post, struct nidoi_child, post);
    siginfo_t info;
    int err = nidoi_child_reap(child->fd, child->pid, child->leads, &info);

    if (err == -EAGAIN && nidoi_reactor_watch(&loop->reactor, &child->watch) == 0)
        child_set_state(child, NIDOI_CHILD_ENDING, NIDOI_CHILD_RUNNING);
    else
        child_ended(loop, child, err ? -ECHILD : 0, &info);
}

static void child_fire(struct nidoi_watch *watch, int result)
{
    struct nidoi_child *child = nidoi_container(watch, struct nidoi_child, watch);

    (void)result; /* the post asks the kernel */
    child_set_state(child, NIDOI_CHILD_RUNNING, NIDOI_CHILD_ENDING);
    nidoi_remote_post(nidoi_loop_self()->remote, &child->post);
}

/* ---- The start of a child ---- */

void nidoi_child_kill_unwatched(int pid)
{
    siginfo_t info;

    nidoi_sys.kill(pid, SIGKILL);
    nidoi_sys.waitid(P_PID, pid, &info, WEXITED);
}

static int child_watch(struct nidoi_loop *loop, struct nidoi_child *child)
{
    int err = nidoi_reactor_own(&loop->reactor, child->fd, 0);

    child->watch =
        (struct nidoi_watch){.fire = child_fire, .fd = child->fd, .direction = NIDOI_READING};
    return err ? err : nidoi_reactor_watch(&loop->reactor, &child->watch);
}

int nidoi_child_begin(struct nidoi_loop *loop, struct nidoi_child *child)
{
    struct nidoi_extension *extension = loop->extensions[NIDOI_EXTENSION_CHILDREN];
    int err = child->fd >= 0 ? child_watch(loop, child) : 0;

    if (err) {
        nidoi_child_kill_unwatched(child->pid);
        child_close_fd(child);
        return err;
    }
    child->state = child->fd >= 0 ? NIDOI_CHILD_RUNNING : NIDOI_CHILD_OVER;
    child->result = -ECHILD; /* until the status is known */
    child->post.call = child_post_run;
    nidoi_sync_init(&child->ended, child->name);
    if (child->state == NIDOI_CHILD_RUNNING) nidoi_loop_expect(loop, 1);
    nidoi_list_append(&nidoi_container(extension, struct children, extension)->all, &child->link);
    return 0;
}

void nidoi_child_release(struct nidoi_loop *loop, struct nidoi_child *child)
{
    for (int i = 0; i < 3; i++) nidoi_child_close_pipe(child, i);
    nidoi_sync_wake_all(&child->ended, -EBADF);
    child->released = true;
    if (child->state == NIDOI_CHILD_OVER)
        child_free(child);
    else
        nidoi_loop_expect(loop, -1); /* no task can wait for it any more */
}

/* ---- The end of the run: a thread reaps the children that still run ---- */

struct unreaped {
    size_t count;
    int *pids;
    struct pollfd ends[];
};

static void unreaped_reap(struct unreaped *unreaped, size_t i)
{
    siginfo_t info;

    if (nidoi_child_reap(unreaped->ends[i].fd, unreaped->pids[i], false, &info) == -EAGAIN) return;
    nidoi_sys.close(unreaped->ends[i].fd);
    unreaped->count--;
    unreaped->ends[i] = unreaped->ends[unreaped->count];
    unreaped->pids[i] = unreaped->pids[unreaped->count];
}

/* A child that has ended cannot be reaped yet if a debugger holds it; and a poll may fail. In both
 * cases the next try comes after a pause. */
static void *unreaped_reap_all(void *arg)
{
    enum { PAUSE_MS = 50 };
    struct unreaped *unreaped = arg;

    while (unreaped->count) {
        size_t before = unreaped->count;

        nidoi_sys.poll(unreaped->ends, unreaped->count, -1);
        for (size_t i = unreaped->count; i-- > 0;) unreaped_reap(unreaped, i);
        if (unreaped->count == before) nidoi_sys.poll(NULL, 0, PAUSE_MS);
    }
    nidoi_mem.release(unreaped);
    return NULL;
}

/* Copies what is needed out of the records, which are freed with the loop. */
static struct unreaped *unreaped_new(struct nidoi_loop *loop, struct nidoi_link *all, size_t count)
{
    struct unreaped *unreaped = nidoi_mem.alloc(
        sizeof *unreaped + count * (sizeof *unreaped->ends + sizeof *unreaped->pids));

    if (!unreaped) return NULL;
    unreaped->count = 0;
    unreaped->pids = (int *)(unreaped->ends + count);
    for (struct nidoi_link *link = all->next; link != all; link = link->next) {
        struct nidoi_child *child = nidoi_container(link, struct nidoi_child, link);

        nidoi_reactor_drop(&loop->reactor, child->fd);
        unreaped->ends[unreaped->count] = (struct pollfd){.fd = child->fd, .events = POLLIN};
        unreaped->pids[unreaped->count++] = child->pid;
        child->fd = -1;
    }
    return unreaped;
}

static void reap_on_thread(struct nidoi_loop *loop, struct nidoi_link *all, size_t count)
{
    struct unreaped *unreaped = unreaped_new(loop, all, count);
    pthread_t thread;

    if (unreaped && !nidoi_sys.thread(&thread, unreaped_reap_all, unreaped)) {
        pthread_detach(thread);
        return;
    }
    nidoi_loop_report(loop, "nido: no memory or no thread to reap the children that outlive the "
                            "run: they will be zombies until the program ends\n");
    for (size_t i = 0; unreaped && i < unreaped->count; i++) nidoi_sys.close(unreaped->ends[i].fd);
    nidoi_mem.release(unreaped);
}

/* Releases a child. False: it has ended and is freed; true: it still runs. */
static bool child_leave(struct nidoi_loop *loop, struct nidoi_child *child)
{
    bool over = child->state == NIDOI_CHILD_OVER;
    siginfo_t info;

    if (!over) nidoi_reactor_unwatch(&loop->reactor, &child->watch);
    if (!child->released) nidoi_child_release(loop, child);
    if (over) return false;
    if (nidoi_child_reap(child->fd, child->pid, false, &info) == -EAGAIN) return true;
    child_free(child);
    return false;
}

static size_t children_release_all(struct nidoi_loop *loop, struct children *children)
{
    struct nidoi_link *next;
    size_t out = 0;

    for (struct nidoi_link *link = children->all.next; link != &children->all; link = next) {
        next = link->next;
        out += child_leave(loop, nidoi_container(link, struct nidoi_child, link));
    }
    return out;
}

static void children_end(struct nidoi_loop *loop, struct nidoi_extension *extension)
{
    struct children *children = nidoi_container(extension, struct children, extension);
    size_t out = children_release_all(loop, children);

    if (out) reap_on_thread(loop, &children->all, out);
    while (!nidoi_list_empty(&children->all))
        child_free(nidoi_container(children->all.next, struct nidoi_child, link));
    nidoi_mem.release(children);
}

int nidoi_children_need(struct nidoi_loop *loop)
{
    struct children *children;

    if (loop->extensions[NIDOI_EXTENSION_CHILDREN]) return 0;
    children = nidoi_mem_zeroed(sizeof *children);
    if (!children) return -ENOMEM;
    children->extension.end = children_end;
    nidoi_list_init(&children->all);
    loop->extensions[NIDOI_EXTENSION_CHILDREN] = &children->extension;
    return 0;
}
