/* SPDX-License-Identifier: MIT */
/* main.c: nido-bench, the command. */
#include <errno.h>
#include <fnmatch.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report.h"

enum { PATTERNS_MOST = 64, EXIT_USAGE = 2 };

struct command {
    struct runner_options options;
    const char *patterns[PATTERNS_MOST];
    size_t pattern_count;
    const char *save, *compare;
    const char *peers;  /* the folder of their programs; NULL: without them */
    const char *plots;  /* where to draw; NULL: nothing */
    const char *report; /* where to write a page; NULL: none */
    bool list;
};

static const char help[] =
    "Usage: nido-bench [OPTION]...\n"
    "Measures nido and, in the same run, the floors that hardware and kernel set.\n"
    "\n"
    "  -c, --case NAME    only this case; a shell pattern; may be repeated\n"
    "  -l, --list         print the cases and end\n"
    "  -q, --quick        fewer and shorter samples, about 30 s\n"
    "  -r, --repeat N     N samples of each side, 1 to 99 (5 by default)\n"
    "  -p, --peers[=DIR]  measure other runtimes too: the programs in DIR, or those built\n"
    "  -s, --save FILE    write every sample to FILE, as JSON\n"
    "  -d, --compare FILE compare with an earlier run that was saved to FILE\n"
    "  -P, --plots[=DIR]  draw the results into DIR, build/plots by default\n"
    "  -R, --report[=FILE] make a page of the results, build/report.html by default\n"
    "  -h, --help         print this and end\n"
    "\n"
    "Ends with 0, or 1 if a case failed, or 2 for a mistake on the command line. A case\n"
    "that this machine cannot run prints why, and is no failure.\n";

static _Noreturn void refuse(const char *format, const char *what)
{
    fputs("nido-bench: ", stderr);
    fprintf(stderr, format, what);
    fputs("\nnido-bench --help says more.\n", stderr);
    exit(EXIT_USAGE);
}

static bool is_selected(const struct command *command, const struct bench_case *test)
{
    if (!command->pattern_count) return true;
    for (size_t i = 0; i < command->pattern_count; i++)
        if (!fnmatch(command->patterns[i], test->name, 0)) return true;
    return false;
}

static void add_pattern(struct command *command, const char *pattern)
{
    bool known = false;
    for (size_t i = 0; bench_cases[i] && !known; i++)
        known = !fnmatch(pattern, bench_cases[i]->name, 0);
    if (!known) refuse("no case is called '%s'; --list shows all", pattern);
    if (command->pattern_count == PATTERNS_MOST) refuse("too many cases%s", "");
    command->patterns[command->pattern_count++] = pattern;
}

static long parse_repeats(const char *text)
{
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (errno || *end || end == text || n < 1 || n > RUNNER_REPEATS_MOST)
        refuse("--repeat wants a number from 1 to 99, not '%s'", text);
    return n;
}

