#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/options.h"
#include "nido.h"
#include "testkit/kit.h"

enum { KNOWN_FLAGS = NIDO_TEST_INNERMOST | NIDO_TEST_BRIEF | NIDO_TEST_LOOSE, MOST_TRIES = 10 };

/* ---- Options ---- */

bool nidoi_kit_options_valid(const nido_test_options *options)
{
    nido_test_options room;

    options = NIDOI_OPTIONS(options, &room);
    return options && options->patience_ns >= 0 && !(options->flags & ~(uint32_t)KNOWN_FLAGS);
}

int nidoi_kit_tries(const nido_test_options *options)
{
    return options->flags & NIDO_TEST_LOOSE ? MOST_TRIES : 1;
}

/* Never 0, which stands for "none was chosen". */
static uint64_t draw_seed(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return ((uint64_t)now.tv_sec << 20 ^ (uint64_t)now.tv_nsec ^ (uint64_t)getpid()) | 1;
}

static void shuffle(nido_options *run)
{
    const char *seed = getenv("NIDO_TEST_SEED");

    if (seed && *seed) {
        run->flags |= NIDO_RUN_SHUFFLE;
        run->seed = strtoull(seed, NULL, 10);
    } else if (run->flags & NIDO_RUN_SHUFFLE && !run->seed) {
        run->seed = draw_seed();
    }
}

void nidoi_kit_finish(const nido_test_options *options, nido_test_options *out)
{
    nido_test_options room;

    if (options) options = NIDOI_OPTIONS(options, &room);
    if (options)
        *out = *options;
    else
        nido_test_options_init(out);
    if (!out->out) out->out = stderr;
    if (!out->patience_ns) out->patience_ns = NIDO_SEC(2);
    shuffle(&out->run);
}

void nidoi_kit_print_seed(const nido_test_options *options)
{
    if (options->run.flags & NIDO_RUN_SHUFFLE)
        fprintf(options->out, "nido: its tasks were shuffled; NIDO_TEST_SEED=%llu repeats it\n",
                (unsigned long long)options->run.seed);
}

/* ---- Descriptors ---- */

struct descriptors {
    int *numbers;
    size_t count, room;
};

static void list_descriptors(struct descriptors *list)
{
    DIR *directory = opendir("/dev/fd");
    struct dirent *entry;

    *list = (struct descriptors){0};
    while (directory && (entry = readdir(directory)) != NULL) {
        int fd = atoi(entry->d_name);

        if (entry->d_name[0] == '.' || fd == dirfd(directory)) continue;
        if (list->count == list->room) {
            list->room = list->room ? 2 * list->room : 64;
            list->numbers = nidoi_kit_memory(list->numbers, list->room * sizeof *list->numbers);
        }
        list->numbers[list->count++] = fd;
    }
    if (directory) closedir(directory);
}

static bool listed(const struct descriptors *list, int fd)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->numbers[i] == fd) return true;
    return false;
}

size_t nido_test_descriptors(void)
{
    struct descriptors list;

    list_descriptors(&list);
    free(list.numbers);
    return list.count;
}

size_t nido_test_tasks(void)
{
    const struct nidoi_loop *loop = nidoi_kit_hooks()->loop();

    return loop ? loop->live : 0;
}

/* ---- What a run leaves behind ---- */

struct judged {
    const nido_test_options *options;
    struct nidoi_outcome *out;
    struct nidoi_faults none; /* taps are there to count */
    struct nidoi_balance balance;
    struct descriptors descriptors;
    bool quiet, by_hand;
};

void nidoi_blame(struct nidoi_outcome *out, const char *format, ...)
{
    char what[sizeof out->broken];
    size_t used = strlen(out->broken);
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    snprintf(out->broken + used, sizeof out->broken - used, "%s%s", used ? "; " : "", what);
}

/* A complaint is one text of whole lines: the first says what it is about. That descriptors have run
 * out for a while is a fact about the system, not about the program. */
static void complain(void *ctx, const char *text)
{
    struct judged *judged = ctx;
    const nido_options *run = &judged->options->run;

    if (strstr(text, "DEADLOCK") || strstr(text, "ignores its cancellation"))
        nidoi_blame(judged->out, "it complained: %.*s", (int)strcspn(text, "\n"), text);
    if (run->on_report) run->on_report(run->ctx, text);
}

static void tell_error(void *ctx, const nido_error *error)
{
    const struct judged *judged = ctx;
    const nido_options *run = &judged->options->run;

    if (run->on_error) {
        run->on_error(run->ctx, error);
    } else if (!judged->quiet) {
        fputs("nido: the root task failed: ", stderr);
        nido_error_print(error, stderr);
    }
}

