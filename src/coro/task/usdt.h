/* SPDX-License-Identifier: MIT */
/* coro/task/usdt.h: static probes (USDT) for tools outside: bpftrace, perf, gdb, SystemTap. They are where events
 * are noted (coro/task/trace.c), which happens in a traced run alone: the semaphore, which such a tool raises while
 * it is there, has the loop trace the run (coro/runtime/tracing.h). So a probe that is not in use costs nothing.
 *
 * Included by trace.c only. */
#ifndef NIDOI_USDT_H
#define NIDOI_USDT_H

#ifdef NIDOI_USDT

#ifdef __clang__ /* sys/sdt.h passes nothing for "..." */
#pragma clang diagnostic ignored "-Wgnu-zero-variadic-macro-arguments"
#endif

#define _SDT_HAS_SEMAPHORES 1 /* asks sys/sdt.h for them */
#include <sys/sdt.h>

/* One for all probes; <sys/sdt.h> wants each to have its own by name. */
extern volatile unsigned short nidoi_usdt_users;
__attribute__((section(".probes"))) volatile unsigned short nidoi_usdt_users;

#define NIDOI_USDT_NAME(name)                                \
    extern __attribute__((alias("nidoi_usdt_users"), unused, \
                          visibility("hidden"))) volatile unsigned short nido_##name##_semaphore;
NIDOI_USDT_NAME(spawn)
NIDOI_USDT_NAME(name)
NIDOI_USDT_NAME(run)
NIDOI_USDT_NAME(park)
NIDOI_USDT_NAME(yield)
NIDOI_USDT_NAME(end)
NIDOI_USDT_NAME(wake)
NIDOI_USDT_NAME(open)
NIDOI_USDT_NAME(close)
NIDOI_USDT_NAME(cancel)
NIDOI_USDT_NAME(job)
NIDOI_USDT_NAME(sleep)
NIDOI_USDT_NAME(awake)
NIDOI_USDT_NAME(mark)

#define NIDOI_PROBE0(name)             DTRACE_PROBE(nido, name)
#define NIDOI_PROBE1(name, a)          DTRACE_PROBE1(nido, name, a)
#define NIDOI_PROBE2(name, a, b)       DTRACE_PROBE2(nido, name, a, b)
#define NIDOI_PROBE3(name, a, b, c)    DTRACE_PROBE3(nido, name, a, b, c)
#define NIDOI_PROBE4(name, a, b, c, d) DTRACE_PROBE4(nido, name, a, b, c, d)

#else

#define NIDOI_PROBE0(name)             ((void)0)
#define NIDOI_PROBE1(name, a)          ((void)0)
#define NIDOI_PROBE2(name, a, b)       ((void)0)
#define NIDOI_PROBE3(name, a, b, c)    ((void)0)
#define NIDOI_PROBE4(name, a, b, c, d) ((void)0)

#endif

#endif
