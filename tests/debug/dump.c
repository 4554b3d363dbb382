/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
/* The dump: every task with its state, below the group that it lives in. */
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "faults.h"
#include "inside_help.h"
#include "nido/debug.h"

/* What nido_dump or nido_dump_json prints now; addresses are not compared. */
static char *printed(int (*dump)(FILE *))
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);

    cr_assert(ne(ptr, file, NULL));
    cr_expect(zero(int, dump(file)));
    fclose(file);
    return text;
}

static void expect_lines(const char *const lines[], int n, int (*dump)(FILE *))
{
    char *text = printed(dump);

    for (int i = 0; i < n; i++)
        cr_expect(ne(ptr, strstr(text, lines[i]), NULL), "\"%s\" is in:\n%s", lines[i], text);
    free(text);
}

#define EXPECT_LINES(dump, ...)                      \
    expect_lines((const char *const[]){__VA_ARGS__}, \
                 (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)), dump)

static nido_event event;

static int waits(void *unused)
{
    (void)unused;
    return nido_event_wait(&event);
}

static int sleeps_in_a_timeout(void *unused)
{
    nido_scope scope;
    int rc;

    (void)unused;
    nido_timeout_open(&scope, NIDO_SEC(30));
    rc = nido_sleep(NIDO_SEC(3600));
    return nido_scope_close(&scope, rc);
}

static int opens_a_group(void *unused)
{
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_WAIT_ALL, "inner");
    cr_expect(zero(int, nido_spawn(&group, waits, NULL)));
    return nido_group_close(&group, 0);
}

static void spawn_named(nido_group *group, nido_fn *fn, const char *name)
{
    nido_spawn_options options;

    nido_spawn_options_init(&options);
    options.name = name;
    cr_expect(zero(int, nido_spawn_with(group, fn, NULL, &options, NULL)));
}

/* S355 */
INSIDE(dump, the_tree_shows_groups_tasks_waits_ages_deadlines_and_places)
{
    nido_group outer, middle;
    nido_scope scope;

    nido_event_init(&event, "news");
    nido_group_open(&outer, NIDO_FAIL_FAST, "outer");
    nido_timeout_open(&scope, NIDO_SEC(60));
    nido_group_open(&middle, NIDO_WAIT_ALL, "middle");
    spawn_named(&middle, opens_a_group, "opener");
    spawn_named(&middle, sleeps_in_a_timeout, "sleeper");
    cr_expect(zero(int, nido_sleep(NIDO_SEC(2))));
    EXPECT_LINES(
        nido_dump, "nido: runtime ", ", up 2.0 s, thread ",
        ": 4 tasks, 0 of them ready; 0 watches on descriptors, 0 jobs or children out\n",
        "\"\"  runs  deadline in 58.0 s", "\n└─ group \"outer\"  fail-fast  0 children\n",
        "\n   └─ group \"middle\"  wait-all  2 children\n", "      ├─ #", "\"opener\"  waits for ",
        "children of group \"inner\", 2.0 s  deadline in 58.0 s (inherited)  stack ",
        "\n      │  └─ group \"inner\"  wait-all  1 child\n", "\n      │     └─ #",
        "waits for event \"news\", 2.0 s", "\n      └─ #",
        "\"sleeper\"  waits for sleep, 2.0 s  deadline in 28.0 s  stack ", "  spawned at ");
    nido_group_cancel(&middle, 0, NULL);
    nido_group_close(&middle, 0);
    nido_scope_close(&scope, 0);
    nido_group_close(&outer, 0);
}

static int holds_on(void *unused)
{
    nido_scope shield;

    (void)unused;
    nido_event_wait(&event);
    nido_shield_open(&shield, NIDO_SEC(10));
    nido_sleep(NIDO_SEC(1));
    return nido_scope_close(&shield, -ECANCELED);
}

/* ---- Values ---- */

static const nido_value_key request = NIDO_VALUE_KEY_INIT("request", NIDO_VALUE_TEXT);
static const nido_value_key user = NIDO_VALUE_KEY_INIT("user", 0);
static const nido_value_key tenant = NIDO_VALUE_KEY_INIT("tenant", NIDO_VALUE_TEXT);

static int waits_for_a_request(void *id)
{
    nido_value value;
    int rc;

    nido_value_open(&value, &request, id);
    rc = waits(NULL);
    nido_value_close(&value);
    return rc;
}

