/* SPDX-License-Identifier: MIT */
/* process/proc_run.c: runs a program to its end, with an input, and collects its outputs.
 *
 * The call opens one group: a task for each pipe, and the body, which waits for the child. A cancel
 * ends the body's wait, and the body stops the child; meanwhile the outputs are still read, under
 * shields, so that a program that writes on SIGTERM is not held up by a full pipe. When the child
 * has ended, the body cancels the shields; the readers then take what is in the pipes and return.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sys.h"
#include "coro/scope/options.h"
#include "coro/scope/park.h"
#include "nido/error.h"
#include "nido/fd.h"
#include "nido/group.h"
#include "nido/latch.h"
#include "nido/time.h"
#include "process/child.h"

enum { LIMIT = 16 << 20, FIRST_SIZE = 4096, MOST_IN_A_PIPE = 1 << 20 };

struct run;

/* An output of the program. */
struct stream {
    struct run *run;
    int fd;            /* negative: it is not collected */
    bool served;       /* a task reads it */
    nido_scope shield; /* open while the task reads */
    char *data;
    size_t len, room; /* room > len: one byte for the 0 at the end */
    int err;          /* why further output is discarded: -EOVERFLOW, -ENOMEM */
};

struct run {
    nido_proc proc;
    nido_group group;
    nido_latch reading; /* streams that have not ended */
    struct stream out, err;
    const char *input;
    size_t len;
    size_t limit;
    int64_t grace;
    bool leads;
    bool over; /* the child has ended: readers take what is in the pipes */
};

/* If one of these tasks is cancelled alone, its work is not done, so the whole call is cancelled.
 */
static int run_pass_on(struct run *run, int rc)
{
    if (rc == -ECANCELED && !run->over)
        nido_group_cancel(&run->group, -EINTR, "a part of it was cancelled");
    return rc;
}

/* ---- The input ---- */

static void run_close_input(struct run *run)
{
    int fd = nido_proc_take(&run->proc, STDIN_FILENO);

    if (fd >= 0) nido_close(fd);
}

/* It is no failure if the program does not read all of it. -EBADF: it has ended, see run_body. */
static int run_feed(void *arg)
{
    struct run *run = arg;
    int rc = nido_write_all(nido_proc_stdin(&run->proc), run->input, run->len, NULL);

    run_close_input(run);
    return rc == -EPIPE || rc == -EBADF ? 0 : run_pass_on(run, rc);
}

/* ---- The outputs ---- */

/* Stops the program. Its further output is read, so that it can end, and discarded. */
static void stream_give_up(struct stream *stream, int err)
{
    stream->err = err;
    nido_group_cancel(&stream->run->group, err, "its output cannot be kept");
}

/* Makes room for at least one byte and the 0 at the end. One byte above the limit shows that the
 * limit was passed. */
static void stream_make_room(struct stream *stream)
{
    size_t most = stream->run->limit + 2, room = stream->room ? stream->room * 2 : FIRST_SIZE;
    char *data;

    if (stream->len + 1 < stream->room) return;
    if (room > most) room = most;
    data = nidoi_mem.resize(stream->data, room);
    if (!data) {
        stream_give_up(stream, -ENOMEM);
        return;
    }
    stream->data = data;
    stream->room = room;
}

static void stream_add(struct stream *stream, size_t n)
{
    stream->len += n;
    if (stream->len <= stream->run->limit) return;
    stream->len = stream->run->limit;
    stream_give_up(stream, -EOVERFLOW);
}

typedef ssize_t read_fn(int fd, void *buf, size_t len);

/* Reads at most `most` bytes. 0: that many, or all until the end of the stream; or the error. */
static int stream_take(struct stream *stream, read_fn *from, size_t most)
{
    char discarded[1024];
    ssize_t n = 1;

    for (size_t taken = 0; n > 0 && taken < most; taken += (size_t)n) {
        if (!stream->err) stream_make_room(stream);
        if (stream->err)
            n = from(stream->fd, discarded, sizeof discarded);
        else
            n = from(stream->fd, stream->data + stream->len, stream->room - stream->len - 1);
        if (n > 0 && !stream->err) stream_add(stream, (size_t)n);
    }
    return n < 0 ? (int)n : 0;
}

/* The last read does not block, and is bounded: another process may never stop writing. */
static int stream_collect(void *arg)
{
    struct stream *stream = arg;
    int rc = -ECANCELED;

    if (!stream->run->over) {
        nido_shield_open(&stream->shield, NIDO_NEVER);
        rc = run_pass_on(stream->run, stream_take(stream, nido_read, SIZE_MAX));
        nido_scope_close(&stream->shield, 0);
    }
    if (rc == -ECANCELED) rc = stream_take(stream, nidoi_sys.read, MOST_IN_A_PIPE);
    nido_latch_done(&stream->run->reading);
    return rc == -EAGAIN ? 0 : rc;
}

/* ---- The body ---- */

