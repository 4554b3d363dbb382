/* SPDX-License-Identifier: MIT */
/* Each waiting call of the library is a cancellation point, and refuses before it does anything; each
 * releasing call is none. A new call: one line, here and in the list of the other kind. */
#include <fcntl.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <signal.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "inside_help.h"
#include "io_help.h"

#define POINT(call)    cr_expect(NIDO_TEST_IS_POINT(call))
#define NO_POINT(call) cr_expect(NIDO_TEST_IS_NO_POINT(call))

static int succeed(void *unused)
{
    (void)unused;
    return 0;
}

/* S377 */
INSIDE(testkit_point, time)
{
    nido_ticker ticker;

    cr_expect(zero(int, nido_ticker_init(&ticker, 1, NIDO_SKIP)));
    POINT(nido_sleep(1));
    POINT(nido_sleep(0));
    POINT(nido_sleep_until(0));
    POINT(nido_yield());
    POINT(nido_ticker_wait(&ticker));
    POINT(nido_test_wait_all_parked());
    POINT(nido_test_advance(1));
    NO_POINT(nido_check());
    NO_POINT(nido_now());
    NO_POINT(nido_after(1));
    NO_POINT(nido_ticker_init(&ticker, 1, NIDO_SKIP));
}

static int open_and_close(void *unused)
{
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    return nido_group_close(&group, 0);
}

/* S377 */
INSIDE(testkit_point, groups_and_tasks)
{
    nido_group_options options;
    nido_group group;
    nido_task task;
    nido_rt *rt = nido_rt_self();

    nido_group_options_init(&options);
    options.limit = 1;
    nido_group_open_with(&group, &options);
    task = begin_kept(&group, succeed, NULL);
    POINT(nido_join(task, NULL));
    POINT(nido_spawn_wait(&group, succeed, NULL));
    POINT(nido_start(&group, succeed, NULL, NULL));
    POINT(nido_group_wait(&group));
    NO_POINT(nido_group_set_limit(&group, 1));
    NO_POINT(nido_group_counts_get(&group, &(nido_group_counts){0}));
    NO_POINT(nido_spawn(&group, succeed, NULL));
    NO_POINT(nido_spawn_copy(&group, succeed, "", 1));
    NO_POINT(nido_started(0));
    NO_POINT(nido_try_join(task, NULL));
    NO_POINT(nido_task_cancel(task, 0, NULL));
    NO_POINT(nido_task_forget(task));
    NO_POINT(nido_group_live(&group));
    NO_POINT(open_and_close(NULL));
    NO_POINT(nido_with_timeout(1, succeed, NULL));
    NO_POINT(nido_with_shield(1, succeed, NULL));
    NO_POINT(nido_post(rt, succeed, NULL));
    NO_POINT(nido_cancelled());
    NO_POINT(nido_deadline());
    NO_POINT(nido_fail(-EIO, "no"));
    NO_POINT((nido_rt_release(rt), 0));
    cr_expect(zero(int, nido_group_cancel(&group, 0, NULL)));
    NO_POINT(nido_group_cancel(&group, 0, NULL));
    cr_expect(zero(int, nido_group_close(&group, 0)));
}

/* S377 */
INSIDE(testkit_point, permits_and_places)
{
    nido_limiter_token token = {0};
    nido_limiter limiter;
    nido_sem sem;

    nido_sem_init(&sem, 2, 2, NULL);
    POINT(nido_sem_acquire(&sem));
    POINT(nido_sem_acquire_n(&sem, 2));
    cr_expect(eq(u32, nido_sem_count(&sem), 2), "nothing was taken");
    NO_POINT(nido_sem_try_acquire(&sem));
    NO_POINT(nido_sem_release(&sem));
    NO_POINT(nido_sem_try_acquire_n(&sem, 2));
    NO_POINT(nido_sem_release_n(&sem, 2));
    NO_POINT(nido_sem_close(&sem));
    NO_POINT(nido_sem_deinit(&sem));
    nido_limiter_init(&limiter, 1, NULL);
    POINT(nido_limiter_acquire(&limiter, &token));
    NO_POINT(nido_limiter_try_acquire(&limiter, &token));
    NO_POINT(nido_limiter_release(&limiter, &token));
    NO_POINT(nido_limiter_resize(&limiter, 2));
    NO_POINT(nido_limiter_deinit(&limiter));
}

static bool never_holds(void *unused)
{
    (void)unused;
    return false;
}

