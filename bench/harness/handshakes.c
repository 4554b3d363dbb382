/* SPDX-License-Identifier: MIT */
/* handshakes.c: see handshakes.h. One at a time: the rate is then that of client and server in turn, and
 * the server's own figure is its CPU time. No session is resumed, and the client chooses the cipher
 * and the group, so that every server computes the same. */
#include "handshakes.h"
#include "stats.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <unistd.h>

enum { GREETINGS_MOST = 100000 };

static SSL_CTX *make_context(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context && SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) &&
        SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") &&
        SSL_CTX_set1_groups_list(context, "X25519"))
        return context;
    SSL_CTX_free(context);
    return NULL;
}

static int dial(uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || !connect(fd, (struct sockaddr *)&to, sizeof to)) return fd;
    close(fd);
    return -1;
}

/* It waits for the server to close, which has then seen the handshake to its end. */
static bool greet(SSL_CTX *context, uint16_t port)
{
    char rest[256];
    int fd = dial(port);
    SSL *ssl = fd < 0 ? NULL : SSL_new(context);
    bool good = ssl && SSL_set_fd(ssl, fd) && SSL_connect(ssl) == 1;
    if (good) SSL_shutdown(ssl);
    while (good && SSL_read(ssl, rest, sizeof rest) > 0) continue;
    SSL_free(ssl);
    if (fd >= 0) close(fd);
    return good;
}

/* How many, in `us` how long each took; -1: one has failed. */
static long greet_until(int64_t end, SSL_CTX *context, uint16_t port, double *us)
{
    long count = 0;
    for (int64_t now = bench_now(); now < end && count < GREETINGS_MOST; count++) {
        int64_t start = now;
        if (!greet(context, port)) return -1;
        now = bench_now();
        us[count] = (double)(now - start) / 1000;
    }
    return count;
}

static void report(long count, double *us, int64_t cpu, struct bench_sample *out)
{
    out->outcome = BENCH_MEASURED;
    stats_sort(us, (size_t)count);
    out->values[LOAD_CPU_US] = (double)cpu / 1000 / (double)count;
    out->values[LOAD_REQUESTS] = (double)count / ((double)out->ns / 1e9);
    out->values[LOAD_P50_US] = stats_percentile(us, (size_t)count, 50);
    out->values[LOAD_P99_US] = stats_percentile(us, (size_t)count, 99);
    out->values[LOAD_P999_US] = stats_percentile(us, (size_t)count, 99.9);
}

/* A quarter of the time before it is the warm-up. */
static void measure(const struct load_plan *plan, clockid_t server, uint16_t port, SSL_CTX *context,
                    struct bench_sample *out)
{
    int64_t length = (int64_t)(plan->seconds * 1e9);
    double *us = calloc(GREETINGS_MOST, sizeof *us);
    long count = us ? greet_until(bench_now() + length / 4, context, port, us) : -1;
    int64_t start = bench_now(), before = bench_clock(server);
    if (count >= 0) count = greet_until(start + length, context, port, us);
    out->ns = bench_now() - start;
    if (count > 0)
        report(count, us, bench_clock(server) - before, out);
    else
        bench_fail(out, "a handshake failed");
    free(us);
}

void handshakes_run(const struct load_plan *plan, pid_t server, uint16_t port,
                    struct bench_sample *out)
{
    SSL_CTX *context = make_context();
    clockid_t clock;
    if (!context || clock_getcpuclockid(server, &clock))
        bench_fail(out, "no context of OpenSSL, or no CPU clock of the server");
    else
        measure(plan, clock, port, context, out);
    SSL_CTX_free(context);
}
