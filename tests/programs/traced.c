/* SPDX-License-Identifier: MIT */
/* traced.c: a program whose trace tests/checks/trace looks at: traced MODE FILE.
 *
 *   whole      a bit of everything
 *   overflow   so much that the ring holds a part of it alone, written in the middle of it
 *   deep       more scopes inside one another than a reader of a small ring has room for
 *   stopped    recorded for a while
 *   guest      inside another loop
 *   shards     two threads: FILE.0, FILE.1
 *   plain      without recording
 *   deadlock   written by itself, FILE is not used
 *   panic      the same, by a misuse */
#include <errno.h>
#include <fcntl.h>
#include <nido.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *path;

static int write_to(const char *name)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), rc;

    if (fd < 0) return -errno;
    rc = nido_trace_write(fd);
    close(fd);
    return rc;
}

static ssize_t hash(void *arg)
{
    usleep(200);
    return *(int *)arg;
}

static int worker(void *arg)
{
    int rc;

    nido_trace_begin("request");
    nido_set_name("worker \"%c\"", *(char *)arg);
    rc = nido_sleep(NIDO_MS(1));
    if (!rc) rc = (int)nido_offload(hash, &rc);
    nido_trace_mark("hashed");
    nido_trace_end("request");
    return rc;
}

static int sender(void *chan)
{
    int rc = 0;

    for (int i = 0; i < 50 && !rc; i++) rc = nido_chan_send(chan, &i);
    nido_chan_close_send(chan);
    return rc;
}

static int receiver(void *chan)
{
    int item, rc = 0;

    while (!rc) rc = nido_chan_recv(chan, &item);
    return rc == -EPIPE ? 0 : rc;
}

static int reader(void *arg)
{
    char byte;

    return (int)nido_read(*(int *)arg, &byte, 1);
}

static int pipe_through(nido_group *group, int ends[2])
{
    int rc = nido_pipe(ends);

    if (!rc) rc = nido_spawn(group, reader, &ends[0]);
    if (!rc) rc = nido_sleep(NIDO_MS(1));
    if (!rc) rc = (int)nido_write(ends[1], "x", 1);
    return rc < 0 ? rc : 0;
}

static int for_ever(void *arg)
{
    return nido_sleep(*(int64_t *)arg);
}

static int time_out(void)
{
    nido_scope scope;

    nido_timeout_open(&scope, NIDO_MS(1));
    return nido_scope_close(&scope, nido_sleep(NIDO_SEC(10))) == -ETIMEDOUT ? 0 : -EPROTO;
}

static int everything(void *arg)
{
    int64_t hour = NIDO_SEC(3600);
    int ends[2];
    nido_chan *chan;
    nido_group group, doomed;
    int rc = nido_chan_new(sizeof(int), 2, NULL, NULL, &chan);

    (void)arg;
    if (rc) return rc;
    nido_chan_set_name(chan, "numbers");
    nido_group_open(&group, NIDO_FAIL_FAST, "everything");
    for (int i = 0; i < 3 && !rc; i++) rc = nido_spawn(&group, worker, &"abc"[i]);
    if (!rc) rc = nido_spawn(&group, sender, chan);
    if (!rc) rc = nido_spawn(&group, receiver, chan);
    if (!rc) rc = pipe_through(&group, ends);
    if (!rc) rc = time_out();
    nido_group_open(&doomed, NIDO_WAIT_ALL, "doomed");
    for (int i = 0; i < 5 && !rc; i++) rc = nido_spawn(&doomed, for_ever, &hour);
    if (!rc) rc = nido_yield();
    nido_group_cancel(&doomed, 0, "enough \\ of \"this\"");
    nido_group_close(&doomed, 0);
    rc = nido_group_close(&group, rc);
    nido_close(ends[0]);
    nido_close(ends[1]);
    nido_chan_free(chan);
    return rc;
}

static int whole(void *arg)
{
    int rc = everything(arg);

    return rc ? rc : write_to(path);
}

/* Scopes, marks and tasks whose beginnings are gone, and some that have not ended. */
static int overflow(void *arg)
{
    nido_trace_options options;
    int64_t hour = NIDO_SEC(3600);
    nido_group group;
    nido_scope scope;
    int rc;

    nido_trace_options_init(&options);
    options.bytes = 1;
    nido_trace_stop();
    nido_trace_start(&options);
    nido_trace_begin("outer");
    nido_group_open(&group, NIDO_WAIT_ALL, "outer");
    rc = nido_spawn(&group, for_ever, &hour);
    nido_scope_open(&scope);
    for (int i = 0; i < 20 && !rc; i++) rc = everything(arg);
    nido_trace_end("outer");
    nido_trace_begin("inner");
    rc = nido_scope_close(&scope, rc);
    if (!rc) rc = write_to(path);
    nido_trace_end("inner");
    nido_group_cancel(&group, 0, NULL);
    return nido_group_close(&group, rc);
}

static int deep(void *unused)
{
    enum { DEPTH = 300, CLOSED = 60 };
    nido_trace_options options;
    nido_scope scopes[DEPTH];
    int rc, i;

    (void)unused;
    nido_trace_options_init(&options);
    options.bytes = 1;
    nido_trace_stop();
    rc = nido_trace_start(&options);
    for (i = 0; i < DEPTH; i++) nido_scope_open(&scopes[i]);
    while (i > DEPTH - CLOSED) nido_scope_close(&scopes[--i], 0);
    if (!rc) rc = write_to(path);
    while (i > 0) nido_scope_close(&scopes[--i], 0);
    return rc;
}

static int stopped(void *arg)
{
    int rc;

    nido_trace_stop();
    rc = everything(arg);
    if (!rc) rc = nido_trace_start(NULL);
    if (!rc) rc = everything(arg);
    if (!rc) rc = nido_trace_stop();
    if (!rc) rc = everything(arg);
    return rc ? rc : write_to(path);
}

static int never(void *arg)
{
    nido_event event;

    (void)arg;
    nido_event_init(&event, "never");
    return nido_event_wait(&event);
}

static int panic(void *arg)
{
    nido_scope scope;

    nido_scope_open(&scope);
    return everything(arg);
}

static int shard(unsigned number, void *arg)
{
    char name[256];
    int rc = everything(arg);

    snprintf(name, sizeof name, "%s.%u", path, number);
    return rc ? rc : write_to(name);
}

static int guest(const nido_options *options)
{
    nido_rt *rt;
    int rc = nido_rt_new(options, &rt);

    if (!rc) rc = nido_rt_start(rt, everything, NULL);
    while (!rc && nido_rt_step(rt) == 1) usleep(100);
    if (!rc) rc = write_to(path);
    if (!rc) nido_rt_result(rt, &rc);
    nido_rt_free(rt);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        nido_fn *fn;
    } modes[] = {{"whole", whole},     {"overflow", overflow}, {"deep", deep},
                 {"stopped", stopped}, {"deadlock", never},    {"panic", panic}};
    nido_options options;

    if (argc != 3) return 2;
    path = argv[2];
    nido_options_init(&options);
    if (!strcmp(argv[1], "plain")) return nido_exit_status(nido_run(everything, NULL, &options));
    options.flags = NIDO_RUN_TRACE;
    if (!strcmp(argv[1], "shards")) return nido_exit_status(nido_shards(2, shard, NULL, &options));
    if (!strcmp(argv[1], "guest")) return nido_exit_status(guest(&options));
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (!strcmp(argv[1], modes[i].name))
            return nido_exit_status(nido_run(modes[i].fn, NULL, &options));
    return 2;
}