/* S377 */
INSIDE(testkit_point, locks)
{
    nido_rwlock rwlock;
    nido_mutex mutex;
    nido_cond cond;

    nido_mutex_init(&mutex, NULL);
    nido_cond_init(&cond, NULL);
    nido_rwlock_init(&rwlock, NULL);
    POINT(nido_mutex_lock(&mutex));
    NO_POINT(nido_mutex_try_lock(&mutex));
    POINT(nido_cond_wait(&cond, &mutex));
    POINT(nido_cond_wait_until(&cond, &mutex, never_holds, NULL));
    NO_POINT(nido_cond_notify(&cond));
    NO_POINT(nido_cond_notify_n(&cond, 1));
    NO_POINT(nido_cond_notify_all(&cond));
    NO_POINT(nido_mutex_repair(&mutex));
    NO_POINT(nido_mutex_unlock(&mutex));
    NO_POINT(nido_cond_deinit(&cond));
    cr_expect(zero(int, nido_mutex_deinit(&mutex)), "it was left unlocked");
    POINT(nido_rwlock_read_lock(&rwlock));
    POINT(nido_rwlock_write_lock(&rwlock));
    NO_POINT(nido_rwlock_try_read_lock(&rwlock));
    NO_POINT(nido_rwlock_read_unlock(&rwlock));
    NO_POINT(nido_rwlock_try_write_lock(&rwlock));
    NO_POINT(nido_rwlock_repair(&rwlock));
    NO_POINT(nido_rwlock_write_unlock(&rwlock));
    NO_POINT(nido_rwlock_deinit(&rwlock));
}

static int pass(nido_waitq *queue, void *item)
{
    (void)queue;
    (void)item;
    return 0;
}

static const nido_wait_kind passing = {.name = "gate", .attempt = pass};

/* S377 */
INSIDE(testkit_point, meeting_places)
{
    nido_barrier barrier;
    nido_event event;
    nido_latch latch;
    nido_once once;
    nido_waitq queue;

    nido_event_init(&event, NULL);
    NO_POINT(nido_event_set(&event));
    POINT(nido_event_wait(&event));
    NO_POINT(nido_event_reset(&event));
    NO_POINT(nido_event_deinit(&event));
    nido_latch_init(&latch, 1, NULL);
    NO_POINT(nido_latch_add(&latch, 0));
    NO_POINT(nido_latch_done(&latch));
    POINT(nido_latch_wait(&latch));
    NO_POINT(nido_latch_deinit(&latch));
    nido_waitq_init(&queue, &passing, NULL);
    NO_POINT(nido_waitq_use(&queue, false));
    NO_POINT(nido_waitq_wake(&queue, 0));
    NO_POINT(nido_waitq_wake_all(&queue, 0));
    POINT(nido_waitq_wait(&queue, NULL));
    NO_POINT(nido_waitq_deinit(&queue));
    nido_barrier_init(&barrier, 1, 0, NULL);
    POINT(nido_barrier_wait(&barrier));
    NO_POINT(nido_barrier_abort(&barrier));
    NO_POINT(nido_barrier_reset(&barrier));
    NO_POINT(nido_barrier_deinit(&barrier));
    nido_once_init(&once, NULL);
    POINT(nido_once_do(&once, succeed, NULL));
    POINT(nido_once_do_shared(&once, succeed, NULL));
    NO_POINT(nido_once_forget(&once));
    NO_POINT(nido_once_deinit(&once));
}

/* S377 */
INSIDE(testkit_point, channels)
{
    nido_chan *chan;
    int item = 1;

    cr_expect(zero(int, nido_chan_new(sizeof item, 2, NULL, NULL, &chan)));
    POINT(nido_chan_send(chan, &item));
    POINT(nido_chan_reserve(chan));
    cr_expect(zero(sz, nido_chan_count(chan)));
    NO_POINT(nido_chan_try_send(chan, &item));
    POINT(nido_chan_recv(chan, &item));
    cr_expect(eq(sz, nido_chan_count(chan), 1));
    NO_POINT(nido_chan_try_recv(chan, &item));
    cr_expect(zero(int, nido_chan_reserve(chan)));
    NO_POINT(nido_chan_commit(chan, &item));
    cr_expect(zero(int, nido_chan_reserve(chan)));
    NO_POINT(nido_chan_unreserve(chan));
    NO_POINT(nido_chan_retain_send(chan));
    NO_POINT(nido_chan_release_send(chan));
    NO_POINT(nido_chan_retain_recv(chan));
    NO_POINT(nido_chan_release_recv(chan));
    NO_POINT(nido_chan_close_send(chan));
    NO_POINT(nido_chan_close_recv(chan));
    NO_POINT(nido_chan_free(chan));
}

