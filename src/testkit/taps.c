#include <errno.h>
#include <string.h>

#include "testkit/kit.h"

enum { MOST_LAYERS = 3, MOST_SHORT = 16 };

static struct nidoi_sys real_sys;
static struct nidoi_mem real_mem;
static int depth;
static int64_t blocks, maps; /* atomic */

/* Of the thread that taps: others' calls go through unseen. */
static _Thread_local struct nidoi_faults *layers[MOST_LAYERS];
static _Thread_local int cut[MOST_SHORT];
static _Thread_local int cuts;

/* ---- Counting and striking ---- */

static bool due(const struct nidoi_fault *order)
{
    return order->strike && order->count + 1 == order->strike && !order->done;
}

/* Counts a call. What it is to answer instead; >= 0: it is made. */
static int count(enum nidoi_tap tap)
{
    int result = 0;

    for (int i = 0; i < MOST_LAYERS; i++) {
        struct nidoi_fault *order = layers[i] ? &layers[i]->of[tap] : NULL;

        if (!order) continue;
        if (due(order)) {
            order->done = true;
            result = order->result;
            if (layers[i]->struck) layers[i]->struck(layers[i]->ctx);
        }
        order->count++;
    }
    return result;
}

/* What a step does may make calls itself: those are no steps. */
static void step(enum nidoi_tap tap)
{
    static _Thread_local bool stepping;

    if (stepping) return;
    stepping = true;
    for (int i = 0; i < MOST_LAYERS; i++)
        if (layers[i] && layers[i]->step) layers[i]->step(layers[i]->ctx, tap);
    stepping = false;
}

