/* SPDX-License-Identifier: MIT */
/* A run in which no task runs any more, though another thread or a descriptor could still wake one: with
 * nido_options.deadlock_ns. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "coro/runtime/loop.h"
#include "faults.h"
#include "group_help.h"
#include "io_help.h"
#include "nido/cross.h"

#define PATIENCE NIDO_SEC(10)

static struct report {
    int count;
    char text[8192];
} report;

static void keep(void *ctx, const char *text)
{
    (void)ctx;
    report.count++;
    snprintf(report.text, sizeof report.text, "%s", text);
}

static int run_with(nido_fn *fn, nido_options options)
{
    report = (struct report){0};
    options.on_report = keep;
    return nido_run(fn, NULL, &options);
}

static nido_options patient(nido_options options, int64_t ns)
{
    options.deadlock_ns = ns;
    return options;
}

static int run_patiently(nido_fn *fn)
{
    return run_with(fn, patient(nido_test_virtual(), PATIENCE));
}

static void expect_said(const char *words)
{
    cr_expect(ne(ptr, strstr(report.text, words), NULL), "\"%s\" is missing in\n%s", words,
              report.text);
}

/* ---- Other threads ---- */

static nido_rt *held;
static nido_event event;

static int wait_with_a_handle_out(void *unused)
{
    int rc;

    (void)unused;
    nido_set_name("hopeful");
    nido_event_init(&event, "godot");
    held = nido_rt_self();
    rc = nido_event_wait(&event);
    nido_rt_release(held);
    return rc;
}

NIDO_TEST(silence, with_a_handle_out_it_is_a_deadlock_if_asked)
{
    cr_expect(eq(int, run_patiently(wait_with_a_handle_out), -EDEADLK));
    cr_expect(eq(int, report.count, 1));
    expect_said("nido: DEADLOCK: 1 task, and none has run for 10.0 s; other threads may wake one "
                "(handles held: 1), but none has\n");
    expect_said("\"hopeful\"  waits for event \"godot\"");
    expect_said("hint: #1 waits for event \"godot\"");
}

static int wait_for_a_waker(void *unused)
{
    nido_waker *waker;
    int rc;

    (void)unused;
    cr_assert(zero(int, nido_waker_new(&waker)));
    rc = nido_waker_wait(waker);
    nido_waker_release(waker);
    return rc;
}

static int wait_for_a_cross_event(void *unused)
{
    nido_xevent *crossed;
    int rc;

    (void)unused;
    cr_assert(zero(int, nido_xevent_new(&crossed)));
    rc = nido_xevent_wait(crossed);
    nido_xevent_free(crossed);
    return rc;
}

static int wait_for_a_cross_permit(void *unused)
{
    nido_xsem *sem;
    int rc;

    (void)unused;
    cr_assert(zero(int, nido_xsem_new(0, &sem)));
    rc = nido_xsem_acquire(sem);
    nido_xsem_free(sem);
    return rc;
}

static int wait_for_a_cross_item(void *unused)
{
    nido_xchan *chan;
    int item, rc;

    (void)unused;
    cr_assert(zero(int, nido_xchan_new(sizeof item, 1, NULL, NULL, &chan)));
    rc = nido_xchan_recv(chan, &item);
    nido_xchan_free(chan);
    return rc;
}

NIDO_TEST(silence, wakers_and_objects_of_other_threads_count_the_same)
{
    nido_fn *waits[] = {wait_for_a_waker, wait_for_a_cross_event, wait_for_a_cross_permit,
                        wait_for_a_cross_item};

    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        cr_expect(eq(int, run_patiently(waits[i]), -EDEADLK), "%zu", i);
        cr_expect(eq(int, report.count, 1));
        expect_said("other threads may wake one");
    }
}

static int64_t began, cancelled;

static int sleep_and_wait(void *unused)
{
    int rc;

    began = nido_now();
    cr_expect(zero(int, nido_sleep(NIDO_SEC(8))));
    rc = wait_with_a_handle_out(unused);
    cancelled = nido_now();
    return rc;
}

NIDO_TEST(silence, it_is_measured_from_the_last_time_a_task_ran)
{
    cr_expect(eq(int, run_patiently(sleep_and_wait), -EDEADLK));
    cr_expect(eq(i64, cancelled - began, NIDO_SEC(8) + PATIENCE));
}

static int wait_in_a_shield(void *unused)
{
    nido_scope shield;
    int rc;

    nido_shield_open(&shield, NIDO_NEVER);
    rc = wait_with_a_handle_out(unused);
    return nido_scope_close(&shield, rc);
}

/* ---- Something comes after all: in one of many sleeps, each of which lets virtual time pass ---- */

enum { SLEEPS = 12 };

static int (*real_wait)(int fd, backend_event *out, int n, int64_t ns);
static void (*comer)(void);
static int sleeps;

static int wait_and_come(int fd, backend_event *out, int n, int64_t ns)
{
    if (ns < 0 || (ns && ++sleeps == SLEEPS)) comer();
    return real_wait(fd, out, n, ns);
}

