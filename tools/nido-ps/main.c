/* SPDX-License-Identifier: MIT */
/* nido-ps: the tasks of a program that uses nido, seen from outside: of a process, or of its core file. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "json.h"
#include "list.h"
#include "target.h"
#include "tree.h"
#include "watch.h"
#include "words.h"

struct request {
    const char *core, *program;
    pid_t pid;
    bool tree, json, watch, stacks, timing, repeats; /* --count or --interval */
    int count, interval_ms;
    enum list_order order;
    bool sorts; /* --sort */
};

enum { COUNT = 256, INTERVAL, SORT, TIMING, VERSION };

static const struct option options[] = {{"tree", no_argument, NULL, 't'},
                                        {"stacks", no_argument, NULL, 's'},
                                        {"json", no_argument, NULL, 'j'},
                                        {"watch", no_argument, NULL, 'w'},
                                        {"core", required_argument, NULL, 'c'},
                                        {"count", required_argument, NULL, COUNT},
                                        {"interval", required_argument, NULL, INTERVAL},
                                        {"sort", required_argument, NULL, SORT},
                                        {"timing", no_argument, NULL, TIMING},
                                        {"help", no_argument, NULL, 'h'},
                                        {"version", no_argument, NULL, VERSION},
                                        {0}};

static const char usage[] =
    "usage: nido-ps [--tree | --json | --watch] [--stacks] [--sort BY] PID\n"
    "       nido-ps [--tree | --json] [--stacks] [--sort BY] --core FILE [PROGRAM]\n"
    "\n"
    "Shows the tasks of a program that uses nido. It reads the program's memory from outside:\n"
    "nothing runs in it, and it is held only if it does not stand still by itself.\n"
    "\n"
    "  -t, --tree         as a tree of tasks and groups\n"
    "  -s, --stacks       with the frames of each task\n"
    "  -j, --json         as JSON, an object a runtime\n"
    "  -w, --watch        again and again, the longest waits first\n"
    "  -c, --core FILE    of a core file, in which PROGRAM (if it is not found by itself) has "
    "died\n"
    "      --sort BY      the list, by id, wait, cpu (of a run with NIDO_DEBUG=cpu) or stack, the "
    "most first\n"
    "      --interval S   of --watch: every S seconds (1)\n"
    "      --count N      of --watch: N times\n"
    "      --timing       says how long the process was held\n";

static bool parse_number(const char *text, double least, double most, double *out)
{
    char *end;

    errno = 0;
    *out = strtod(text, &end);
    return end != text && !*end && !errno && *out >= least && *out <= most;
}

static bool parse_order(struct request *request, const char *text)
{
    static const char *const names[] = {
        [BY_ID] = "id", [BY_WAIT] = "wait", [BY_CPU] = "cpu", [BY_STACK] = "stack"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(text, names[i]) != 0) continue;
        request->order = (enum list_order)i;
        request->sorts = true;
        return true;
    }
    return fail("--sort takes id, wait, cpu or stack, not %s", text);
}

static bool parse_option(struct request *request, int option)
{
    double number;

    switch (option) {
    case 't':
        request->tree = true;
        return true;
    case 's':
        request->stacks = true;
        return true;
    case 'j':
        request->json = true;
        return true;
    case 'w':
        request->watch = true;
        return true;
    case 'c':
        request->core = optarg;
        return true;
    case TIMING:
        request->timing = true;
        return true;
    case SORT:
        return parse_order(request, optarg);
    case COUNT:
        if (!parse_number(optarg, 1, INT_MAX, &number))
            return fail("--count takes a number, not %s", optarg);
        request->count = (int)number;
        request->repeats = true;
        return true;
    case INTERVAL:
        if (!parse_number(optarg, 0.01, 86400, &number))
            return fail("--interval takes seconds, not %s", optarg);
        request->interval_ms = (int)(number * 1000);
        request->repeats = true;
        return true;
    default:
        return fail("see nido-ps --help");
    }
}

/* Digits, and nothing else. */
static bool parse_pid(const char *text, pid_t *out)
{
    double number;

    if (text[strspn(text, "0123456789")] || !parse_number(text, 1, INT_MAX, &number)) return false;
    *out = (pid_t)number;
    return true;
}

static bool parse_operands(struct request *request, int count, char **operands)
{

    if (request->tree + request->json + request->watch > 1)
        return fail("only one of --tree, --json and --watch");
    if (request->repeats && !request->watch) return fail("--count and --interval are for --watch");
    if (request->sorts && (request->tree || request->json))
        return fail("--sort is for the list and --watch");
    if (!request->sorts) request->order = request->watch ? BY_WAIT : BY_ID;
    if (request->core) {
        if (count > 1) return fail("--core takes one program, not %d", count);
        if (request->watch) return fail("a core file does not change: --watch is for processes");
        request->program = count ? operands[0] : NULL;
        return true;
    }
    if (count != 1) return fail("which process? nido-ps PID, or nido-ps --core FILE");
    return parse_pid(operands[0], &request->pid) ||
           fail("%s is no number of a process", operands[0]);
}

