/* At most two connections, used again: a channel holds those that are free, and a task that finds none
 * waits in line. A place without a connection holds -1; one whose call failed is not used again. */
#include <arpa/inet.h>
#include <errno.h>
#include <nido.h>
#include <stdio.h>

struct pool {
    nido_chan *idle;
    char port[8];
};

static int with_connection(struct pool *pool, int (*fn)(int fd, void *arg), void *arg)
{
    int fd;
    int rc = nido_chan_recv(pool->idle, &fd);
    if (rc < 0) return rc;
    if (fd < 0) fd = nido_dial("127.0.0.1", pool->port, NULL);
    rc = fd < 0 ? fd : fn(fd, arg);
    if (rc < 0 && fd >= 0) nido_close(fd), fd = -1;
    nido_chan_try_send(pool->idle, &fd); /* its place is free: never -EAGAIN */
    return rc;
}

static int greet(int fd, void *unused)
{
    char buf[2];
    (void)unused;
    int rc = nido_write_all(fd, "hi", 2, NULL);
    return rc < 0 ? rc : nido_read_full(fd, buf, 2, NULL);
}

static int client(void *pool)
{
    return with_connection(pool, greet, NULL);
}

static int echo(nido_stream *stream, void *accepted)
{
    char buf[64];
    ssize_t n;
    ++*(int *)accepted;
    while ((n = nido_stream_read(stream, buf, sizeof buf)) > 0) {
        int rc = nido_stream_write(stream, buf, (size_t)n, NULL);
        if (rc < 0) return rc;
    }
    return (int)n;
}

struct server {
    int fd, accepted;
};

static int serve(void *arg)
{
    struct server *server = arg;
    return nido_serve(server->fd, echo, &server->accepted, NULL);
}

static int use_pool(struct pool *pool)
{
    nido_group clients;
    int rc = 0, fd = -1;
    nido_group_open(&clients, NIDO_FAIL_FAST, "clients");
    nido_chan_try_send(pool->idle, &fd);
    nido_chan_try_send(pool->idle, &fd);
    for (int i = 0; i < 10 && rc == 0; i++) rc = nido_spawn(&clients, client, pool);
    rc = nido_group_close(&clients, rc);
    while (nido_chan_try_recv(pool->idle, &fd) == 0)
        if (fd >= 0) nido_close(fd);
    return rc;
}

static int app(void *unused)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    struct server server = {nido_listen("127.0.0.1", "0", NULL), 0};
    struct pool pool;
    nido_group group;
    (void)unused;
    if (server.fd < 0) return server.fd;
    if (getsockname(server.fd, (struct sockaddr *)&address, &length) < 0)
        return nido_close(server.fd), -errno;
    snprintf(pool.port, sizeof pool.port, "%d", ntohs(address.sin_port));
    int rc = nido_chan_new(sizeof(int), 2, NULL, NULL, &pool.idle);
    if (rc < 0) return nido_close(server.fd), rc;
    nido_group_open(&group, NIDO_FAIL_FAST, "server and clients");
    rc = nido_spawn_with(&group, serve, &server, &NIDO_SPAWN_OPTIONS(.service = true), NULL);
    if (rc == 0) rc = use_pool(&pool);
    rc = nido_group_close(&group, rc);
    printf("10 calls, %d connections\n", server.accepted);
    nido_chan_free(pool.idle);
    return rc;
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, NULL));
}
/* prints:
 * 10 calls, 2 connections
 */
