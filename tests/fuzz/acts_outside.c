/* SPDX-License-Identifier: MIT */
/* Instructions: a pair of sockets, a file, jobs on workers, child processes. The model knows what
 * must come of each, but not when: as with the pipe, such a wait ends when the world outside says
 * so, or by a cancel. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "outside.h"
#include "program.h"

enum { FILE_BYTES = 64, CHILDREN = 2 };

static struct {
    int file, size;
    int children;
} outside;
static atomic_int tokens; /* arguments of abandoned jobs that have not been taken back */

void make_outside(void)
{
    memset(&sockets, 0, sizeof sockets);
    sockets.fds[0] = sockets.fds[1] = -1;
    outside.file = -1;
    outside.size = outside.children = 0;
    tokens = 0;
    weather_begin();
}

void expect_outside_over(void)
{
    for (int i = 0; i < 2; i++)
        if (sockets.fds[i] >= 0) expect("a socket", nido_close(sockets.fds[i]), 0);
    if (outside.file >= 0) expect("a file", nido_close(outside.file), 0);
    expect("arguments of jobs", tokens, 0);
    weather_end();
}

/* ---- A wait that the world ends ---- */

static bool begin_outside(struct task *task, bool waits)
{
    bool stop = refused(task);

    op_begin(task);
    op_arm(task, READ, 1);
    if (!stop && waits) op_wait(task);
    return stop;
}

/* The call has returned; -ECANCELED only under a cancel. */
static int end_outside(struct task *task, bool stop, const char *what, int status)
{
    catch_up();
    if (stop) expect(what, status, -ECANCELED);
    if (!stop && status == -ECANCELED) expect(what, task->op.status, -ECANCELED);
    op_finish(task, -1, status);
    return status;
}

/* ---- Sockets: two directions, each with a reader and a writer ---- */

struct sockets sockets;

static void close_side(int side)
{
    expect("the close of a socket", nido_close(sockets.fds[side]), 0);
    sockets.fds[side] = -1;
    sockets.births++;
    /* With unread bytes in it a Unix socket resets its peer. */
    sockets.reset |= sockets.ways[side].bytes > 0;
    sockets.ways[!side].ended = sockets.ways[side].broken = true;
    sockets.ways[side].reader = sockets.ways[!side].writer = NULL;
}

int act_socket(struct task *task, unsigned a, unsigned b)
{
    int side = (int)(a & 1);

    (void)task, (void)b;
    catch_up();
    if (!world.watched) return 0;
    if (sockets.fds[0] < 0 && sockets.fds[1] < 0) {
        memset(sockets.ways, 0, sizeof sockets.ways);
        sockets.reset = false;
        expect("new sockets", nido_socketpair(AF_UNIX, SOCK_STREAM, 0, sockets.fds), 0);
        return 0;
    }
    if (sockets.fds[side] < 0) return 0;
    if (a & 2) {
        close_side(side);
    } else {
        expect("a shutdown", shutdown(sockets.fds[side], SHUT_WR), 0);
        sockets.ways[!side].ended = sockets.ways[!side].broken = true;
    }
    return 0;
}