/* A close that fails has closed all the same. */
#define TAPPED(result_type, name, parameters, arguments)                                      \
    static result_type stepped_##name parameters                                              \
    {                                                                                         \
        result_type answer;                                                                   \
                                                                                              \
        step(NIDOI_TAP_##name);                                                               \
        answer = real_sys.name arguments;                                                     \
        step(NIDOI_TAP_##name);                                                               \
        return answer;                                                                        \
    }                                                                                         \
                                                                                              \
    static result_type tapped_##name parameters                                               \
    {                                                                                         \
        int result = count(NIDOI_TAP_##name);                                                 \
                                                                                              \
        if (result < 0 && NIDOI_TAP_##name == NIDOI_TAP_close) (void)real_sys.name arguments; \
        if (result < 0) return (result_type)result;                                           \
        return stepped_##name arguments;                                                      \
    }
NIDOI_SYSCALLS(TAPPED)

/* ---- Short calls ---- */

/* Messages are moved whole; everything else may come in pieces. */
static bool moves_bytes(int fd)
{
    int type = 0;

    return real_sys.getsockopt(fd, SOL_SOCKET, SO_TYPE, &type) < 0 || type == SOCK_STREAM;
}

/* The most that this call may move; SIZE_MAX: all. */
static size_t most(enum nidoi_tap tap, int fd)
{
    for (int i = 0; i < MOST_LAYERS; i++) {
        const struct nidoi_fault *order = layers[i] ? &layers[i]->of[tap] : NULL;

        if (!order || !due(order) || order->result < 0 || !moves_bytes(fd)) continue;
        if (cuts < MOST_SHORT) cut[cuts++] = fd;
        return (size_t)order->result;
    }
    return SIZE_MAX;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static ssize_t partial_read(int fd, void *buf, size_t len)
{
    return tapped_read(fd, buf, least(len, most(NIDOI_TAP_read, fd)));
}

static ssize_t partial_write(int fd, const void *buf, size_t len)
{
    return tapped_write(fd, buf, least(len, most(NIDOI_TAP_write, fd)));
}

static ssize_t partial_recv(int fd, void *buf, size_t len, int flags)
{
    return tapped_recv(fd, buf, least(len, most(NIDOI_TAP_recv, fd)), flags);
}

static ssize_t partial_send(int fd, const void *buf, size_t len, int flags)
{
    return tapped_send(fd, buf, least(len, most(NIDOI_TAP_send, fd)), flags);
}

static ssize_t partial_sendfile(int out, int in, int64_t *offset, size_t len)
{
    return tapped_sendfile(out, in, offset, least(len, most(NIDOI_TAP_sendfile, out)));
}

/* The first bytes of a vector, at most `n`. */
static struct iovec beginning(const struct iovec *iov, int count, size_t n)
{
    while (count > 1 && !iov->iov_len) iov++, count--;
    return (struct iovec){iov->iov_base, least(iov->iov_len, n)};
}

static ssize_t partial_readv(int fd, const struct iovec *iov, int n)
{
    size_t limit = n > 0 ? most(NIDOI_TAP_readv, fd) : SIZE_MAX;
    struct iovec first;

    if (limit == SIZE_MAX) return tapped_readv(fd, iov, n);
    first = beginning(iov, n, limit);
    return tapped_readv(fd, &first, 1);
}

static ssize_t partial_writev(int fd, const struct iovec *iov, int n)
{
    size_t limit = n > 0 ? most(NIDOI_TAP_writev, fd) : SIZE_MAX;
    struct iovec first;

    if (limit == SIZE_MAX) return tapped_writev(fd, iov, n);
    first = beginning(iov, n, limit);
    return tapped_writev(fd, &first, 1);
}

static const enum nidoi_tap partial[] = {NIDOI_TAP_read,    NIDOI_TAP_write, NIDOI_TAP_recv,
                                         NIDOI_TAP_send,    NIDOI_TAP_readv, NIDOI_TAP_writev,
                                         NIDOI_TAP_sendfile};

bool nidoi_tap_is_partial(enum nidoi_tap tap)
{
    for (size_t i = 0; i < sizeof partial / sizeof *partial; i++)
        if (partial[i] == tap) return true;
    return false;
}

void nidoi_taps_nudge(struct nidoi_loop *loop)
{
    while (cuts > 0) nidoi_kit_hooks()->nudge(&loop->reactor, cut[--cuts]);
}

/* ---- Memory ---- */

static void *tapped_alloc(size_t size)
{
    void *memory = count(NIDOI_TAP_memory) < 0 ? NULL : real_mem.alloc(size);

    if (memory) __atomic_add_fetch(&blocks, 1, __ATOMIC_RELAXED);
    return memory;
}

static void *tapped_resize(void *old, size_t size)
{
    void *memory = count(NIDOI_TAP_memory) < 0 ? NULL : real_mem.resize(old, size);

    if (memory && !old) __atomic_add_fetch(&blocks, 1, __ATOMIC_RELAXED);
    return memory;
}

static void tapped_release(void *memory)
{
    if (memory) __atomic_sub_fetch(&blocks, 1, __ATOMIC_RELAXED);
    real_mem.release(memory);
}

static int balanced_map(size_t size, void **out)
{
    int err = tapped_map(size, out);

    if (!err) __atomic_add_fetch(&maps, 1, __ATOMIC_RELAXED);
    return err;
}

static int balanced_unmap(void *memory, size_t size)
{
    __atomic_sub_fetch(&maps, 1, __ATOMIC_RELAXED);
    return tapped_unmap(memory, size);
}

struct nidoi_balance nidoi_taps_balance(void)
{
    return (struct nidoi_balance){__atomic_load_n(&blocks, __ATOMIC_RELAXED),
                                  __atomic_load_n(&maps, __ATOMIC_RELAXED)};
}

/* ---- Putting them in place ---- */

static void install(const struct nidoi_test_hooks *hooks)
{
#define ENTRY(result, name, parameters, arguments) .name = tapped_##name,
    struct nidoi_sys tapped = {NIDOI_SYSCALLS(ENTRY)};

    tapped.read = partial_read;
    tapped.write = partial_write;
    tapped.recv = partial_recv;
    tapped.send = partial_send;
    tapped.readv = partial_readv;
    tapped.writev = partial_writev;
    tapped.sendfile = partial_sendfile;
    tapped.map = balanced_map;
    tapped.unmap = balanced_unmap;
    real_sys = *hooks->sys;
    real_mem = *hooks->mem;
    *hooks->sys = tapped;
    *hooks->mem = (struct nidoi_mem){tapped_alloc, tapped_resize, tapped_release};
}

void nidoi_taps_begin(struct nidoi_faults *orders)
{
    int at = 0;

    if (depth++ == 0) install(nidoi_kit_hooks());
    while (at < MOST_LAYERS - 1 && layers[at]) at++;
    layers[at] = orders;
}

void nidoi_taps_end(struct nidoi_faults *orders)
{
    for (int i = 0; i < MOST_LAYERS; i++)
        if (layers[i] == orders) layers[i] = NULL;
    if (--depth > 0) return;
    *nidoi_kit_hooks()->sys = real_sys;
    *nidoi_kit_hooks()->mem = real_mem;
    cuts = 0;
}

/* ---- Names ---- */

const char *nidoi_tap_name(enum nidoi_tap tap)
{
#define NAME(result, name, parameters, arguments) #name,
    static const char *const names[] = {NIDOI_SYSCALLS(NAME) "memory"};

    return names[tap];
}

enum nidoi_tap nidoi_tap_find(const char *name)
{
    int tap = 0;

    while (tap < NIDOI_TAPS && strcmp(nidoi_tap_name((enum nidoi_tap)tap), name) != 0) tap++;
    return (enum nidoi_tap)tap;
}
