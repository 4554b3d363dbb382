/* SPDX-License-Identifier: MIT */
/* For tests that run under an emulator of user programs. Criterion starts each test in a process of
 * its own by executing the test program anew, which the kernel refuses if that is a program for
 * another processor: then the emulator is executed instead and told to run it. */
#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "nido/types.h"

enum { MOST_ARGUMENTS = 64 };

/* Takes the place of libc's in the whole program, its libraries included. */
NIDO_API int execve(const char *path, char *const arguments[], char *const environment[]);

static int emulate(const char *path, char *const arguments[], char *const environment[])
{
    static char *const emulator[] = {NIDO_EMULATOR, "-0"};
    enum { BEFORE = sizeof emulator / sizeof *emulator };
    char *all[BEFORE + 2 + MOST_ARGUMENTS];
    int n = 0;

    for (; n < BEFORE; n++) all[n] = emulator[n];
    all[n++] = arguments[0];
    all[n++] = (char *)path;
    for (int i = 1; i < MOST_ARGUMENTS && arguments[i]; i++) all[n++] = arguments[i];
    all[n] = NULL;
    return (int)syscall(SYS_execve, emulator[0], all, environment);
}

int execve(const char *path, char *const arguments[], char *const environment[])
{
    long err = syscall(SYS_execve, path, arguments, environment);

    return errno == ENOEXEC ? emulate(path, arguments, environment) : (int)err;
}