/* Texts of its task and from above, the innermost of each key; no others. */
INSIDE(dump, values_that_are_texts_are_shown_where_they_are_in_force)
{
    nido_value values[5];
    nido_group group;

    nido_event_init(&event, "news");
    nido_value_open(&values[0], &tenant, "hidden");
    nido_value_open(&values[1], &tenant, "acme \"x\"\n");
    nido_value_open(&values[2], &user, values);
    nido_value_open(&values[3], &request, NULL);
    nido_group_open(&group, NIDO_WAIT_ALL, "requests");
    cr_expect(zero(int, nido_spawn(&group, waits_for_a_request, "42f1")));
    nido_yield();
    nido_value_open(&values[4], &tenant, NULL);
    EXPECT_LINES(nido_dump, "\"\"  runs  stack ",
                 "waits for event \"news\", 0.0 s  request=42f1  tenant=acme \"x\"?  stack ");
    EXPECT_LINES(nido_dump_json, ",\"values\":[{\"key\":\"request\",\"text\":\"42f1\"},"
                                 "{\"key\":\"tenant\",\"text\":\"acme \\\"x\\\"\\u000a\"}],");
    nido_value_close(&values[4]);
    nido_group_cancel(&group, 0, NULL);
    nido_group_close(&group, 0);
    for (int i = 3; i >= 0; i--) nido_value_close(&values[i]);
}

/* Tasks of equal subtrees have one place: a loop that spawns them may be unrolled. */
static __attribute__((noinline)) void spawn_request(nido_group *group, char *id)
{
    cr_expect(zero(int, nido_spawn(group, waits_for_a_request, id)));
}

INSIDE(dump, equal_subtrees_with_different_texts_are_not_equal)
{
    static char ids[4][2] = {"a", "b", "b", "b"};
    nido_group group;

    nido_event_init(&event, "news");
    nido_group_open(&group, NIDO_WAIT_ALL, "requests");
    for (int i = 0; i < 4; i++) spawn_request(&group, ids[i]);
    nido_yield();
    EXPECT_LINES(nido_dump, "  request=a  ", "  request=b  ", "\n   └─ 2 more like #3, ");
    nido_group_cancel(&group, 0, NULL);
    nido_group_close(&group, 0);
}

/* S356 */
INSIDE(dump, in_the_middle_of_a_cancel_its_reason_and_its_author_are_shown)
{
    nido_group group;
    nido_scope shield;

    nido_event_init(&event, NULL);
    nido_set_name("chief");
    nido_group_open(&group, NIDO_WAIT_ALL, "workers");
    spawn_named(&group, holds_on, "worker");
    nido_yield();
    nido_group_cancel(&group, 0, "out of \"paper\"");
    nido_shield_open(&shield, NIDO_SEC(1));
    nido_yield();
    EXPECT_LINES(
        nido_dump, "group \"workers\"  wait-all  1 child  cancelled: out of \"paper\", by #",
        " \"chief\"\n",
        "\"worker\"  waits for sleep, 0.0 s  deadline in 10.0 s  shielded from a cancel  stack ");
    EXPECT_LINES(nido_dump_json,
                 "\"cancelled\":{\"code\":0,\"reason\":\"out of \\\"paper\\\"\",\"by\":",
                 "\"shielded\":true");
    nido_scope_close(&shield, 0);
    nido_group_close(&group, 0);
}

INSIDE(dump, equal_subtrees_of_a_group_are_shown_once_and_counted)
{
    nido_group group;

    nido_event_init(&event, "news");
    nido_group_open(&group, NIDO_FAIL_FAST, "conns");
    for (int i = 0; i < 10; i++) {
        spawn_named(&group, opens_a_group, "conn");
        if (i == 4) spawn_named(&group, sleeps_in_a_timeout, "other");
        cr_expect(zero(int, nido_sleep(NIDO_SEC(1))));
    }
    EXPECT_LINES(nido_dump, "\"conn\"", "\n   ├─ 9 more like #",
                 ", in this state for 1.0 to 10.0 s\n", "\n   └─ #", "\"other\"");
    nido_group_cancel(&group, 0, NULL);
    nido_group_close(&group, 0);
}

static int ends[2], port;

