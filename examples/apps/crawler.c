/* SPDX-License-Identifier: MIT */
/* crawler: fetches a page and all that it leads to on the same server.
 *
 * Shows the adapter for libcurl (../adapters/curl.h): a task for each page, a semaphore for how many
 * are fetched at once, and an end when no task is left. A page that fails is printed as such and
 * disturbs no other. On a terminal a service shows how far it is.
 *
 *     ./app_crawler URL [AT_ONCE [TIMEOUT_MS]]
 *     ./app_crawler http://127.0.0.1:8000/ 20 5000
 */
#define _XOPEN_SOURCE 700
#include <errno.h>
#include <nido/sugar.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../adapters/curl.h"

enum { LONGEST_PAGE = 4 << 20 };

struct crawler {
    const char *start;
    int64_t timeout_ns; /* of a page */
    uint32_t at_once;
    size_t origin; /* length of what the URLs of the server begin with */
    cu_multi curl;
    nido_group *pages;
    nido_sem transfers;
    void *seen; /* a tree of URLs */
    unsigned found, done, failed;
    const char *erase; /* the line that show_progress has written, "" without a terminal */
};

struct page {
    struct crawler *crawler;
    char *url; /* in the tree */
    char *text;
    size_t length;
};

static int compare_urls(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* The length of "http://host:port/". */
static size_t origin_of(const char *url)
{
    const char *host = strstr(url, "://") + strlen("://");
    return (size_t)(host - url) + strcspn(host, "/") + 1;
}

static int crawl_page(void *arg);

/* Makes a task for a page that has not been seen; `base` may be NULL. 0, also for what is passed
 * over. */
static int crawl(struct crawler *crawler, const char *base, const char *link)
{
    char *url = NULL;
    CURLU *parts = curl_url();
    bool is_url = parts && (!base || !curl_url_set(parts, CURLUPART_URL, base, 0)) &&
                  !curl_url_set(parts, CURLUPART_URL, link, 0) &&
                  !curl_url_set(parts, CURLUPART_FRAGMENT, NULL, 0) &&
                  !curl_url_get(parts, CURLUPART_URL, &url, 0);
    curl_url_cleanup(parts);
    bool wanted = is_url && (!base || strncmp(url, base, crawler->origin) == 0) &&
                  !tfind(url, &crawler->seen, compare_urls);
    char *copy = wanted ? strdup(url) : NULL;
    curl_free(url);
    if (!wanted) return base ? 0 : nido_fail(-EINVAL, "%s is no URL", link);
    if (!copy || !tsearch(copy, &crawler->seen, compare_urls)) return free(copy), -ENOMEM;
    if (!base) crawler->origin = origin_of(copy);
    crawler->found++;
    struct page page = {.crawler = crawler, .url = copy};
    return nido_spawn_copy(crawler->pages, crawl_page, &page, sizeof page);
}

/* libcurl's callback. */
static size_t keep(char *bytes, size_t one, size_t length, void *ctx)
{
    struct page *page = ctx;
    (void)one;
    if (length > LONGEST_PAGE - page->length) return 0; /* a failure of the transfer */
    char *text = realloc(page->text, page->length + length + 1);
    if (!text) return 0;
    memcpy(text + page->length, bytes, length);
    page->text = text;
    page->length += length;
    text[page->length] = 0;
    return length;
}

static int fetch(struct page *page, long *status)
{
    CURL *easy = curl_easy_init();
    if (!easy) return -ENOMEM;
    curl_easy_setopt(easy, CURLOPT_URL, page->url);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, page);
    int rc = cu_perform(&page->crawler->curl, easy);
    if (rc == 0) curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, status);
    curl_easy_cleanup(easy);
    return rc;
}

static int follow_links(struct page *page)
{
    int rc = 0;
    for (char *at = page->text; at && rc == 0 && (at = strstr(at, "href=\""));) {
        char *link = at + strlen("href=\""), *end = strchr(link, '"');
        if (!end) break;
        *end = 0;
        at = end + 1;
        rc = crawl(page->crawler, page->url, link);
    }
    return rc;
}

static int crawl_page(void *arg)
{
    struct page *page = arg;
    struct crawler *crawler = page->crawler;
    char answer[256];
    long status = 0;
    int rc = nido_sem_acquire(&crawler->transfers);
    if (rc < 0) return rc;
    rc = NIDO_TIMEOUT(crawler->timeout_ns, fetch(page, &status));
    nido_sem_release(&crawler->transfers);
    if (rc == 0 && status == 200) rc = follow_links(page);
    free(page->text);
    if (rc == -ECANCELED) return rc;
    crawler->done++;
    crawler->failed += rc < 0 || status != 200;
    if (rc == 0)
        snprintf(answer, sizeof answer, "%ld", status);
    else if (rc != -EIO)
        snprintf(answer, sizeof answer, "%s", nido_strerror(rc));
    else
        snprintf(answer, sizeof answer, "%s", nido_error_text(nido_error_last()));
    printf("%s%s %s\n", crawler->erase, answer, page->url);
    return 0;
}

/* A service. */
static int show_progress(void *arg)
{
    const struct crawler *crawler = arg;
    int rc = 0;
    while (rc == 0) {
        fprintf(stderr, "\r%u of %u pages", crawler->done, crawler->found);
        rc = nido_sleep(NIDO_MS(100));
    }
    fputs(crawler->erase, stderr);
    return rc;
}

static int app(void *arg)
{
    struct crawler *crawler = arg;
    nido_group group, pages;
    nido_sem_init(&crawler->transfers, crawler->at_once, crawler->at_once, "transfers");
    nido_group_open(&group, NIDO_FAIL_FAST, "crawler");
    int rc = cu_open(&crawler->curl, &group);
    if (rc == 0 && *crawler->erase)
        rc = nido_spawn_with(&group, show_progress, crawler, &NIDO_SPAWN_OPTIONS(.service = true),
                             NULL);
    nido_group_open(&pages, NIDO_FAIL_FAST, "pages");
    crawler->pages = &pages;
    if (rc == 0) rc = crawl(crawler, NULL, crawler->start);
    rc = nido_group_close(&pages, rc);
    rc = nido_group_close(&group, rc);
    cu_close(&crawler->curl);
    while (crawler->seen) {
        char *url = *(char **)crawler->seen;
        tdelete(url, &crawler->seen, compare_urls);
        free(url);
    }
    return rc;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 4) {
        fprintf(stderr, "usage: %s URL [AT_ONCE [TIMEOUT_MS]]\n", argv[0]);
        return 2;
    }
    struct crawler crawler = {.start = argv[1],
                              .erase = isatty(STDERR_FILENO) ? "\r\033[K" : "",
                              .at_once = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 10,
                              .timeout_ns =
                                  NIDO_MS(argc > 3 ? strtol(argv[3], NULL, 10) : 30 * 1000)};
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* Pages are to be seen at once, through a pipe too. */
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int rc = nido_run(app, &crawler, &NIDO_OPTIONS(.signals = true));
    curl_global_cleanup();
    return rc < 0 ? nido_exit_status(rc) : crawler.failed > 0;
}