/* S377 */
INSIDE(testkit_point, broadcasts_and_watches)
{
    nido_broadcast_reader reader;
    nido_broadcast *broadcast;
    nido_watch watch;
    uint64_t seen = 0;
    int item = 1, value = 1;

    cr_expect(zero(int, nido_broadcast_new(sizeof item, 2, &broadcast)));
    nido_broadcast_subscribe(broadcast, &reader);
    NO_POINT(nido_broadcast_send(broadcast, &item));
    POINT(nido_broadcast_recv(&reader, &item));
    NO_POINT(nido_broadcast_try_recv(&reader, &item));
    NO_POINT(nido_broadcast_close(broadcast));
    NO_POINT(nido_broadcast_free(broadcast));
    nido_watch_init(&watch, &value, sizeof value, NULL);
    POINT(nido_watch_wait(&watch, &item, &seen));
    NO_POINT(nido_watch_get(&watch, &item, NULL));
    NO_POINT(nido_watch_set(&watch, &item));
    NO_POINT(nido_watch_close(&watch));
    NO_POINT(nido_watch_deinit(&watch));
}

/* S377 */
INSIDE(testkit_point, select)
{
    nido_event event;
    nido_arm arm;

    nido_event_init(&event, NULL);
    nido_event_set(&event);
    nido_arm_event(&arm, &event);
    POINT(nido_select(&arm, 1, 0));
    POINT(nido_select(&arm, 1, NIDO_POLL));
    nido_arm_timer(&arm, nido_now());
    POINT(nido_select(&arm, 1, NIDO_PRIORITY));
}

/* S377 */
INSIDE(testkit_point, descriptors)
{
    char byte = 0;
    struct iovec part = {&byte, 1};
    struct pollfd ask = {.events = POLLIN};
    int fds[2], file = open("/dev/null", O_RDONLY | O_CLOEXEC);

    cr_expect(zero(int, nido_pipe(fds)));
    cr_expect(eq(i64, nido_write(fds[1], "x", 1), 1));
    ask.fd = fds[0];
    POINT(nido_read(fds[0], &byte, 1));
    POINT(nido_read(fds[0], &byte, 0));
    POINT(nido_readv(fds[0], &part, 1));
    POINT(nido_read_full(fds[0], &byte, 1, NULL));
    POINT(nido_write(fds[1], "x", 1));
    POINT(nido_writev(fds[1], &part, 1));
    POINT(nido_write_all(fds[1], "x", 1, NULL));
    POINT(nido_sendfile(fds[1], file, 0, 1, NULL));
    POINT(nido_wait_fd(fds[0], NIDO_IN));
    POINT(nido_poll(&ask, 1));
    cr_expect(eq(sz, io_drain(fds[0]), 1), "nothing was read, nothing written");
    NO_POINT((nido_fd_forget(fds[1]), 0));
    NO_POINT(nido_fd_own(fds[1]));
    NO_POINT(nido_close(fds[0]));
    NO_POINT(nido_close(fds[1]));
    NO_POINT(nido_pipe(fds));
    io_close_pair(fds);
    close(file);
}

INSIDE(testkit_point, streams)
{
    static const nido_stream_ops none;
    struct iovec part = {(char *)"x", 1};
    char *bytes, byte;
    size_t length;
    nido_stream stream, other;
    int fds[2], file = open("/dev/null", O_RDONLY | O_CLOEXEC);

    cr_expect(zero(int, nido_socketpair(AF_UNIX, SOCK_STREAM, 0, fds)));
    NO_POINT(nido_stream_open_ops(&stream, &none, NULL, NULL));
    NO_POINT(nido_stream_open(&stream, fds[0], NULL));
    NO_POINT(nido_stream_open(&other, fds[1], NULL));
    cr_expect(eq(int, nido_stream_printf(&other, "x\n"), 2));
    POINT(nido_stream_flush(&other));
    cr_expect(zero(int, nido_stream_flush(&other)));
    cr_expect(eq(int, nido_stream_wait(&stream), 1));
    POINT(nido_stream_wait(&stream));
    POINT(nido_stream_line(&stream, &bytes, &length));
    POINT(nido_stream_until(&stream, "x", 1, &bytes, &length));
    POINT(nido_stream_peek(&stream, 0, &bytes));
    POINT(nido_stream_read(&stream, &byte, 1));
    POINT(nido_stream_read_full(&stream, &byte, 1, NULL));
    POINT(nido_stream_write(&stream, "x", 1, NULL));
    POINT(nido_stream_writev(&stream, &part, 1, NULL));
    POINT(nido_stream_printf(&stream, "x"));
    POINT(nido_stream_copy(&other, &stream, 1, NULL));
    POINT(nido_stream_copy_file(&other, file, 0, 1, NULL));
    POINT(nido_stream_shutdown(&stream));
    cr_expect(eq(i64, nido_stream_peek(&stream, 0, &bytes), 2), "nothing was read or written");
    NO_POINT(nido_stream_take(&stream, 2));
    NO_POINT(nido_stream_stop(&stream));
    NO_POINT(nido_stream_stopping(&stream));
    NO_POINT(nido_stream_unsent(&stream));
    NO_POINT(nido_stream_fd(&stream));
    NO_POINT(nido_stream_close(&stream));
    NO_POINT(nido_stream_close(&other));
    close(file);
}

