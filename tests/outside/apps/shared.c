/* SPDX-License-Identifier: MIT */
/* outside/apps/shared.c: three processes, each with a run of its own, on one descriptor that a fourth has
 * too, which stops them, flips O_NONBLOCK and takes what they wait for.
 *
 *     shared WAY KIND SEED      WAY: accept, read, write, terminal; KIND: foreign, owned
 *
 * Nothing may be lost, taken twice or torn, and nobody may be left without an answer. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "nido.h"

enum {
    MEMBERS = 3,
    RECORD = 16,
    RECORDS = 1500,
    CLIENTS = 4,
    ROUNDS = 60,
    PIECE = 512,
    PIECES = 1500
};
enum { PATIENCE_MS = 3000, LATE_S = 15 };

struct way {
    const char *name;
    void (*open)(void);
    nido_fn *member;
    const char *(*world)(void);
};

/* Before the fork; in the memory of all. */
static struct {
    pid_t members[MEMBERS];
    uint8_t taken[RECORDS];
} * all;
static int shared = -1, far = -1; /* what the members share; its other side, the world's */
static bool owned;
static unsigned seed;

static int draw(int n)
{
    return (int)((unsigned)rand_r(&seed) % (unsigned)n);
}

static void must(bool holds, const char *what)
{
    if (holds) return;
    perror(what);
    exit(3);
}

/* ---- What the world does to the members ---- */

static void stop_one(void)
{
    pid_t member = all->members[draw(MEMBERS)];

    if (draw(8)) return;
    kill(member, SIGSTOP);
    usleep((useconds_t)draw(20000));
    kill(member, SIGCONT);
}

/* Whoever owns a descriptor may rely on its being non-blocking. */
static void flip_nonblocking(void)
{
    int flags = fcntl(shared, F_GETFL);

    if (!owned && !draw(3)) fcntl(shared, F_SETFL, flags ^ O_NONBLOCK);
}

/* Never back: no accept can be told not to wait, so one that is under way when another process makes
 * the listener blocking may wait as the kernel has it (docs/reliability.md). */
static void become_nonblocking(void)
{
    if (!owned && !draw(30)) fcntl(shared, F_SETFL, fcntl(shared, F_GETFL) | O_NONBLOCK);
}

/* ---- Records that somebody takes ---- */

static void take_record(const char *record)
{
    int number = atoi(record);

    __atomic_add_fetch(&all->taken[number], 1, __ATOMIC_RELAXED);
}

static int take_records(void *unused)
{
    char record[RECORD];
    int rc = 0;

    (void)unused;
    while (!rc) {
        rc = nido_read_full(shared, record, RECORD, NULL);
        if (!rc) take_record(record);
    }
    return rc;
}

static void take_one_too(void)
{
    char record[RECORD];
    struct pollfd ask = {shared, POLLIN, 0};

    if (!draw(4) && poll(&ask, 1, 0) > 0 && fcntl(shared, F_GETFL) & O_NONBLOCK &&
        read(shared, record, RECORD) == RECORD)
        take_record(record);
}

static int taken_once(void)
{
    int n = 0;

    for (int i = 0; i < RECORDS; i++) n += __atomic_load_n(&all->taken[i], __ATOMIC_RELAXED) == 1;
    return n;
}

static const char *give_records(void)
{
    char record[RECORD] = {0};

    for (int i = 0; i < RECORDS; i++) {
        snprintf(record, sizeof record, "%d", i);
        must(write(far, record, RECORD) == RECORD, "write");
        if (!draw(20)) usleep((useconds_t)draw(2000));
        flip_nonblocking();
        take_one_too();
        stop_one();
    }
    for (int ms = 0; ms < PATIENCE_MS && taken_once() < RECORDS; ms++) usleep(1000);
    return taken_once() == RECORDS ? NULL : "records are lost, or were taken twice";
}

/* Packets: a reader takes one as a whole, so several readers do not tear it. */
static void open_pipe_to_read(void)
{
    int ends[2];

    must(!pipe2(ends, O_DIRECT), "pipe2");
    shared = ends[0];
    far = ends[1];
}

