/* SPDX-License-Identifier: MIT */
/* stream.c: lines of a file through a stream, and requests of a line each that come in batches, answered through one. */
#include "baselines/floors.h"
#include "cases.h"
#include "harness/text.h"

#include <errno.h>
#include <nido/stream.h>
#include <unistd.h>

/* ---- Lines ---- */

static int read_lines(int fd, size_t *bytes)
{
    nido_stream stream;
    char *line;
    size_t length;
    int rc = nido_stream_open(&stream, fd, &NIDO_STREAM_OPTIONS(.keep_open = true));

    *bytes = 0;
    if (rc) return rc;
    while ((rc = nido_stream_line(&stream, &line, &length)) > 0) *bytes += length;
    nido_stream_close(&stream);
    return rc;
}

static int lines(void *arg)
{
    const struct bench_run *run = arg;
    int fd = text_file(), rc = fd < 0 ? nido_fail(-ENOMEM, "no file of lines") : 0;
    size_t bytes = 0;

    int64_t start = bench_cpu_now();
    for (long i = 0; i < run->ask->rounds && !rc; i++)
        rc = lseek(fd, 0, SEEK_SET) ? -EIO : read_lines(fd, &bytes);
    bench_per_operation(run->out, bench_cpu_now() - start, run->ask->rounds * TEXT_LINES);
    if (fd >= 0) nido_close(fd);
    return rc || bytes == text_bytes() ? rc : nido_fail(-EIO, "the lines have %zu bytes", bytes);
}

static void measure_lines(const struct bench_ask *ask, struct bench_sample *out)
{
    bench_nido(lines, ask, out);
}

const struct bench_case case_stream_lines = {
    .name = "stream_lines",
    .what = "a line of 40 bytes on average, read from a file in the page cache; the floor is "
            "getline(3)",
    .nido = measure_lines,
    .floor = floor_lines,
    .metrics = {{.unit = "ns CPU/line", .target_ratio = 1}},
};

/* ---- Requests ---- */

static int answer_requests(nido_stream *stream, long count)
{
    int rc = 0;

    for (long i = 0; i < count && !rc; i++) {
        char *line;
        size_t length;
        int got = nido_stream_line(stream, &line, &length);
        rc = got > 0 ? nido_stream_write(stream, TEXT_ANSWER, sizeof TEXT_ANSWER - 1, NULL)
             : got   ? got
                     : -EPIPE;
    }
    return rc ? rc : nido_stream_flush(stream);
}

static int requests(void *arg)
{
    const struct bench_run *run = arg;
    long warm_up = bench_warm_up(run->ask);
    struct text_client client;
    nido_stream stream;
    int fd = text_client_start(&client, warm_up + run->ask->rounds);
    int rc = fd < 0 ? nido_fail(-EIO, "no client") : nido_fd_own(fd);

    if (!rc) rc = nido_stream_open(&stream, fd, NULL);
    if (rc) return rc;
    rc = answer_requests(&stream, warm_up * TEXT_BATCH);
    int64_t start = bench_cpu_now();
    if (!rc) rc = answer_requests(&stream, run->ask->rounds * TEXT_BATCH);
    bench_per_operation(run->out, bench_cpu_now() - start, run->ask->rounds * TEXT_BATCH);
    nido_stream_close(&stream);
    return text_client_end(&client) || rc ? rc : nido_fail(-EIO, "an answer is wrong");
}

static void measure_requests(const struct bench_ask *ask, struct bench_sample *out)
{
    bench_nido(requests, ask, out);
}

const struct bench_case case_stream_requests = {
    .name = "stream_requests",
    .what = "a request of one line, 32 sent at once, answered through a stream: CPU of the server",
    .nido = measure_requests,
    .floor = floor_requests,
    .metrics = {{.unit = "ns CPU/req", .target_ratio = 1.1}},
};