static int no_handler(nido_stream *stream, void *ctx)
{
    (void)stream, (void)ctx;
    return 0;
}

/* S377 */
INSIDE(testkit_point, sockets)
{
    char byte = 0;
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct addrinfo list = {
        .ai_family = AF_UNIX, .ai_addr = (void *)&address, .ai_addrlen = sizeof address};
    int fds[2], listener = io_listen(), fd;

    snprintf(address.sun_path, sizeof address.sun_path, "%s", io_place() + 5);
    cr_expect(zero(int, nido_socketpair(AF_UNIX, SOCK_STREAM, 0, fds)));
    cr_expect(eq(i64, nido_send(fds[1], "x", 1, 0), 1));
    POINT(nido_recv(fds[0], &byte, 1, 0));
    POINT(nido_recvfrom(fds[0], &byte, 1, 0, NULL, NULL));
    POINT(nido_recvmsg(fds[0], &message, 0));
    POINT(nido_send(fds[1], "x", 1, 0));
    POINT(nido_sendto(fds[1], "x", 1, 0, NULL, 0));
    POINT(nido_sendmsg(fds[1], &message, 0));
    POINT(nido_connect(fds[1], list.ai_addr, list.ai_addrlen));
    POINT(nido_dial(io_place(), NULL, NULL));
    POINT(nido_dial_any(&list, NULL));
    POINT(nido_serve(dup(listener), no_handler, NULL, NULL));
    NO_POINT(nido_serve_stop(NULL));
    NO_POINT(nido_listen_inherited(0));
    POINT(nido_listen("unix:/tmp/nido-never-made", NULL, NULL));
    POINT(nido_listen_all("unix:/tmp/nido-never-made", NULL, NULL, &fd, 1));
    fd = nido_dial(io_place(), NULL, NULL);
    POINT(nido_accept(listener, NULL, NULL));
    cr_expect(eq(sz, io_drain(fds[0]), 1));
    NO_POINT(nido_close(fd));
    NO_POINT(nido_close(listener));
    io_close_pair(fds);
    unlink(io_place() + 5);
}

static ssize_t job(void *unused)
{
    (void)unused;
    return 0;
}

static int do_index(void *ctx, size_t i)
{
    (void)ctx, (void)i;
    return 0;
}

static int do_item(void *ctx, const void *item, void *result)
{
    (void)ctx, (void)item, (void)result;
    return 0;
}

static void drop(void *ctx, void *arg, int result)
{
    (void)ctx, (void)arg, (void)result;
}

/* S377 */
INSIDE(testkit_point, workers_and_signals)
{
    struct addrinfo *list = NULL;
    nido_signal signal;
    struct stat status;
    nido_dirent entry;
    nido_dir *dir;
    sigset_t set;
    char byte = 0;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    POINT(nido_offload(job, NULL));
    POINT(nido_offload_abandon(job, NULL, drop, NULL));
    POINT(nido_offload_with(job, NULL, NULL));
    POINT(nido_parallel_for(2, do_index, NULL, NULL));
    POINT(nido_map(&byte, 1, &byte, 0, 1, do_item, NULL, NULL));
    POINT(nido_open("/dev/null", O_RDONLY, 0));
    POINT(nido_tmpfile("/nowhere"));
    POINT(nido_file_replace("/nowhere/file", NULL, 0, 0600));
    POINT(nido_pread(0, &byte, 1, 0));
    POINT(nido_pwrite(0, &byte, 1, 0));
    POINT(nido_fsync(0));
    POINT(nido_fdatasync(0));
    POINT(nido_stat("/", &status));
    POINT(nido_lstat("/", &status));
    POINT(nido_fstat(0, &status));
    POINT(nido_opendir("/", &dir));
    cr_expect(zero(int, nido_opendir("/", &dir)));
    POINT(nido_readdir(dir, &entry));
    NO_POINT(nido_closedir(dir));
    POINT(nido_getaddrinfo("localhost", NULL, NULL, &list));
    NO_POINT(nido_signal_open(&signal, &set));
    POINT(nido_signal_wait(&signal));
    NO_POINT(nido_signal_try(&signal));
    NO_POINT(nido_signal_close(&signal));
    NO_POINT(nido_job_cancelled());
}