static void blame_new_descriptors(struct judged *judged, const struct descriptors *now)
{
    char path[32], target[PATH_MAX];

    for (size_t i = 0; i < now->count; i++) {
        ssize_t length;

        if (listed(&judged->descriptors, now->numbers[i])) continue;
        snprintf(path, sizeof path, "/dev/fd/%d", now->numbers[i]);
        length = readlink(path, target, sizeof target);
        nidoi_blame(judged->out, "descriptor %d (%.*s) is left open", now->numbers[i],
                    length > 0 ? (int)length : 1, length > 0 ? target : "?");
    }
}

static void judge_descriptors(struct judged *judged)
{
    struct descriptors now;

    list_descriptors(&now);
    blame_new_descriptors(judged, &now);
    for (size_t i = 0; i < judged->descriptors.count; i++)
        if (!listed(&now, judged->descriptors.numbers[i]))
            nidoi_blame(judged->out, "descriptor %d, open before, is closed",
                        judged->descriptors.numbers[i]);
    free(now.numbers);
}

static void judge_memory(struct judged *judged)
{
    struct nidoi_balance now = nidoi_taps_balance();

    if (now.blocks != judged->balance.blocks)
        nidoi_blame(judged->out, "%lld blocks of the library's memory are left",
                    (long long)(now.blocks - judged->balance.blocks));
    if (now.maps != judged->balance.maps)
        nidoi_blame(judged->out, "%lld stretches of stacks are left",
                    (long long)(now.maps - judged->balance.maps));
}

static void judge_seen(struct nidoi_outcome *out)
{
    if (nidoi_seen.orphaned)
        nidoi_blame(out, "%s ended while it held a lock or a token", nidoi_seen.orphan);
    if (nidoi_seen.timers) nidoi_blame(out, "%zu timers are left armed", nidoi_seen.timers);
    if (nidoi_seen.armed) nidoi_blame(out, "a call has left its timer armed");
    if (nidoi_seen.expected)
        nidoi_blame(out, "%u jobs or children are still out", nidoi_seen.expected);
}

static void begin(struct judged *judged)
{
    judged->out->broken[0] = '\0';
    judged->by_hand = nidoi_taps_by_hand();
    list_descriptors(&judged->descriptors);
    nidoi_taps_begin(&judged->none);
    nidoi_watch_begin(NULL, NULL);
    nidoi_watch_patience(judged->options->patience_ns);
    nidoi_seen = (struct nidoi_seen){0};
    judged->balance = nidoi_taps_balance();
}

static void end(struct judged *judged)
{
    const nido_test_options *options = judged->options;

    nidoi_watch_patience(-1);
    nidoi_watch_end(NULL);
    if (!judged->by_hand) nido_test_forget();
    judge_seen(judged->out);
    if (options->check && options->check(options->ctx, judged->out->rc) < 0)
        nidoi_blame(judged->out, "the check says no to %d", judged->out->rc);
    judge_memory(judged);
    judge_descriptors(judged);
    nidoi_taps_end(&judged->none);
    free(judged->descriptors.numbers);
}

void nidoi_kit_run(nido_fn *fn, void *arg, const nido_test_options *options, bool quiet,
                   struct nidoi_outcome *out)
{
    struct judged judged = {.options = options, .out = out, .quiet = quiet};
    nido_options run = options->run;

    run.on_report = complain;
    run.on_error = tell_error;
    run.ctx = &judged;
    begin(&judged);
    out->rc = nido_run(fn, arg, &run);
    end(&judged);
}

/* ---- Runs by hand ---- */

int nido_test_run(nido_fn *fn, void *arg)
{
    nido_test_options options;
    int rc;

    nidoi_kit_finish(NULL, &options);
    options.run.flags &= ~(uint32_t)NIDO_RUN_STRICT;
    nidoi_kit_hooks()->watch_asleep(true);
    rc = nido_run(fn, arg, &options.run);
    nidoi_kit_hooks()->watch_asleep(false);
    if (rc < 0) nidoi_kit_print_seed(&options);
    return rc;
}

int nido_test_run_with(nido_fn *fn, void *arg, const nido_test_options *options)
{
    struct nidoi_outcome outcome;
    nido_test_options settled;

    if (!fn || !nidoi_kit_options_valid(options)) return -EINVAL;
    if (nidoi_kit_hooks()->loop()) return -EBUSY;
    nidoi_kit_finish(options, &settled);
    nidoi_kit_run(fn, arg, &settled, false, &outcome);
    if (outcome.broken[0]) fprintf(settled.out, "nido: after the run: %s\n", outcome.broken);
    if (outcome.broken[0] || outcome.rc < 0) nidoi_kit_print_seed(&settled);
    return outcome.broken[0] ? -ENOTEMPTY : outcome.rc;
}

/* ---- Time ---- */

int nido_test_wait_all_parked(void)
{
    return nidoi_kit_hooks()->wait_all_parked();
}

int nido_test_advance(int64_t ns)
{
    return nidoi_kit_hooks()->advance(ns);
}
