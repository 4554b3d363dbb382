/* SPDX-License-Identifier: MIT */
/* text.h: what the cases of streams read: a file of lines, and a client that asks by lines. */
#ifndef NIDO_BENCH_TEXT_H
#define NIDO_BENCH_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum {
    TEXT_LINES = 50000,      /* of 1 to 80 bytes, with their ends */
    TEXT_BUFFER = 16 * 1024, /* of every reader and writer */
    TEXT_BATCH = 32          /* requests that the client sends at once */
};

#define TEXT_REQUEST "GET /some/key/of/usual/length 17\n"
#define TEXT_ANSWER  "VALUE 17 seventeen bytes..\n"

/* A file of the lines, which the page cache has, at its beginning and without a name; or -1. */
int text_file(void);

/* Bytes of all lines without their ends. */
size_t text_bytes(void);

/* A process that sends TEXT_BATCH requests at once, waits for their answers, and sends the next. */
struct text_client {
    pid_t pid;
};

/* The server's end of the connection, or -1. */
int text_client_start(struct text_client *client, long batches);

/* Waits for its end, after the server's end was closed. True if it got all answers. */
bool text_client_end(struct text_client *client);

#endif
