/* SPDX-License-Identifier: MIT */
/* Runs every activity at once, for minutes, under the real clock, and fails if something grows:
 * descriptors, live tasks, timers, resident memory, or if a child process is left. The time is cut into phases; between two of them
 * nothing is under way, and the books are compared with those after the warm-up.
 *
 *     nido_soak [--seconds N] [--seed N]
 *
 * The seed decides what is tried, not how it interleaves: the kernel and the clock have their say. */
#include "soak.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coro/runtime/loop.h"

#ifdef __SANITIZE_ADDRESS__
#define UNDER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#endif
#endif

/* AddressSanitizer keeps freed memory for a while, an emulator what it has translated. */
#if UNDER_ASAN || defined(NIDO_EMULATED)
#define MEMORY_TELLS false
#else
#define MEMORY_TELLS true
#endif

enum { PHASES = 8, WARM_UP = 4, SLACK_KB = 2048, POOL_THREADS = 8 };

static const struct activity {
    const char *name;
    soak_round *round;
    int workers;
} activities[] = {
    {"echo over Unix sockets", soak_echo_unix, 4},
    {"echo over TCP", soak_echo_tcp, 2},
    {"groups", soak_groups, 8},
    {"channels", soak_channels, 4},
    {"locks", soak_locks, 4},
    {"pipes", soak_pipes, 4},
    {"posts", soak_posts, 1},
    {"jobs", soak_jobs, 2},
    {"children", soak_children, 2},
};
enum { ACTIVITIES = sizeof activities / sizeof *activities };

struct books {
    long descriptors, tasks, timers, resident_kb;
    bool children; /* some are left, dead or alive */
};

static struct {
    int64_t phase_ns, end;
    uint64_t seed;
    unsigned long rounds[ACTIVITIES];
    struct books books[PHASES];
} soak;

struct worker {
    size_t activity;
    struct seeded seeded;
};

int soak_complain(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("soak: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return -EPROTO;
}

/* ---- The books ---- */

static long open_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    long n = 0;

    if (!directory) return -1;
    while (readdir(directory)) n++;
    closedir(directory);
    return n;
}

static long resident_kb(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long size, resident;

    if (!file) return -1;
    if (fscanf(file, "%ld %ld", &size, &resident) != 2) resident = -1;
    fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static bool have_children(void)
{
    siginfo_t info;

    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static struct books look(void)
{
    const struct nidoi_loop *loop = nidoi_loop_self();

    return (struct books){.descriptors = open_descriptors(),
                          .tasks = (long)loop->live,
                          .timers = (long)loop->timers.count,
                          .resident_kb = resident_kb(),
                          .children = have_children()};
}

static int compare(const struct books *now, const struct books *then)
{
    if (now->descriptors != then->descriptors)
        return soak_complain("%ld descriptors, not %ld", now->descriptors, then->descriptors);
    if (now->tasks != then->tasks)
        return soak_complain("%ld tasks, not %ld", now->tasks, then->tasks);
    if (now->timers != then->timers)
        return soak_complain("%ld timers, not %ld", now->timers, then->timers);
    if (now->children) return soak_complain("a child process is left");
    if (MEMORY_TELLS && now->resident_kb > then->resident_kb + SLACK_KB)
        return soak_complain("%ld KiB resident, not %ld", now->resident_kb, then->resident_kb);
    return 0;
}

/* ---- Working ---- */

static int work(void *arg)
{
    struct worker *worker = arg;
    const struct activity *activity = &activities[worker->activity];

    nido_set_name("%s", activity->name);
    while (nido_now() < soak.end) {
        int rc = activity->round(&worker->seeded);

        if (rc < 0)
            return nido_fail(rc, "%s, seed %llu", activity->name, (unsigned long long)soak.seed);
        soak.rounds[worker->activity]++;
    }
    return 0;
}

static int spawn_workers(nido_group *group, int phase)
{
    int rc = 0;

    for (size_t i = 0; i < ACTIVITIES; i++)
        for (int n = 0; n < activities[i].workers && !rc; n++) {
            struct worker worker = {i, {soak.seed + (uint64_t)(phase * 10000 + n * 100) + i}};

            rc = nido_spawn_copy(group, work, &worker, sizeof worker);
        }
    return rc;
}

static int run_phase(int phase)
{
    nido_group group;
    int rc;

    soak.end = nido_after(soak.phase_ns);
    nido_group_open(&group, NIDO_FAIL_FAST, "phase");
    rc = nido_group_close(&group, spawn_workers(&group, phase));
    if (rc < 0) return rc;
    soak.books[phase] = look();
    printf("phase %d: %ld descriptors, %ld tasks, %ld timers, %ld KiB resident\n", phase + 1,
           soak.books[phase].descriptors, soak.books[phase].tasks, soak.books[phase].timers,
           soak.books[phase].resident_kb);
    fflush(stdout);
    return phase < WARM_UP ? 0 : compare(&soak.books[phase], &soak.books[WARM_UP - 1]);
}

static int run_phases(void *unused)
{
    int rc = 0;

    (void)unused;
    for (int phase = 0; phase < PHASES && rc >= 0; phase++) rc = run_phase(phase);
    for (size_t i = 0; i < ACTIVITIES; i++)
        printf("%-24s %lu rounds\n", activities[i].name, soak.rounds[i]);
    return rc;
}

static uint64_t number(int argc, char **argv, const char *name, uint64_t otherwise)
{
    for (int i = 1; i + 1 < argc; i += 2)
        if (strcmp(argv[i], name) == 0) return strtoull(argv[i + 1], NULL, 10);
    return otherwise;
}

int main(int argc, char **argv)
{
    int64_t seconds = (int64_t)number(argc, argv, "--seconds", 60);
    nido_options options;

    if (argc % 2 == 0 || seconds <= 0) {
        fputs("usage: nido_soak [--seconds N] [--seed N]\n", stderr);
        return 2;
    }
    soak.seed = number(argc, argv, "--seed", (uint64_t)nido_now());
    soak.phase_ns = NIDO_SEC(seconds) / PHASES;
    printf("seed %llu, %lld s\n", (unsigned long long)soak.seed, (long long)seconds);
    nido_options_init(&options);
    options.pool_threads = POOL_THREADS;
    return nido_exit_status(nido_run(run_phases, NULL, &options));
}
