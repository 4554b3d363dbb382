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

static void become(struct nidoi_child *child, enum nidoi_child_state from,
                   enum nidoi_child_state to)
{
    nidoi_assert(child->state == from);
    child->state = to;
}

void nidoi_child_shut(struct nidoi_child *child, int which)
{
    if (child->ends[which] >= 0) nido_close(child->ends[which]);
    child->ends[which] = -1;
}

static void close_watched(struct nidoi_child *child)
{
    if (child->fd >= 0) nido_close(child->fd);
    child->fd = -1;
}

/* ---- What the kernel says of a child ---- */

static bool is_end(const siginfo_t *info)
{
    return info->si_code == CLD_EXITED || info->si_code == CLD_KILLED ||
           info->si_code == CLD_DUMPED;
}

/* A process that traces its child hears of stops and traps too, whatever it asked for, and they are
 * for the code that traces. So this looks first, and takes nothing but an end. */
int nidoi_child_reap(int fd, int pid, bool keep, siginfo_t *out)
{
    int err;

    out->si_pid = 0;
    err = nidoi_child_ask(fd, pid, WEXITED | WNOHANG | WNOWAIT, out);
    if (err) return err;
    if (!out->si_pid || !is_end(out)) return -EAGAIN;
    return keep ? 0 : nidoi_child_ask(fd, pid, WEXITED | WNOHANG, out);
}

/* The group has the number of its leader, which no other process gets before that is reaped. The
 * leader may have left it for another group. */
static int kill_group(const struct nidoi_child *child, int signal)
{
    int err = nidoi_child_signal(child->fd, child->pid, 0), rest;

    if (err == -ESRCH) return err;
    rest = nidoi_sys.kill(-child->pid, signal);
    if (signal != SIGKILL && getpgid(child->pid) == child->pid) return rest;
    err = nidoi_child_signal(child->fd, child->pid, signal);
    return rest ? err : 0;
}

int nidoi_child_kill(const struct nidoi_child *child, int signal)
{
    return child->leads ? kill_group(child, signal)
                        : nidoi_child_signal(child->fd, child->pid, signal);
}

/* ---- The end of a child ---- */

static nido_proc_status translated(const siginfo_t *info)
{
    bool exited = info->si_code == CLD_EXITED;

    return (nido_proc_status){.code = exited ? info->si_status : -1,
                              .signal = exited ? 0 : info->si_status,
                              .core_dumped = info->si_code == CLD_DUMPED};
}

/* Nobody waits for a child that is released. */
static void discard(struct nidoi_child *child)
{
    siginfo_t info;

    if (child->leads && child->fd >= 0) nidoi_child_reap(child->fd, child->pid, false, &info);
    close_watched(child);
    nidoi_list_remove(&child->link);
    nidoi_mem.release(child);
}

static void tell(struct nidoi_child *child)
{
    struct nidoi_node *node;

    while ((node = nidoi_waitq_first(&child->ended.waiters)) != NULL) {
        if (node->item) *(nido_proc_status *)node->item = child->status;
        nidoi_claim(node, child->result);
    }
}

static void conclude(struct nidoi_loop *loop, struct nidoi_child *child, int result,
                     const siginfo_t *info)
{
    become(child, NIDOI_CHILD_ENDING, NIDOI_CHILD_OVER);
    child->result = result;
    if (!result) child->status = translated(info);
    if (!child->leads) close_watched(child);
    if (child->released) {
        discard(child);
        return;
    }
    nidoi_loop_expect(loop, -1);
    tell(child);
}

static void arrived(struct nidoi_loop *loop, struct nidoi_post *post)
{
    struct nidoi_child *child = nidoi_container(post, struct nidoi_child, post);
    siginfo_t info;
    int err = nidoi_child_reap(child->fd, child->pid, child->leads, &info);

    if (err == -EAGAIN && nidoi_reactor_watch(&loop->reactor, &child->watch) == 0)
        become(child, NIDOI_CHILD_ENDING, NIDOI_CHILD_OUT);
    else
        conclude(loop, child, err ? -ECHILD : 0, &info);
}

static void fire(struct nidoi_watch *watch, int result)
{
    struct nidoi_child *child = nidoi_container(watch, struct nidoi_child, watch);

    (void)result; /* whatever it is, the post asks the kernel */
    become(child, NIDOI_CHILD_OUT, NIDOI_CHILD_ENDING);
    nidoi_remote_post(nidoi_loop_self()->remote, &child->post);
}

/* ---- Its beginning ---- */

void nidoi_child_undo(int pid)
{
    siginfo_t info;

    nidoi_sys.kill(pid, SIGKILL);
    nidoi_sys.waitid(P_PID, pid, &info, WEXITED);
}

static int watch(struct nidoi_loop *loop, struct nidoi_child *child)
{
    int err = nidoi_reactor_own(&loop->reactor, child->fd, 0);

    child->watch = (struct nidoi_watch){.fire = fire, .fd = child->fd, .direction = NIDOI_READING};
    return err ? err : nidoi_reactor_watch(&loop->reactor, &child->watch);
}

