/* process/launch.c: nido_proc_spawn. The loop's thread makes what the child's three streams are to be, a
 * worker starts the program, and the loop's thread then watches the child. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/options.h"
#include "base/program.h"
#include "base/sys.h"
#include "io/fd.h"
#include "nido/error.h"
#include "nido/time.h"
#include "pool/offload.h"
#include "process/child.h"

enum {
    LEAST = STDERR_FILENO + 1
}; /* what the child's three are made from must not be one of them */
#define GRACE NIDO_SEC(5)

/* ---- What a child is to have ---- */

struct launch {
    struct nidoi_program program;
    struct nidoi_child *child;
    int wakeup;          /* some descriptor that is surely open */
    const char *lacking; /* what could not be opened for it, if that is known */
};

static bool sound_stream(const nido_stdio *stream, enum nido_stdio_kind last)
{
    return stream->kind >= NIDO_STDIO_DEFAULT && stream->kind <= last;
}

static bool sound(const nido_proc_options *options)
{
    return options->argv && options->argv[0] && sound_stream(&options->in, NIDO_STDIO_FD) &&
           sound_stream(&options->out, NIDO_STDIO_FD) &&
           sound_stream(&options->err, NIDO_STDIO_STDOUT);
}

/* Blocking, as programs expect; ours is not. */
static int open_pipe(struct launch *launch, int which)
{
    int ends[2], theirs = which == STDIN_FILENO ? 0 : 1;
    int err = nidoi_sys.pipe(ends), dup;

    if (err) return err;
    launch->child->ends[which] = ends[1 - theirs];
    err = nidoi_sys.nonblock(ends[theirs], false);
    dup = err < 0 ? err : nidoi_sys.dup(ends[theirs], LEAST);
    nidoi_sys.close(ends[theirs]);
    if (dup < 0) return dup;
    launch->program.of[which].fd = dup;
    return 0;
}

/* Here and not in the child, whose failure would be taken for the program's. */
static int open_null(struct launch *launch, int which)
{
    nido_stdio *of = &launch->program.of[which];
    int fd = nidoi_sys.open("/dev/null", which == STDIN_FILENO ? O_RDONLY : O_WRONLY, 0);

    launch->lacking = fd < 0 ? "/dev/null" : NULL;
    if (fd < 0) return fd;
    of->kind = NIDO_STDIO_FD;
    of->fd = nidoi_sys.dup(fd, LEAST);
    nidoi_sys.close(fd);
    return of->fd < 0 ? of->fd : 0;
}

static int open_nulls(struct launch *launch)
{
    int err = 0;

    for (int i = 0; i < 3 && !err; i++)
        if (launch->program.of[i].kind == NIDO_STDIO_NULL) err = open_null(launch, i);
    return err;
}

/* A given one is duplicated: its owner may close it while the program is being started. */
static int open_stream(struct launch *launch, int which, const nido_stdio *asked)
{
    nido_stdio *of = &launch->program.of[which];
    int fd, err;

    of->kind = asked->kind;
    if (asked->kind == NIDO_STDIO_PIPE) {
        err = open_pipe(launch, which);
        of->kind = NIDO_STDIO_FD;
        return err;
    }
    if (asked->kind != NIDO_STDIO_FD) return 0;
    fd = nidoi_sys.dup(asked->fd, LEAST);
    if (fd < 0) return fd;
    of->fd = fd;
    return 0;
}

static int open_streams(struct launch *launch, const nido_proc_options *options)
{
    const nido_stdio *asked[] = {&options->in, &options->out, &options->err};
    int err = 0;

    for (int i = 0; i < 3 && !err; i++) err = open_stream(launch, i, asked[i]);
    return err;
}

static void close_theirs(struct launch *launch)
{
    for (int i = 0; i < 3; i++)
        if (launch->program.of[i].fd >= 0) nidoi_sys.close(launch->program.of[i].fd);
}

/* ---- Starting it ---- */

/* A program that was just written is busy as long as a child that another thread is starting has
 * not come to its exec: till then it holds a copy of every descriptor, that of the writer too. */