static int no_job(nido_procjob *unused)
{
    (void)unused;
    return 0;
}

/* S377: in a process that is not prepared for pools there is none to ask. */
INSIDE(testkit_point, processes)
{
    nido_proc_options options;
    nido_proc_result result;
    nido_procpool *pool;
    nido_proc child;

    nido_proc_options_init(&options);
    options.argv = (char *[]){(char *)"true", NULL};
    POINT(nido_proc_spawn(&child, &options));
    POINT(nido_proc_run(&options, NULL, 0, &result));
    cr_expect(zero(int, nido_proc_spawn(&child, &options)));
    POINT(nido_proc_wait(&child, NULL));
    NO_POINT(nido_proc_pid(&child));
    NO_POINT(nido_proc_kill(&child, 0));
    cr_expect(zero(int, nido_proc_stop(&child, NULL)));
    NO_POINT(nido_proc_release(&child));
    if (nido_procpool_new(NULL, &pool)) return;
    POINT(nido_procpool_call(pool, no_job, NULL, 0, NULL, NULL));
    NO_POINT(nido_procpool_free(pool));
}

static int nothing(void *unused)
{
    (void)unused;
    return 0;
}

/* S377 */
INSIDE(testkit_point, what_other_threads_may_have_to_do_with)
{
    nido_rt *rt = nido_rt_self();
    nido_waker *waker = NULL;
    nido_xevent *event = NULL;
    nido_xchan *chan = NULL;
    nido_xsem *sem = NULL;
    char item = 0;

    cr_expect(zero(int, nido_waker_new(&waker)));
    cr_expect(zero(int, nido_xevent_new(&event)));
    cr_expect(zero(int, nido_xchan_new(1, 1, NULL, NULL, &chan)));
    cr_expect(zero(int, nido_xsem_new(1, &sem)));
    NO_POINT(nido_waker_wake(waker));
    POINT(nido_waker_wait(waker));
    NO_POINT((nido_xevent_set(event), 0));
    POINT(nido_xevent_wait(event));
    POINT(nido_xchan_send(chan, &item));
    NO_POINT(nido_xchan_try_send(chan, &item));
    POINT(nido_xchan_recv(chan, &item));
    NO_POINT(nido_xchan_close(chan));
    POINT(nido_xsem_acquire(sem));
    NO_POINT(nido_xsem_release(sem, 1));
    POINT(nido_run_on(rt, nothing, NULL));
    NO_POINT(nido_post(rt, nothing, NULL));
    nido_waker_release(waker);
    nido_xevent_free(event);
    nido_xchan_free(chan);
    nido_xsem_free(sem);
    nido_rt_release(rt);
}

/* ---- The question itself ---- */

INSIDE(testkit_point, a_wrong_claim_is_told)
{
    cr_expect(not(NIDO_TEST_IS_POINT(nido_check())));
    cr_expect(not(NIDO_TEST_IS_NO_POINT(nido_sleep(1))));
    cr_expect(not(NIDO_TEST_IS_POINT(succeed(NULL))));
    cr_expect(zero(int, nido_sleep(1)), "the question's own scope is closed");
}

static int ask_within(void *unused)
{
    (void)unused;
    cr_expect(not(NIDO_TEST_IS_NO_POINT(nido_yield())));
    return NIDO_TEST_IS_POINT(nido_yield()) ? 0 : -EIO;
}

INSIDE(testkit_point, questions_may_be_nested_and_asked_by_many)
{
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, ask_within, NULL);
    begin(&group, ask_within, NULL);
    cr_expect(NIDO_TEST_IS_NO_POINT(nido_group_live(&group)));
    cr_expect(zero(int, nido_group_close(&group, 0)));
}

#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
/* The kit's memory is none of nido's, which is counted. */
INSIDE(testkit_point, a_question_leaves_no_memory_behind)
{
    enum { QUESTIONS = 1000, LEAST = 24 };
    size_t before = mallinfo2().uordblks, after;

    for (int i = 0; i < QUESTIONS; i++) POINT(nido_yield());
    after = mallinfo2().uordblks;
    cr_expect(lt(sz, after, before + QUESTIONS * LEAST));
}
#endif
