/* SPDX-License-Identifier: MIT */
/* http.h: what the servers of http_hello in C say. Static, so that a peer stays one program. */
#ifndef NIDO_BENCH_HTTP_H
#define NIDO_BENCH_HTTP_H

#include <stddef.h>
#include <time.h>

/* The response to any request. Its date is written once a second. */
static inline const char *http_hello(size_t *length)
{
    static char text[256];
    static size_t n;
    static time_t then;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (now.tv_sec != then) {
        struct tm date;
        n = strftime(text, sizeof text,
                     "HTTP/1.1 200 OK\r\n"
                     "Date: %a, %d %b %Y %H:%M:%S GMT\r\n"
                     "Content-Type: text/plain\r\n"
                     "Content-Length: 14\r\n"
                     "\r\n"
                     "Hello, world!\n",
                     gmtime_r(&now.tv_sec, &date));
        then = now.tv_sec;
    }
    *length = n;
    return text;
}

#endif