static void connect_both(void)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    int listener = nido_listen("127.0.0.1", "0", NULL);
    char service[16];

    cr_assert(ge(int, listener, 0));
    getsockname(listener, (struct sockaddr *)&address, &length);
    port = ntohs(address.sin_port);
    snprintf(service, sizeof service, "%d", port);
    ends[0] = nido_dial("127.0.0.1", service, NULL);
    ends[1] = nido_accept(listener, NULL, NULL);
    cr_assert(ge(int, ends[0], 0));
    cr_assert(ge(int, ends[1], 0));
    nido_close(listener);
}

static int reads(void *unused)
{
    char byte;

    (void)unused;
    return (int)nido_read(ends[0], &byte, 1);
}

INSIDE(dump, a_descriptor_is_shown_with_the_address_of_its_peer)
{
    char waits_for[96], in_json[64];
    nido_group group;

    connect_both();
    snprintf(waits_for, sizeof waits_for, "  waits for input on descriptor %d (127.0.0.1:%d), ",
             ends[0], port);
    snprintf(in_json, sizeof in_json, "\"wait\":{\"kind\":\"input on descriptor\",\"fd\":%d,",
             ends[0]);
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    spawn_named(&group, reads, "reader");
    nido_yield();
    EXPECT_LINES(nido_dump, waits_for);
    EXPECT_LINES(nido_dump_json, in_json);
    nido_group_cancel(&group, 0, NULL);
    nido_group_close(&group, 0);
    nido_close(ends[0]);
    nido_close(ends[1]);
}

static void expect_peer(const char *name)
{
    char waits_for[192], in_json[192];
    nido_group group;

    snprintf(waits_for, sizeof waits_for, "  waits for input on descriptor %d (%s), ", ends[0],
             name);
    snprintf(in_json, sizeof in_json, "\"fd\":%d,\"peer\":\"%s\",", ends[0], name);
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    spawn_named(&group, reads, "reader");
    nido_yield();
    EXPECT_LINES(nido_dump, waits_for, "; 1 watch on descriptors, 0 jobs");
    EXPECT_LINES(nido_dump_json, in_json, "\"watches\":1,\"out\":0,");
    nido_group_cancel(&group, 0, NULL);
    nido_group_close(&group, 0);
}

INSIDE(dump, a_unix_socket_is_shown_with_the_path_or_the_process_of_its_peer)
{
    char host[96], process[32];
    int listener;

    snprintf(host, sizeof host, "unix:/tmp/nido-dump-%d", (int)getpid());
    listener = nido_listen(host, NULL, NULL);
    cr_assert(ge(int, listener, 0));
    ends[0] = nido_dial(host, NULL, NULL);
    ends[1] = nido_accept(listener, NULL, NULL);
    expect_peer(host + strlen("unix:"));
    nido_close(ends[0]);
    nido_close(ends[1]);
    nido_close(listener);
    unlink(host + strlen("unix:"));
#ifdef __linux__
    snprintf(process, sizeof process, "process %d", (int)getpid());
    cr_expect(zero(int, socketpair(AF_UNIX, SOCK_STREAM, 0, ends)));
    expect_peer(process);
    nido_close(ends[0]);
    nido_close(ends[1]);
#else
    (void)process;
#endif
}

/* Python's own reader is the judge: every task once, in a group that is listed or in none. */
static const char judge[] =
    "import json, sys; d = json.load(sys.stdin); tasks = {t['id']: t for t in d['tasks']};"
    "groups = {g['number']: g for g in d['groups']}; assert len(tasks) == len(d['tasks']) == 22;"
    "assert all(t['group'] in groups for t in tasks.values() if t['group'] is not None);"
    "assert all(g['opened_by'] in tasks for g in groups.values()) and len(groups) == 11;"
    "assert sum(t['name'] == 'a\\tb\\\\\"c' for t in tasks.values()) == 1";

INSIDE(dump, json_is_read_by_another_reader)
{
    nido_group group;
    FILE *reader;
    char command[1024];

    nido_event_init(&event, "news");
    nido_set_name("a\tb\\\"c");
    nido_group_open(&group, NIDO_FAIL_FAST, "conns");
    for (int i = 0; i < 10; i++) spawn_named(&group, opens_a_group, "conn");
    spawn_named(&group, waits, NULL);
    nido_yield();
    nido_yield();
    setenv("JUDGE", judge, 1);
    snprintf(command, sizeof command, "exec python3 -c \"$JUDGE\"");
    reader = popen(command, "we");
    cr_assert(ne(ptr, reader, NULL));
    cr_expect(zero(int, nido_dump_json(reader)));
    cr_expect(zero(int, pclose(reader)));
    nido_group_cancel(&group, 0, NULL);
    nido_group_close(&group, 0);
}

