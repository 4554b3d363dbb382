/* SPDX-License-Identifier: MIT */
/* gate.c: nido's hot paths, one by one, for counting their instructions: PROGRAM PATH ROUNDS.
 *
 * The count of a path is the difference of two runs with different rounds, so what comes before and
 * after its loop does not matter. The clock is virtual and nothing waits for the kernel: the same
 * program takes the same way each time. */
#include <errno.h>
#include <fcntl.h>
#include <nido.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Does the work `rounds` times, inside a task. */
typedef int path_fn(long rounds);

struct job {
    path_fn *path;
    long rounds;
};

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int give_way(long times)
{
    int rc = 0;
    for (long i = 0; i < times && !rc; i++) rc = nido_yield();
    return rc;
}

static int give_way_task(void *arg)
{
    return give_way(*(const long *)arg);
}

/* Two tasks: a yield of each is a switch. */
static int switch_path(long rounds)
{
    long half = rounds / 2;
    nido_group group;
    nido_group_open(&group, NIDO_FAIL_FAST, "switch");
    int rc = nido_spawn(&group, give_way_task, &half);
    if (!rc) rc = give_way(half);
    return nido_group_close(&group, rc);
}

/* The same while it is recorded: two events a switch. */
static int recorded_path(long rounds)
{
    int rc = nido_trace_start(NULL);
    return rc ? rc : switch_path(rounds);
}

static int spawn_join(void)
{
    nido_group group;
    nido_group_open(&group, NIDO_FAIL_FAST, "spawn");
    int rc = nido_spawn(&group, nothing, NULL);
    return nido_group_close(&group, rc);
}

static int spawn_path(long rounds)
{
    int rc = 0;
    for (long i = 0; i < rounds && !rc; i++) rc = spawn_join();
    return rc;
}

struct wire {
    nido_chan *chan;
    long rounds;
};

static int send_all(void *arg)
{
    const struct wire *wire = arg;
    int rc = 0;
    for (long i = 0; i < wire->rounds && !rc; i++) rc = nido_chan_send(wire->chan, &i);
    return rc;
}

static int receive_all(const struct wire *wire)
{
    long item;
    int rc = 0;
    for (long i = 0; i < wire->rounds && !rc; i++) rc = nido_chan_recv(wire->chan, &item);
    return rc;
}

static int hand_over(struct wire *wire)
{
    nido_group group;
    nido_group_open(&group, NIDO_FAIL_FAST, "hand over");
    int rc = nido_spawn(&group, send_all, wire);
    if (!rc) rc = receive_all(wire);
    return nido_group_close(&group, rc);
}

static int chan_path(long rounds)
{
    struct wire wire = {.rounds = rounds};
    int rc = nido_chan_new(sizeof(long), 0, NULL, NULL, &wire.chan);
    if (!rc) rc = hand_over(&wire);
    nido_chan_free(wire.chan);
    return rc;
}

static int scope_path(long rounds)
{
    int rc = 0;
    for (long i = 0; i < rounds && !rc; i++) {
        nido_scope scope;
        nido_scope_open(&scope);
        rc = nido_scope_close(&scope, 0);
    }
    return rc;
}

static int deadline_path(long rounds)
{
    int64_t deadline = nido_after(NIDO_MS(3600000));
    int rc = 0;
    for (long i = 0; i < rounds && !rc; i++) {
        nido_scope scope;
        nido_deadline_open(&scope, deadline);
        rc = nido_scope_close(&scope, 0);
    }
    return rc;
}

static int read_bytes(int fd, long rounds)
{
    char byte;
    ssize_t n = 1;
    for (long i = 0; i < rounds && n == 1; i++) n = nido_read(fd, &byte, 1);
    return n < 0 ? (int)n : 0;
}

/* The bytes are there before the first read; a pipe has room for 64 KiB. */
static int read_path(long rounds)
{
    static const char bytes[1 << 16];
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK)) return -EMFILE;
    int rc = nido_fd_own(ends[0]);
    if (!rc && write(ends[1], bytes, (size_t)rounds) != rounds) rc = -EPIPE;
    if (!rc) rc = read_bytes(ends[0], rounds);
    close(ends[1]);
    nido_close(ends[0]);
    return rc;
}