int nidoi_child_begin(struct nidoi_loop *loop, struct nidoi_child *child)
{
    struct nidoi_extension *extension = loop->extensions[NIDOI_EXTENSION_CHILDREN];
    int err = child->fd >= 0 ? watch(loop, child) : 0;

    if (err) {
        nidoi_child_undo(child->pid);
        close_watched(child);
        return err;
    }
    child->state = child->fd >= 0 ? NIDOI_CHILD_OUT : NIDOI_CHILD_OVER;
    child->result = -ECHILD; /* until we know more */
    child->post.call = arrived;
    nidoi_sync_init(&child->ended, child->name);
    if (child->state == NIDOI_CHILD_OUT) nidoi_loop_expect(loop, 1);
    nidoi_list_append(&nidoi_container(extension, struct children, extension)->all, &child->link);
    return 0;
}

void nidoi_child_release(struct nidoi_loop *loop, struct nidoi_child *child)
{
    for (int i = 0; i < 3; i++) nidoi_child_shut(child, i);
    nidoi_sync_wake_all(&child->ended, -EBADF);
    child->released = true;
    if (child->state == NIDOI_CHILD_OVER)
        discard(child);
    else
        nidoi_loop_expect(loop, -1); /* nobody can wait for it any more */
}

/* ---- The end of the run: a thread reaps those who are still out ---- */

struct orphans {
    size_t count;
    int *pids;
    struct pollfd ends[];
};

static void reap(struct orphans *orphans, size_t i)
{
    siginfo_t info;

    if (nidoi_child_reap(orphans->ends[i].fd, orphans->pids[i], false, &info) == -EAGAIN) return;
    nidoi_sys.close(orphans->ends[i].fd);
    orphans->count--;
    orphans->ends[i] = orphans->ends[orphans->count];
    orphans->pids[i] = orphans->pids[orphans->count];
}

/* One that has ended may not be ours to reap yet: a debugger holds it. And a poll may fail. In both
 * cases the next look is only after a pause. */
static void *reap_all(void *arg)
{
    enum { PAUSE_MS = 50 };
    struct orphans *orphans = arg;

    while (orphans->count) {
        size_t before = orphans->count;

        nidoi_sys.poll(orphans->ends, orphans->count, -1);
        for (size_t i = orphans->count; i-- > 0;) reap(orphans, i);
        if (orphans->count == before) nidoi_sys.poll(NULL, 0, PAUSE_MS);
    }
    nidoi_mem.release(orphans);
    return NULL;
}

/* Takes what is needed from the records, which go with the loop. */
static struct orphans *adopt(struct nidoi_loop *loop, struct nidoi_link *all, size_t count)
{
    struct orphans *orphans =
        nidoi_mem.alloc(sizeof *orphans + count * (sizeof *orphans->ends + sizeof *orphans->pids));

    if (!orphans) return NULL;
    orphans->count = 0;
    orphans->pids = (int *)(orphans->ends + count);
    for (struct nidoi_link *link = all->next; link != all; link = link->next) {
        struct nidoi_child *child = nidoi_container(link, struct nidoi_child, link);

        nidoi_reactor_drop(&loop->reactor, child->fd);
        orphans->ends[orphans->count] = (struct pollfd){.fd = child->fd, .events = POLLIN};
        orphans->pids[orphans->count++] = child->pid;
        child->fd = -1;
    }
    return orphans;
}

static void hand_over(struct nidoi_loop *loop, struct nidoi_link *all, size_t count)
{
    struct orphans *orphans = adopt(loop, all, count);
    pthread_t thread;

    if (orphans && !nidoi_sys.thread(&thread, reap_all, orphans)) {
        pthread_detach(thread);
        return;
    }
    nidoi_loop_report(loop, "nido: no memory or no thread to reap the children that outlive the "
                            "run: they will be zombies until the program ends\n");
    for (size_t i = 0; orphans && i < orphans->count; i++) nidoi_sys.close(orphans->ends[i].fd);
    nidoi_mem.release(orphans);
}

/* Lets go of one. False: it has ended, if only just now, and is forgotten. */
static bool outlives(struct nidoi_loop *loop, struct nidoi_child *child)
{
    bool over = child->state == NIDOI_CHILD_OVER;
    siginfo_t info;

    if (!over) nidoi_reactor_unwatch(&loop->reactor, &child->watch);
    if (!child->released) nidoi_child_release(loop, child);
    if (over) return false;
    if (nidoi_child_reap(child->fd, child->pid, false, &info) == -EAGAIN) return true;
    discard(child);
    return false;
}

static size_t release_all(struct nidoi_loop *loop, struct children *children)
{
    struct nidoi_link *next;
    size_t out = 0;

    for (struct nidoi_link *link = children->all.next; link != &children->all; link = next) {
        next = link->next;
        out += outlives(loop, nidoi_container(link, struct nidoi_child, link));
    }
    return out;
}

static void children_end(struct nidoi_loop *loop, struct nidoi_extension *extension)
{
    struct children *children = nidoi_container(extension, struct children, extension);
    size_t out = release_all(loop, children);

    if (out) hand_over(loop, &children->all, out);
    while (!nidoi_list_empty(&children->all))
        discard(nidoi_container(children->all.next, struct nidoi_child, link));
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