static void open_terminal(void)
{
    struct termios raw;

    far = posix_openpt(O_RDWR | O_NOCTTY);
    must(far >= 0 && !grantpt(far) && !unlockpt(far), "posix_openpt");
    shared = open(ptsname(far), O_RDWR | O_NOCTTY);
    must(shared >= 0 && !tcgetattr(shared, &raw), "a terminal");
    cfmakeraw(&raw);
    raw.c_cc[VMIN] = 1;
    tcsetattr(shared, TCSANOW, &raw);
}

/* Bytes of a terminal are torn between its readers, so only their number counts. */
static int take_bytes(void *unused)
{
    char bytes[RECORD];
    ssize_t n = 0;

    (void)unused;
    while (n >= 0) {
        n = nido_read(shared, bytes, sizeof bytes);
        if (!n) return -EPIPE;
        if (n > 0)
            __atomic_add_fetch((uint32_t *)(void *)all->taken, (uint32_t)n, __ATOMIC_RELAXED);
        if (n > 0 && nido_write_all(shared, "+", 1, NULL) < 0) break;
    }
    return (int)n;
}

static void take_bytes_too(void)
{
    char bytes[RECORD];
    ssize_t n;

    if (draw(4) || !(fcntl(shared, F_GETFL) & O_NONBLOCK)) return;
    n = read(shared, bytes, sizeof bytes);
    if (n > 0) __atomic_add_fetch((uint32_t *)(void *)all->taken, (uint32_t)n, __ATOMIC_RELAXED);
}

static const char *type(void)
{
    uint32_t wanted = 0, *taken = (void *)all->taken;
    char answers[4096];

    fcntl(far, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < RECORDS; i++) {
        ssize_t n = write(far, "0123456789abcdef", (size_t)(1 + draw(RECORD)));

        if (n > 0) wanted += (uint32_t)n;
        if (!draw(10)) usleep((useconds_t)draw(2000));
        if (read(far, answers, sizeof answers) < 0) flip_nonblocking();
        take_bytes_too();
        stop_one();
    }
    for (int ms = 0; ms < PATIENCE_MS && __atomic_load_n(taken, __ATOMIC_RELAXED) < wanted; ms++) {
        if (read(far, answers, sizeof answers) < 0) usleep(1000);
    }
    return __atomic_load_n(taken, __ATOMIC_RELAXED) == wanted ? NULL : "typed bytes are lost";
}

/* ---- Pieces that somebody writes ---- */

static void open_pipe_to_write(void)
{
    int ends[2];

    must(!pipe(ends), "pipe");
    shared = ends[1];
    far = ends[0];
}

static int write_pieces(void *unused)
{
    char piece[PIECE];
    int rc = 0;

    (void)unused;
    memset(piece, 'a' + getpid() % 26, sizeof piece);
    while (!rc) rc = nido_write_all(shared, piece, sizeof piece, NULL);
    return rc;
}

static const char *read_pieces(void)
{
    char piece[PIECE];

    for (int i = 0; i < PIECES; i++) {
        size_t got = 0;

        while (got < PIECE) {
            struct pollfd ask = {far, POLLIN, 0};
            ssize_t n = poll(&ask, 1, PATIENCE_MS) > 0 ? read(far, piece + got, PIECE - got) : -1;

            if (n <= 0) return "nobody writes though there is room";
            got += (size_t)n;
        }
        for (int at = 1; at < PIECE; at++)
            if (piece[at] != piece[0]) return "a piece of one writer is torn by another's";
        if (!draw(50)) usleep((useconds_t)draw(5000));
        flip_nonblocking();
        stop_one();
    }
    return NULL;
}

/* ---- Connections that somebody accepts ---- */

static struct sockaddr_in address;

static void open_listener(void)
{
    socklen_t length = sizeof address;

    address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    shared = socket(AF_INET, SOCK_STREAM, 0);
    must(!bind(shared, (void *)&address, sizeof address) && !listen(shared, 100) &&
             !getsockname(shared, (void *)&address, &length),
         "listen");
}

static int answer(void *arg)
{
    int fd = *(int *)arg;
    char bytes[RECORD];
    ssize_t n;

    while ((n = nido_read(fd, bytes, sizeof bytes)) > 0)
        if (nido_write_all(fd, bytes, (size_t)n, NULL) < 0) break;
    nido_close(fd);
    return 0;
}