static ssize_t call_send(int fd, unsigned char *bytes, size_t n, unsigned how)
{
    struct iovec parts[2] = {{bytes, n / 2}, {bytes + n / 2, n - n / 2}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

    switch (how % 4) {
    case 0:
        return nido_send(fd, bytes, n, 0);
    case 1:
        return nido_write(fd, bytes, n);
    case 2:
        return nido_writev(fd, parts, 2);
    default:
        return nido_sendmsg(fd, &message, 0);
    }
}

static ssize_t call_recv(int fd, unsigned char *bytes, size_t n, unsigned how)
{
    struct iovec parts[2] = {{bytes, n / 2}, {bytes + n / 2, n - n / 2}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

    switch (how % 4) {
    case 0:
        return nido_recv(fd, bytes, n, 0);
    case 1:
        return nido_read(fd, bytes, n);
    case 2:
        return nido_readv(fd, parts, 2);
    default:
        return nido_recvmsg(fd, &message, 0);
    }
}

/* An answer that is no number of bytes: had the world a reason for it? */
static void expect_reason(const char *what, int status, int births)
{
    if (status == -EBADF) expect(what, births != sockets.births, 1);
    if (status == -ECONNRESET) expect(what, sockets.reset || weather_has_failed(), 1);
    if (status < 0 && status != -EBADF && status != -ECONNRESET && status != -ECANCELED)
        expect(what, status, -EPIPE);
}

int act_socket_send(struct task *task, unsigned a, unsigned b)
{
    int side = (int)(a & 1), births = sockets.births, status;
    struct way *way = &sockets.ways[!side];
    unsigned char bytes[16]; /* 8 are used; gcc 12 at -O3 sees one more written */
    bool busy = way->writer, stop;
    unsigned n = 1 + a / 2 % 8;

    if (sockets.fds[side] < 0) return 0;
    stop = begin_outside(task, !busy);
    if (!stop && !busy) way->writer = task;
    for (unsigned i = 0; i < n; i++) bytes[i] = (unsigned char)(way->first + way->bytes + (int)i);
    status = (int)call_send(sockets.fds[side], bytes, n, b);
    if (way->writer == task) {
        way->writer = NULL;
        if (status > 0) way->bytes += status;
    }
    end_outside(task, stop, "a send", status);
    if (stop) return status;
    if (busy) return expect("a second writer", status, -EBUSY), status;
    expect_reason("a send", status, births);
    if (status == -EPIPE) expect("a send to nobody", way->broken, 1);
    expect("bytes sent", status <= (int)n, 1);
    return status < 0 ? status : 0;
}

int act_socket_recv(struct task *task, unsigned a, unsigned b)
{
    int side = (int)(a & 1), births = sockets.births, status;
    struct way *way = &sockets.ways[side];
    unsigned char bytes[8];
    bool busy = way->reader, mine, stop;
    unsigned n = 1 + a / 2 % 8;

    if (sockets.fds[side] < 0) return 0;
    stop = begin_outside(task, !busy);
    if (!stop && !busy) way->reader = task;
    status = (int)call_recv(sockets.fds[side], bytes, n, b);
    mine = way->reader == task;
    if (mine) way->reader = NULL;
    if (status > 0) expect("bytes of a closed socket", mine, 1);
    for (int i = 0; i < status; i++) expect("a byte", bytes[i], (unsigned char)way->first++);
    if (status > 0) way->bytes -= status;
    expect("bytes that were never sent", way->bytes < 0, 0);
    end_outside(task, stop, "a receive", status);
    if (stop) return status;
    if (busy) return expect("a second reader", status, -EBUSY), status;
    expect_reason("a receive", status, births);
    if (status == 0) expect("the end", way->ended && !way->bytes, 1);
    return status < 0 ? status : 0;
}

/* ---- A file, byte i of which is a function of i ---- */

static unsigned char byte_at(int64_t i)
{
    return (unsigned char)(i * 7 + 1);
}

static int read_file(struct task *task, int64_t offset, size_t n)
{
    int there = outside.size - (int)offset, status;
    unsigned char bytes[16];
    bool stop = begin_outside(task, true);

    status = (int)nido_pread(outside.file, bytes, n, offset);
    for (int i = 0; i < status; i++) expect("a byte of a file", bytes[i], byte_at(offset + i));
    end_outside(task, stop, "a read of a file", status);
    if (stop || status == -ECANCELED) return status;
    if (status < 0) return expect("a read of a file", weather_file_fails(), 1), 0;
    if (there > (int)n) there = (int)n;
    expect("bytes of a file", status >= (there > 0 && weather_file_short() ? 1 : there), 1);
    return 0;
}

static int write_file(struct task *task, int64_t offset, size_t n)
{
    unsigned char bytes[16];
    bool stop = begin_outside(task, true);
    int status;

    for (size_t i = 0; i < n; i++) bytes[i] = byte_at(offset + (int64_t)i);
    status = (int)nido_pwrite(outside.file, bytes, n, offset);
    if (status > 0 && (int)offset + status > outside.size) outside.size = (int)offset + status;
    end_outside(task, stop, "a write of a file", status);
    if (stop || status == -ECANCELED) return status;
    if (status < 0) return expect("a write of a file", weather_file_fails(), 1), 0;
    expect("bytes written", status >= (weather_file_short() ? 1 : (int)n), 1);
    return 0;
}

int act_file(struct task *task, unsigned a, unsigned b)
{
    size_t n = 1 + a / 2 % 16;

    catch_up();
    if (outside.file < 0) {
        outside.file = memfd_create("fuzz", MFD_CLOEXEC);
        expect("a new file", outside.file >= 0, 1);
        return 0;
    }
    if (a & 1) return read_file(task, b % FILE_BYTES, n);
    /* no holes: their bytes would be zero */
    return write_file(task, outside.size ? (int)b % (outside.size + 1) % FILE_BYTES : 0, n);
}

/* ---- Jobs ---- */

struct job {
    unsigned yields;
    int rc;
    bool calls;
};

static int answer_job(void *rc)
{
    return *(int *)rc;
}

/* One that calls gets -ECANCELED if its task is cancelled. */
static ssize_t do_job(void *arg)
{
    const struct job *job = arg;
    int rc = job->rc;

    for (unsigned i = 0; i < job->yields; i++) sched_yield();
    return job->calls ? nido_call_in_loop(answer_job, &rc) : rc;
}

static void drop_token(void *ctx, void *arg, int rc)
{
    (void)ctx, (void)rc;
    free(arg);
    tokens--;
}

static int abandon(const struct job *job)
{
    struct job *token = malloc(sizeof *token);
    int status;

    if (!token) abort();
    *token = *job;
    tokens++;
    status = (int)nido_offload_abandon(do_job, token, drop_token, NULL);
    if (status >= 0) drop_token(NULL, token, status);
    return status;
}

int act_job(struct task *task, unsigned a, unsigned b)
{
    static const int results[] = {0, 3, -EIO, 1};
    struct job job = {.yields = b % 8, .rc = results[b / 8 % 4], .calls = a / 4 % 4 == 3};
    nido_offload_options options;
    bool stop = begin_outside(task, true), ran = false;
    int status;

    nido_offload_options_init(&options);
    options.mode = a & 1 ? NIDO_OFFLOAD_INTERRUPT : NIDO_OFFLOAD_WAIT;
    options.ran = &ran;
    if (a & 2)
        status = abandon(&job);
    else
        status = (int)nido_offload_with(do_job, &job, &options);
    end_outside(task, stop, "a job", status);
    if (stop) return status;
    if (status != -ECANCELED) expect("a job's result", status, job.rc);
    if (!(a & 2) && !ran) expect("a job that did not run", status, -ECANCELED);
    return status == -ECANCELED ? status : 0;
}

/* ---- Children ---- */

/* One that is cancelled is stopped, and its status is that or the end that came first. */
static int run_cat(struct task *task)
{
    nido_proc_options options;
    nido_proc_result result;
    bool stop = begin_outside(task, true);
    int status;

    nido_proc_options_init(&options);
    options.argv = (char *[]){"cat", NULL};
    status = nido_proc_run(&options, "bytes", 5, &result);
    if (!status) expect("what a child says", strcmp(result.out, "bytes"), 0);
    nido_proc_result_free(&result);
    end_outside(task, stop, "a program", status);
    if (!stop && status != -ECANCELED) expect("a program", status, 0);
    return status;
}

static int wait_for_child(struct task *task, const char *name, int code)
{
    nido_proc_status ended = {.code = -2};
    nido_proc_options options;
    bool stop = begin_outside(task, true);
    nido_proc child;
    int status;

    nido_proc_options_init(&options);
    options.argv = (char *[]){(char *)name, NULL};
    status = nido_proc_spawn(&child, &options);
    if (!status) status = nido_proc_wait(&child, &ended);
    if (!status) expect("a child's status", ended.code, code);
    if (status == -ECANCELED && child.child) {
        expect("a stop", nido_proc_stop(&child, &ended), 0);
        expect("the end of one that was stopped", ended.code == code || ended.signal == SIGTERM, 1);
    }
    if (child.child) expect("a release", nido_proc_release(&child), 0);
    end_outside(task, stop, "a child", status);
    if (!stop && status != -ECANCELED) expect("a child", status, 0);
    return status;
}

int act_child(struct task *task, unsigned a, unsigned b)
{
    (void)b;
    catch_up();
    if (outside.children == CHILDREN) return 0;
    outside.children++;
    if (a % 3 == 0) return run_cat(task);
    return wait_for_child(task, a % 3 == 1 ? "true" : "false", a % 3 == 1 ? 0 : 1);
}
