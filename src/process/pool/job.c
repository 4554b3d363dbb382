/* SPDX-License-Identifier: MIT */
/* process/pool/job.c: what runs in a worker: one job after the other, until the program closes the
 * socket. There is one thread, no runtime, and calls block. */
#include "process/pool/job.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sys.h"
#include "nido/procpool.h"

enum { SPARE = 16 << 10 };

struct nido_procjob {
    char *input;
    size_t len;
    char *out; /* the reply: a head, then the bytes of the job */
    size_t used, capacity;
    size_t most;
};

static bool is_here(const struct nidoi_image *image)
{
    static struct nidoi_image checked; /* asking the loader takes longer than a small job */
    struct nidoi_image here;

    if (memcmp(&checked, image, sizeof checked) == 0) return true;
    here = nidoi_image_of((uintptr_t)image->fn);
    if (memcmp(&here, image, sizeof here) != 0) return false;
    checked = here;
    return true;
}

/* ---- Before the first job ---- */

int nidoi_procjob_confine(const struct nidoi_forkserver_order *order)
{
    int err = order->no_new_privs ? nidoi_sys.no_new_privs() : 0;

    if (err || !order->confine.fn) return err;
    if (!is_here(&order->confine)) return -EINVAL;
    return ((nido_procpool_confine_fn *)(uintptr_t)order->confine.fn)(order->name);
}

/* ---- The socket ---- */

/* If the program has ended or has closed the socket, the worker ends. */
static void socket_receive(int fd, void *to, size_t len)
{
    for (char *next = to; len;) {
        ssize_t n = nidoi_sys.recv(fd, next, len, 0);

        if (n <= 0) _exit(0);
        next += n;
        len -= (size_t)n;
    }
}

static void socket_send(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t n = nidoi_sys.send(fd, bytes, len, 0);

        if (n <= 0) _exit(0);
        bytes += n;
        len -= (size_t)n;
    }
}

/* ---- Jobs ---- */

void *nido_procjob_input(nido_procjob *job, size_t *len)
{
    if (len) *len = job->len;
    return job->input;
}

int nido_procjob_reply(nido_procjob *job, const void *bytes, size_t len)
{
    size_t replied = job->used - sizeof(struct nidoi_reply);

    if (len > job->most - replied) return -EMSGSIZE;
    if (nidoi_mem_grow((void **)&job->out, &job->capacity, job->used + len, 1)) return -ENOMEM;
    if (len) memcpy(job->out + job->used, bytes, len);
    job->used += len;
    return 0;
}

/* Limits the processor time of this process to so many seconds from now on. */
static void limit_cpu(uint32_t seconds)
{
    uint64_t used = (uint64_t)clock() / CLOCKS_PER_SEC + 1;

    if (seconds) nidoi_sys.limit(RLIMIT_CPU, used + seconds, RLIM_INFINITY);
}

/* Reaps processes that the job has left behind. True: some of them still run. */
static bool reap_and_check(void)
{
    siginfo_t info;

    for (;;) {
        int err;

        info.si_pid = 0;
        err = nidoi_sys.waitid(P_ALL, 0, &info, WEXITED | WNOHANG | NIDOI_EVERY_CHILD);
        if (err || !info.si_pid) return !err;
    }
}

static void job_reply(int fd, struct nido_procjob *job, struct nidoi_reply head)
{
    head.magic = NIDOI_REPLY_MAGIC;
    if (!job->out) {
        socket_send(fd, (const char *)&head, sizeof head);
        return;
    }
    head.len = job->used - sizeof head;
    memcpy(job->out, &head, sizeof head);
    socket_send(fd, job->out, job->used);
}

/* An earlier job may have used up the memory of this process, or have limited it. */
static int job_check_memory(void)
{
    void *spare = nidoi_mem.alloc(SPARE);

    nidoi_mem.release(spare);
    return spare ? 0 : -ENOMEM;
}

static int job_receive(int fd, const struct nidoi_request *request, struct nido_procjob *job)
{
    job->len = (size_t)request->len;
    job->input = nidoi_mem.alloc(job->len + 1);
    if (!job->input) return -ENOMEM;
    socket_receive(fd, job->input, job->len);
    job->input[job->len] = '\0';
    if (!is_here(&request->image)) return -EINVAL;
    if (nidoi_mem_grow((void **)&job->out, &job->capacity, job->used, 1)) return -ENOMEM;
    return job_check_memory();
}

/* A job that forks may return in both processes: only the worker replies and goes on. */
static int job_run(const struct nidoi_request *request, struct nido_procjob *job)
{
    int worker = getpid();
    int status = ((nido_procjob_fn *)(uintptr_t)request->image.fn)(job);

    if (getpid() != worker) _exit(0);
    fflush(stdout);
    fflush(stderr);
    return status;
}

static void serve_one(int fd, const struct nidoi_forkserver_order *order)
{
    struct nidoi_request request;
    struct nidoi_reply head = {0};
    struct nido_procjob job = {.used = sizeof head, .most = (size_t)order->max_frame};
    bool adopts = nidoi_sys.adopts_orphans();

    socket_receive(fd, &request, sizeof request);
    if (request.magic != NIDOI_REQUEST_MAGIC) _exit(1); /* a job has read from this socket */
    head.number = request.number;
    head.status = job_receive(fd, &request, &job);
    head.refused = head.status != 0;
    if (!head.refused) {
        limit_cpu(order->cpu_seconds);
        head.status = job_run(&request, &job);
        /* A job that has switched the adoption off may hide what it has left behind. */
        head.leftovers = (adopts && !nidoi_sys.adopts_orphans()) || reap_and_check();
    }
    job_reply(fd, &job, head);
    nidoi_mem.release(job.input);
    nidoi_mem.release(job.out);
}

_Noreturn void nidoi_procjob_serve(int fd, const struct nidoi_forkserver_order *order)
{
    for (;;) serve_one(fd, order);
}