static int mutex_path(long rounds)
{
    nido_mutex mutex;
    nido_mutex_init(&mutex, "mutex");
    int rc = 0;
    for (long i = 0; i < rounds && !rc; i++) {
        rc = nido_mutex_lock(&mutex);
        if (!rc) rc = nido_mutex_unlock(&mutex);
    }
    nido_mutex_deinit(&mutex);
    return rc;
}

static int wait_in_vain(void *arg)
{
    return nido_event_wait(arg);
}

static int cancel_join(nido_event *never)
{
    nido_group group;
    nido_group_open(&group, NIDO_FAIL_FAST, "parked");
    int rc = nido_spawn(&group, wait_in_vain, never);
    if (!rc) rc = nido_yield();
    nido_group_cancel(&group, 0, "the counted part");
    return nido_group_close(&group, rc);
}

static int cancel_path(long rounds)
{
    nido_event never;
    nido_event_init(&never, "never");
    int rc = 0;
    for (long i = 0; i < rounds && !rc; i++) rc = cancel_join(&never);
    nido_event_deinit(&never);
    return rc;
}

/* Eight lines at a time come from nowhere, and what is written goes there. */
static ssize_t read_lines(void *ctx, void *buf, size_t len)
{
    static const char lines[] = "GET key:000000000042 of the table\r\n";
    size_t n = 0, length = sizeof lines - 1;
    (void)ctx;
    for (int i = 0; i < 8 && length <= len - n; i++, n += length)
        memcpy((char *)buf + n, lines, length);
    return (ssize_t)n;
}

static ssize_t write_nowhere(void *ctx, const void *buf, size_t len)
{
    (void)ctx, (void)buf;
    return (ssize_t)len;
}

static int stream_path(long rounds)
{
    static const nido_stream_ops ops = {
        .size = sizeof ops, .read = read_lines, .write = write_nowhere};
    nido_stream stream;
    size_t length;
    char *line;
    int rc = nido_stream_open_ops(&stream, &ops, NULL, NULL);
    for (long i = 0; i < rounds && rc >= 0; i++) {
        rc = nido_stream_line(&stream, &line, &length);
        if (rc > 0) rc = nido_stream_write(&stream, line, length, NULL);
    }
    nido_stream_close(&stream);
    return rc < 0 ? rc : 0;
}

static const struct {
    const char *name;
    path_fn *path;
} paths[] = {
    {"switch", switch_path},            /* a yield to another task */
    {"switch_recorded", recorded_path}, /* the same, recorded (nido/trace.h) */
    {"spawn_join", spawn_path},         /* a group opened, one task, the group closed */
    {"chan_handoff", chan_path},        /* an item from task to task, without a buffer */
    {"scope", scope_path},              /* opened and closed */
    {"scope_deadline", deadline_path},  /* the same with a deadline */
    {"read_ready", read_path},          /* a byte that is there, from a pipe that nido owns */
    {"stream_echo", stream_path},       /* a line read from a stream, and one written to it */
    {"mutex_free", mutex_path},         /* locked and unlocked */
    {"cancel_join", cancel_path},       /* spawn_join, but the task parks and is cancelled */
};

enum { PATHS = sizeof paths / sizeof paths[0] };

static int root(void *arg)
{
    const struct job *job = arg;
    return job->path(job->rounds);
}

static int run(struct job *job)
{
    nido_options options;
    nido_options_init(&options);
    options.clock = NIDO_CLOCK_VIRTUAL;
    return nido_exit_status(nido_run(root, job, &options));
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "--list")) {
        for (int i = 0; i < PATHS; i++) puts(paths[i].name);
        return 0;
    }
    for (int i = 0; argc == 3 && i < PATHS; i++) {
        struct job job = {.path = paths[i].path, .rounds = atol(argv[2])};
        if (!strcmp(argv[1], paths[i].name)) return run(&job);
    }
    fprintf(stderr, "usage: %s --list | PATH ROUNDS\n", argv[0]);
    return 2;
}
