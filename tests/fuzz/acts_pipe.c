/* SPDX-License-Identifier: MIT */
/* Instructions: a pipe, of which the model knows the bytes but not when the kernel tells of them. */
#include "program.h"

int act_pipe(struct task *task, unsigned a, unsigned b)
{
    struct pipe *pipe = &world.pipe;

    (void)task, (void)b;
    catch_up();
    if (!world.watched) return 0;
    if (pipe->ends[0] < 0 && pipe->ends[1] < 0) {
        expect("a new pipe", nido_pipe(pipe->ends), 0);
        pipe->bytes = pipe->first = 0;
        return 0;
    }
    if (pipe->ends[a % 2] < 0) return 0;
    expect("the close of an end", nido_close(pipe->ends[a % 2]), 0);
    pipe->ends[a % 2] = -1;
    if (a % 2) return 0;
    pipe->births++;
    pipe->reader = NULL;
    return 0;
}

int act_write(struct task *task, unsigned a, unsigned b)
{
    struct pipe *pipe = &world.pipe;
    unsigned char bytes[8];
    int n = (int)(1 + a % 8), wanted = n;
    bool stop;

    (void)b;
    if (pipe->ends[1] < 0) return 0;
    stop = refused(task);
    for (int i = 0; i < (int)sizeof bytes; i++)
        bytes[i] = (unsigned char)(pipe->first + pipe->bytes + i);
    if (pipe->ends[0] < 0) wanted = -EPIPE;
    if (stop) wanted = -ECANCELED;
    op_begin(task);
    expect("a write", nido_write(pipe->ends[1], bytes, (size_t)n), wanted);
    if (wanted > 0) pipe->bytes += n;
    return wanted < 0 ? wanted : 0;
}

/* Bytes come in the order in which they were written, whoever reads. */
static void take_bytes(struct pipe *pipe, const unsigned char *bytes, int n)
{
    for (int i = 0; i < n; i++) expect("a byte", bytes[i], (unsigned char)pipe->first++);
    pipe->bytes -= n;
    expect("bytes that were never written", pipe->bytes < 0, 0);
}

static int read_some(struct pipe *pipe, unsigned char *bytes, size_t n, int *done)
{
    ssize_t got = nido_read(pipe->ends[0], bytes, n);

    *done = got > 0 ? (int)got : 0;
    return got < 0 ? (int)got : 0;
}

static int read_full(struct pipe *pipe, unsigned char *bytes, size_t n, int *done)
{
    size_t got = 0;
    int status = nido_read_full(pipe->ends[0], bytes, n, &got);

    *done = (int)got;
    if (!status) expect("the bytes of a full read", *done, (int64_t)n);
    return status;
}

int act_read(struct task *task, unsigned a, unsigned b)
{
    struct pipe *pipe = &world.pipe;
    unsigned char bytes[8];
    int births = pipe->births, done, status;
    bool whole = b & 1, stop, busy = pipe->reader;

    if (pipe->ends[0] < 0) return 0;
    stop = refused(task);
    op_begin(task);
    op_arm(task, READ, 0);
    if (!stop && !busy) {
        op_wait(task);
        pipe->reader = task;
        pipe->whole = whole;
    }
    status = (whole ? read_full : read_some)(pipe, bytes, 1 + a % 8, &done);
    if (pipe->births == births && pipe->reader == task) {
        take_bytes(pipe, bytes, done);
        pipe->reader = NULL;
    }
    catch_up();
    if (stop || busy) {
        expect("a read that must not be", status, stop ? -ECANCELED : -EBUSY);
        return status;
    }
    if (status == -ECANCELED) expect("a read under a cancel", task->op.status, -ECANCELED);
    if (status == -EBADF) expect("a read of what is closed", births != pipe->births, 1);
    if (status == -EPIPE || (!status && !done)) expect("the end", pipe->ends[1] < 0, 1);
    op_finish(task, -1, status);
    return status;
}
