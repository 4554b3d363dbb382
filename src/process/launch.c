/* SPDX-License-Identifier: MIT */
/* process/launch.c: nido_proc_spawn. The loop's thread opens the child's standard streams, a worker
 * starts the program, and the loop's thread then watches the child. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/program.h"
#include "base/sys.h"
#include "coro/scope/options.h"
#include "io/fd.h"
#include "nido/error.h"
#include "nido/time.h"
#include "pool/offload.h"
#include "process/child.h"

/* The descriptors that become the child's standard streams must not have their numbers. */
enum { FIRST_FREE = STDERR_FILENO + 1 };
#define GRACE NIDO_SEC(5)

/* ---- Standard streams ---- */

struct launch {
    struct nidoi_program program;
    struct nidoi_child *child;
    int open_fd;         /* any descriptor that is open */
    const char *missing; /* the file that could not be opened, if it is that */
    int owned;           /* the descriptor that a child must not get, if it is that */
};

static bool stream_valid(const nido_stdio *stream, enum nido_stdio_kind last)
{
    return stream->kind >= NIDO_STDIO_DEFAULT && stream->kind <= last;
}

static bool proc_options_valid(const nido_proc_options *options)
{
    return options->argv && options->argv[0] && stream_valid(&options->in, NIDO_STDIO_FD) &&
           stream_valid(&options->out, NIDO_STDIO_FD) &&
           stream_valid(&options->err, NIDO_STDIO_STDOUT);
}

/* The child's end blocks, as programs expect; this side does not. */
static int launch_open_pipe(struct launch *launch, int which)
{
    int ends[2], child_end = which == STDIN_FILENO ? 0 : 1;
    int err = nidoi_sys.pipe(ends), dup;

    if (err) return err;
    launch->child->pipes[which] = ends[1 - child_end];
    err = nidoi_sys.nonblock(ends[child_end], false);
    dup = err < 0 ? err : nidoi_sys.dup(ends[child_end], FIRST_FREE);
    nidoi_sys.close(ends[child_end]);
    if (dup < 0) return dup;
    launch->program.of[which].fd = dup;
    return 0;
}

/* Opened here and not in the child, where a failure would look like one of the program. */
static int launch_open_null(struct launch *launch, int which)
{
    nido_stdio *of = &launch->program.of[which];
    int fd = nidoi_sys.open("/dev/null", which == STDIN_FILENO ? O_RDONLY : O_WRONLY, 0);

    launch->missing = fd < 0 ? "/dev/null" : NULL;
    if (fd < 0) return fd;
    of->kind = NIDO_STDIO_FD;
    of->fd = nidoi_sys.dup(fd, FIRST_FREE);
    nidoi_sys.close(fd);
    return of->fd < 0 ? of->fd : 0;
}

static int launch_open_nulls(struct launch *launch)
{
    int err = 0;

    for (int i = 0; i < 3 && !err; i++)
        if (launch->program.of[i].kind == NIDO_STDIO_NULL) err = launch_open_null(launch, i);
    return err;
}

/* What is shared with the child is the open file, with its O_NONBLOCK. */
static bool fd_is_owned(int fd)
{
    const struct nidoi_fd *slot = nidoi_reactor_find(&nidoi_loop_self()->reactor, fd);

    return slot && slot->flags & NIDOI_FD_OWNED;
}

/* A descriptor of the caller is duplicated, because it may be closed while the program is started.
 */
static int launch_open_stream(struct launch *launch, int which, const nido_stdio *asked)
{
    nido_stdio *of = &launch->program.of[which];
    int fd, err;

    of->kind = asked->kind;
    if (asked->kind == NIDO_STDIO_PIPE) {
        err = launch_open_pipe(launch, which);
        of->kind = NIDO_STDIO_FD;
        return err;
    }
    if (asked->kind != NIDO_STDIO_FD) return 0;
    if (fd_is_owned(asked->fd)) {
        launch->owned = asked->fd;
        return -EINVAL;
    }
    fd = nidoi_sys.dup(asked->fd, FIRST_FREE);
    if (fd < 0) return fd;
    of->fd = fd;
    return 0;
}

static int launch_open_streams(struct launch *launch, const nido_proc_options *options)
{
    const nido_stdio *asked[] = {&options->in, &options->out, &options->err};
    int err = 0;

    for (int i = 0; i < 3 && !err; i++) err = launch_open_stream(launch, i, asked[i]);
    return err;
}

static void launch_close_streams(struct launch *launch)
{
    for (int i = 0; i < 3; i++)
        if (launch->program.of[i].fd >= 0) nidoi_sys.close(launch->program.of[i].fd);
}

/* ---- Starting the program ---- */

