/* SPDX-License-Identifier: MIT */
/* At most two connections, used again: a channel holds those that are free, and a task that finds none
 * waits in line. A place without a connection holds -1; one whose call failed is not used again. */
#include <arpa/inet.h>
#include <errno.h>
#include <nido.h>
#include <stdio.h>

struct pool {
    nido_chan *idle;
    char port[8];
    int dials, calls;
};

static int with_connection(struct pool *pool, int (*fn)(int fd, void *arg), void *arg)
{
    int fd;
    int rc = nido_chan_recv(pool->idle, &fd);
    if (rc < 0) return rc;
    if (fd < 0) fd = nido_dial("127.0.0.1", pool->port, NULL), pool->dials++;
    rc = fd < 0 ? fd : fn(fd, arg);
    if (rc < 0 && fd >= 0) nido_close(fd), fd = -1;
    nido_chan_try_send(pool->idle, &fd); /* its place is free: never -EAGAIN */
    return rc;
}

static int ask(int fd, void *calls)
{
    int rc = nido_write_all(fd, "hello\n", 6, NULL);
    ++*(int *)calls;
    return rc < 0 ? rc : nido_sleep(NIDO_MS(1)); /* in place of an answer */
}

static int client(void *arg)
{
    struct pool *pool = arg;
    return with_connection(pool, ask, &pool->calls);
}

static int use_pool(struct pool *pool)
{
    nido_group clients;
    int fd = -1, rc = nido_chan_new(sizeof fd, 2, NULL, NULL, &pool->idle);
    if (rc < 0) return rc;
    for (int i = 0; i < 2; i++) nido_chan_try_send(pool->idle, &fd);
    nido_group_open(&clients, NIDO_FAIL_FAST, "clients");
    for (int i = 0; i < 10 && rc == 0; i++) rc = nido_spawn(&clients, client, pool);
    rc = nido_group_close(&clients, rc);
    while (nido_chan_try_recv(pool->idle, &fd) == 0)
        if (fd >= 0) nido_close(fd);
    nido_chan_free(pool->idle);
    return rc;
}

static int app(void *unused)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    struct pool pool = {.dials = 0};
    int listener = nido_listen("127.0.0.1", "0", NULL); /* the server, as far as it matters here */
    (void)unused;
    if (listener < 0) return listener;
    int rc = getsockname(listener, (struct sockaddr *)&address, &length) < 0 ? -errno : 0;
    snprintf(pool.port, sizeof pool.port, "%d", ntohs(address.sin_port));
    if (rc == 0) rc = use_pool(&pool);
    printf("%d calls, %d connections\n", pool.calls, pool.dials);
    nido_close(listener);
    return rc;
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, NULL));
}
/* prints:
 * 10 calls, 2 connections
 */