INSIDE(dump, text_that_is_no_utf8_is_replaced)
{
    nido_scope scope;

    nido_set_name("%s", "\xc3\xa9\xff\xc3");
    nido_timeout_open(&scope, -1);
    EXPECT_LINES(nido_dump_json, "\"name\":\"\xc3\xa9\\ufffd\\ufffd\"");
    nido_scope_close(&scope, 0);
    nido_deadline_open(&scope, INT64_MIN);
    EXPECT_LINES(nido_dump_json, "\"deadline\":{\"in_ns\":0,\"own\":true}");
    nido_scope_close(&scope, 0);
}

INSIDE(dump, control_characters_do_not_reach_the_terminal)
{
    nido_set_name("%s", "a\nb\033[2J");
    EXPECT_LINES(nido_dump, "#1 \"a?b?[2J\"  runs");
}

static ssize_t sleeps_and_writes(void *unused, const char *bytes, size_t size)
{
    (void)unused;
    (void)bytes;
    nido_sleep(NIDO_SEC(1));
    return (ssize_t)size;
}

INSIDE(dump, a_stream_may_wait_when_the_tree_has_been_read)
{
    FILE *file = fopencookie(NULL, "w", (cookie_io_functions_t){.write = sleeps_and_writes});
    int64_t before = nido_now();

    cr_assert(ne(ptr, file, NULL));
    cr_expect(zero(int, nido_dump(file)));
    cr_expect(ge(i64, nido_now() - before, NIDO_SEC(1)));
    fclose(file);
}

INSIDE(dump, a_wrong_file_is_refused)
{
    FILE *full = fopen("/dev/full", "we");

    cr_expect(eq(int, nido_dump(NULL), -EINVAL));
    cr_expect(eq(int, nido_dump_json(NULL), -EINVAL));
    if (!full) return;
    cr_expect(eq(int, nido_dump(full), -EIO));
    fclose(full);
}

/* The first allocation is the tree's own, the second counts equal subtrees. */
INSIDE(dump, without_memory_the_call_says_so_or_shows_every_task)
{
    char *text = NULL, *at;
    nido_group group;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    int lines = 0;

    cr_assert(ne(ptr, file, NULL));
    nido_event_init(&event, "news");
    nido_group_open(&group, NIDO_FAIL_FAST, "conns");
    for (int i = 0; i < 5; i++) spawn_named(&group, waits, "conn");
    nido_yield();
    faults_begin();
    faults_fail(FAULT_memory, 1, -1);
    cr_expect(eq(int, nido_dump(file), -ENOMEM));
    cr_expect(zero(int, fflush(file)));
    cr_expect(zero(ulong, size), "nothing is printed then");
    faults_fail(FAULT_memory, 2, -1);
    cr_expect(zero(int, nido_dump(file)));
    faults_end();
    fclose(file);
    for (at = text; (at = strstr(at, "\"conn\"")) != NULL; at++) lines++;
    cr_expect(eq(int, lines, 5));
    free(text);
    nido_group_cancel(&group, 0, NULL);
    nido_group_close(&group, 0);
}

NIDO_TEST(dump, a_thread_without_a_runtime_is_refused)
{
    cr_expect(eq(int, nido_dump(stderr), -EPERM));
    cr_expect(eq(int, nido_dump_json(stderr), -EPERM));
}

/* ---- On SIGQUIT ---- */

static int has_a_handler(void *unused)
{
    struct sigaction now;

    (void)unused;
    sigaction(SIGQUIT, NULL, &now);
    return now.sa_handler != SIG_DFL;
}

static void *runs_too(void *pipe_ends)
{
    nido_options options;
    char byte = 0;

    nido_options_init(&options);
    options.flags = NIDO_RUN_DUMP;
    nido_run(has_a_handler, NULL, &options);
    return write(((int *)pipe_ends)[1], &byte, 1) < 0 ? pipe_ends : NULL;
}

static int outlives_another_run(void *pipe_ends)
{
    pthread_t other;
    char byte;

    cr_assert(zero(int, pthread_create(&other, NULL, runs_too, pipe_ends)));
    nido_read(((int *)pipe_ends)[0], &byte, 1);
    pthread_join(other, NULL);
    return has_a_handler(NULL);
}

