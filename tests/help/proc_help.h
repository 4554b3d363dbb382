/* SPDX-License-Identifier: MIT */
/* proc_help.h: what the tests of child processes share.
 *
 *     CHILDREN(proc, an_exit_status_is_given) { ... }
 *
 * is an INSIDE test with one promise more: no child of this process is left, not even a zombie. */
#ifndef PROC_HELP_H
#define PROC_HELP_H

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "faults.h"
#include "inside_help.h"

static inline void expect_no_children(void)
{
    siginfo_t info;

    cr_expect(eq(int, waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), -1));
    cr_expect(eq(int, errno, ECHILD), "a child is left");
}

static inline int by_real_clock(nido_fn *fn, void *arg)
{
    return nido_run(fn, arg, NULL);
}

#define CHILDREN(suite, name) CHILDREN_BY(nido_test_run, suite, name)

/* For a grace that ends: the virtual clock stands still while a child is out. */
#define CHILDREN_IN_TIME(suite, name) CHILDREN_BY(by_real_clock, suite, name)

#define CHILDREN_BY(run, suite, name)                            \
    static void inside_##suite##_##name(void);                   \
    static int root_##suite##_##name(void *unused)               \
    {                                                            \
        (void)unused;                                            \
        inside_##suite##_##name();                               \
        return 0;                                                \
    }                                                            \
    NIDO_TEST(suite, name)                                       \
    {                                                            \
        cr_expect(eq(int, run(root_##suite##_##name, NULL), 0)); \
        expect_no_children();                                    \
    }                                                            \
    static void inside_##suite##_##name(void)

/* Options for a program with these arguments. */
#define PROGRAM(...) program_of((char *[]){__VA_ARGS__, NULL})
#define SHELL(text)  PROGRAM("sh", "-c", text)

static inline nido_proc_options program_of(char **argv)
{
    nido_proc_options options;

    nido_proc_options_init(&options);
    options.argv = argv;
    return options;
}

static inline nido_proc begin_child(const nido_proc_options *options)
{
    nido_proc proc;
    int rc = nido_proc_spawn(&proc, options);

    cr_expect(zero(int, rc), "%s", nido_strerror(rc));
    return proc;
}

/* `cat` between two pipes: it lives until its input ends. */
static inline nido_proc begin_cat(void)
{
    nido_proc_options options = PROGRAM("cat");

    options.in.kind = options.out.kind = NIDO_STDIO_PIPE;
    return begin_child(&options);
}

static inline void end_input(nido_proc *proc)
{
    cr_expect(zero(int, nido_close(nido_proc_take(proc, 0))));
}

/* Waits for a byte that a child writes when it has come so far. */
static inline void await_byte(int fd)
{
    char byte;

    cr_expect(eq(int, (int)nido_read(fd, &byte, 1), 1));
}

static inline void expect_exit(nido_proc *proc, int code)
{
    nido_proc_status status = {.code = -2};

    cr_expect(zero(int, nido_proc_wait(proc, &status)));
    cr_expect(eq(int, status.code, code));
    cr_expect(zero(int, status.signal));
}

static inline void expect_signal(nido_proc *proc, int number)
{
    nido_proc_status status = {.code = -2};

    cr_expect(zero(int, nido_proc_wait(proc, &status)));
    cr_expect(eq(int, status.signal, number));
    cr_expect(eq(int, status.code, -1));
}

static inline void let_go(nido_proc *proc)
{
    cr_expect(zero(int, nido_proc_release(proc)));
}

/* Waits, without the library, until a child has ended; leaves it to be reaped. */
static inline void await_zombie(int pid)
{
    siginfo_t info;

    cr_expect(zero(int, waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT)));
}

#endif
