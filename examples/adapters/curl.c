/* SPDX-License-Identifier: MIT */
/* curl.c: see curl.h. libcurl says by two callbacks what it waits for: a socket, for which there is
 * a task each, and an instant, for which the service itself waits. */
#include "curl.h"

#include <errno.h>
#include <stdlib.h>

struct cu_transfer {
    struct cu_transfer *next, **at; /* in the list of the multi */
    nido_event done;
    bool finished; /* and this is the result */
    CURLcode result;
};

struct cu_socket {
    cu_multi *multi;
    curl_socket_t fd;
    unsigned events;     /* enum nido_fd_events */
    nido_scope *waiting; /* of its task, while it waits */
    bool removed;        /* libcurl has no use for it any more */
};

/* Lets libcurl work, and wakes the tasks whose transfers have ended by that. */
static void cu_act(cu_multi *multi, curl_socket_t fd, int events)
{
    struct cu_transfer *transfer;
    CURLMsg *message;
    int count;
    curl_multi_socket_action(multi->handle, fd, events, &count);
    while ((message = curl_multi_info_read(multi->handle, &count))) {
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        transfer->finished = true;
        transfer->result = message->data.result;
        nido_event_set(&transfer->done);
    }
}

/* ---- Sockets ---- */

/* Waits once. The events that have come; 0: what is to be waited for has changed. */
static int cu_wait(struct cu_socket *it)
{
    nido_scope scope;
    nido_scope_open(&scope);
    it->waiting = &scope;
    int rc = nido_wait_fd(it->fd, it->events);
    it->waiting = NULL;
    rc = nido_scope_close(&scope, rc);
    return it->removed ? 0 : rc; /* removed after the wake-up: libcurl has closed the descriptor */
}

static int cu_watch(void *arg)
{
    struct cu_socket *it = arg;
    int rc = 0;
    while (!it->removed && rc >= 0) {
        rc = cu_wait(it);
        if (rc > 0 && !it->removed)
            cu_act(it->multi, it->fd,
                   (rc & NIDO_IN ? CURL_CSELECT_IN : 0) | (rc & NIDO_OUT ? CURL_CSELECT_OUT : 0));
    }
    if (!it->removed) curl_multi_assign(it->multi->handle, it->fd, NULL);
    free(it);
    return rc < 0 ? rc : 0;
}

static struct cu_socket *cu_add_watcher(cu_multi *multi, curl_socket_t fd)
{
    struct cu_socket *it = calloc(1, sizeof *it);
    if (!it) return NULL;
    it->multi = multi;
    it->fd = fd;
    if (!multi->watchers || nido_spawn(multi->watchers, cu_watch, it) < 0) return free(it), NULL;
    curl_multi_assign(multi->handle, fd, it);
    return it;
}

/* libcurl's callback: what it wants to know of a socket. */
static int cu_on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket)
{
    struct cu_socket *it = socket;
    (void)easy;
    if (!it && what == CURL_POLL_REMOVE) return 0;
    if (!it && !(it = cu_add_watcher(ctx, fd))) return -1;
    it->removed = what == CURL_POLL_REMOVE;
    it->events = (what & CURL_POLL_IN ? NIDO_IN : 0u) | (what & CURL_POLL_OUT ? NIDO_OUT : 0u);
    if (it->waiting) nido_scope_cancel(it->waiting, 0, "libcurl waits for something else");
    return 0;
}

/* ---- The service ---- */

/* libcurl's callback: when it wants to be called. */
static int cu_on_timer(CURLM *handle, long ms, void *ctx)
{
    cu_multi *multi = ctx;
    (void)handle;
    multi->due = ms < 0 ? NIDO_NEVER : nido_after(NIDO_MS(ms));
    nido_event_set(&multi->moved);
    return 0;
}

static int cu_wait_for_timer(cu_multi *multi)
{
    int rc;
    do {
        nido_scope scope;
        nido_event_reset(&multi->moved);
        nido_deadline_open(&scope, multi->due);
        rc = nido_scope_close(&scope, nido_event_wait(&multi->moved));
        if (rc == -ETIMEDOUT) {
            multi->due = NIDO_NEVER;
            cu_act(multi, CURL_SOCKET_TIMEOUT, 0);
        }
    } while (rc == 0 || rc == -ETIMEDOUT);
    return rc;
}

/* Whatever ends it, no transfer waits any longer. */
static int cu_serve(void *arg)
{
    cu_multi *multi = arg;
    nido_group watchers;
    nido_group_open(&watchers, NIDO_FAIL_FAST, "sockets of curl");
    multi->watchers = &watchers;
    int rc = nido_group_close(&watchers, cu_wait_for_timer(multi));
    multi->watchers = NULL;
    multi->ended = true;
    for (struct cu_transfer *it = multi->transfers; it; it = it->next) nido_event_set(&it->done);
    return rc == -ECANCELED ? rc : 0;
}

int cu_open(cu_multi *multi, nido_group *group)
{
    *multi = (cu_multi){.due = NIDO_NEVER, .handle = curl_multi_init()};
    if (!multi->handle) return -ENOMEM;
    nido_event_init(&multi->moved, "timer of curl");
    curl_multi_setopt(multi->handle, CURLMOPT_SOCKETFUNCTION, cu_on_socket);
    curl_multi_setopt(multi->handle, CURLMOPT_SOCKETDATA, multi);
    curl_multi_setopt(multi->handle, CURLMOPT_TIMERFUNCTION, cu_on_timer);
    curl_multi_setopt(multi->handle, CURLMOPT_TIMERDATA, multi);
    int rc = nido_spawn_with(group, cu_serve, multi,
                             &NIDO_SPAWN_OPTIONS(.name = "curl", .service = true), NULL);
    if (rc < 0) cu_close(multi);
    return rc;
}

/* ---- Transfers ---- */

static void cu_link(cu_multi *multi, struct cu_transfer *transfer)
{
    transfer->at = &multi->transfers;
    transfer->next = multi->transfers;
    if (transfer->next) transfer->next->at = &transfer->next;
    multi->transfers = transfer;
}

static void cu_unlink(struct cu_transfer *transfer)
{
    *transfer->at = transfer->next;
    if (transfer->next) transfer->next->at = transfer->at;
}

int cu_perform(cu_multi *multi, CURL *easy)
{
    struct cu_transfer transfer = {.finished = false};
    if (nido_cancelled()) return -ECANCELED;
    if (multi->ended) return -ESHUTDOWN;
    nido_event_init(&transfer.done, "transfer");
    curl_easy_setopt(easy, CURLOPT_PRIVATE, &transfer);
    if (curl_multi_add_handle(multi->handle, easy) != CURLM_OK) return -ENOMEM;
    cu_link(multi, &transfer);
    int rc = nido_event_wait(&transfer.done);
    curl_multi_remove_handle(multi->handle, easy); /* a transfer that goes on ends here */
    cu_unlink(&transfer);
    if (!transfer.finished) return rc < 0 ? rc : -ESHUTDOWN;
    if (transfer.result == CURLE_OK) return 0;
    return nido_fail(-EIO, "curl: %s", curl_easy_strerror(transfer.result));
}

void cu_close(cu_multi *multi)
{
    curl_multi_cleanup(multi->handle);
}