static int run_until_it_comes_with(nido_fn *fn, void (*come)(void), nido_options options)
{
    int rc;

    comer = come;
    sleeps = 0;
    real_wait = nidoi_sys.BACKEND_WAIT;
    nidoi_sys.BACKEND_WAIT = wait_and_come;
    rc = run_with(fn, options);
    nidoi_sys.BACKEND_WAIT = real_wait;
    return rc;
}

static int run_until_it_comes(nido_fn *fn, void (*come)(void))
{
    return run_until_it_comes_with(fn, come, patient(nido_test_virtual(), PATIENCE));
}

static int set_event(void *unused)
{
    (void)unused;
    return nido_event_set(&event);
}

static void post_from_outside(void)
{
    cr_expect(zero(int, nido_post(held, set_event, NULL)));
}

NIDO_TEST(silence, one_that_no_cancel_can_end_goes_on_and_is_told_once)
{
    cr_expect(eq(int, run_until_it_comes(wait_in_a_shield, post_from_outside), -EDEADLK));
    cr_expect(eq(int, report.count, 1));
}

/* ---- Both ends are ours ---- */

static int ends[2];

static int read_from_the_first(void *unused)
{
    char byte;
    int rc = (int)nido_read(ends[0], &byte, 1);

    (void)unused;
    return rc == 1 ? 0 : rc;
}

#ifdef __linux__
static int read_from_a_pipe(void *unused)
{
    int rc;

    cr_assert(zero(int, nido_pipe(ends)));
    rc = read_from_the_first(unused);
    io_close_pair(ends);
    return rc;
}

NIDO_TEST(silence, a_pipe_with_both_ends_in_the_run_is_a_deadlock_if_asked)
{
    char pair[128];

    cr_expect(eq(int, run_patiently(read_from_a_pipe), -EDEADLK));
    cr_expect(eq(int, report.count, 1));
    snprintf(pair, sizeof pair,
             "\npair: descriptor %d waits for descriptor %d, the other end of its pipe\n", ends[0],
             ends[1]);
    expect_said(pair);
    expect_said("none has run for 10.0 s; each descriptor that is waited for has its other end in "
                "this run (unless another thread or process uses a copy of an end)\n");
}

static int write_to_a_full_pipe(void *unused)
{
    int rc;

    (void)unused;
    cr_assert(zero(int, nido_pipe(ends)));
    io_fill(ends[1]);
    rc = (int)nido_write(ends[1], "x", 1);
    io_close_pair(ends);
    return rc;
}

static int read_from_a_unix_socket(void *unused)
{
    int rc;

    cr_assert(zero(int, nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends)));
    rc = read_from_the_first(unused);
    io_close_pair(ends);
    return rc;
}

NIDO_TEST(silence, so_are_a_full_pipe_and_a_pair_of_unix_sockets)
{
    uint64_t own, peer;
    int untold;

    cr_expect(eq(int, run_patiently(write_to_a_full_pipe), -EDEADLK));
    expect_said("the other end of its pipe");
    cr_assert(zero(int, socketpair(AF_UNIX, SOCK_STREAM, 0, ends)));
    untold = nidoi_sys.unix_inodes(ends[0], &own, &peer);
    for (int i = 0; i < 2; i++) close(ends[i]);
    if (untold) return; /* a kernel without, or a filter */
    cr_expect(eq(int, run_patiently(read_from_a_unix_socket), -EDEADLK));
    expect_said("the other end of its Unix connection");
}
#endif

static int read_from_a_connection(void *unused)
{
    int listener = nido_listen("127.0.0.1", "0", NULL), rc;
    struct sockaddr_in address;
    char port[16];

    cr_assert(ge(int, listener, 0));
    cr_assert(zero(int, getsockname(listener, (void *)&address, &(socklen_t){sizeof address})));
    snprintf(port, sizeof port, "%d", ntohs(address.sin_port));
    ends[0] = nido_dial("127.0.0.1", port, NULL);
    ends[1] = nido_accept(listener, NULL, NULL);
    for (int i = 0; i < 2; i++) cr_assert(ge(int, ends[i], 0));
    cr_expect(zero(int, nido_close(listener)));
    rc = read_from_the_first(unused);
    io_close_pair(ends);
    return rc;
}

NIDO_TEST(silence, so_is_a_connection_with_both_ends_in_the_run)
{
    cr_expect(eq(int, run_patiently(read_from_a_connection), -EDEADLK));
    expect_said("the other end of its TCP connection");
}

static void write_to_the_second(void)
{
    cr_expect(eq(int, (int)write(ends[1], "x", 1), 1));
}

static void expect_hope(nido_fn *fn, void (*come)(void))
{
    cr_expect(zero(int, run_until_it_comes(fn, come)));
    cr_expect(zero(int, report.count), "%s", report.text);
    cr_expect(ge(int, sleeps, SLEEPS), "it slept for longer than its patience");
}

static int read_from_a_pipe_of_another(void *unused)
{
    int rc;

    cr_assert(zero(int, pipe(ends)));
    cr_assert(zero(int, nido_fd_own(ends[0])));
    rc = read_from_the_first(unused);
    nido_close(ends[0]);
    close(ends[1]);
    return rc;
}

