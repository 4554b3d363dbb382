/* SPDX-License-Identifier: MIT */
/* curl.h: transfers of libcurl as tasks.
 *
 *     cu_multi multi;
 *     nido_group_open(&group, NIDO_FAIL_FAST, "app");
 *     rc = cu_open(&multi, &group);
 *     ... in any task of the group:
 *     CURL *easy = curl_easy_init();
 *     curl_easy_setopt(easy, CURLOPT_URL, "https://example.org/");
 *     curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ...);
 *     rc = cu_perform(&multi, easy);               as curl_easy_perform, and waits as a task waits
 *     curl_easy_cleanup(easy);
 *     ...
 *     rc = nido_group_close(&group, rc);
 *     cu_close(&multi);
 *
 * Transfers share connections, the cache of names and the sessions of TLS. Callbacks of libcurl run
 * in the service's tasks, on their stacks, and must not make waiting calls. */
#ifndef ADAPTER_CURL_H
#define ADAPTER_CURL_H

#include <curl/curl.h>
#include <nido.h>

struct cu_transfer;

/* Caller's memory; fields are private. It stays at its address until cu_close. */
typedef struct cu_multi {
    CURLM *handle;
    nido_group *watchers;          /* of sockets; NULL: the service does not run */
    bool ended;                    /* the service has */
    struct cu_transfer *transfers; /* those that wait */
    nido_event moved;              /* `due` has changed */
    int64_t due;                   /* when libcurl wants to be called */
} cu_multi;

/* Adds to the group the service that waits for libcurl. Not a cancellation point. 0, for cu_close
 * after the group's close; -ENOMEM; or as nido_spawn. */
int cu_open(cu_multi *multi, nido_group *group);

/* Performs a transfer. It uses CURLOPT_PRIVATE. Cancellation point. 0; -EIO: libcurl's failure,
 * which is the text; -ECANCELED: the transfer has ended, and its connection is closed; -ESHUTDOWN:
 * the service has ended; -ENOMEM. */
int cu_perform(cu_multi *multi, CURL *easy);

/* Closes the connections. No task is in cu_perform. Not a cancellation point. */
void cu_close(cu_multi *multi);

#endif