static void parse(struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        {"case", required_argument, NULL, 'c'},
        {"list", no_argument, NULL, 'l'},
        {"quick", no_argument, NULL, 'q'},
        {"repeat", required_argument, NULL, 'r'},
        {"peers", optional_argument, NULL, 'p'},
        {"save", required_argument, NULL, 's'},
        {"compare", required_argument, NULL, 'd'},
        {"plots", optional_argument, NULL, 'P'},
        {"report", optional_argument, NULL, 'R'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    for (int c; (c = getopt_long(argc, argv, "c:lqr:p::s:d:P::R::h", options, NULL)) != -1;) {
        switch (c) {
        case 'c':
            add_pattern(command, optarg);
            break;
        case 'l':
            command->list = true;
            break;
        case 'q':
            command->options.quick = true;
            break;
        case 'r':
            command->options.repeats = parse_repeats(optarg);
            break;
        case 'p':
            command->peers = optarg ? optarg : BENCH_PEERS;
            break;
        case 's':
            command->save = optarg;
            break;
        case 'P':
            command->plots = optarg ? optarg : "build/plots";
            break;
        case 'R':
            command->report = optarg ? optarg : "build/report.html";
            break;
        case 'd':
            command->compare = optarg;
            break;
        case 'h':
            fputs(help, stdout);
            exit(0);
        default:
            fputs("nido-bench --help says more.\n", stderr);
            exit(EXIT_USAGE);
        }
    }
    if (optind < argc) refuse("what is '%s'? Cases are chosen by --case", argv[optind]);
    command->options.named = command->pattern_count > 0;
}

static void list(const struct command *command)
{
    for (size_t i = 0; bench_cases[i]; i++)
        if (is_selected(command, bench_cases[i]))
            printf("%-23s %-11s  %s\n", bench_cases[i]->name, bench_cases[i]->metrics[0].unit,
                   bench_cases[i]->what);
}

static long count_selected(const struct command *command)
{
    long count = 0;
    for (size_t i = 0; bench_cases[i]; i++) count += is_selected(command, bench_cases[i]);
    return count;
}

static bool any_failed(const struct result *result)
{
    bool failed = result->outcome == BENCH_FAILED;
    for (int p = 0; p < result->peer_count; p++)
        failed = failed || (result->peers[p].has && result->peers[p].outcome == BENCH_FAILED);
    return failed;
}

/* True if no case failed. */
static bool run_all(const struct command *command, struct json_report *report)
{
    static struct result result;
    bool good = true;
    long done = 0, count = count_selected(command);
    for (size_t i = 0; bench_cases[i]; i++) {
        if (!is_selected(command, bench_cases[i])) continue;
        progress_case(bench_cases[i]->name, ++done, count);
        runner_run(bench_cases[i], &command->options, progress_sample, &result);
        progress_clear();
        table_result(stdout, &result);
        json_add(report, &result);
        good = good && !any_failed(&result);
    }
    return good;
}

/* Both files are opened before minutes of measuring, not after. What was saved before stays until
 * there is something to replace it. */
static struct json_past *open_past(const char *path)
{
    struct json_past *past = path ? json_past_read(path) : NULL;
    if (path && !past) exit(EXIT_USAGE);
    return past;
}

static FILE *open_save(const char *path)
{
    FILE *file = path ? fopen(path, "a") : NULL;
    if (file || !path) return file;
    fprintf(stderr, "nido-bench: %s: %s\n", path, strerror(errno));
    exit(EXIT_USAGE);
}

static bool save(const struct json_report *report, FILE *file, const char *path)
{
    bool written = !ftruncate(fileno(file), 0) && json_write(report, file);
    if (!fclose(file) && written) return true;
    fprintf(stderr, "nido-bench: %s could not be written\n", path);
    return false;
}

/* Has a command read the report and write what it makes of it to `to`, which goes by the
 * environment, where no shell looks at it. The command may end before it has read all, and says why
 * itself. */
static bool hand_over(const struct json_report *report, const char *command, const char *to)
{
    setenv("NIDO_BENCH_TO", to, 1);
    signal(SIGPIPE, SIG_IGN);
    fflush(stdout);
    FILE *program = popen(command, "w");
    bool written = program && json_write(report, program);
    return program && !pclose(program) && written;
}

#define HAND_OVER_TO(name) "exec '" BENCH_SOURCE "/bench/report/" name "' \"$NIDO_BENCH_TO\""

/* All that was asked for is tried. */
static bool show(const struct json_report *report, const struct command *command)
{
    bool good = true;
    if (command->plots) good = hand_over(report, HAND_OVER_TO("plots"), command->plots);
    if (command->report) good = hand_over(report, HAND_OVER_TO("report"), command->report) && good;
    return good;
}

static void find_peers(struct command *command)
{
    if (!command->peers) return;
    command->options.peers = peers_find(command->peers, &command->options.peer_count);
}

int main(int argc, char **argv)
{
    struct command command = {0};
    struct machine machine;
    parse(&command, argc, argv);
    if (command.list) {
        list(&command);
        return 0;
    }
    struct json_past *past = open_past(command.compare);
    FILE *file = open_save(command.save);
    machine_read(&machine);
    find_peers(&command);
    struct json_report *report = json_new(&machine, &command.options, argc, argv);
    table_head(stdout, &machine, &command.options);
    bool good = run_all(&command, report);
    if (past) json_past_compare(past, report, stdout);
    if (file) good = save(report, file, command.save) && good;
    good = show(report, &command) && good;
    if (past) json_past_free(past);
    json_free(report);
    return good ? 0 : 1;
}