static int accept_all(void *unused)
{
    nido_group group;
    int fd = 0, rc = 0;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    while (rc >= 0) {
        fd = nido_accept(shared, NULL, NULL);
        rc = fd < 0 ? fd : nido_spawn_copy(&group, answer, &fd, sizeof fd);
    }
    return nido_group_close(&group, rc);
}

static const char *visit(void)
{
    for (int round = 0; round < ROUNDS; round++) {
        int fds[CLIENTS];
        char bytes[4];

        for (int i = 0; i < CLIENTS; i++) {
            fds[i] = socket(AF_INET, SOCK_STREAM, 0);
            must(!connect(fds[i], (void *)&address, sizeof address), "connect");
            must(send(fds[i], "ping", 4, 0) == 4, "send");
            become_nonblocking();
        }
        stop_one();
        for (int i = 0; i < CLIENTS; i++) {
            struct pollfd ask = {fds[i], POLLIN, 0};

            if (poll(&ask, 1, PATIENCE_MS) <= 0 || recv(fds[i], bytes, 4, 0) != 4)
                return "a client is not answered";
            close(fds[i]);
        }
    }
    return NULL;
}

/* ---- The processes ---- */

static const struct way ways[] = {
    {"accept", open_listener, accept_all, visit},
    {"read", open_pipe_to_read, take_records, give_records},
    {"write", open_pipe_to_write, write_pieces, read_pieces},
    {"terminal", open_terminal, take_bytes, type},
};

static int become_member(void *arg)
{
    const struct way *way = arg;
    int rc = owned ? nido_fd_own(shared) : 0;

    rc = rc ? rc : way->member(NULL);
    if (owned) nido_fd_forget(shared);
    return rc;
}

static int run_member(const struct way *way)
{
    nido_options options;

    nido_options_init(&options);
    options.signals = true;
    int rc = nido_run(become_member, (void *)way, &options);

    if (rc != -EINTR) printf("a member ended with %s\n", nido_strerror(rc));
    fflush(stdout);
    return nido_exit_status(rc);
}

/* Tells the members to end when it has seen enough. */
static int run_world(const struct way *way)
{
    const char *complaint = way->world();

    if (complaint) printf("%s\n", complaint);
    fflush(stdout);
    for (int i = 0; i < MEMBERS; i++) kill(all->members[i], SIGTERM);
    return complaint != NULL;
}

static const char *role;

static void be_late(int unused)
{
    static const char text[] = " does not end\n";

    if (write(1, role, strlen(role)) < 0 || write(1, text, sizeof text - 1) < 0) _exit(5);
    (void)unused;
    _exit(4);
}

static void end_in_time(const char *who)
{
    role = who;
    signal(SIGALRM, be_late);
    alarm(LATE_S);
}

static pid_t start(int (*run)(const struct way *), const struct way *way)
{
    pid_t child = fork();

    must(child >= 0, "fork");
    if (child == 0) {
        end_in_time(run == run_world ? "the world" : "a member");
        usleep(10000); /* until all are known */
        _exit(run(way));
    }
    return child;
}

int main(int argc, char **argv)
{
    const struct way *way = NULL;
    int status, wrong = 0;
    pid_t child;

    for (size_t i = 0; argc == 4 && i < sizeof ways / sizeof *ways; i++)
        if (!strcmp(argv[1], ways[i].name)) way = &ways[i];
    if (!way) return 2;
    owned = !strcmp(argv[2], "owned");
    seed = (unsigned)strtoul(argv[3], NULL, 10);
    all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(all != MAP_FAILED, "mmap");
    way->open();
    all->members[0] = getpid();
    for (int i = 1; i < MEMBERS; i++) all->members[i] = start(run_member, way);
    start(run_world, way);
    end_in_time("the first member");
    wrong += run_member(way) != 128 + SIGTERM;
    for (int i = 0; i < MEMBERS; i++) {
        child = wait(&status);
        if (child == all->members[1] || child == all->members[2])
            wrong += !WIFEXITED(status) || WEXITSTATUS(status) != 128 + SIGTERM;
        else
            wrong += status != 0;
    }
    alarm(0);
    signal(SIGALRM, SIG_DFL);
    close(shared);
    if (far >= 0) close(far);
    munmap(all, sizeof *all);
    if (!wrong) puts("right");
    return wrong;
}
