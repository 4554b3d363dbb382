/* SPDX-License-Identifier: MIT */
/* Sweeps a program as it is. An example is compiled with nido_run and main under the names that are
 * defined here, so that its main comes to a nido_run that sweeps the root task instead of running it
 * once: with a cancel at each point, with each allocation and each system call failing.
 *
 *     sweep_NAME PEERS ARGUMENT...
 *
 * PEERS are what the example needs, each a task beside its root: any of c (a client), s (a server),
 * t (sends SIGTERM when all tasks wait), or - for none. In the arguments @c stands for the
 * port at which the client calls, @s for the one at which the server listens. */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <errno.h>
#include <nido.h>
#include <nido/test.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int example_main(int argc, char **argv);
int swept_run(nido_fn *fn, void *arg, const nido_options *options);

static struct {
    const char *peers;
    char client[8], server[8]; /* ports */
    nido_fn *fn;
    void *arg;
    int broken; /* < 0: not swept */
} it = {.broken = -1};

/* ---- Peers ---- */

/* Until the other one listens, and whatever fails once. */
static int call(void)
{
    int fd = nido_dial("127.0.0.1", it.client, NULL);

    while (fd < 0 && fd != -ECANCELED) {
        int rc = nido_sleep(NIDO_MS(10));

        if (rc) return rc;
        fd = nido_dial("127.0.0.1", it.client, NULL);
    }
    return fd;
}

static int read_to_the_end(int fd)
{
    char bytes[4096];
    ssize_t n;

    while ((n = nido_read(fd, bytes, sizeof bytes)) > 0) continue;
    return (int)n;
}

/* Whatever breaks here is not what is tested. */
static int unless_cancelled(int rc)
{
    return rc == -ECANCELED ? rc : 0;
}

static int be_client(void *unused)
{
    int fd = call(), rc;

    (void)unused;
    if (fd < 0) return unless_cancelled(fd);
    rc = nido_write_all(fd, "(1 2)\n", 6, NULL);
    if (!rc) shutdown(fd, SHUT_WR);
    if (!rc) rc = read_to_the_end(fd);
    nido_close(fd);
    return unless_cancelled(rc);
}

static int answer(int fd)
{
    static const char page[] = "HTTP/1.0 200 OK\r\n\r\nhello";
    char request[4096];
    ssize_t n = nido_read(fd, request, sizeof request);

    return n < 0 ? (int)n : nido_write_all(fd, page, sizeof page - 1, NULL);
}

static int be_server(void *unused)
{
    int listener, fd, rc = 0;

    (void)unused;
    do listener = nido_listen("127.0.0.1", it.server, NULL);
    while (listener < 0 && listener != -ECANCELED);
    if (listener < 0) return listener;
    while (rc != -ECANCELED && (fd = nido_accept(listener, NULL, NULL)) >= 0) {
        rc = answer(fd);
        nido_close(fd);
    }
    nido_close(listener);
    return rc == -ECANCELED || fd == -ECANCELED ? -ECANCELED : 0;
}

static int be_terminator(void *unused)
{
    int rc = nido_test_wait_all_parked();

    (void)unused;
    if (rc == 0) raise(SIGTERM);
    return rc;
}

static nido_fn *peer(char kind)
{
    return kind == 'c' ? be_client : kind == 's' ? be_server : be_terminator;
}

/* The peers are services: they end when the example does. */
static int run_with_peers(void *unused)
{
    nido_spawn_options service;
    nido_group group;
    int rc = 0;

    lseek(STDIN_FILENO, 0, SEEK_SET);
    nido_spawn_options_init(&service);
    service.service = true;
    nido_group_open(&group, NIDO_WAIT_ALL, "peers");
    for (const char *kind = it.peers; *kind && *kind != '-' && rc == 0; kind++)
        rc = nido_spawn_with(&group, peer(*kind), unused, &service, NULL);
    if (rc == 0) rc = it.fn(it.arg);
    return nido_group_close(&group, rc);
}

/* ---- Sweeping ---- */

int swept_run(nido_fn *fn, void *arg, const nido_options *options)
{
    nido_test_options test;

    nido_test_options_init(&test);
    if (options) test.run.grace_ns = options->grace_ns;
    test.run.pool_threads = 1;
    test.flags = NIDO_TEST_LOOSE;
    it.fn = fn;
    it.arg = arg;
    it.broken = nido_sweep(run_with_peers, NULL, &test);
    it.broken += nido_sweep_memory(run_with_peers, NULL, &test);
    it.broken += nido_sweep_calls(run_with_peers, NULL, &test);
    return 0;
}

/* A port that is free now; another program may take it, but has little reason to. */
static void choose_port(char port[8])
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (void *)&address, length) < 0 ||
        getsockname(fd, (void *)&address, &length) < 0)
        abort();
    snprintf(port, 8, "%u", (unsigned)ntohs(address.sin_port));
    close(fd);
}

static void fill_in(char **argv)
{
    for (; *argv; argv++) {
        if (!strcmp(*argv, "@c")) *argv = it.client;
        if (!strcmp(*argv, "@s")) *argv = it.server;
    }
}

int main(int argc, char **argv)
{
    if (argc < 2) return 2;
    it.peers = argv[1];
    choose_port(it.client);
    choose_port(it.server);
    fill_in(argv);
    signal(SIGTERM, SIG_IGN); /* one that no receiver took */
    if (!freopen("/dev/null", "w", stdout)) return 2;
    argv[1] = argv[0];
    example_main(argc - 1, argv + 1);
    if (it.broken < 0) fputs("it has not come to its nido_run\n", stderr);
    return it.broken != 0;
}