static int stream_serve(struct stream *stream)
{
    int rc = stream->fd < 0 ? 0 : nido_spawn(&stream->run->group, stream_collect, stream);

    if (rc || stream->fd < 0) return rc;
    stream->served = true;
    return nido_latch_add(&stream->run->reading, 1);
}

static int run_start_streams(struct run *run)
{
    int rc;

    run->out.run = run->err.run = run;
    run->out.fd = nido_proc_stdout(&run->proc);
    run->err.fd = nido_proc_stderr(&run->proc);
    rc = stream_serve(&run->out);
    if (!rc) rc = stream_serve(&run->err);
    if (!run->len)
        run_close_input(run); /* a pipe that nothing goes through is closed too */
    else if (!rc)
        rc = nido_spawn(&run->group, run_feed, run);
    return rc;
}

/* Other processes may hold the pipes open; they are waited for as long as the grace. 0, or the
 * error. */
static int run_wait_for_streams(struct run *run)
{
    nido_scope scope;

    nido_timeout_open(&scope, run->grace);
    return nido_scope_close(&scope, nido_latch_wait(&run->reading));
}

/* There is no task if the cancel came while the program was started. */
static void stream_end(struct stream *stream)
{
    if (stream->served)
        nido_scope_cancel(&stream->shield, 0, "the program has ended");
    else if (stream->fd >= 0)
        stream_take(stream, nidoi_sys.read, MOST_IN_A_PIPE);
}

static int run_body(struct run *run, nido_proc_status *status)
{
    int rc = run_start_streams(run), held, left = 0;

    if (!rc) rc = nido_proc_wait(&run->proc, status);
    run_close_input(run);
    if (!rc || rc == -ECHILD) {
        held = run_wait_for_streams(run);
    } else {
        held = rc;
        left = nido_proc_stop(&run->proc, status);
    }
    if (held && run->leads) nido_proc_kill(&run->proc, SIGKILL);
    run->over = true;
    stream_end(&run->out);
    stream_end(&run->err);
    if (left == -EPERM || left == -EBUSY) return left; /* the child still runs: that matters more */
    return held == -ECANCELED ? held : rc;
}

static void stream_hand_out(struct stream *stream, char **data, size_t *len)
{
    if (!stream->data) return;
    stream->data[stream->len] = '\0';
    *data = stream->data;
    *len = stream->len;
}

/* From the started child to its end. */
static int run_group(struct run *run, nido_proc_result *out)
{
    int rc;

    nido_latch_init(&run->reading, 0, "outputs of a program");
    nido_group_open(&run->group, NIDO_FAIL_FAST, "program");
    rc = nido_group_close(&run->group, run_body(run, &out->status));
    stream_hand_out(&run->out, &out->out, &out->out_len);
    stream_hand_out(&run->err, &out->err, &out->err_len);
    out->truncated = run->out.err == -EOVERFLOW || run->err.err == -EOVERFLOW;
    nido_proc_release(&run->proc);
    if (rc >= 0) rc = run->out.err ? run->out.err : run->err.err;
    return rc;
}

/* ---- The call ---- */

static void choose_default(nido_stdio *stream, enum nido_stdio_kind kind)
{
    if (stream->kind == NIDO_STDIO_DEFAULT) stream->kind = kind;
}

static int run_prepare(struct run *run, nido_proc_options *options)
{
    choose_default(&options->in, run->len ? NIDO_STDIO_PIPE : NIDO_STDIO_NULL);
    choose_default(&options->out, NIDO_STDIO_PIPE);
    choose_default(&options->err, NIDO_STDIO_PIPE);
    run->limit = options->output_limit ? options->output_limit : LIMIT;
    if (run->limit > SSIZE_MAX - 2) run->limit = SSIZE_MAX - 2;
    run->leads = options->new_group;
    return run->len && options->in.kind != NIDO_STDIO_PIPE ? -EINVAL : 0;
}

int nido_proc_run(const nido_proc_options *options, const void *input, size_t len,
                  nido_proc_result *out)
{
    struct run run = {.input = input, .len = len};
    nido_proc_options chosen;
    int rc;

    nidoi_check_frames();
    *out = (nido_proc_result){0};
    if (options) options = NIDOI_OPTIONS(nido_proc_options, options, &chosen);
    if (!options) return -EINVAL;
    chosen = *options;
    rc = run_prepare(&run, &chosen);
    if (!rc) rc = nido_proc_spawn(&run.proc, &chosen);
    if (rc) return rc;
    run.grace = run.proc.child->grace;
    rc = run_group(&run, out);
    if (rc != -EOVERFLOW) return rc;
    return nido_fail(rc, "%s: more than %zu bytes of output", chosen.argv[0], run.limit);
}

void nido_proc_result_free(nido_proc_result *result)
{
    nidoi_mem.release(result->out);
    nidoi_mem.release(result->err);
    *result = (nido_proc_result){0};
}