NIDO_TEST(dump, a_second_run_with_it_leaves_the_first_its_own)
{
    nido_options options;
    int pipe_ends[2];

    cr_assert(zero(int, pipe(pipe_ends)));
    nido_options_init(&options);
    options.flags = NIDO_RUN_DUMP;
    cr_expect(eq(int, nido_run(outlives_another_run, pipe_ends, &options), 1));
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

static pthread_barrier_t barrier;

static int waits_for_sigquit(void *raises)
{
    pthread_barrier_wait(&barrier);
    if (raises) kill(getpid(), SIGQUIT);
    return nido_sleep(NIDO_MS(200));
}

static void *run_of_two(void *raises)
{
    nido_options options;

    nido_options_init(&options);
    options.flags = NIDO_RUN_DUMP;
    nido_run(waits_for_sigquit, raises, &options);
    return NULL;
}

NIDO_TEST(dump, sigquit_prints_every_runtime)
{
    int ends_of_pipe[2], kept = dup(2), lines = 0;
    pthread_t other;
    char text[8192];
    ssize_t n;

    cr_assert(zero(int, pipe(ends_of_pipe)));
    dup2(ends_of_pipe[1], 2);
    close(ends_of_pipe[1]);
    pthread_barrier_init(&barrier, NULL, 2);
    cr_assert(zero(int, pthread_create(&other, NULL, run_of_two, NULL)));
    run_of_two(&barrier);
    pthread_join(other, NULL);
    dup2(kept, 2);
    close(kept);
    n = read(ends_of_pipe[0], text, sizeof text - 1);
    close(ends_of_pipe[0]);
    text[n > 0 ? n : 0] = '\0';
    for (char *at = text; (at = strstr(at, "nido: runtime ")) != NULL; at++) lines++;
    cr_expect(eq(int, lines, 2), "%s", text);
}

static int raises_and_waits(void *unused)
{
    (void)unused;
    nido_set_name("quitter");
    raise(SIGQUIT);
    return nido_sleep(NIDO_MS(1));
}

/* What a run prints on stderr. */
static size_t stderr_of_run(const nido_options *options, char *text, size_t size)
{
    int ends_of_pipe[2], kept = dup(2);
    ssize_t n;

    cr_assert(zero(int, pipe(ends_of_pipe)));
    dup2(ends_of_pipe[1], 2);
    close(ends_of_pipe[1]);
    cr_expect(zero(int, nido_run(raises_and_waits, NULL, options)));
    dup2(kept, 2);
    close(kept);
    n = read(ends_of_pipe[0], text, size - 1);
    close(ends_of_pipe[0]);
    text[n > 0 ? n : 0] = '\0';
    return strlen(text);
}

NIDO_TEST(dump, sigquit_prints_the_tree_if_asked_to)
{
    nido_options options;
    char text[4096];

    nido_options_init(&options);
    options.flags = NIDO_RUN_DUMP;
    stderr_of_run(&options, text, sizeof text);
    cr_expect(ne(ptr, strstr(text, ": 1 task, 0 of them ready; "), NULL), "%s", text);
    cr_expect(ne(ptr, strstr(text, "\"quitter\"  waits for sleep"), NULL), "%s", text);
}

NIDO_TEST(dump, the_environment_can_ask_for_it)
{
    char text[4096];

    setenv("NIDO_DEBUG", "strict,dump", 1);
    cr_expect(gt(ulong, stderr_of_run(NULL, text, sizeof text), 0));
}

static volatile sig_atomic_t handled;

static void handle(int number)
{
    handled = number;
}

NIDO_TEST(dump, a_handler_of_the_program_stays)
{
    nido_options options;
    char text[64];

    signal(SIGQUIT, handle);
    nido_options_init(&options);
    options.flags = NIDO_RUN_DUMP;
    cr_expect(zero(ulong, stderr_of_run(&options, text, sizeof text)), "%s", text);
    cr_expect(eq(int, handled, SIGQUIT));
    signal(SIGQUIT, SIG_DFL);
}

NIDO_TEST(dump, after_the_run_sigquit_does_what_it_did_before)
{
    struct sigaction now;
    nido_options options;
    char text[4096];

    nido_options_init(&options);
    options.flags = NIDO_RUN_DUMP;
    stderr_of_run(&options, text, sizeof text);
    sigaction(SIGQUIT, NULL, &now);
    cr_expect(now.sa_handler == SIG_DFL);
}