static int read_from_a_named_pipe(void *unused)
{
    char path[64];
    int rc;

    snprintf(path, sizeof path, "/tmp/nido-silence-%d", (int)getpid());
    cr_assert(zero(int, mkfifo(path, 0600)));
    ends[0] = open(path, O_RDONLY | O_NONBLOCK);
    ends[1] = open(path, O_WRONLY);
    for (int i = 0; i < 2; i++) cr_assert(zero(int, nido_fd_own(ends[i])));
    unlink(path);
    rc = read_from_the_first(unused);
    io_close_pair(ends);
    return rc;
}

NIDO_TEST(silence, an_end_that_others_may_have_is_hope)
{
    expect_hope(read_from_a_pipe_of_another, write_to_the_second);
    expect_hope(read_from_a_named_pipe, write_to_the_second);
}

static int read_a_pipe_and_a_strangers(void *unused)
{
    int own[2];
    struct pollfd entries[2];
    int rc;

    (void)unused;
    cr_assert(zero(int, nido_pipe(own)));
    cr_assert(zero(int, pipe(ends)));
    entries[0] = (struct pollfd){.fd = own[0], .events = POLLIN};
    entries[1] = (struct pollfd){.fd = ends[0], .events = POLLIN};
    rc = nido_poll(entries, 2);
    io_close_pair(own);
    close(ends[0]);
    close(ends[1]);
    return rc == 1 ? 0 : rc;
}

NIDO_TEST(silence, one_stranger_among_the_descriptors_is_hope)
{
    expect_hope(read_a_pipe_and_a_strangers, write_to_the_second);
}

static int read_without_being_told(void *unused)
{
    int rc;

    cr_assert(zero(int, nido_pipe(ends)));
    faults_begin();
    faults_fail(FAULT_memory, FAULT_ALWAYS, 0);
    rc = read_from_the_first(unused);
    faults_end();
    io_close_pair(ends);
    return rc;
}

static int read_from_what_is_not_known(void *unused)
{
    int rc;

    cr_assert(zero(int, nido_pipe(ends)));
    faults_begin();
    faults_fail(FAULT_pipe_end, FAULT_ALWAYS, -ENOTSUP);
    rc = read_from_the_first(unused);
    faults_end();
    io_close_pair(ends);
    return rc;
}

NIDO_TEST(silence, what_cannot_be_told_is_hope)
{
    expect_hope(read_from_what_is_not_known, write_to_the_second);
    expect_hope(read_without_being_told, write_to_the_second);
}

/* ---- What is waited for as long as it takes ---- */

static void let_go(void)
{
    nidoi_loop_expect(nidoi_loop_self(), -1);
    cr_expect(zero(int, nido_post(held, set_event, NULL)));
}

static int wait_for_a_job(void *unused)
{
    nidoi_loop_expect(nidoi_loop_self(), 1);
    return wait_with_a_handle_out(unused);
}

static void send_signal(void)
{
    raise(SIGUSR1);
}

static int wait_for_a_signal(void *unused)
{
    nido_signal usr1;
    sigset_t set;
    int number;

    (void)unused;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    cr_assert(zero(int, nido_signal_open(&usr1, &set)));
    number = nido_signal_wait(&usr1);
    nido_signal_close(&usr1);
    return number == SIGUSR1 ? 0 : number;
}

static nido_options real(void)
{
    nido_options options;

    nido_options_init(&options);
    return options;
}

/* Virtual time stands still while a job is out. */
NIDO_TEST(silence, jobs_and_signals_have_no_limit)
{
    nido_options options = patient(real(), NIDO_MS(1));

    expect_hope(wait_for_a_signal, send_signal);
    cr_expect(zero(int, run_until_it_comes_with(wait_for_a_job, let_go, options)));
    cr_expect(zero(int, report.count), "%s", report.text);
}

/* ---- The options ---- */

NIDO_TEST(silence, it_is_found_by_the_real_clock_too)
{
    cr_expect(eq(int, run_with(wait_with_a_handle_out, patient(real(), NIDO_MS(20))), -EDEADLK));
    expect_said("none has run for ");
}

NIDO_TEST(silence, the_environment_asks_for_it_by_a_word_of_its_own)
{
    nido_options never = patient(nido_test_virtual(), NIDO_NEVER);

    setenv("NIDO_DEBUG", "deadlock", 1);
    cr_expect(eq(int, run_with(wait_with_a_handle_out, nido_test_virtual()), -EDEADLK));
    expect_said("none has run for 10.0 s");
    cr_expect(zero(int, run_until_it_comes_with(wait_with_a_handle_out, post_from_outside, never)));
    setenv("NIDO_DEBUG", "1", 1);
    cr_expect(zero(int, run_until_it_comes_with(wait_with_a_handle_out, post_from_outside,
                                                nido_test_virtual())));
    unsetenv("NIDO_DEBUG");
    cr_expect(eq(int, run_with(wait_with_a_handle_out, patient(real(), -1)), -EINVAL));
}
