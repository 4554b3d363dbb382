/* SPDX-License-Identifier: MIT */
/* A channel of channels: a request brings the channel for its reply. One task owns the sum, so that
 * needs no lock. The reply channels outlive both sides: a client that leaves closes its own, and the
 * server goes on with the next request. */
#include <errno.h>
#include <nido.h>
#include <stdio.h>

enum { CLIENTS = 3 };

struct request {
    int number;
    nido_chan *reply;
};

struct client {
    nido_chan *requests;
    struct request request;
};

static int serve(void *requests)
{
    struct request request;
    int sum = 0, rc;
    while ((rc = nido_chan_recv(requests, &request)) == 0) {
        sum += request.number;
        rc = nido_chan_try_send(request.reply, &sum); /* there is room */
        if (rc < 0 && rc != -EPIPE) return rc;        /* -EPIPE: the client has left */
    }
    return rc == -EPIPE ? 0 : rc;
}

static int ask(void *arg)
{
    const struct client *client = arg;
    int sum, rc = nido_chan_send(client->requests, &client->request);
    if (rc == 0) rc = nido_chan_recv(client->request.reply, &sum);
    if (rc == 0) printf("after %d: %d\n", client->request.number, sum);
    nido_chan_close_recv(client->request.reply);
    nido_chan_release_send(client->requests);
    return rc;
}

static int serve_clients(nido_chan *requests, nido_chan *replies[CLIENTS])
{
    nido_group group;
    nido_group_open(&group, NIDO_FAIL_FAST, "server and clients");
    int rc = nido_spawn(&group, serve, requests);
    for (int i = 0; i < CLIENTS && rc == 0; i++) {
        struct client client = {requests, {10 * (i + 1), replies[i]}};
        nido_chan_retain_send(requests);
        rc = nido_spawn_copy(&group, ask, &client, sizeof client);
    }
    nido_chan_release_send(requests); /* the end that nido_chan_new has made */
    return nido_group_close(&group, rc);
}

static int app(void *unused)
{
    nido_chan *requests = NULL, *replies[CLIENTS] = {NULL};
    (void)unused;
    int rc = nido_chan_new(sizeof(struct request), 0, NULL, NULL, &requests);
    for (int i = 0; i < CLIENTS && rc == 0; i++)
        rc = nido_chan_new(sizeof(int), 1, NULL, NULL, &replies[i]);
    if (rc == 0) rc = serve_clients(requests, replies);
    for (int i = 0; i < CLIENTS; i++) nido_chan_free(replies[i]);
    nido_chan_free(requests);
    return rc;
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, NULL));
}
/* prints:
 * after 10: 10
 * after 20: 30
 * after 30: 60
 */
