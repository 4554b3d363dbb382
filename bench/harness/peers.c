/* SPDX-License-Identifier: MIT */
/* peers.c: starts the programs of the peers and reads their one line. */
#include "peers.h"
#include "footprint.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static struct peer peers[] = {
    {.program = "peer-go", .label = "Go", .package = "golang-go"},
    {.program = "peer-tokio", .label = "tokio", .package = "cargo, librust-tokio-dev"},
    {.program = "peer-boost", .label = "Boost.Fiber", .package = "libboost-fiber-dev"},
    {.program = "peer-st", .label = "State Threads", .package = "libst-dev"},
    {.program = "peer-pth", .label = "GNU Pth", .package = "libpth-dev"},
    {.program = "peer-dill",
     .label = "libdill",
     .package = "in no package of Debian 12, see bench/README.md"},
    {.program = "peer-neco",
     .label = "neco",
     .package = "in no package of Debian 12, see bench/README.md"},
    {.program = "peer-uv", .label = "libuv", .package = "libuv1-dev"},
    {.program = "peer-asyncio", .label = "asyncio", .package = "python3"},
    {.program = "peer-nginx", .label = "nginx", .package = "nginx"},
    {.program = "peer-redis", .label = "Redis", .package = "redis-tools"},
    {.program = "peer-trio", .label = "Trio", .package = "python3-trio"},
};

#define PEERS ((int)(sizeof peers / sizeof peers[0]))
_Static_assert(PEERS <= PEERS_MOST, "struct result has room for all peers");

/* Nothing that a peer starts outlives the sample: the process that waits for it may be ended by its
 * alarm. */
static _Noreturn void become(const struct peer *peer, const char *const *args, int out)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(out, STDOUT_FILENO);
    execl(peer->path, peer->program, args[0], args[1], args[2], (char *)NULL);
    _exit(127);
}

static size_t read_all(int fd, char *text, size_t size)
{
    size_t n = 0;
    for (ssize_t more; n < size && (more = read(fd, text + n, size - n)) > 0;) n += (size_t)more;
    return n;
}

/* Runs it to its end; what it said, NULL if that is no JSON object or it did not end well. */
static json_t *ask_peer(const struct peer *peer, const char *const *args, bool quiet)
{
    char text[4096];
    int ends[2], status = -1;
    if (pipe2(ends, O_CLOEXEC)) return NULL;
    pid_t pid = fork();
    if (pid == 0) {
        if (quiet) dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
        become(peer, args, ends[1]);
    }
    close(ends[1]);
    size_t n = read_all(ends[0], text, sizeof text);
    close(ends[0]);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status) return NULL;
    json_t *said = json_loadb(text, n, 0, NULL);
    if (json_is_object(said)) return said;
    json_decref(said);
    return NULL;
}

static void meet(struct peer *peer, const char *folder)
{
    static const char *const args[3] = {"--about"};
    snprintf(peer->path, sizeof peer->path, "%s/%s", folder, peer->program);
    json_t *about = access(peer->path, X_OK) ? NULL : ask_peer(peer, args, true);
    const char *version = json_string_value(json_object_get(about, "version"));
    if (version) snprintf(peer->version, sizeof peer->version, "%s", version);
    peer->cases = json_incref(json_object_get(about, "cases"));
    json_decref(about);
}

const struct peer *peers_find(const char *folder, int *count)
{
    for (int i = 0; i < PEERS; i++) meet(&peers[i], folder);
    *count = PEERS;
    return peers;
}

bool peer_has(const struct peer *peer, const char *name)
{
    size_t i;
    json_t *other;
    json_array_foreach((json_t *)peer->cases, i,
                       other) if (!strcmp(json_string_value(other), name)) return true;
    return false;
}

static void take_values(json_t *values, struct bench_sample *out)
{
    size_t i;
    json_t *value;
    json_array_foreach(values, i, value) if (i < BENCH_METRICS_MOST) out->values[i] =
        json_number_value(value);
}

static void understand(json_t *said, struct bench_sample *out)
{
    json_t *ns = json_object_get(said, "ns");
    const char *why = json_string_value(json_object_get(said, "skip"));
    if (why) {
        bench_skip(out, "%s", why);
    } else if (!json_is_number(ns)) {
        bench_fail(out, "it gave no number");
    } else {
        out->outcome = BENCH_MEASURED;
        out->ns = (int64_t)json_number_value(ns);
        take_values(json_object_get(said, "values"), out);
    }
}

void peer_measure(const struct peer *peer, const struct bench_ask *ask, struct bench_sample *out)
{
    char rounds[24], count[24];
    const char *const args[3] = {ask->name, rounds, count};
    snprintf(rounds, sizeof rounds, "%ld", ask->rounds);
    snprintf(count, sizeof count, "%ld", ask->count);
    json_t *said = ask_peer(peer, args, false);
    if (said)
        understand(said, out);
    else
        bench_fail(out, "%s %s %s %s ended without a result", peer->program, ask->name, rounds,
                   count);
    json_decref(said);
}

/* What it said in answer to a memory case, while it still sleeps. */
static bool look_at(const struct peer *peer, const char *text, size_t n, pid_t pid,
                    struct footprint *out, struct bench_sample *sample)
{
    json_t *said = json_loadb(text, n, 0, NULL);
    const char *why = json_string_value(json_object_get(said, "skip"));
    bool parked = json_object_get(said, "parked");
    if (parked)
        *out = footprint_of(pid);
    else if (why)
        bench_skip(sample, "%s", why);
    else
        bench_fail(sample, "%s could not park its tasks", peer->program);
    json_decref(said);
    return parked;
}

/* The footprint of a peer in which `count` tasks are parked. False if it did not get there; then the
 * sample says why. */
static bool park(const struct peer *peer, const char *name, long count, struct footprint *out,
                 struct bench_sample *sample)
{
    char number[24], text[256];
    const char *const args[3] = {name, "1", number};
    int ends[2];
    snprintf(number, sizeof number, "%ld", count);
    if (pipe2(ends, O_CLOEXEC)) {
        bench_fail(sample, "there is no pipe to %s", peer->program);
        return false;
    }
    pid_t pid = fork();
    if (pid == 0) become(peer, args, ends[1]);
    close(ends[1]);
    ssize_t n = pid > 0 ? read(ends[0], text, sizeof text) : 0;
    close(ends[0]);
    bool parked = look_at(peer, text, n > 0 ? (size_t)n : 0, pid, out, sample);
    if (pid > 0) kill(pid, SIGKILL);
    if (pid > 0) waitpid(pid, NULL, 0);
    return parked;
}

void peer_memory(const struct peer *peer, const struct bench_ask *ask, struct bench_sample *out)
{
    struct footprint one, all;
    if (park(peer, ask->name, 1, &one, out) && park(peer, ask->name, ask->count, &all, out))
        footprint_sample(&one, &all, ask->count - 1, out);
}

int peer_server(const struct load_plan *plan, int port_fd)
{
    char count[24];
    const char *const args[3] = {plan->name, "1", count};
    snprintf(count, sizeof count, "%ld", plan->connections);
    become(plan->peer, args, port_fd);
}
