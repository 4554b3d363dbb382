/* SPDX-License-Identifier: MIT */
/* procpool_help.h: jobs, pools that tell what their jobs say, and processes to look after. */
#ifndef PROCPOOL_HELP_H
#define PROCPOOL_HELP_H

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inside_help.h"
#include "process/pool/job.h"
#include "process/pool/procpool.h"

/* ---- Jobs ---- */

static inline int echo_job(nido_procjob *job)
{
    size_t len;
    const void *bytes = nido_procjob_input(job, &len);
    int err = nido_procjob_reply(job, bytes, len);

    return err ? err : 7;
}

static inline int pid_job(nido_procjob *job)
{
    int pid = getpid();

    return nido_procjob_reply(job, &pid, sizeof pid);
}

static inline int server_job(nido_procjob *job)
{
    int pid = getppid();

    return nido_procjob_reply(job, &pid, sizeof pid);
}

/* Says so, and waits for what never comes. */
static inline int hang_job(nido_procjob *job)
{
    (void)job;
    fputs("ready", stderr);
    while (pause() < 0) continue;
    return 0;
}

static inline int deaf_job(nido_procjob *job)
{
    signal(SIGTERM, SIG_IGN);
    return hang_job(job);
}

/* ---- A pool that notes what its jobs write on stderr ---- */

struct heard {
    char text[16384];
    size_t len;
    nido_event ready; /* set when something has come */
};

static inline void hear_job(void *ctx, const char *bytes, size_t len)
{
    struct heard *heard = ctx;
    size_t room = sizeof heard->text - 1 - heard->len;

    if (len > room) len = room;
    memcpy(heard->text + heard->len, bytes, len);
    heard->len += len;
    nido_event_set(&heard->ready);
}

static inline nido_procpool_options heard_options(struct heard *heard)
{
    nido_procpool_options options;

    memset(heard, 0, sizeof *heard);
    nido_event_init(&heard->ready, "ready");
    nido_procpool_options_init(&options);
    options.workers = 1;
    options.on_stderr = hear_job;
    options.ctx = heard;
    return options;
}

static inline nido_procpool *pool_with(const nido_procpool_options *options)
{
    nido_procpool *pool = NULL;

    cr_assert(eq(int, nido_procpool_new(options, &pool), 0));
    return pool;
}

static inline nido_procpool *pool_of_one(struct heard *heard)
{
    nido_procpool_options options = heard_options(heard);

    return pool_with(&options);
}

static inline void pool_end(nido_procpool *pool)
{
    cr_expect(eq(int, nido_procpool_free(pool), 0));
}

static inline nido_procpool_stats stats_of(const nido_procpool *pool)
{
    nido_procpool_stats stats;

    nido_procpool_stats_get(pool, &stats);
    return stats;
}

/* What a job without input returns. */
static inline int ask(nido_procpool *pool, nido_procjob_fn *fn)
{
    return nido_procpool_call(pool, fn, NULL, 0, NULL, NULL);
}

/* What a job without input replies, an int. */
static inline int ask_number(nido_procpool *pool, nido_procjob_fn *fn)
{
    nido_procpool_result result;
    int number = -1;

    cr_expect(ge(int, nido_procpool_call(pool, fn, NULL, 0, NULL, &result), 0));
    if (result.len == sizeof number) memcpy(&number, result.data, sizeof number);
    nido_procpool_result_deinit(&result);
    return number;
}

static inline void expect_works(nido_procpool *pool)
{
    cr_expect(eq(int, ask(pool, echo_job), 7));
}

static inline void expect_text(const char *words)
{
    const char *text = nido_error_text(nido_error_last());

    cr_expect(ne(ptr, strstr(text, words), NULL), "\"%s\" is not in \"%s\"", words, text);
}

/* A call in a task of its own. */
struct asker {
    nido_procpool *pool;
    nido_procjob_fn *fn;
    nido_scope scope;
    int rc; /* of the call; 12345 until it is over */
    int closed;
    nido_procpool_result result;
};

static inline int asker_body(void *arg)
{
    struct asker *asker = arg;

    nido_scope_open(&asker->scope);
    asker->rc = nido_procpool_call(asker->pool, asker->fn, NULL, 0, NULL, &asker->result);
    asker->closed = nido_scope_close(&asker->scope, asker->rc);
    nido_procpool_result_deinit(&asker->result);
    return 0;
}

static inline void asker_begin(nido_group *group, struct asker *asker, nido_procpool *pool,
                               nido_procjob_fn *fn)
{
    *asker = (struct asker){.pool = pool, .fn = fn, .rc = 12345, .closed = 12345};
    begin(group, asker_body, asker);
}

/* ---- Processes ---- */

/* The only idle worker, as the library sees it. */
static inline struct nidoi_procworker *idle_worker(nido_procpool *pool)
{
    cr_assert(not(nidoi_list_empty(&pool->idle)));
    return nidoi_container(pool->idle.next, struct nidoi_procworker, link);
}

/* Kills the only idle worker and waits until the server has said so; the pool has not read it yet.
 */
static inline void kill_idle(nido_procpool *pool)
{
    struct pollfd status = {.fd = idle_worker(pool)->status_fd, .events = POLLIN};

    kill(idle_worker(pool)->pid, SIGKILL);
    cr_expect(eq(int, poll(&status, 1, 20000), 1));
}

static inline bool is_stopped(int pid)
{
    char path[64], line[256] = "";
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    file = fopen(path, "r");
    if (!fgets(line, sizeof line, file)) line[0] = '\0';
    fclose(file);
    return strstr(line, ") T ") != NULL;
}

/* Returns when it stands still. */
static inline void stop_process(int pid)
{
    kill(pid, SIGSTOP);
    while (!is_stopped(pid)) sched_yield();
}

/* True when it has ended; it has 20 s of time. */
static inline bool process_is_over(int pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd ask = {.fd = fd, .events = POLLIN};
    bool over;

    if (fd < 0) return errno == ESRCH;
    over = poll(&ask, 1, 20000) == 1;
    close(fd);
    return over;
}

/* Runs fn in a child made by fork, which has one thread and no fork server yet; 0, or the line of
 * the first NEED that failed. */
static inline int in_child(int (*fn)(void))
{
    int status = 0, pid = fork();

    cr_assert(ge(int, pid, 0));
    if (pid == 0) {
        alarm(60);
        _exit(fn());
    }
    cr_expect(eq(int, waitpid(pid, &status, 0), pid));
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Criterion does not hear what is expected in another process. */
#define NEED(x)                                                                   \
    do {                                                                          \
        if (!(x)) {                                                               \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #x); \
            _exit(__LINE__ % 255 + 1);                                            \
        }                                                                         \
    } while (0)

#endif
