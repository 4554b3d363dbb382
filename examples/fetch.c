/* SPDX-License-Identifier: MIT */
/* fetch: several pages at once, one deadline for all of them.
 *
 * Shows a fail-fast group at work: the first page that cannot be had cancels the others, and what
 * it said in nido_fail reaches the user. The deadline is written down once, in app(); no call
 * below it takes a timeout.
 *
 *     ./example_fetch HOST PORT TIMEOUT_MS PATH...      (HOST is a name or an address)
 *     ./example_fetch 127.0.0.1 8080 2000 / /news /weather
 */
#include <errno.h>
#include <nido.h>
#include <nido/sugar.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct site {
    const char *host;
    const char *port;
    int64_t timeout_ns;
    char **paths;
};

struct fetch_args {
    const struct site *site;
    const char *path;
};

static int ask(int fd, const char *host, const char *path)
{
    char request[1024];
    int length =
        snprintf(request, sizeof request, "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", path, host);
    if (length >= (int)sizeof request) return nido_fail(-ENAMETOOLONG, "%s: path too long", path);
    return nido_write_all(fd, request, (size_t)length, NULL);
}

/* Reads until `head` holds the whole head of the answer, and perhaps the beginning of its body.
 * How many bytes of the body those are. */
static ssize_t read_head(int fd, char *head, size_t size)
{
    for (size_t have = 0; have < size - 1;) {
        ssize_t n = nido_read(fd, head + have, size - 1 - have);
        if (n < 0) return n;
        if (n == 0) return -EPIPE;
        have += (size_t)n;
        head[have] = '\0';
        const char *end = strstr(head, "\r\n\r\n");
        if (end) return head + have - (end + 4);
    }
    return -EMSGSIZE;
}

/* The size of the rest: with HTTP/1.0 the end of the stream is the end of the page. */
static ssize_t read_rest(int fd)
{
    char buf[16384];
    ssize_t n, size = 0;
    while ((n = nido_read(fd, buf, sizeof buf)) > 0) size += n;
    return n < 0 ? n : size;
}

static int fetch(void *arg)
{
    const struct fetch_args *page = arg;
    char head[8192];
    int status = 0;
    NIDO_SCOPED_FD fd = nido_dial(page->site->host, page->site->port, NULL);
    if (fd < 0) return nido_fail(fd, "%s: no connection", page->path);
    int rc = ask(fd, page->site->host, page->path);
    if (rc < 0) return rc;
    ssize_t first = read_head(fd, head, sizeof head);
    if (first < 0) return nido_fail((int)first, "%s: no answer", page->path);
    if (sscanf(head, "HTTP/%*d.%*d %d", &status) != 1 || status != 200)
        return nido_fail(-EPROTO, "%s: %.*s", page->path, (int)strcspn(head, "\r"), head);
    ssize_t rest = read_rest(fd);
    if (rest < 0) return nido_fail((int)rest, "%s: broke off", page->path);
    printf("%s: %zd bytes\n", page->path, first + rest);
    return 0;
}

static int fetch_all(const struct site *site)
{
    nido_group pages;
    int rc = 0;
    nido_group_open(&pages, NIDO_FAIL_FAST, "pages");
    for (char **path = site->paths; *path && rc == 0; path++)
        rc = NIDO_SPAWN(&pages, fetch, .site = site, .path = *path);
    return nido_group_close(&pages, rc); /* the first failure, or 0; no task is left running */
}

static int app(void *arg)
{
    const struct site *site = arg;
    nido_scope all;
    nido_timeout_open(&all, site->timeout_ns);
    int rc = nido_scope_close(&all, fetch_all(site));
    if (rc == -ETIMEDOUT && nido_scope_fired(&all))
        return nido_fail(rc, "not all pages came in time");
    return rc;
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: %s HOST PORT TIMEOUT_MS PATH...\n", argv[0]);
        return 2;
    }
    struct site site = {argv[1], argv[2], NIDO_MS(strtol(argv[3], NULL, 10)), argv + 4};
    int rc = nido_run(app, &site, NULL); /* prints the error of the root task */
    if (rc < 0) fprintf(stderr, "%s: %s\n", argv[0], nido_strerror(rc));
    return nido_exit_status(rc);
}
