/* SPDX-License-Identifier: MIT */
/* base/sys.c: the table, and calls that no test makes fail. The entries are defined in
 * base/sys_*.c. */
#include "base/sys.h"

#include "base/sys_call.h"

#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include <sched.h>
#include <sys/prctl.h>
#endif

#include "base/time.h"

/* ---- The table ---- */

#define ENTRY(result, name, parameters, arguments) .name = nidoi_os_##name,
struct nidoi_sys nidoi_sys = {NIDOI_SYSCALLS(ENTRY)};

/* ---- Time ---- */

int64_t nidoi_sys_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NANO + now.tv_nsec;
}

int64_t nidoi_sys_now_coarse(void)
{
#ifdef CLOCK_MONOTONIC_COARSE
    struct timespec now;

    if (!clock_gettime(CLOCK_MONOTONIC_COARSE, &now))
        return (int64_t)now.tv_sec * NANO + now.tv_nsec;
#endif
    return nidoi_sys_now();
}

/* ---- Signals and threads ---- */

void nidoi_sys_cond_init(pthread_cond_t *cond)
{
#ifdef __APPLE__
    pthread_cond_init(cond, NULL);
#else
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
#endif
}

int nidoi_sys_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t ns)
{
#ifdef __APPLE__
    struct timespec limit = {ns / NANO, ns % NANO};

    return -pthread_cond_timedwait_relative_np(cond, lock, &limit);
#else
    int64_t end = nidoi_time_add(nidoi_sys_now(), ns);
    struct timespec limit = {(time_t)(end / NANO), (long)(end % NANO)};

    return -pthread_cond_timedwait(cond, lock, &limit);
#endif
}

bool nidoi_sys_handled_by(int number, void (*handler)(int))
{
    struct sigaction now;

    return nidoi_sys.sigaction(number, NULL, &now) == 0 && now.sa_handler == handler;
}

void nidoi_sys_restore_handler(int number, void (*ours)(int), const struct sigaction *before)
{
    if (nidoi_sys_handled_by(number, ours)) nidoi_sys.sigaction(number, before, NULL);
}

int nidoi_sys_defer_cancel(void)
{
    int before;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    return before;
}

void nidoi_sys_allow_cancel(int before)
{
    int deferred;

    pthread_setcancelstate(before, &deferred);
}

/* ---- The process ---- */

#ifdef __linux__

static void name_process(const char *name)
{
    prctl(PR_SET_NAME, name);
}

/* -1: the set is too small for this kernel, or there is no memory for one of that size. */
static long processors_of(int most)
{
    size_t size = CPU_ALLOC_SIZE(most);
    cpu_set_t *set = CPU_ALLOC(most);
    long n = -1;

    if (set && sched_getaffinity(0, size, set) == 0) n = CPU_COUNT_S(size, set);
    CPU_FREE(set);
    return n;
}

/* How large its sets are, the kernel says: a cpu_set_t is too small for more than 1024. */
static long processors(void)
{
    enum { MOST = 1 << 20 };
    long n = -1;

    for (int most = CPU_SETSIZE; n < 0 && most <= MOST; most *= 4) n = processors_of(most);
    return n > 0 ? n : sysconf(_SC_NPROCESSORS_ONLN);
}

#else

static void name_process(const char *name)
{
    (void)name;
}

static long processors(void)
{
    return sysconf(_SC_NPROCESSORS_ONLN);
}

#endif

unsigned nidoi_sys_processors(void)
{
    long n = processors();

    return n > 0 ? (unsigned)n : 1;
}

void nidoi_sys_set_name(const char *name)
{
    name_process(name);
}

size_t nidoi_sys_page(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}
