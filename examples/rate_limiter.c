/* SPDX-License-Identifier: MIT */
/* rate_limiter: at most so many requests in a row, then so many a second.
 *
 * A semaphore is the bucket: its permits are the tokens in it. Every request takes one and never
 * gives it back; a service puts a new one in at every tick and lets it fall when the bucket is full
 * (-EOVERFLOW). The bucket starts full, so a burst goes through at once. Requests are served
 * strictly in the order of asking. The service ends by itself when the last request is done.
 *
 *     ./example_rate_limiter BURST INTERVAL_MS REQUESTS
 *     ./example_rate_limiter 3 200 10
 */
#include <errno.h>
#include <nido.h>
#include <stdio.h>
#include <stdlib.h>

struct bucket {
    nido_sem tokens;
    int64_t interval_ns;
    unsigned long requests;
    unsigned long served;
};

static int refill(void *arg)
{
    struct bucket *bucket = arg;
    nido_ticker ticker;
    int rc = nido_ticker_init(&ticker, bucket->interval_ns, NIDO_BURST);
    while (rc >= 0) {
        rc = nido_ticker_wait(&ticker);
        if (rc > 0 && nido_sem_release(&bucket->tokens) == 0) printf("a new token\n");
    }
    return rc;
}

static int request(void *arg)
{
    struct bucket *bucket = arg;
    int rc = nido_sem_acquire(&bucket->tokens);
    if (rc < 0) return rc;
    printf("request %lu\n", ++bucket->served);
    return 0;
}

static int serve(void *arg)
{
    struct bucket *bucket = arg;
    nido_spawn_options service;
    nido_group group;
    nido_spawn_options_init(&service);
    service.service = true;
    service.name = "refill";
    nido_group_open(&group, NIDO_FAIL_FAST, "requests");
    int rc = nido_spawn_with(&group, refill, bucket, &service, NULL);
    for (unsigned long i = 0; i < bucket->requests && rc == 0; i++)
        rc = nido_spawn(&group, request, bucket);
    return nido_group_close(&group, rc);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: %s BURST INTERVAL_MS REQUESTS\n", argv[0]);
        return 2;
    }
    struct bucket bucket = {.interval_ns = NIDO_MS(strtoll(argv[2], NULL, 10)),
                            .requests = strtoul(argv[3], NULL, 10)};
    uint32_t burst = (uint32_t)strtoul(argv[1], NULL, 10);
    int rc = nido_sem_init(&bucket.tokens, burst, burst, "tokens");
    if (rc == 0) rc = nido_run(serve, &bucket, NULL);
    if (rc < 0) fprintf(stderr, "%s: %s\n", argv[0], nido_strerror(rc));
    return nido_exit_status(rc);
}