/* A program file that was just written can be busy (ETXTBSY): a child that another thread has
 * forked holds a copy of every descriptor, that of the writer too, until it executes its own
 * program. */
static int spawn_program(struct launch *launch)
{
    enum { LAST_PAUSE_MS = 256 }; /* all of them: half a second */
    int err = nidoi_sys.spawn(&launch->program, &launch->child->pid);

    for (int pause = 1; err == -ETXTBSY && pause <= LAST_PAUSE_MS; pause *= 2) {
        nidoi_sys.poll(NULL, 0, pause);
        err = nidoi_sys.spawn(&launch->program, &launch->child->pid);
    }
    return err;
}

/* On a worker, because it blocks until the program runs. A descriptor is held in reserve for the
 * one that will be watched, so that a lack of descriptors is known before there is a child. */
static ssize_t launch_on_worker(void *arg)
{
    struct launch *launch = arg;
    struct nidoi_child *child = launch->child;
    int err = launch_open_nulls(launch),
        place = err ? err : nidoi_sys.dup(launch->open_fd, FIRST_FREE);

    if (place < 0) return place;
    err = spawn_program(launch);
    nidoi_sys.close(place);
    if (err) return err;
    child->fd = nidoi_child_open(child->pid);
    if (child->fd >= 0 || child->fd == -ESRCH) return 0;
    nidoi_child_kill_unwatched(child->pid);
    return child->fd;
}

static int launch_start(struct nidoi_loop *loop, struct launch *launch)
{
    nido_offload_options options;

    nido_offload_options_init(&options);
    options.name = "start of a program";
    launch->open_fd = loop->remote->wakeup.fd;
    return (int)nidoi_offload(launch_on_worker, launch, &options, NIDOI_LANE_GENERAL);
}

static void child_set_name(struct nidoi_child *child, const char *program)
{
    const char *slash = strrchr(program, '/');

    snprintf(child->name, sizeof child->name, "%s", slash ? slash + 1 : program);
}

static void launch_init(struct launch *launch, const nido_proc_options *options)
{
    struct nidoi_child *child = launch->child;

    launch->program.file = options->program ? options->program : options->argv[0];
    launch->program.argv = options->argv;
    launch->program.env = options->env;
    launch->program.cwd = options->cwd;
    launch->program.new_group = child->leads = options->new_group;
    child->grace = options->kill_grace_ns ? options->kill_grace_ns : GRACE;
    for (int i = 0; i < 3; i++) launch->program.of[i].fd = child->pipes[i] = -1;
    child_set_name(child, launch->program.file);
}

static int launch_run(struct nidoi_loop *loop, const nido_proc_options *options,
                      struct launch *launch)
{
    struct nidoi_child *child = launch->child;
    int err = nidoi_children_need(loop);

    launch_init(launch, options);
    if (!err) err = launch_open_streams(launch, options);
    if (!err) err = launch_start(loop, launch);
    launch_close_streams(launch);
    if (!err) err = nidoi_child_begin(loop, child);
    for (int i = 0; i < 3; i++) {
        if (err && child->pipes[i] >= 0) nidoi_sys.close(child->pipes[i]);
        if (!err && child->pipes[i] >= 0) nidoi_fd_adopt(loop, child->pipes[i], NIDOI_FD_STREAM);
    }
    return err;
}

static int launch_fail(int err, const nido_proc_options *options, const struct launch *launch)
{
    const char *program = options->program ? options->program : options->argv[0];

    if (!err || err == -ECANCELED) return err;
    if (launch->missing) return nido_fail(err, "open %s to start %s", launch->missing, program);
    if (launch->owned >= 0)
        return nido_fail(err, "descriptor %d is nido's and does not block: not for a stream of %s",
                         launch->owned, program);
    if (options->cwd) return nido_fail(err, "start %s in %s", program, options->cwd);
    return nido_fail(err, "start %s", program);
}

int nido_proc_spawn(nido_proc *proc, const nido_proc_options *options)
{
    struct launch launch = {.open_fd = -1, .owned = -1};
    nido_proc_options room;
    struct nidoi_child *child;
    struct nidoi_loop *loop;
    int err;

    *proc = (nido_proc){0};
    err = nidoi_io_enter(&loop);
    if (err) return err;
    if (options) options = NIDOI_OPTIONS(nido_proc_options, options, &room);
    if (!options || !proc_options_valid(options)) return -EINVAL;
    child = nidoi_mem_zeroed(sizeof *child);
    if (!child) return -ENOMEM;
    launch.child = child;
    err = launch_run(loop, options, &launch);
    if (err) {
        nidoi_mem.release(child);
        return launch_fail(err, options, &launch);
    }
    *proc = (nido_proc){.child = child, .runtime = loop->number};
    return 0;
}
