/* SPDX-License-Identifier: MIT */
/* pipeline: three stages with channels between them: read lines, choose some, write them.
 *
 * The channels have room for a few lines only. If the reader of our output is slow, the writer
 * waits, then the chooser, then the reader: nothing piles up. At the end of the input each stage
 * closes its channel behind it; the next takes what is left and does the same. If the output
 * breaks, the failure cancels the other stages, and lines still in a channel are freed by its drop
 * callback.
 *
 *     ./example_pipeline Wal < novel.txt
 */
#define _POSIX_C_SOURCE 200809L /* strndup */
#include <errno.h>
#include <inttypes.h>
#include <nido.h>
#include <nido/sugar.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROOM = 4, LONGEST = 4096 };

struct line {
    char *text; /* freed by the stage that has the line */
    uint64_t number;
};

NIDO_CHAN_TYPE(lines, struct line);

struct pipeline {
    const char *word;
    nido_chan *read, *chosen;
};

static void drop_line(void *ctx, void *item, int result)
{
    (void)ctx, (void)result;
    free(((struct line *)item)->text);
}

/* Sends the line on; it is gone or freed afterwards. */
static int pass_on(nido_chan *chan, struct line line)
{
    int rc = lines_send(chan, line);
    if (rc < 0) free(line.text);
    return rc;
}

/* A neighbour that has closed its side has ended; why, it says itself. */
static int end_stage(nido_chan *in, nido_chan *out, int rc)
{
    if (in) nido_chan_close_recv(in);
    if (out) nido_chan_close_send(out);
    return rc == -EPIPE ? 0 : rc;
}

/* ---- Reading ---- */

static int send_line(nido_chan *out, const char *text, size_t length, uint64_t number)
{
    struct line line = {strndup(text, length), number};
    return line.text ? pass_on(out, line) : -ENOMEM;
}

/* Sends the whole lines of the buffer and moves what is left to its front. A rest is sent too if
 * nothing can be added to it. */
static int send_lines(nido_chan *out, char *buffer, size_t *used, uint64_t *number, bool ended)
{
    char *start = buffer, *end = buffer + *used, *newline;
    int rc = 0;
    while (rc == 0 && (newline = memchr(start, '\n', (size_t)(end - start))) != NULL) {
        rc = send_line(out, start, (size_t)(newline - start), ++*number);
        start = newline + 1;
    }
    *used = (size_t)(end - start);
    memmove(buffer, start, *used);
    if (rc < 0 || *used == 0 || !(ended || *used == LONGEST)) return rc;
    rc = send_line(out, buffer, *used, ++*number);
    *used = 0;
    return rc;
}

static int read_lines(void *arg)
{
    struct pipeline *pipeline = arg;
    char buffer[LONGEST];
    size_t used = 0;
    uint64_t number = 0;
    ssize_t n = 0;
    int rc = 0;
    do {
        n = nido_read(STDIN_FILENO, buffer + used, sizeof buffer - used);
        if (n > 0) used += (size_t)n;
        if (n >= 0) rc = send_lines(pipeline->read, buffer, &used, &number, n == 0);
    } while (n > 0 && rc == 0);
    if (n < 0 && n != -ECANCELED) rc = nido_fail((int)n, "standard input");
    return end_stage(NULL, pipeline->read, n < 0 ? (int)n : rc);
}

/* ---- Choosing ---- */

static int choose_lines(void *arg)
{
    struct pipeline *pipeline = arg;
    struct line line;
    int rc;
    while ((rc = lines_recv(pipeline->read, &line)) == 0) {
        if (strstr(line.text, pipeline->word))
            rc = pass_on(pipeline->chosen, line);
        else
            free(line.text);
        if (rc < 0) break;
    }
    return end_stage(pipeline->read, pipeline->chosen, rc);
}

/* ---- Writing ---- */

static int write_line(const struct line *line)
{
    char text[LONGEST + 32];
    int n = snprintf(text, sizeof text, "%" PRIu64 ": %s\n", line->number, line->text);
    int rc = nido_write_all(STDOUT_FILENO, text, (size_t)n, NULL);
    return rc < 0 && rc != -ECANCELED ? nido_fail(rc, "standard output") : rc;
}

static int write_lines(void *arg)
{
    struct pipeline *pipeline = arg;
    struct line line;
    int rc, written = 0;
    while (written == 0 && (rc = lines_recv(pipeline->chosen, &line)) == 0) {
        written = write_line(&line);
        free(line.text);
    }
    rc = end_stage(pipeline->chosen, NULL, rc);
    return written < 0 ? written : rc;
}

/* ---- Together ---- */

static int run_stages(struct pipeline *pipeline)
{
    nido_group stages;
    nido_group_open(&stages, NIDO_FAIL_FAST, "stages");
    int rc = nido_spawn(&stages, read_lines, pipeline);
    if (rc == 0) rc = nido_spawn(&stages, choose_lines, pipeline);
    if (rc == 0) rc = nido_spawn(&stages, write_lines, pipeline);
    return nido_group_close(&stages, rc);
}

static int run_pipeline(void *arg)
{
    struct pipeline *pipeline = arg;
    pipeline->read = pipeline->chosen = NULL;
    int rc = lines_new(ROOM, drop_line, NULL, &pipeline->read);
    if (rc == 0) rc = lines_new(ROOM, drop_line, NULL, &pipeline->chosen);
    if (rc == 0) rc = run_stages(pipeline);
    nido_chan_free(pipeline->read);
    nido_chan_free(pipeline->chosen);
    return rc;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s WORD <INPUT\n", argv[0]);
        return 2;
    }
    struct pipeline pipeline = {.word = argv[1]};
    int rc = nido_run(run_pipeline, &pipeline, NULL); /* prints the root's error object */
    if (rc < 0) fprintf(stderr, "%s: %s\n", argv[0], nido_strerror(rc));
    return nido_exit_status(rc);
}