/* False: it is over, with this status. */
static bool parse(struct request *request, int argc, char **argv, int *status)
{
    int option;

    *status = 2;
    while ((option = getopt_long(argc, argv, "tsjwc:h", options, NULL)) != -1) {
        if (option == 'h' || option == VERSION) {
            fputs(option == 'h' ? usage : "nido-ps " NIDO_PS_VERSION "\n", stdout);
            *status = 0;
            return false;
        }
        if (!parse_option(request, option)) return false;
    }
    return parse_operands(request, argc - optind, argv + optind);
}

/* A core file does not tell how threads are called. */
static void print_head(const struct target *target, const struct runtime *runtime)
{
    struct words up = {.used = 0};

    printf("nido %s: %s, runtime %u", target->layout.library, target->name, runtime->number);
    if (runtime->has_head) {
        words_seconds(&up, runtime->up);
        printf(", up %s, thread %d", up.text, runtime->thread);
    }
    if (runtime->thread_name[0]) printf(" \"%s\"", runtime->thread_name);
    printf(": %u %s, %u of them ready", runtime->live, runtime->live == 1 ? "task" : "tasks",
           runtime->ready);
    if (runtime->has_head)
        printf("; %" PRIu64 " %s on descriptors, %u %s out", runtime->watches,
               runtime->watches == 1 ? "watch" : "watches", runtime->out,
               runtime->out == 1 ? "job or child" : "jobs or children");
    putchar('\n');
}

static void print_runtime(struct target *target, const struct runtime *runtime,
                          const struct request *request)
{
    if (request->json) {
        if (!json_print(stdout, target, runtime, request->stacks)) fail("the output takes no more");
        return;
    }
    print_head(target, runtime);
    if (request->tree)
        tree_print(stdout, target, runtime, request->stacks);
    else
        list_print(stdout, target, runtime, request->order, request->stacks, 0, 0);
}

static void print_doubts(const struct target *target, const struct snapshot *snapshot)
{
    size_t torn = 0;

    fflush(stdout);
    for (size_t i = 0; i < snapshot->count; i++) torn += snapshot->runtimes[i].torn;
    if (torn && target->is_core && target->core.is_cut)
        fprintf(stderr, "nido-ps: %zu %s left out: missing in the core file, which is cut short\n",
                torn, torn == 1 ? "task is" : "tasks are");
    else if (torn && target->is_core)
        fprintf(
            stderr,
            "nido-ps: %zu %s left out: damaged or missing in the core file (gdb's gcore leaves out "
            "stacks, because it stops at their guards; a core that the kernel writes has them)\n",
            torn, torn == 1 ? "task is" : "tasks are");
    else if (torn)
        fprintf(stderr, "nido-ps: %zu %s left out: being changed\n", torn,
                torn == 1 ? "task is" : "tasks are");
    if (target->lost)
        fprintf(stderr, "nido-ps: %lu fields are not in %s: what depends on them is missing\n",
                target->lost, target->name);
}

static bool show(struct target *target, const struct request *request)
{
    struct snapshot snapshot;

    if (!snapshot_take(&snapshot, target, request->stacks)) return false;
    for (size_t i = 0; i < snapshot.count; i++)
        print_runtime(target, &snapshot.runtimes[i], request);
    if (!snapshot.count && target->lost) fail("%s: the runtimes are not in it", target->name);
    if (!snapshot.count)
        fail("%s has nido, but no runtime: nido_run has not begun, or is over", target->name);
    print_doubts(target, &snapshot);
    if (request->timing)
        fprintf(stderr, "nido-ps: read in %.2f ms; the process was held for %.2f ms\n",
                (double)snapshot.read_ns / 1e6, (double)snapshot.held_ns / 1e6);
    snapshot_free(&snapshot);
    if (fflush(stdout) || ferror(stdout)) fail("the output takes no more: %s", strerror(errno));
    return !failure();
}

static bool run(const struct request *request)
{
    static struct target target;
    bool done = request->core ? target_open_core(&target, request->core, request->program)
                              : target_open_process(&target, request->pid);

    if (!done) return false;
    if (request->watch)
        done =
            watch(&target, request->count, request->interval_ms, request->order, request->stacks);
    else
        done = show(&target, request);
    target_close(&target);
    return done;
}

/* Memory is kept for the next try and not given back: its pages are there when the process is held. */
static void keep_memory(void)
{
#ifdef __GLIBC__
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
    mallopt(M_MMAP_MAX, 0);
#endif
}

int main(int argc, char **argv)
{
    struct request request = {.interval_ms = 1000};
    int status;

    keep_memory();
    if (!parse(&request, argc, argv, &status)) {
        if (failure()) fprintf(stderr, "nido-ps: %s\n", failure());
        return status;
    }
    if (run(&request)) return 0;
    fprintf(stderr, "nido-ps: %s\n", failure());
    return 1;
}
