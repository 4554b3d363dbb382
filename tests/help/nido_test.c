/* SPDX-License-Identifier: MIT */
#include "nido_test.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>

#include "test_memory.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN 1
#endif

#if UNDER_ASAN
#include <sanitizer/lsan_interface.h>
#endif

#if NIDOI_VALGRIND
#include <valgrind/memcheck.h>
#endif

/* What the memory checkers have found so far. Neither makes a test fail by itself: Criterion's
 * runner does not look at how its workers exit. */
static unsigned long complaints(void)
{
    unsigned long found = 0;
#if UNDER_ASAN
    found += (unsigned long)__lsan_do_recoverable_leak_check();
#endif
#if NIDOI_VALGRIND
    unsigned long bytes[4] = {0}; /* leaked, dubious, reachable, suppressed */
    VALGRIND_DO_QUICK_LEAK_CHECK;
    VALGRIND_COUNT_LEAKS(bytes[0], bytes[1], bytes[2], bytes[3]);
    found += bytes[0] + VALGRIND_COUNT_ERRORS;
#endif
    return found;
}

/* The directory's own descriptor is counted each time, so differences are right. Criterion holds
 * some too; the number itself means nothing. */
static long count_fds(void)
{
    DIR *directory = opendir("/proc/self/fd");
    cr_assert(ne(ptr, directory, NULL));
    long n = 0;
    while (readdir(directory)) n++;
    closedir(directory);
    return n;
}

/* A thread that nido has left with a child lets go of what it has after the child has been reaped: so a
 * test that waits for the reaping alone gets a second for the rest. */
static long counted_down_to(long expected, long (*count)(void))
{
    enum { TRIES = 1000 };
    long n = count();

    for (int i = 0; i < TRIES && n > expected; i++) {
        poll(NULL, 0, 1);
        n = count();
    }
    return n;
}

/* Each test's process begins as if started from a terminal: a script's background job ignores
 * SIGINT, and other parents leave more ignored or blocked. (Criterion's mark, as in test_alarm.c.) */
__attribute__((constructor)) static void reset_signals(void)
{
    static const int numbers[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGCHLD, SIGALRM};
    sigset_t none;

    if (!getenv("BXFI_MAP")) return;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) signal(numbers[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

void nido_test_guard(void (*body)(void))
{
    long fds = count_fds(), blocks = nido_test_memory_blocks();
    unsigned long found = complaints();
    body();
    cr_expect(eq(long, counted_down_to(fds, count_fds), fds),
              "descriptors are left open (or were closed)");
    cr_expect(eq(ulong, complaints(), found), "memory has leaked or was misused");
    cr_expect(eq(long, counted_down_to(blocks, nido_test_memory_blocks), blocks),
              "the library keeps memory (or has given back what it did not have)");
}

nido_options nido_test_virtual(void)
{
    nido_options options;
    nido_options_init(&options);
    options.clock = NIDO_CLOCK_VIRTUAL;
    return options;
}