static int spawn(struct launch *launch)
{
    enum { LAST_PAUSE_MS = 256 }; /* all of them: half a second */
    int err = nidoi_sys.spawn(&launch->program, &launch->child->pid);

    for (int pause = 1; err == -ETXTBSY && pause <= LAST_PAUSE_MS; pause *= 2) {
        nidoi_sys.poll(NULL, 0, pause);
        err = nidoi_sys.spawn(&launch->program, &launch->child->pid);
    }
    return err;
}

/* On a worker: to start a program blocks its thread. The number that the watched descriptor will
 * get is held, so that its lack is known before there is a child. */
static ssize_t start(void *arg)
{
    struct launch *launch = arg;
    struct nidoi_child *child = launch->child;
    int err = open_nulls(launch), place = err ? err : nidoi_sys.dup(launch->wakeup, LEAST);

    if (place < 0) return place;
    err = spawn(launch);
    nidoi_sys.close(place);
    if (err) return err;
    child->fd = nidoi_child_open(child->pid);
    if (child->fd >= 0 || child->fd == -ESRCH) return 0;
    nidoi_child_undo(child->pid);
    return child->fd;
}

static int start_on_worker(struct nidoi_loop *loop, struct launch *launch)
{
    nido_offload_options options;

    nido_offload_options_init(&options);
    options.name = "start of a program";
    launch->wakeup = loop->remote->wakeup.fd;
    return (int)nidoi_offload(start, launch, &options, NIDOI_LANE_GENERAL);
}

static void name(struct nidoi_child *child, const char *program)
{
    const char *slash = strrchr(program, '/');

    snprintf(child->name, sizeof child->name, "%s", slash ? slash + 1 : program);
}

static void describe(struct launch *launch, const nido_proc_options *options)
{
    struct nidoi_child *child = launch->child;

    launch->program.file = options->program ? options->program : options->argv[0];
    launch->program.argv = options->argv;
    launch->program.env = options->env;
    launch->program.cwd = options->cwd;
    launch->program.new_group = child->leads = options->new_group;
    child->grace = options->kill_grace_ns ? options->kill_grace_ns : GRACE;
    for (int i = 0; i < 3; i++) launch->program.of[i].fd = child->ends[i] = -1;
    name(child, launch->program.file);
}

static int bring_up(struct nidoi_loop *loop, const nido_proc_options *options,
                    struct launch *launch)
{
    struct nidoi_child *child = launch->child;
    int err = nidoi_children_need(loop);

    describe(launch, options);
    if (!err) err = open_streams(launch, options);
    if (!err) err = start_on_worker(loop, launch);
    close_theirs(launch);
    if (!err) err = nidoi_child_begin(loop, child);
    for (int i = 0; i < 3; i++) {
        if (err && child->ends[i] >= 0) nidoi_sys.close(child->ends[i]);
        if (!err && child->ends[i] >= 0) nidoi_fd_adopt(loop, child->ends[i], NIDOI_FD_STREAM);
    }
    return err;
}

static int explained(int err, const nido_proc_options *options, const char *lacking)
{
    const char *program = options->program ? options->program : options->argv[0];

    if (!err || err == -ECANCELED) return err;
    if (lacking) return nido_fail(err, "open %s to start %s", lacking, program);
    if (options->cwd) return nido_fail(err, "start %s in %s", program, options->cwd);
    return nido_fail(err, "start %s", program);
}

int nido_proc_spawn(nido_proc *proc, const nido_proc_options *options)
{
    struct launch launch = {.wakeup = -1};
    nido_proc_options room;
    struct nidoi_child *child;
    struct nidoi_loop *loop;
    int err;

    *proc = (nido_proc){0};
    err = nidoi_io_enter(&loop);
    if (err) return err;
    if (options) options = NIDOI_OPTIONS(options, &room);
    if (!options || !sound(options)) return -EINVAL;
    child = nidoi_mem_zeroed(sizeof *child);
    if (!child) return -ENOMEM;
    launch.child = child;
    err = bring_up(loop, options, &launch);
    if (err) {
        nidoi_mem.release(child);
        return explained(err, options, launch.lacking);
    }
    *proc = (nido_proc){.child = child, .runtime = loop->number};
    return 0;
}
