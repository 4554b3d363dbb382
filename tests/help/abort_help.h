/* SPDX-License-Identifier: MIT */
/* abort_help.h: for tests of what ends the program with a sentence. */
#ifndef ABORT_HELP_H
#define ABORT_HELP_H

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nido_test.h"

/* In the child process: what it says goes into the pipe, and no core is left. */
static inline void commit(nido_fn *crime, const int ends[2])
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){0});
    signal(SIGABRT, SIG_DFL);
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    nido_test_run(crime, NULL);
    _exit(0);
}

/* Runs `crime` as the root of a process of its own and expects an abort; what that said on stderr,
 * for the caller to free. */
static inline char *last_words(nido_fn *crime)
{
    char *words = calloc(1, 32768);
    size_t used = 0;
    ssize_t got;
    int ends[2], status = 0;
    pid_t child;

    cr_assert(zero(int, pipe(ends)));
    child = fork();
    cr_assert(ge(int, child, 0));
    if (child == 0) commit(crime, ends);
    close(ends[1]);
    while ((got = read(ends[0], words + used, 32767 - used)) > 0) used += (size_t)got;
    close(ends[0]);
    cr_expect(eq(int, waitpid(child, &status, 0), child));
    cr_expect(eq(int, WTERMSIG(status), SIGABRT), "it has not aborted: %s", words);
    return words;
}

/* One sentence with all of these words must have been said. */
static inline void expect_last_words(nido_fn *crime, const char *const *words)
{
    char *said = last_words(crime);

    for (; *words; words++)
        cr_expect(ne(ptr, strstr(said, *words), NULL), "\"%s\" is missing in\n%s", *words, said);
    free(said);
}

#define EXPECT_LAST_WORDS(crime, ...) \
    expect_last_words(crime, (const char *const[]){__VA_ARGS__, NULL})

#endif
