/* SPDX-License-Identifier: MIT */
/* Tasks that use up their stacks, and other faults: each in a process of its own, for checks/reports, which
 * compares what it prints. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nido.h"
#include "nido/debug.h"

/* Shown by name. */
#define SHOWN __attribute__((noinline, visibility("default")))

SHOWN int parse(volatile char *above, int depth);
SHOWN int value(volatile char *above, int depth);
SHOWN int key(volatile char *above, int depth);
SHOWN int parses(void *unused);
SHOWN int parses_keys(void *unused);
SHOWN int runs_parser(void *fn);

static volatile int endless = 1;

/* ---- What goes wrong ---- */

int parse(volatile char *above, int depth)
{
    volatile char text[64];

    text[depth & 63] = above[0];
    return (endless ? parse(text, depth + 1) : 0) + text[0];
}

int parses(void *unused)
{
    volatile char text[1] = {0};

    (void)unused;
    return parse(text, 0);
}

int key(volatile char *above, int depth)
{
    volatile char text[64];

    text[depth & 63] = above[0];
    return value(text, depth) + text[0];
}

int value(volatile char *above, int depth)
{
    volatile char text[32];

    text[depth & 31] = above[0];
    return (endless ? key(text, depth + 1) : 0) + text[0];
}

int parses_keys(void *unused)
{
    volatile char text[1] = {0};

    (void)unused;
    return key(text, 0);
}

/* UBSan would be first. */
static __attribute__((no_sanitize("undefined"))) int reads_nothing(void *unused)
{
    char *volatile nothing = NULL;

    (void)unused;
    return *nothing;
}

static int raises(void *unused)
{
    (void)unused;
    return raise(SIGSEGV);
}

static int forks_a_parser(void *unused)
{
    int status;
    pid_t child = fork();

    (void)unused;
    if (child == 0) parses(NULL);
    waitpid(child, &status, 0);
    printf("the child was ended by signal %d\n", WTERMSIG(status));
    return 0;
}

/* ---- A program with a handler of its own ---- */

static void say(const char *text)
{
    if (write(STDOUT_FILENO, text, strlen(text)) < 0) _exit(2);
}

static void own_handler(int number)
{
    (void)number;
    say("the program's own handler\n");
    _exit(3);
}

static void asking_handler(int number, siginfo_t *info, void *context)
{
    (void)number;
    say(nido_report_overflow(info->si_addr, context) ? "it was an overflow\n" : "it was none\n");
    _exit(3);
}

static void lend_stack(size_t size)
{
    static char stack[64 << 10];
    const stack_t own = {.ss_sp = stack + sizeof stack - size, .ss_size = size};

    sigaltstack(&own, NULL);
}

static void handle(void)
{
    const struct sigaction own = {.sa_handler = own_handler, .sa_flags = SA_ONSTACK};

    lend_stack(64 << 10);
    sigaction(SIGSEGV, &own, NULL);
    sigaction(SIGBUS, &own, NULL);
}

static void handle_and_ask(void)
{
    const struct sigaction own = {.sa_sigaction = asking_handler,
                                  .sa_flags = SA_ONSTACK | SA_SIGINFO};

    lend_stack(64 << 10);
    sigaction(SIGSEGV, &own, NULL);
    sigaction(SIGBUS, &own, NULL);
}

static int handles_late(void *unused)
{
    handle();
    return parses(unused);
}

static void say_action(void)
{
    struct sigaction now;
    stack_t stack;

    sigaction(SIGSEGV, NULL, &now);
    sigaltstack(NULL, &stack);
    printf("%s, %s alternate stack\n",
           now.sa_handler == SIG_DFL       ? "default action"
           : now.sa_handler == own_handler ? "the program's handler"
                                           : "nido's handler",
           stack.ss_flags & SS_DISABLE ? "no" : "an");
}

static int says_action(void *unused)
{
    (void)unused;
    say_action();
    return 0;
}

/* ---- Runs ---- */

int runs_parser(void *fn)
{
    nido_spawn_options options;
    nido_group group;

    nido_spawn_options_init(&options);
    options.name = "parser";
    nido_group_open(&group, NIDO_FAIL_FAST, "parsers");
    return nido_group_close(&group, nido_spawn_with(&group, *(nido_fn **)fn, NULL, &options, NULL));
}

static int run(nido_fn *fn)
{
    return nido_run(runs_parser, &fn, NULL);
}

static int run_with(size_t stack_size, nido_fn *fn)
{
    nido_options options;

    nido_options_init(&options);
    options.stack_size = stack_size;
    return nido_run(runs_parser, &fn, &options);
}

static void *run_saying(void *unused)
{
    (void)unused;
    run(says_action);
    return NULL;
}

static void *run_in_thread(void *unused)
{
    (void)unused;
    run(parses);
    return NULL;
}

static void thread(void)
{
    pthread_t thread;

    pthread_create(&thread, NULL, run_in_thread, NULL);
    pthread_join(thread, NULL);
}

static void by_steps(void)
{
    nido_fn *fn = parses;
    nido_rt *rt;

    if (nido_rt_new(NULL, &rt) || nido_rt_start(rt, runs_parser, &fn)) exit(2);
    while (nido_rt_step(rt) == 1) continue;
}

static void by_option(void)
{
    nido_fn *fn = parses;
    nido_options options;

    nido_options_init(&options);
    options.flags = NIDO_RUN_OVERFLOW;
    nido_run(runs_parser, &fn, &options);
}

static int opens_a_run_with_more(void *unused)
{
    pthread_t thread;

    (void)unused;
    pthread_create(&thread, NULL, run_saying, NULL);
    pthread_join(thread, NULL);
    say_action();
    return 0;
}

static void around(void)
{
    say_action();
    run(says_action);
    say_action();
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    setvbuf(stdout, NULL, _IONBF, 0);
    if (!strcmp(what, "recursion")) return run(parses);
    if (!strcmp(what, "large")) return run_with(16 << 20, parses);
    if (!strcmp(what, "small-alternate")) return lend_stack(4096), run(parses);
    if (!strcmp(what, "mutual")) return run(parses_keys);
    if (!strcmp(what, "thread")) return thread(), 0;
    if (!strcmp(what, "steps")) return by_steps(), 0;
    if (!strcmp(what, "option")) return by_option(), 0;
    if (!strcmp(what, "null")) return run(reads_nothing);
    if (!strcmp(what, "raised")) return run(raises);
    if (!strcmp(what, "forked")) return run(forks_a_parser);
    if (!strcmp(what, "handler-before")) return handle(), run(parses);
    if (!strcmp(what, "handler-later")) return run(handles_late);
    if (!strcmp(what, "handler-asks")) return handle_and_ask(), run(parses);
    if (!strcmp(what, "handler-asks-null")) return handle_and_ask(), run(reads_nothing);
    if (!strcmp(what, "around")) return around(), 0;
    if (!strcmp(what, "two-runs")) return run(opens_a_run_with_more), say_action(), 0;
    if (!strcmp(what, "handler-stays")) return handle(), around(), 0;
    return 2;
}
