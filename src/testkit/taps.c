/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "testkit/kit.h"

enum { MOST_LAYERS = 3, MOST_SHORT = 16 };

static struct nidoi_sys real_sys;
static struct nidoi_mem real_mem;
static int depth;
static int64_t blocks, maps; /* atomic */

/* Of the thread that taps: calls of other threads are not counted. */
static _Thread_local struct nidoi_faults *layers[MOST_LAYERS];
static _Thread_local int cut[MOST_SHORT];
static _Thread_local int cuts;

/* ---- Counting and failing ---- */

static bool fault_is_due(const struct nidoi_fault *fault)
{
    return fault->at && fault->count + 1 == fault->at && !fault->done;
}

/* Counts a call. < 0: it is not made, and this is its result. */
static int tap_count(enum nidoi_tap tap)
{
    int result = 0;

    for (int i = 0; i < MOST_LAYERS; i++) {
        struct nidoi_fault *fault = layers[i] ? &layers[i]->of[tap] : NULL;

        if (!fault) continue;
        if (fault_is_due(fault)) {
            fault->done = true;
            result = fault->result;
            if (layers[i]->injected) layers[i]->injected(layers[i]->ctx);
        }
        fault->count++;
    }
    return result;
}

/* Calls that a step makes itself are no steps. */
static void tap_step(enum nidoi_tap tap)
{
    static _Thread_local bool stepping;

    if (stepping) return;
    stepping = true;
    for (int i = 0; i < MOST_LAYERS; i++)
        if (layers[i] && layers[i]->step) layers[i]->step(layers[i]->ctx, tap);
    stepping = false;
}

/* A close that fails has closed the descriptor nevertheless. */
#define TAPPED(result_type, name, parameters, arguments)                                      \
    static result_type stepped_##name parameters                                              \
    {                                                                                         \
        result_type answer;                                                                   \
                                                                                              \
        tap_step(NIDOI_TAP_##name);                                                           \
        answer = real_sys.name arguments;                                                     \
        tap_step(NIDOI_TAP_##name);                                                           \
        return answer;                                                                        \
    }                                                                                         \
                                                                                              \
    static result_type tapped_##name parameters                                               \
    {                                                                                         \
        int result = tap_count(NIDOI_TAP_##name);                                             \
                                                                                              \
        if (result < 0 && NIDOI_TAP_##name == NIDOI_TAP_close) (void)real_sys.name arguments; \
        if (result < 0) return (result_type)result;                                           \
        return stepped_##name arguments;                                                      \
    }
NIDOI_SYSCALLS(TAPPED)

/* ---- Short calls ---- */

/* Messages are moved whole; all other kinds may be moved in pieces. */
static bool tap_moves_bytes(int fd)
{
    int type = 0;

    return real_sys.getsockopt(fd, SOL_SOCKET, SO_TYPE, &type) < 0 || type == SOCK_STREAM;
}

/* The most bytes that this call may move; SIZE_MAX: all. */
static size_t tap_most_bytes(enum nidoi_tap tap, int fd)
{
    for (int i = 0; i < MOST_LAYERS; i++) {
        const struct nidoi_fault *fault = layers[i] ? &layers[i]->of[tap] : NULL;

        if (!fault || !fault_is_due(fault) || fault->result < 0 || !tap_moves_bytes(fd)) continue;
        if (cuts < MOST_SHORT) cut[cuts++] = fd;
        return (size_t)fault->result;
    }
    return SIZE_MAX;
}

static size_t size_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static ssize_t partial_read(int fd, void *buf, size_t len)
{
    return tapped_read(fd, buf, size_min(len, tap_most_bytes(NIDOI_TAP_read, fd)));
}

static ssize_t partial_write(int fd, const void *buf, size_t len)
{
    return tapped_write(fd, buf, size_min(len, tap_most_bytes(NIDOI_TAP_write, fd)));
}

static ssize_t partial_recv(int fd, void *buf, size_t len, int flags)
{
    return tapped_recv(fd, buf, size_min(len, tap_most_bytes(NIDOI_TAP_recv, fd)), flags);
}

static ssize_t partial_send(int fd, const void *buf, size_t len, int flags)
{
    return tapped_send(fd, buf, size_min(len, tap_most_bytes(NIDOI_TAP_send, fd)), flags);
}

static ssize_t partial_sendfile(int out, int in, int64_t *offset, size_t len)
{
    return tapped_sendfile(out, in, offset, size_min(len, tap_most_bytes(NIDOI_TAP_sendfile, out)));
}

static ssize_t partial_splice(int in, int out, size_t len)
{
    return tapped_splice(in, out, size_min(len, tap_most_bytes(NIDOI_TAP_splice, out)));
}

/* The first bytes of a vector, at most `n`. */
static struct iovec iov_first(const struct iovec *iov, int count, size_t n)
{
    while (count > 1 && !iov->iov_len) iov++, count--;
    return (struct iovec){iov->iov_base, size_min(iov->iov_len, n)};
}

static ssize_t partial_readv(int fd, const struct iovec *iov, int n)
{
    size_t limit = n > 0 ? tap_most_bytes(NIDOI_TAP_readv, fd) : SIZE_MAX;
    struct iovec first;

    if (limit == SIZE_MAX) return tapped_readv(fd, iov, n);
    first = iov_first(iov, n, limit);
    return tapped_readv(fd, &first, 1);
}

static ssize_t partial_writev(int fd, const struct iovec *iov, int n)
{
    size_t limit = n > 0 ? tap_most_bytes(NIDOI_TAP_writev, fd) : SIZE_MAX;
    struct iovec first;

    if (limit == SIZE_MAX) return tapped_writev(fd, iov, n);
    first = iov_first(iov, n, limit);
    return tapped_writev(fd, &first, 1);
}

static const enum nidoi_tap partial[] = {NIDOI_TAP_read,     NIDOI_TAP_write, NIDOI_TAP_recv,
                                         NIDOI_TAP_send,     NIDOI_TAP_readv, NIDOI_TAP_writev,
                                         NIDOI_TAP_sendfile, NIDOI_TAP_splice};

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
    void *memory = tap_count(NIDOI_TAP_memory) < 0 ? NULL : real_mem.alloc(size);

    if (memory) __atomic_add_fetch(&blocks, 1, __ATOMIC_RELAXED);
    return memory;
}

static void *tapped_resize(void *old, size_t size)
{
    void *memory = tap_count(NIDOI_TAP_memory) < 0 ? NULL : real_mem.resize(old, size);

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

/* ---- Setting the tables ---- */

static void taps_install(const struct nidoi_test_hooks *hooks)
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
    tapped.splice = partial_splice;
    tapped.map = balanced_map;
    tapped.unmap = balanced_unmap;
    real_sys = *hooks->sys;
    real_mem = *hooks->mem;
    *hooks->sys = tapped;
    *hooks->mem = (struct nidoi_mem){tapped_alloc, tapped_resize, tapped_release};
}

void nidoi_taps_begin(struct nidoi_faults *faults)
{
    int at = 0;

    if (depth++ == 0) taps_install(nidoi_kit_hooks());
    while (at < MOST_LAYERS - 1 && layers[at]) at++;
    layers[at] = faults;
}

void nidoi_taps_end(struct nidoi_faults *faults)
{
    for (int i = 0; i < MOST_LAYERS; i++)
        if (layers[i] == faults) layers[i] = NULL;
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
