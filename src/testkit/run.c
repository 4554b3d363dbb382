/* SPDX-License-Identifier: MIT */
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

static const nido_test_options *kit_options_read(const nido_test_options *options,
                                                 nido_test_options *room)
{
    char why[NIDOI_OPTIONS_TEXT];

    options = nidoi_options_take(options, room, sizeof *room, "nido_test_options", why);
    if (!options) fprintf(stderr, "nido: %s\n", why);
    return options;
}

bool nidoi_kit_options_valid(const nido_test_options *options)
{
    nido_test_options room;

    options = kit_options_read(options, &room);
    return options && options->patience_ns >= 0 && !(options->flags & ~(uint32_t)KNOWN_FLAGS);
}

int nidoi_kit_tries(const nido_test_options *options)
{
    return options->flags & NIDO_TEST_LOOSE ? MOST_TRIES : 1;
}

/* Never 0, which means that there is none. */
static uint64_t seed_draw(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return ((uint64_t)now.tv_sec << 20 ^ (uint64_t)now.tv_nsec ^ (uint64_t)getpid()) | 1;
}

static void options_shuffle(nido_options *run)
{
    const char *seed = getenv("NIDO_TEST_SEED");

    if (seed && *seed) {
        run->flags |= NIDO_RUN_SHUFFLE;
        run->seed = strtoull(seed, NULL, 10);
    } else if (run->flags & NIDO_RUN_SHUFFLE && !run->seed) {
        run->seed = seed_draw();
    }
}

void nidoi_kit_options_fill(const nido_test_options *options, nido_test_options *out)
{
    nido_test_options room;

    if (options) options = kit_options_read(options, &room);
    if (options)
        *out = *options;
    else
        nido_test_options_init(out);
    if (!out->out) out->out = stderr;
    if (!out->patience_ns) out->patience_ns = NIDO_SEC(2);
    options_shuffle(&out->run);
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

static void descriptors_list(struct descriptors *list)
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

static bool descriptors_has(const struct descriptors *list, int fd)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->numbers[i] == fd) return true;
    return false;
}

size_t nido_test_descriptors(void)
{
    struct descriptors list;

    descriptors_list(&list);
    free(list.numbers);
    return list.count;
}

size_t nido_test_tasks(void)
{
    const struct nidoi_loop *loop = nidoi_kit_hooks()->loop();

    return loop ? loop->live : 0;
}

/* ---- What a run leaves behind ---- */

struct kit_run {
    const nido_test_options *options;
    struct nidoi_outcome *out;
    struct nidoi_faults none; /* the taps only count */
    struct nidoi_balance balance;
    struct descriptors descriptors;
    bool quiet, disturbed;
};

void nidoi_outcome_add(struct nidoi_outcome *out, const char *format, ...)
{
    char what[sizeof out->broken];
    size_t used = strlen(out->broken);
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    snprintf(out->broken + used, sizeof out->broken - used, "%s%s", used ? "; " : "", what);
}

/* A report is one text of whole lines, of which the first names the subject. A report that
 * descriptors have run out is about the system and not about the program, so it breaks nothing. */
static void run_reported(void *ctx, const char *text)
{
    struct kit_run *it = ctx;
    const nido_options *run = &it->options->run;

    if (strstr(text, "DEADLOCK") || strstr(text, "ignores its cancellation"))
        nidoi_outcome_add(it->out, "it reported: %.*s", (int)strcspn(text, "\n"), text);
    if (run->on_report) run->on_report(run->ctx, text);
}

static void run_failed(void *ctx, const nido_error *error)
{
    const struct kit_run *it = ctx;
    const nido_options *run = &it->options->run;

    if (run->on_error) {
        run->on_error(run->ctx, error);
    } else if (!it->quiet) {
        fputs("nido: the root task failed: ", stderr);
        nido_error_print(error, stderr);
    }
}

