/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
/* The trace: what is recorded of a run, and how it is written. That a whole file is one that a viewer can open is
 * checked by tests/checks/trace. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abort_help.h"
#include "faults.h"
#include "inside_help.h"

/* ---- Reading what was written ---- */

static char *written(int (*write)(int fd))
{
    FILE *file = tmpfile();
    char *text;
    size_t size;

    cr_assert(ne(ptr, file, NULL));
    cr_expect(zero(int, write(fileno(file))));
    size = (size_t)lseek(fileno(file), 0, SEEK_END);
    text = calloc(1, size + 1);
    cr_expect(eq(i64, pread(fileno(file), text, size, 0), (ssize_t)size));
    fclose(file);
    return text;
}

static void copy_until_quote(char *out, const char *from)
{
    size_t n = strcspn(from, "\"");

    memcpy(out, from, n);
    out[n] = '\0';
}

/* "X 0.5+2 sleep": what a line is, when in ms after the start of the virtual clock, for how long, and its name. The
 * names of tracks are left out, and what the addresses of code are part of. */
static bool summary(char *out, size_t size, const char *line)
{
    const char *name = strstr(line, "\"name\":\""), *when = strstr(line, "\"ts\":");
    const char *length = strstr(line, "\"dur\":");
    char word[128] = "", lasts[32] = "";

    if (strncmp(line, "{\"ph\":\"", 7) || line[7] == 'M') return false;
    if (name) copy_until_quote(word, name + 8);
    if (length) snprintf(lasts, sizeof lasts, "+%g", atof(length + 6) / 1000);
    snprintf(out, size, "%c %g%s %s", line[7], atof(when + 5) / 1000 - 1000, lasts, word);
    return !strchr(word, '(');
}

/* The lines of the task with this name, or of the track with it. */
static void expect_events(const char *track, const char *const events[], size_t n)
{
    char *text = written(nido_trace_write), *rest = NULL, tid[64] = "none", key[160], got[256];
    size_t seen = 0;

    snprintf(key, sizeof key, "\"name\":\"thread_name\",\"args\":{\"name\":\"%s\"}", track);
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (strstr(line, key))
            snprintf(tid, sizeof tid, "\"tid\":%d,", atoi(strstr(line, "\"tid\":") + 6));
        if (!strstr(line, tid) || !summary(got, sizeof got, line)) continue;
        if (seen < n) cr_expect(eq(str, got, (char *)events[seen]), "event %zu of %s", seen, track);
        seen++;
    }
    cr_expect(eq(sz, seen, n), "events of %s", track);
    free(text);
}

