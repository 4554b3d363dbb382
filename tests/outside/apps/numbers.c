/* SPDX-License-Identifier: MIT */
/* outside/apps/numbers.c: a thread takes a descriptor's number away from a call that is under way on it
 * and gives it to another file.
 *
 *     numbers CALL SEED       CALL: a name of fd_calls.h, or "list"
 *
 * By nido_close, on a thread without a runtime, or behind nido's back by close; the other file gets the
 * number at once or a moment later; the call is parked, or somewhere between its beginning and its
 * end. In each round the call must end, with -EBADF or by its deadline or with what the old file
 * had for it, and the other file must keep its bytes and get none; one that is parked when nido_close
 * comes must end then, not by its deadline. (But behind nido's back a
 * call that was not parked may reach the other file: nothing tells them apart.) */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fd_calls.h"

enum {
    ROUNDS = 60,
    DEADLINE_MS = 50,
    TOLD_MS =
        1000, /* long enough for a loaded machine; a call that is told of the close ends at once */
    LATE_MS = 2000,
    PARKED_US = 4000,
    SOON_US = 60,
    OLD_MOST = 200000
};

static const char kept[] = "kept";

struct round {
    const struct fd_call *call;
    bool owned, by_nido, parked, later, ready; /* ready: the old file has something for the call */
    int fd, other;                             /* the old file and its peer */
    int new, new_peer;                         /* what gets its number */
    useconds_t delay;
    ssize_t result;
};

static void must(bool holds, const char *what)
{
    if (holds) return;
    perror(what);
    exit(3);
}

/* ---- The files ---- */

static void fill(int fd)
{
    char bytes[4096] = {0};

    while (send(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0) continue;
}

static void open_old(struct round *round)
{
    int ends[2];

    must(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), "socketpair");
    round->fd = ends[0];
    round->other = ends[1];
    if (round->call->need == FD_ROOM && !round->ready) fill(round->fd);
    if (round->call->need == FD_BYTES && round->ready)
        must(write(round->other, "o", 1) == 1, "write");
    if (round->owned) must(!nido_fd_own(round->fd), "nido_fd_own");
}

/* It is ready in both directions, so that a call that comes to it does what it wants to. */
static void open_new(struct round *round)
{
    int ends[2];

    must(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), "socketpair");
    round->new = fcntl(ends[0], F_DUPFD_CLOEXEC, 200);
    round->new_peer = fcntl(ends[1], F_DUPFD_CLOEXEC, 200);
    close(ends[0]);
    close(ends[1]);
    must(write(round->new_peer, kept, sizeof kept) == sizeof kept, "write");
}

/* ---- The thread ---- */

/* dup2 gives the number away and takes it in one step; otherwise it is nobody's for a moment. */
static void *take_number(void *arg)
{
    struct round *round = arg;

    usleep(round->delay);
    if (round->by_nido) {
        must(!nido_close(round->fd), "nido_close");
        for (int i = 0; fcntl(round->fd, F_GETFD) >= 0 && i < LATE_MS; i++) usleep(1000);
    } else if (round->later) {
        close(round->fd);
    }
    if (round->later) usleep(round->delay / 4);
    must(dup2(round->new, round->fd) == round->fd, "dup2");
    return NULL;
}

/* ---- A round ---- */

/* It is parked for the descriptor when nido_close takes it away. */
static bool is_told(const struct round *round)
{
    return round->by_nido && round->parked && round->call->need != FD_WORKER;
}

static int call_in_time(struct round *round)
{
    nido_scope scope;

    nido_deadline_open(&scope, nido_after(NIDO_MS(is_told(round) ? TOLD_MS : DEADLINE_MS)));
    round->result = round->call->call(round->fd, round->other);
    nido_scope_close(&scope, round->result < 0 ? (int)round->result : 0);
    return 0;
}

/* The others ask poll(2), which knows only numbers. */
static bool moves_bytes(const struct round *round)
{
    return strncmp(round->call->name, "nido_poll", 9) != 0 &&
           strncmp(round->call->name, "nido_select", 11) != 0;
}

static const char *complain(const struct round *round, int64_t took)
{
    char bytes[sizeof kept + 1];
    bool anything_goes = !round->by_nido && !round->parked;

    if (took > NIDO_MS(LATE_MS)) return "has not ended in time";
    if (anything_goes) return NULL;
    if (is_told(round) && took >= NIDO_MS(TOLD_MS)) return "was not told that its file was closed";
    if (recv(round->fd, bytes, sizeof bytes, MSG_DONTWAIT) != sizeof kept ||
        strcmp(bytes, kept) != 0)
        return "has read what the next file of its number had";
    if (recv(round->new_peer, bytes, sizeof bytes, MSG_DONTWAIT) >= 0)
        return "has written to the next file of its number";
    if (round->parked && round->call->need != FD_WORKER && moves_bytes(round) && round->result >= 0)
        return "has succeeded without its file";
    return NULL;
}

/* The number is the new file's now; an owned one that was closed behind nido's back is still known. */
static void round_end(struct round *round)
{
    nido_fd_forget(round->fd);
    close(round->fd);
    close(round->other);
    close(round->new);
    close(round->new_peer);
}

static int round_run(struct round *round)
{
    const char *complaint;
    pthread_t thread;
    int64_t began, took;

    open_old(round);
    open_new(round);
    must(!pthread_create(&thread, NULL, take_number, round), "pthread_create");
    began = nido_now();
    call_in_time(round);
    took = nido_now() - began;
    while (nido_sleep(NIDO_MS(1)) == 0 && pthread_tryjoin_np(thread, NULL)) continue;
    complaint = complain(round, took);
    if (complaint)
        printf("%s %s; %s, closed %s nido, %s, the new file %s: %zd\n", round->call->name,
               complaint, round->owned ? "owned" : "foreign", round->by_nido ? "by" : "behind",
               round->parked ? "parked" : "at any moment", round->later ? "later" : "at once",
               round->result);
    round_end(round);
    return complaint ? -EPROTO : 0;
}

struct orders {
    const struct fd_call *call;
    unsigned seed;
};

static int run_all(void *arg)
{
    struct orders *orders = arg;
    int rc = 0;

    for (int i = 0; i < ROUNDS && !rc; i++) {
        struct round round = {.call = orders->call,
                              .owned = i & 1,
                              .by_nido = i & 2,
                              .parked = i & 4,
                              .later = i & 8,
                              .ready = !(i & 4) && i & 16};

        round.delay = round.parked ? PARKED_US : (useconds_t)(rand_r(&orders->seed) % SOON_US);
        rc = round_run(&round);
    }
    return rc;
}

int main(int argc, char **argv)
{
    int rc = -ENOENT;

    for (int i = 0; argc == 2 && i < FD_CALLS; i++) puts(fd_calls[i].name);
    if (argc != 3) return argc != 2;
    for (int i = 0; i < FD_CALLS; i++) {
        struct orders orders = {&fd_calls[i], (unsigned)strtoul(argv[2], NULL, 10)};

        if (!strcmp(fd_calls[i].name, argv[1])) rc = nido_run(run_all, &orders, NULL);
    }
    if (!rc) puts("right");
    if (rc < 0) fprintf(stderr, "numbers: %s\n", nido_strerror(rc));
    return nido_exit_status(rc);
}
