/* SPDX-License-Identifier: MIT */
/* What a worker process could write on its three descriptors: frames that are whole, cut, too long,
 * of another call, in pieces, with words of its end and of stderr between them. The worker is a task
 * here. The reply that comes out must be the one that a plain reading of all its bytes finds. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/sys.h"
#include "input.h"
#include "nido.h"
#include "process/pool/exchange.h"
#include "process/pool/stderr.h"

enum { MOST_BYTES = 4096, MAX_FRAME = 1000, NUMBER = 7 };

static struct play {
    struct input input;
    int fds[3]; /* the worker's ends: of the socket, the status pipe, stderr */
    char sent[MOST_BYTES];
    size_t length;
    bool ended, closed; /* by its status, by the end of its socket */
    int said, heard;    /* lines on stderr */
    size_t short_by;    /* most bytes that the next calls move; 0: no limit */
    char input_bytes[600];
} play;

/* ---- The kernel's side ---- */

static ssize_t (*real_recv)(int fd, void *buf, size_t len, int flags);

static ssize_t recv_short(int fd, void *buf, size_t len, int flags)
{
    return real_recv(fd, buf, play.short_by && len > play.short_by ? play.short_by : len, flags);
}

/* ---- The worker ---- */

static void put(const void *bytes, size_t n)
{
    if (play.closed || n > sizeof play.sent - play.length) return;
    if (nidoi_sys.send(play.fds[0], bytes, n, MSG_DONTWAIT) != (ssize_t)n) return;
    memcpy(play.sent + play.length, bytes, n);
    play.length += n;
}

static void put_head(unsigned how)
{
    static const uint64_t lengths[] = {0, 1, 100, MAX_FRAME, MAX_FRAME + 1, UINT64_MAX, 20, 3};
    struct nidoi_reply reply = {.magic = NIDOI_REPLY_MAGIC,
                                .status = -(int)(how % 50),
                                .number = how % 16 == 1 ? NUMBER + 1 : NUMBER,
                                .len = lengths[how / 16 % 8],
                                .refused = how & 1};

    if (how % 16 == 2) reply.magic = NIDOI_REQUEST_MAGIC;
    put(&reply, how % 16 == 3 ? how % sizeof reply : sizeof reply);
}

static void put_bytes(unsigned n)
{
    char bytes[256];

    for (unsigned i = 0; i < n; i++) bytes[i] = (char)draw(&play.input);
    put(bytes, n);
}

static void put_status(unsigned how)
{
    struct nidoi_worker_status status = {.kind = (int32_t)(how % 8), .value = (int32_t)how};

    if (play.ended) return;
    play.ended = status.kind != NIDOI_STATUS_STARTED || how & 128;
    nidoi_sys.write(play.fds[1], &status, how & 128 ? 3 : sizeof status);
}

static void close_end(int *fd)
{
    if (*fd >= 0) nidoi_sys.close(*fd);
    *fd = -1;
}

static void play_one(unsigned what)
{
    char room[128];

    switch (what % 8) {
    case 0:
        put_head(draw(&play.input));
        break;
    case 1:
    case 2:
        put_bytes(what / 8);
        break;
    case 3:
        put_status(draw(&play.input));
        break;
    case 4:
        if (play.fds[2] >= 0) play.said += nidoi_sys.write(play.fds[2], "words\n", 6) == 6;
        break;
    case 5:
        play.short_by = what / 8;
        break;
    case 6:
        nidoi_sys.recv(play.fds[0], room, sizeof room, MSG_DONTWAIT);
        break;
    default:
        close_end(&play.fds[2]);
    }
}

/* At last it ends, as every worker does. */
static int be_worker(void *unused)
{
    (void)unused;
    while (play.input.left) {
        unsigned what = draw(&play.input);

        play_one(what);
        if (what & 64) nido_yield();
    }
    play.closed = true;
    close_end(&play.fds[0]);
    nido_yield();
    play.ended = true;
    for (int i = 1; i < 3; i++) close_end(&play.fds[i]);
    return 0;
}

/* ---- The program ---- */

/* What all the bytes that the worker has sent say. */
static int read_plainly(struct nidoi_reply *head)
{
    if (play.length < sizeof *head) return -ECHILD;
    memcpy(head, play.sent, sizeof *head);
    if (head->magic != NIDOI_REPLY_MAGIC || head->number != NUMBER || head->len > MAX_FRAME)
        return -EPROTO;
    return play.length - sizeof *head < head->len ? -ECHILD : 0;
}

static void expect_reply(int rc, const struct nidoi_exchange *exchange, bool ended)
{
    struct nidoi_reply head;
    int wanted = read_plainly(&head);

    if (rc == -ECHILD && ended) return; /* the end may have been seen before the last bytes */
    if (rc == 0 || rc == -EPROTO || !ended) expect("a reply", rc, wanted);
    if (rc) return;
    expect("its head", memcmp(&exchange->reply, &head, sizeof head), 0);
    expect("its bytes", memcmp(exchange->data, play.sent + sizeof head, head.len), 0);
    expect("its last byte", exchange->data[head.len], 0);
}

static void make_worker(struct nidoi_procworker *worker)
{
    int ends[2];

    expect("a socket", nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    worker->job_fd = ends[0];
    play.fds[0] = ends[1];
    expect("a pipe", nido_pipe(ends), 0);
    worker->status_fd = ends[0];
    play.fds[1] = ends[1];
    expect("a pipe", nido_pipe(ends), 0);
    worker->stderr_fd = ends[0];
    play.fds[2] = ends[1];
    for (int i = 0; i < 3; i++) nido_fd_forget(play.fds[i]);
    worker->state = NIDOI_WORKER_READY;
}

static void hear(void *ctx, const char *bytes, size_t len)
{
    (void)ctx;
    for (size_t i = 0; i < len; i++) play.heard += bytes[i] == '\n';
}

static int exchange_drawn(void *unused)
{
    nido_procpool_options options = {
        .size = sizeof options, .max_frame = MAX_FRAME, .on_stderr = hear};
    struct nidoi_procworker worker = {.options = &options};
    struct nidoi_exchange exchange = {
        .request = {.magic = NIDOI_REQUEST_MAGIC, .number = NUMBER, .len = sizeof play.input_bytes},
        .input = play.input_bytes,
    };
    nido_group group;
    int rc;

    (void)unused;
    make_worker(&worker);
    nido_group_open(&group, NIDO_WAIT_ALL, "worker");
    rc = nido_spawn(&group, be_worker, NULL);
    expect("a spawn", rc, 0);
    rc = nidoi_exchange_run(&worker, &exchange);
    expect_reply(rc, &exchange, play.ended || play.closed);
    expect("the tail of stderr", worker.tail_len <= NIDOI_TAIL, 1);
    nidoi_mem.release(exchange.data);
    rc = nido_group_close(&group, 0); /* before the ends are closed: its writes raise no SIGPIPE */
    nidoi_procworker_read_stderr(&worker, NIDOI_STDERR_REST);
    expect("lines of stderr", play.heard, play.said);
    for (int i = 0; i < 3; i++) {
        int fd = i == 0 ? worker.job_fd : i == 1 ? worker.status_fd : worker.stderr_fd;

        if (fd >= 0) nido_close(fd);
    }
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 1000) return 0;
    if (!real_recv) {
        real_recv = nidoi_sys.recv;
        nidoi_sys.recv = recv_short;
    }
    memset(&play, 0, sizeof play);
    play.input = (struct input){data, size};
    expect("an exchange", in_a_run(exchange_drawn, NULL), 0);
    return 0;
}