#define EXPECT_EVENTS(track, ...)                            \
    expect_events(track, (const char *const[]){__VA_ARGS__}, \
                  sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static bool is_written(const char *what)
{
    char *text = written(nido_trace_write);
    bool found = strstr(text, what) != NULL;

    free(text);
    return found;
}

static void spawn_named(nido_group *group, nido_fn *fn, void *arg, const char *name)
{
    nido_spawn_options options;

    nido_spawn_options_init(&options);
    options.name = name;
    cr_expect(zero(int, nido_spawn_with(group, fn, arg, &options, NULL)));
}

/* ---- What is recorded ---- */

static int waits(void *event)
{
    return nido_event_wait(event);
}

static int sleeps(void *unused)
{
    (void)unused;
    return nido_sleep(NIDO_MS(3));
}

INSIDE(trace, a_task_is_ready_runs_waits_and_is_woken)
{
    nido_group group;
    nido_event event;

    nido_set_name("main");
    nido_event_init(&event, "go");
    cr_expect(zero(int, nido_trace_start(NULL)));
    nido_group_open(&group, NIDO_FAIL_FAST, "all");
    spawn_named(&group, waits, &event, "waits");
    spawn_named(&group, sleeps, NULL, "sleeps");
    cr_expect(zero(int, nido_sleep(NIDO_MS(5))));
    nido_event_set(&event);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    EXPECT_EVENTS("#2 waits", "X 0+0 ready", "X 0+0 runs", "f 0 wake", "X 0+5 event go",
                  "X 5+0 ready", "s 5 wake", "X 5+0 runs", "f 5 wake", "i 5 end");
    EXPECT_EVENTS("#3 sleeps", "X 0+0 ready", "X 0+0 runs", "f 0 wake", "X 0+3 sleep",
                  "X 3+0 ready", "X 3+0 runs", "f 3 wake", "i 3 end");
    EXPECT_EVENTS("#1 main", "s 0 wake", "s 0 wake", "X 0+0 runs", "X 0+5 sleep", "X 5+0 ready",
                  "s 5 wake", "X 5+0 runs", "f 5 wake", "X 5+0 children of group all",
                  "X 5+0 ready", "X 5+0 runs", "f 5 wake");
    EXPECT_EVENTS("#1 main scopes", "B 0 group all", "E 5 group all");
    EXPECT_EVENTS("loop", "X 0+0 #1 main", "X 0+0 #2 waits", "X 0+0 #3 sleeps", "s 3 wake",
                  "X 0+3 loop", "X 3+0 #3 sleeps", "s 5 wake", "X 3+2 loop", "X 5+0 #1 main",
                  "X 5+0 #2 waits", "X 5+0 #1 main");
}

INSIDE(trace, a_deadline_and_a_cancel_tell_what_they_end_and_why)
{
    nido_scope scope;
    nido_group group;
    nido_event never;

    nido_set_name("main");
    nido_event_init(&never, NULL);
    cr_expect(zero(int, nido_trace_start(NULL)));
    nido_timeout_open(&scope, NIDO_MS(2));
    cr_expect(eq(int, nido_scope_close(&scope, nido_sleep(NIDO_SEC(1))), -ETIMEDOUT));
    nido_group_open(&group, NIDO_FAIL_FAST, "victims");
    spawn_named(&group, waits, &never, "victim");
    cr_expect(zero(int, nido_yield()));
    nido_group_cancel(&group, 0, "enough");
    cr_expect(zero(int, nido_group_close(&group, 0)));
    EXPECT_EVENTS("#1 main scopes", "B 0 deadline", "f 2 cancel", "E 2 deadline",
                  "B 2 group victims", "f 2 cancel", "E 2 group victims");
    EXPECT_EVENTS("#2 victim", "X 2+0 ready", "X 2+0 runs", "f 2 wake", "X 2+0 event",
                  "X 2+0 ready", "s 2 wake", "X 2+0 runs", "f 2 wake", "i 2 end");
    cr_expect(is_written("\"cat\":\"cancel\",\"name\":\"deadline\",\"s\":\"t\",\"args\":{\"scope "
                         "of\":\"#1\",\"code\":-110"));
    cr_expect(is_written("\"cat\":\"cancel\",\"name\":\"cancel\",\"s\":\"t\",\"args\":{\"scope "
                         "of\":\"#1\",\"code\":0,"
                         "\"reason\":\"enough\"}"));
    cr_expect(is_written("\"args\":{\"result\":-125}"));
}

INSIDE(trace, values_are_slices_with_their_texts)
{
    static const nido_value_key request = NIDO_VALUE_KEY_INIT("request", NIDO_VALUE_TEXT);
    static const nido_value_key user = NIDO_VALUE_KEY_INIT("user", 0);
    char id[] = "42f1";
    nido_value values[2];

    nido_set_name("main");
    cr_expect(zero(int, nido_trace_start(NULL)));
    nido_value_open(&values[0], &request, id);
    memset(id, 'x', sizeof id - 1);
    nido_value_open(&values[1], &user, &values);
    cr_expect(zero(int, nido_sleep(NIDO_MS(1))));
    nido_value_close(&values[1]);
    nido_value_close(&values[0]);
    EXPECT_EVENTS("#1 main scopes", "B 0 value request=42f1", "B 0 value user", "E 1 value user",
                  "E 1 value request=42f1");
}

static ssize_t job(void *arg)
{
    *(bool *)arg = true;
    return 7;
}

INSIDE(trace, a_job_is_a_slice_of_its_worker)
{
    nido_offload_options options;
    bool done = false;

    nido_set_name("main");
    nido_offload_options_init(&options);
    options.name = "hash";
    cr_expect(zero(int, nido_trace_start(NULL)));
    cr_expect(eq(i64, nido_offload_with(job, &done, &options), 7));
    EXPECT_EVENTS("worker 1", "X 0+0 hash");
    EXPECT_EVENTS("#1 main", "X 0+0 runs", "X 0+0 job hash", "X 0+0 ready", "X 0+0 runs",
                  "f 0 wake");
    cr_expect(is_written("\"args\":{\"for\":\"#1\"}"));
}

INSIDE(trace, marks_of_the_user_are_copied)
{
    char name[] = "quoted \"name\"\n";

    nido_set_name("main");
    nido_trace_mark("before the start");
    cr_expect(zero(int, nido_trace_start(NULL)));
    nido_trace_begin(name);
    memset(name, 'x', sizeof name - 1);
    cr_expect(zero(int, nido_sleep(NIDO_MS(1))));
    nido_trace_mark("now");
    nido_trace_end("whatever");
    nido_trace_end("one too many");
    nido_trace_begin("not ended");
    nido_trace_mark(NULL);
    EXPECT_EVENTS("#1 main marks", "B 0 since before the trace", "B 0 quoted \\", "i 1 now",
                  "E 1 quoted \\", "E 1 since before the trace", "B 1 not ended", "i 1 ",
                  "E 1 not ended");
    cr_expect(is_written("quoted \\\"name\\\"\\u000a"));
}

static int parks_once(void *event)
{
    return nido_event_wait(event);
}

INSIDE(trace, a_start_in_the_middle_sees_the_wakes_of_those_who_sleep)
{
    nido_group group;
    nido_event event;

    nido_set_name("main");
    nido_event_init(&event, "old");
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    spawn_named(&group, parks_once, &event, "sleeper");
    spawn_named(&group, parks_once, &event, "other");
    cr_expect(zero(int, nido_sleep(NIDO_MS(1))));
    cr_expect(zero(int, nido_trace_start(NULL)));
    cr_expect(eq(int, nido_trace_start(NULL), -EALREADY));
    EXPECT_EVENTS("#3 other", "X 1+0 event old");
    nido_event_set(&event);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(zero(int, nido_trace_stop()));
    cr_expect(eq(int, nido_trace_stop(), -EALREADY));
    EXPECT_EVENTS("#2 sleeper", "X 1+0 waits", "X 1+0 ready", "X 1+0 runs", "f 1 wake", "i 1 end");
    EXPECT_EVENTS("#1 main scopes", "B 1 since before the trace", "E 1 since before the trace");
}

/* Parked while the trace is on, woken when it is off, and the other way round. */
INSIDE(trace, a_stop_while_tasks_sleep_harms_none)
{
    nido_group group;
    nido_event event;

    nido_event_init(&event, NULL);
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    cr_expect(zero(int, nido_trace_start(NULL)));
    begin(&group, waits, &event);
    cr_expect(zero(int, nido_yield()));
    cr_expect(zero(int, nido_trace_stop()));
    begin(&group, waits, &event);
    cr_expect(zero(int, nido_yield()));
    nido_event_set(&event);
    cr_expect(zero(int, nido_group_close(&group, 0)));
}

/* ---- What the ring holds ---- */

INSIDE(trace, the_oldest_events_are_written_over)
{
    nido_trace_options options;

    nido_set_name("main");
    nido_trace_options_init(&options);
    options.bytes = 1;
    cr_expect(zero(int, nido_trace_start(&options)));
    nido_trace_mark("first");
    for (int i = 0; i < 600; i++) nido_trace_mark("later, with a text that needs two cells");
    nido_trace_mark("last");
    cr_expect(not(is_written("first")));
    cr_expect(is_written("later, with a text that needs two cells"));
    cr_expect(is_written("\"last\""));
}

INSIDE(trace, a_window_leaves_out_what_is_older)
{
    nido_trace_options options;

    nido_trace_options_init(&options);
    options.window_ns = NIDO_SEC(1);
    cr_expect(zero(int, nido_trace_start(&options)));
    nido_trace_mark("old");
    cr_expect(zero(int, nido_sleep(NIDO_SEC(2))));
    nido_trace_mark("young");
    cr_expect(not(is_written("\"old\"")));
    cr_expect(is_written("\"young\""));
}

/* ---- What is refused, and what fails ---- */

static int write_to_nothing(int fd)
{
    return nido_trace_write(fd);
}

NIDO_TEST(trace, without_a_runtime_all_is_refused)
{
    cr_expect(eq(int, nido_trace_start(NULL), -EPERM));
    cr_expect(eq(int, nido_trace_stop(), -EPERM));
    cr_expect(eq(int, write_to_nothing(2), -EPERM));
    nido_trace_mark("nowhere");
}

INSIDE(trace, wrong_options_are_refused)
{
    nido_trace_options options;

    cr_expect(eq(int, nido_trace_write(2), -ENODATA));
    nido_trace_options_init(&options);
    options.window_ns = -1;
    cr_expect(eq(int, nido_trace_start(&options), -EINVAL));
    options.window_ns = 0;
    options.bytes = (size_t)2 << 30;
    cr_expect(eq(int, nido_trace_start(&options), -EINVAL));
    options.size = 1;
    cr_expect(eq(int, nido_trace_start(&options), -EINVAL));
}

INSIDE(trace, without_memory_nothing_is_recorded)
{
    faults_begin();
    faults_fail(FAULT_memory, 1, 0);
    cr_expect(eq(int, nido_trace_start(NULL), -ENOMEM));
    faults_fail(FAULT_map, 1, -ENOMEM);
    cr_expect(eq(int, nido_trace_start(NULL), -ENOMEM));
    faults_end();
    cr_expect(eq(int, nido_trace_write(2), -ENODATA));
    cr_expect(zero(int, nido_trace_start(NULL)));
}

/* Every write in turn fails, or is short. */
INSIDE(trace, a_write_that_fails_is_told)
{
    static const int codes[] = {-ENOSPC, -EPIPE, -EIO, -EAGAIN};
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    cr_expect(zero(int, nido_trace_start(NULL)));
    for (int i = 0; i < 200; i++) nido_trace_mark("some event");
    faults_begin();
    for (unsigned nth = 1; nth <= 4; nth++) {
        faults_fail(FAULT_write, nth, codes[nth - 1]);
        cr_expect(eq(int, nido_trace_write(null), codes[nth - 1]));
    }
    faults_end();
    close(null);
    cr_expect(eq(int, nido_trace_write(null), -EBADF));
}

INSIDE(trace, a_pipe_without_a_reader_raises_no_signal)
{
    int ends[2];

    cr_assert(zero(int, pipe2(ends, O_CLOEXEC)));
    close(ends[0]);
    cr_expect(zero(int, nido_trace_start(NULL)));
    cr_expect(eq(int, nido_trace_write(ends[1]), -EPIPE));
    close(ends[1]);
}

static void limit_files(void)
{
    struct rlimit limit;

    cr_assert(zero(int, getrlimit(RLIMIT_FSIZE, &limit)));
    limit.rlim_cur = 600;
    cr_assert(zero(int, setrlimit(RLIMIT_FSIZE, &limit)));
}

INSIDE(trace, a_file_that_grows_too_large_raises_no_signal)
{
    FILE *file = tmpfile();

    cr_assert(ne(ptr, file, NULL));
    limit_files();
    cr_expect(zero(int, nido_trace_start(NULL)));
    for (int i = 0; i < 100; i++) nido_trace_mark("more");
    cr_expect(eq(int, nido_trace_write(fileno(file)), -EFBIG));
    fclose(file);
}

/* ---- By itself ---- */

static char report[4096];

static void keep_report(void *ctx, const char *text)
{
    (void)ctx;
    snprintf(report, sizeof report, "%s", text);
}

static int waits_for_ever(void *unused)
{
    nido_event never;

    (void)unused;
    nido_event_init(&never, "never");
    return nido_event_wait(&never);
}

static void run_into_deadlock(void)
{
    nido_options options = nido_test_virtual();

    options.flags = NIDO_RUN_TRACE;
    options.on_report = keep_report;
    cr_expect(eq(int, nido_run(waits_for_ever, NULL, &options), -EDEADLK));
}

static void make_directory(char *path)
{
    cr_assert(ne(ptr, mkdtemp(path), NULL));
    setenv("NIDO_TRACE_DIR", path, 1);
}

static const char *path_of_report(void)
{
    static char path[256];
    const char *at = strstr(report, "nido: what happened before is in ");

    if (!at || sscanf(at + 33, "%255s", path) != 1) return NULL;
    return path;
}

NIDO_TEST(trace, a_deadlock_writes_it_and_names_the_file)
{
    char directory[] = "/tmp/nido-trace-XXXXXX";
    const char *path;
    struct stat status;

    make_directory(directory);
    run_into_deadlock();
    path = path_of_report();
    cr_assert(ne(ptr, (void *)path, NULL), "%s", report);
    cr_expect(eq(int, strncmp(path, directory, strlen(directory)), 0));
    cr_expect(zero(int, stat(path, &status)));
    cr_expect(gt(i64, status.st_size, 500));
    cr_expect(zero(int, unlink(path)));
    cr_expect(zero(int, rmdir(directory)));
}

NIDO_TEST(trace, a_file_that_cannot_be_written_is_a_sentence)
{
    setenv("NIDO_TRACE_DIR", "/nonexistent/directory", 1);
    run_into_deadlock();
    cr_expect(ne(ptr,
                 strstr(report, "nido: the trace was not written to /nonexistent/directory/nido-"),
                 NULL),
              "%s", report);
    cr_expect(ne(ptr, strstr(report, "DEADLOCK"), NULL));
}

NIDO_TEST(trace, a_file_that_cannot_be_finished_is_removed)
{
    char directory[] = "/tmp/nido-trace-XXXXXX";

    make_directory(directory);
    limit_files();
    run_into_deadlock();
    cr_expect(ne(ptr, strstr(report, "nido: the trace was not written to /tmp/nido-trace-"), NULL),
              "%s", report);
    cr_expect(zero(int, rmdir(directory)));
}

NIDO_TEST(trace, the_seventeenth_file_is_not_written)
{
    setenv("NIDO_TRACE_DIR", "/nonexistent/directory", 1);
    for (int i = 0; i < 16; i++) run_into_deadlock();
    cr_expect(ne(ptr, strstr(report, "nido: the trace was not written to"), NULL), "%s", report);
    run_into_deadlock();
    cr_expect(ne(ptr, strstr(report, "not written: a process writes 16 at most"), NULL), "%s",
              report);
}

static int holds_the_loop(void *unused)
{
    (void)unused;
    usleep(300000);
    return nido_sleep(NIDO_MS(1));
}

NIDO_TEST(trace, a_stall_that_is_over_writes_it)
{
    nido_options options;

    nido_options_init(&options);
    setenv("NIDO_TRACE_DIR", "/nonexistent/directory", 1);
    options.flags = NIDO_RUN_TRACE;
    options.stall_ns = NIDO_MS(20);
    options.on_report = keep_report;
    cr_expect(zero(int, nido_run(holds_the_loop, NULL, &options)));
    cr_expect(ne(ptr, strstr(report, "STALL over"), NULL), "%s", report);
    cr_expect(ne(ptr, strstr(report, "nido: the trace was not written to"), NULL), "%s", report);
}

NIDO_TEST(trace, a_run_that_does_not_record_writes_nothing)
{
    nido_options options = nido_test_virtual();

    options.on_report = keep_report;
    cr_expect(eq(int, nido_run(waits_for_ever, NULL, &options), -EDEADLK));
    cr_expect(eq(ptr, strstr(report, "trace"), NULL), "%s", report);
}

static int forks(void *unused)
{
    int status = 0;
    pid_t child = fork();

    (void)unused;
    if (!child) {
        nido_trace_mark("in the child");
        _exit(nido_trace_write(2) == -EPERM ? 0 : 1);
    }
    cr_expect(eq(int, waitpid(child, &status, 0), child));
    cr_expect(zero(int, status));
    nido_trace_mark("in the parent");
    cr_expect(not(is_written("in the child")));
    cr_expect(is_written("in the parent"));
    return 0;
}

NIDO_TEST(trace, a_forked_child_has_none)
{
    nido_options options = nido_test_virtual();

    options.flags = NIDO_RUN_TRACE;
    cr_expect(zero(int, nido_run(forks, NULL, &options)));
}

NIDO_TEST(trace, the_environment_can_ask_for_it)
{
    setenv("NIDO_DEBUG", "trace", 1);
    cr_expect(zero(int, nido_test_run(forks, NULL)));
}

static int waits_at_latch(void *latch)
{
    return nido_latch_wait(latch);
}

INSIDE(trace, a_wait_of_a_kind_that_is_gone_keeps_its_name)
{
    nido_group group;
    nido_latch latch;

    nido_latch_init(&latch, 1, "gate");
    cr_expect(zero(int, nido_trace_start(NULL)));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    spawn_named(&group, waits_at_latch, &latch, "waits");
    cr_expect(zero(int, nido_yield()));
    nido_latch_done(&latch);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(is_written("\"latch gate\""));
}

/* ---- Beside other things ---- */

static int both(void *unused)
{
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    for (int i = 0; i < 10; i++) begin(&group, sleeps, NULL);
    return nido_group_close(&group, 0);
}

NIDO_TEST(trace, a_shuffled_run_is_traced_too)
{
    nido_options options = nido_test_virtual();

    options.flags = NIDO_RUN_TRACE | NIDO_RUN_SHUFFLE | NIDO_RUN_STRICT;
    cr_expect(zero(int, nido_run(both, NULL, &options)));
}

static int gives_way(void *times)
{
    int rc = 0;

    for (int i = *(int *)times; i > 0 && !rc; i--) rc = nido_yield();
    return rc;
}

static int beside_others_and_alone(void *unused)
{
    int once = 1, often = 100, most = 1000;
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    begin(&group, gives_way, &once);
    begin(&group, gives_way, &most);
    begin(&group, gives_way, &often);
    return nido_group_close(&group, gives_way(&often));
}

NIDO_TEST(trace, a_task_that_gives_way_and_is_alone_goes_on)
{
    nido_options options;

    nido_options_init(&options);
    options.flags = NIDO_RUN_TRACE;
    cr_expect(zero(int, nido_run(beside_others_and_alone, NULL, &options)));
}

static int letter_often(void *arg)
{
    char **end = ((void **)arg)[0];
    int rc = 0;

    for (int i = 0; i < 100 && !rc; i++) {
        *(*end)++ = *(char *)((void **)arg)[1];
        rc = i % 3 ? nido_yield() : nido_sleep(i % 2 ? 1 : 0);
    }
    return rc;
}

static int letters(void *end)
{
    void *args[3][2] = {{end, "a"}, {end, "b"}, {end, "c"}};
    nido_group group;

    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    for (int i = 0; i < 3; i++) begin(&group, letter_often, args[i]);
    return nido_group_close(&group, 0);
}

NIDO_TEST(trace, the_order_of_tasks_is_what_it_is_without)
{
    nido_options options = nido_test_virtual();
    char plain[400] = "", traced[400] = "", *end = plain;

    cr_expect(zero(int, nido_run(letters, &end, &options)));
    options.flags |= NIDO_RUN_TRACE;
    end = traced;
    cr_expect(zero(int, nido_run(letters, &end, &options)));
    cr_expect(eq(str, traced, plain));
    cr_expect(eq(sz, strlen(plain), 300));
}

NIDO_TEST(trace, inside_another_loop_too)
{
    nido_options options;
    nido_rt *rt;
    int rc = 1;

    nido_options_init(&options);
    options.flags = NIDO_RUN_TRACE;
    cr_assert(zero(int, nido_rt_new(&options, &rt)));
    cr_expect(zero(int, nido_rt_start(rt, both, NULL)));
    while (nido_rt_step(rt) == 1) usleep(200);
    nido_trace_mark("between two steps");
    cr_expect(is_written("between two steps"));
    cr_expect(zero(int, nido_rt_result(rt, &rc)));
    cr_expect(zero(int, rc));
    cr_expect(zero(int, nido_rt_free(rt)));
}