static void add_new_descriptors(struct kit_run *it, const struct descriptors *now)
{
    char path[32], target[PATH_MAX];

    for (size_t i = 0; i < now->count; i++) {
        ssize_t length;

        if (descriptors_has(&it->descriptors, now->numbers[i])) continue;
        snprintf(path, sizeof path, "/dev/fd/%d", now->numbers[i]);
        length = readlink(path, target, sizeof target);
        nidoi_outcome_add(it->out, "descriptor %d (%.*s) is left open", now->numbers[i],
                          length > 0 ? (int)length : 1, length > 0 ? target : "?");
    }
}

static void check_descriptors(struct kit_run *it)
{
    struct descriptors now;

    descriptors_list(&now);
    add_new_descriptors(it, &now);
    for (size_t i = 0; i < it->descriptors.count; i++)
        if (!descriptors_has(&now, it->descriptors.numbers[i]))
            nidoi_outcome_add(it->out, "descriptor %d, open before, is closed",
                              it->descriptors.numbers[i]);
    free(now.numbers);
}

static void check_memory(struct kit_run *it)
{
    struct nidoi_balance now = nidoi_taps_balance();

    if (now.blocks != it->balance.blocks)
        nidoi_outcome_add(it->out, "%lld blocks of the library's memory are left",
                          (long long)(now.blocks - it->balance.blocks));
    if (now.maps != it->balance.maps)
        nidoi_outcome_add(it->out, "%lld mappings of stacks are left",
                          (long long)(now.maps - it->balance.maps));
}

static void check_observed(struct nidoi_outcome *out)
{
    if (nidoi_observed.orphaned)
        nidoi_outcome_add(out, "%s ended while it held a lock or a token", nidoi_observed.orphan);
    if (nidoi_observed.timers)
        nidoi_outcome_add(out, "%zu timers are left armed", nidoi_observed.timers);
    if (nidoi_observed.armed) nidoi_outcome_add(out, "a call has left its timer armed");
    if (nidoi_observed.expected)
        nidoi_outcome_add(out, "%u jobs or children have not ended", nidoi_observed.expected);
}

static void kit_run_begin(struct kit_run *it)
{
    it->out->broken[0] = '\0';
    it->disturbed = nidoi_disturbed();
    descriptors_list(&it->descriptors);
    nidoi_taps_begin(&it->none);
    nidoi_watch_begin(NULL, NULL);
    nidoi_watch_external_wait(it->options->patience_ns);
    nidoi_observed = (struct nidoi_observed){0};
    it->balance = nidoi_taps_balance();
}

static void kit_run_end(struct kit_run *it)
{
    const nido_test_options *options = it->options;

    nidoi_watch_external_wait(-1);
    nidoi_watch_end(NULL);
    if (!it->disturbed) nido_test_forget();
    check_observed(it->out);
    if (options->check && options->check(options->ctx, it->out->rc) < 0)
        nidoi_outcome_add(it->out, "the check refused the result %d", it->out->rc);
    check_memory(it);
    check_descriptors(it);
    nidoi_taps_end(&it->none);
    free(it->descriptors.numbers);
}

void nidoi_kit_run(nido_fn *fn, void *arg, const nido_test_options *options, bool quiet,
                   struct nidoi_outcome *out)
{
    struct kit_run it = {.options = options, .out = out, .quiet = quiet};
    nido_options run = options->run;

    run.on_report = run_reported;
    run.on_error = run_failed;
    run.ctx = &it;
    kit_run_begin(&it);
    out->rc = nido_run(fn, arg, &run);
    kit_run_end(&it);
}

/* ---- Runs without a sweep ---- */

int nido_test_run(nido_fn *fn, void *arg)
{
    nido_test_options options;
    int rc;

    nidoi_kit_options_fill(NULL, &options);
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
    nido_test_options complete;

    if (!fn || !nidoi_kit_options_valid(options)) return -EINVAL;
    if (nidoi_kit_hooks()->loop()) return -EBUSY;
    nidoi_kit_options_fill(options, &complete);
    nidoi_kit_run(fn, arg, &complete, false, &outcome);
    if (outcome.broken[0]) fprintf(complete.out, "nido: after the run: %s\n", outcome.broken);
    if (outcome.broken[0] || outcome.rc < 0) nidoi_kit_print_seed(&complete);
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
