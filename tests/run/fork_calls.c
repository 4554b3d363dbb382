/* SPDX-License-Identifier: MIT */
/* Every call in a forked child, and every piece of state that belongs to the process. `tests/checks/forked`
 * checks that no call of the headers is missing here. Children report by their exit status: no
 * assertion of theirs would be heard, so they say on stderr what was wrong. */
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abort_help.h"
#include "inside_help.h"
#include "nido/procpool.h"

static int in_child(int (*fn)(void *), void *arg)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        alarm(20);
        _exit(fn(arg));
    }
    cr_expect(eq(int, waitpid(child, &status, 0), child));
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* What the parent has made. */
static struct world {
    nido_rt *rt;
    int ends[2];
    nido_group group;
    nido_task self;
    nido_barrier barrier;
    nido_broadcast *broadcast;
    nido_broadcast_reader reader;
    nido_chan *chan;
    nido_cond cond;
    nido_event event;
    nido_latch latch;
    nido_waitq queue;
    nido_limiter limiter;
    nido_limiter_token token;
    nido_mutex mutex;
    nido_once once;
    nido_rwlock rwlock;
    nido_sem sem;
    nido_signal signal;
    nido_watch watch;
    nido_ticker ticker;
    nido_waker *waker;
    nido_xchan *xchan;
    nido_xevent *xevent;
    nido_xsem *xsem;
    nido_proc proc;
    nido_dir *dir;
    nido_stream stream;
    long value;
} world;

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static ssize_t job(void *arg)
{
    (void)arg;
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

static int shard(unsigned number, void *arg)
{
    (void)number, (void)arg;
    return 0;
}

static void drop(void *ctx, void *item, int rc)
{
    (void)ctx, (void)item, (void)rc;
}

static int wrong; /* calls, in the child */

static void expect_refused(int64_t result, const char *call)
{
    if (result == -EPERM) return;
    fprintf(stderr, "in a forked child %s is %lld\n", call, (long long)result);
    wrong++;
}

#define REFUSED(call) expect_refused((int64_t)(call), #call)

static void tasks_are_refused(void)
{
    nido_stats stats;
    nido_histogram histogram;
    nido_scope scope;
    nido_value_key value_key = NIDO_VALUE_KEY_INIT("key", 0);
    nido_value value;
    nido_group group;
    intptr_t out;
    int rc;

    REFUSED(nido_sleep(1));
    REFUSED(nido_sleep_until(1));
    REFUSED(nido_yield());
    REFUSED(nido_check());
    REFUSED(nido_dump(stderr));
    REFUSED(nido_dump_json(stderr));
    REFUSED(nido_dump_with(stderr, 0));
    nido_stats_init(&stats);
    nido_histogram_init(&histogram);
    REFUSED(nido_stats_get(&stats));
    REFUSED(nido_histogram_get(NIDO_HISTOGRAM_TURN, &histogram));
    REFUSED(nido_times_get(NULL, 0));
    REFUSED(nido_trace_start(NULL));
    REFUSED(nido_trace_stop());
    REFUSED(nido_trace_write(2));
    REFUSED(nido_ticker_wait(&world.ticker));
    nido_scope_open(&scope);
    REFUSED(nido_scope_cancel(&scope, 0, NULL));
    REFUSED(nido_scope_move(&scope, 1));
    REFUSED(nido_scope_close(&scope, 0));
    nido_value_open(&value, &value_key, "x");
    REFUSED(nido_value_close(&value));
    REFUSED(nido_with_deadline(1, do_nothing, NULL));
    REFUSED(nido_with_timeout(1, do_nothing, NULL));
    REFUSED(nido_with_shield(1, do_nothing, NULL));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    REFUSED(nido_spawn(&group, do_nothing, NULL));
    REFUSED(nido_spawn_copy(&group, do_nothing, "x", 1));
    REFUSED(nido_spawn_with(&group, do_nothing, NULL, NULL, NULL));
    REFUSED(nido_spawn_wait(&group, do_nothing, NULL));
    REFUSED(nido_group_wait(&group));
    REFUSED(nido_group_set_limit(&group, 1));
    REFUSED(nido_group_counts_get(&group, &(nido_group_counts){0}));
    REFUSED(nido_start(&group, do_nothing, NULL, &out));
    REFUSED(nido_started(0));
    REFUSED(nido_group_cancel(&group, 0, NULL));
    REFUSED(nido_group_close(&group, 0));
    REFUSED(nido_group_cancel(&world.group, 0, NULL));
    REFUSED(nido_spawn(&world.group, do_nothing, NULL));
    REFUSED(nido_with_group(NIDO_FAIL_FAST, NULL, NULL));
    REFUSED(nido_join(world.self, &rc));
    REFUSED(nido_try_join(world.self, &rc));
    REFUSED(nido_task_cancel(world.self, 0, NULL));
    REFUSED(nido_task_forget(world.self));
    REFUSED(nido_local_set(&(nido_local){0}, NULL));
}

static void objects_are_refused(void)
{
    nido_arm arm;
    long item = 0;
    uint64_t seen = 0;

    REFUSED(nido_barrier_wait(&world.barrier));
    REFUSED(nido_barrier_try_wait(&world.barrier));
    REFUSED(nido_barrier_abort(&world.barrier));
    REFUSED(nido_barrier_reset(&world.barrier));
    REFUSED(nido_broadcast_send(world.broadcast, &item));
    REFUSED(nido_broadcast_recv(&world.reader, &item));
    REFUSED(nido_broadcast_try_recv(&world.reader, &item));
    REFUSED(nido_broadcast_close(world.broadcast));
    REFUSED(nido_chan_send(world.chan, &item));
    REFUSED(nido_chan_recv(world.chan, &item));
    REFUSED(nido_chan_try_send(world.chan, &item));
    REFUSED(nido_chan_try_recv(world.chan, &item));
    REFUSED(nido_chan_reserve(world.chan));
    REFUSED(nido_chan_commit(world.chan, &item));
    REFUSED(nido_chan_unreserve(world.chan));
    REFUSED(nido_chan_retain_send(world.chan));
    REFUSED(nido_chan_retain_recv(world.chan));
    REFUSED(nido_chan_release_send(world.chan));
    REFUSED(nido_chan_release_recv(world.chan));
    REFUSED(nido_chan_close_send(world.chan));
    REFUSED(nido_chan_close_recv(world.chan));
    REFUSED(nido_cond_wait(&world.cond, &world.mutex));
    REFUSED(nido_cond_notify(&world.cond));
    REFUSED(nido_cond_wait_until(&world.cond, &world.mutex, NULL, NULL));
    REFUSED(nido_cond_notify_n(&world.cond, 1));
    REFUSED(nido_cond_notify_all(&world.cond));
    REFUSED(nido_event_wait(&world.event));
    REFUSED(nido_event_set(&world.event));
    REFUSED(nido_event_reset(&world.event));
    REFUSED(nido_latch_add(&world.latch, 1));
    REFUSED(nido_latch_done(&world.latch));
    REFUSED(nido_latch_wait(&world.latch));
    REFUSED(nido_latch_try_wait(&world.latch));
    REFUSED(nido_waitq_use(&world.queue, true));
    REFUSED(nido_waitq_wait(&world.queue, NULL));
    REFUSED(nido_waitq_wake(&world.queue, 0));
    REFUSED(nido_waitq_wake_all(&world.queue, 0));
    REFUSED(nido_limiter_acquire(&world.limiter, &world.token));
    REFUSED(nido_limiter_try_acquire(&world.limiter, &world.token));
    REFUSED(nido_limiter_release(&world.limiter, &world.token));
    REFUSED(nido_limiter_resize(&world.limiter, 2));
    REFUSED(nido_mutex_lock(&world.mutex));
    REFUSED(nido_mutex_try_lock(&world.mutex));
    REFUSED(nido_mutex_unlock(&world.mutex));
    REFUSED(nido_mutex_repair(&world.mutex));
    REFUSED(nido_once_do(&world.once, do_nothing, NULL));
    REFUSED(nido_once_do_shared(&world.once, do_nothing, NULL));
    REFUSED(nido_rwlock_read_lock(&world.rwlock));
    REFUSED(nido_rwlock_write_lock(&world.rwlock));
    REFUSED(nido_rwlock_try_read_lock(&world.rwlock));
    REFUSED(nido_rwlock_try_write_lock(&world.rwlock));
    REFUSED(nido_rwlock_read_unlock(&world.rwlock));
    REFUSED(nido_rwlock_write_unlock(&world.rwlock));
    REFUSED(nido_rwlock_repair(&world.rwlock));
    REFUSED(nido_sem_acquire(&world.sem));
    REFUSED(nido_sem_acquire_n(&world.sem, 1));
    REFUSED(nido_sem_try_acquire(&world.sem));
    REFUSED(nido_sem_try_acquire_n(&world.sem, 1));
    REFUSED(nido_sem_release(&world.sem));
    REFUSED(nido_sem_release_n(&world.sem, 1));
    REFUSED(nido_sem_close(&world.sem));
    REFUSED(nido_signal_wait(&world.signal));
    REFUSED(nido_signal_try(&world.signal));
    REFUSED(nido_signal_close(&world.signal));
    REFUSED(nido_watch_set(&world.watch, &item));
    REFUSED(nido_watch_get(&world.watch, &item, &seen));
    REFUSED(nido_watch_wait(&world.watch, &item, &seen));
    REFUSED(nido_watch_close(&world.watch));
    nido_arm_event(&arm, &world.event);
    REFUSED(nido_select(&arm, 1, 0));
    REFUSED(nido_try_select(&arm, 1, 0));
}

static void threads_are_refused(void)
{
    long item = 0;

    REFUSED(nido_waker_new(&(nido_waker *){NULL}));
    REFUSED(nido_waker_wake(world.waker));
    REFUSED(nido_waker_wait(world.waker));
    REFUSED(nido_run_on(world.rt, do_nothing, NULL));
    REFUSED(nido_post(world.rt, do_nothing, NULL));
    REFUSED(nido_dump_request(world.rt));
    REFUSED(nido_dump_request(NULL));
    REFUSED(nido_rt_shutdown(world.rt, "no"));
    REFUSED(nido_call_in_loop(do_nothing, NULL));
    REFUSED(nido_offload(job, NULL));
    REFUSED(nido_offload_with(job, NULL, NULL));
    REFUSED(nido_offload_abandon(job, NULL, drop, NULL));
    REFUSED(nido_parallel_for(1, do_index, NULL, NULL));
    REFUSED(nido_map(&item, 1, &item, 1, 1, do_item, NULL, NULL));
    REFUSED(nido_xchan_try_send(world.xchan, &item));
    REFUSED(nido_xchan_try_recv(world.xchan, &item));
    REFUSED(nido_xchan_send(world.xchan, &item));
    REFUSED(nido_xchan_recv(world.xchan, &item));
    REFUSED(nido_xchan_close(world.xchan));
    REFUSED(nido_xevent_wait(world.xevent));
    REFUSED(nido_xsem_acquire(world.xsem));
    REFUSED(nido_xsem_try_acquire(world.xsem));
    REFUSED(nido_xsem_release(world.xsem, 1));
    nido_xevent_set(world.xevent); /* these have no result, and do nothing */
    nido_xevent_reset(world.xevent);
    nido_xchan_free(world.xchan);
    nido_xevent_free(world.xevent);
    nido_xsem_free(world.xsem);
    nido_waker_release(world.waker);
    nido_rt_release(world.rt);
}

static int never_served(nido_stream *stream, void *ctx)
{
    (void)stream, (void)ctx;
    return 0;
}

static ssize_t never_read(void *ctx, void *buf, size_t len)
{
    (void)ctx, (void)buf;
    return (ssize_t)len;
}

static ssize_t never_write(void *ctx, const void *buf, size_t len)
{
    (void)ctx, (void)buf;
    return (ssize_t)len;
}

static void descriptors_are_refused(void)
{
    struct pollfd entry = {.fd = world.ends[0], .events = POLLIN};
    struct msghdr message = {0};
    struct iovec part = {&world.value, 1};
    struct addrinfo *list = NULL;
    struct stat status;
    nido_stream_ops ops = {.size = sizeof ops, .read = never_read, .write = never_write};
    char *bytes;
    nido_dir *dir;
    size_t done;
    char byte = 0;

    REFUSED(nido_read(world.ends[0], &byte, 1));
    REFUSED(nido_readv(world.ends[0], &part, 1));
    REFUSED(nido_write(world.ends[1], &byte, 1));
    REFUSED(nido_writev(world.ends[1], &part, 1));
    REFUSED(nido_try_read(world.ends[0], &byte, 1));
    REFUSED(nido_try_write(world.ends[1], &byte, 1));
    REFUSED(nido_read_full(world.ends[0], &byte, 1, &done));
    REFUSED(nido_write_all(world.ends[1], &byte, 1, &done));
    REFUSED(nido_sendfile(world.ends[1], world.ends[0], 0, 1, &done));
    REFUSED(nido_stream_open(&(nido_stream){0}, world.ends[0], NULL));
    REFUSED(nido_stream_open_ops(&(nido_stream){0}, &ops, NULL, NULL));
    REFUSED(nido_stream_wait(&world.stream));
    REFUSED(nido_stream_line(&world.stream, &bytes, &done));
    REFUSED(nido_stream_until(&world.stream, "x", 1, &bytes, &done));
    REFUSED(nido_stream_peek(&world.stream, 0, &bytes));
    REFUSED(nido_stream_take(&world.stream, 0));
    REFUSED(nido_stream_read(&world.stream, &byte, 1));
    REFUSED(nido_stream_read_full(&world.stream, &byte, 1, &done));
    REFUSED(nido_stream_write(&world.stream, &byte, 1, &done));
    REFUSED(nido_stream_writev(&world.stream, &part, 1, &done));
    REFUSED(nido_stream_printf(&world.stream, "x"));
    REFUSED(nido_stream_flush(&world.stream));
    REFUSED(nido_stream_shutdown(&world.stream));
    REFUSED(nido_stream_copy(&world.stream, &world.stream, 1, NULL));
    REFUSED(nido_stream_copy_file(&world.stream, 0, 0, 1, NULL));
    REFUSED(nido_stream_stop(&world.stream));
    REFUSED(nido_serve(dup(world.ends[0]), never_served, NULL, NULL));
    REFUSED(nido_serve_stop(world.rt));
    REFUSED(nido_wait_fd(world.ends[0], NIDO_IN));
    REFUSED(nido_poll(&entry, 1));
    REFUSED(nido_pipe((int[2]){0}));
    REFUSED(nido_fd_own(world.ends[0]));
    REFUSED(nido_open("/dev/null", O_RDONLY, 0));
    REFUSED(nido_tmpfile(NULL));
    REFUSED(nido_file_replace("/tmp/nido-never-made", NULL, 0, 0600));
    REFUSED(nido_pread(world.ends[0], &byte, 1, 0));
    REFUSED(nido_pwrite(world.ends[0], &byte, 1, 0));
    REFUSED(nido_fsync(world.ends[0]));
    REFUSED(nido_fdatasync(world.ends[0]));
    REFUSED(nido_stat("/", &status));
    REFUSED(nido_lstat("/", &status));
    REFUSED(nido_fstat(world.ends[0], &status));
    REFUSED(nido_file_close(world.ends[0]));
    REFUSED(nido_opendir("/", &dir));
    REFUSED(nido_readdir(world.dir, &(nido_dirent){0}));
    REFUSED(nido_getaddrinfo("127.0.0.1", NULL, NULL, &list));
    REFUSED(nido_listen("127.0.0.1", "0", NULL));
    REFUSED(nido_listen_all("127.0.0.1", "0", NULL, &(int){-1}, 1));
    REFUSED(nido_dial("127.0.0.1", "1", NULL));
    REFUSED(nido_dial_any(&(struct addrinfo){0}, NULL));
    REFUSED(nido_socket(AF_UNIX, SOCK_STREAM, 0));
    REFUSED(nido_socketpair(AF_UNIX, SOCK_STREAM, 0, (int[2]){0}));
    REFUSED(nido_accept(world.ends[0], NULL, NULL));
    REFUSED(nido_connect(world.ends[0], (struct sockaddr *)&(struct sockaddr_storage){0}, 16));
    REFUSED(nido_recv(world.ends[0], &byte, 1, 0));
    REFUSED(nido_send(world.ends[0], &byte, 1, 0));
    REFUSED(nido_try_accept(world.ends[0], NULL, NULL));
    REFUSED(nido_try_recv(world.ends[0], &byte, 1, 0));
    REFUSED(nido_try_send(world.ends[0], &byte, 1, 0));
    REFUSED(nido_recvfrom(world.ends[0], &byte, 1, 0, NULL, NULL));
    REFUSED(nido_sendto(world.ends[0], &byte, 1, 0, NULL, 0));
    REFUSED(nido_recvmsg(world.ends[0], &message, 0));
    REFUSED(nido_sendmsg(world.ends[0], &message, 0));
}

static void runs_and_processes_are_refused(void)
{
    nido_proc_options options;
    nido_proc_result result;
    nido_signal signal;
    nido_procpool *pool;
    nido_proc proc;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    nido_proc_options_init(&options);
    options.argv = (char *[]){"true", NULL};
    REFUSED(nido_run(do_nothing, NULL, NULL));
    REFUSED(nido_rt_new(NULL, &(nido_rt *){NULL}));
    REFUSED(nido_rt_start(world.rt, do_nothing, NULL));
    REFUSED(nido_rt_fd(world.rt));
    REFUSED(nido_rt_timeout(world.rt));
    REFUSED(nido_rt_step(world.rt));
    REFUSED(nido_rt_result(world.rt, &(int){0}));
    REFUSED(nido_rt_free(world.rt));
    REFUSED(nido_shards(1, shard, NULL, NULL));
    REFUSED(nido_signal_open(&signal, &set));
    REFUSED(nido_proc_spawn(&proc, &options));
    REFUSED(nido_proc_run(&options, NULL, 0, &result));
    REFUSED(nido_proc_wait(&world.proc, NULL));
    REFUSED(nido_proc_kill(&world.proc, SIGTERM));
    REFUSED(nido_proc_stop(&world.proc, NULL));
    REFUSED(nido_proc_pid(&world.proc));
    REFUSED(nido_proc_stdin(&world.proc));
    REFUSED(nido_proc_stdout(&world.proc));
    REFUSED(nido_proc_stderr(&world.proc));
    REFUSED(nido_proc_take(&world.proc, 0));
    REFUSED(nido_proc_release(&world.proc));
    REFUSED(nido_procpool_new(NULL, &pool));
    if (nido_shard_rt(0)) expect_refused(0, "nido_shard_rt");
    if (nido_rt_self()) expect_refused(0, "nido_rt_self");
}

static int call_everything(void *unused)
{
    (void)unused;
    tasks_are_refused();
    objects_are_refused();
    descriptors_are_refused();
    runs_and_processes_are_refused();
    threads_are_refused();
    return wrong > 99 ? 99 : wrong;
}

static int attempt_nothing(nido_waitq *queue, void *item)
{
    (void)queue;
    (void)item;
    return -EAGAIN;
}

static const nido_wait_kind never = {.name = "never", .attempt = attempt_nothing};

static void make_objects(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    cr_expect(eq(int, nido_barrier_init(&world.barrier, 2, 0, NULL), 0));
    cr_expect(eq(int, nido_broadcast_new(sizeof(long), 2, &world.broadcast), 0));
    nido_broadcast_subscribe(world.broadcast, &world.reader);
    cr_expect(eq(int, nido_chan_new(sizeof(long), 2, NULL, NULL, &world.chan), 0));
    nido_cond_init(&world.cond, NULL);
    nido_event_init(&world.event, NULL);
    nido_latch_init(&world.latch, 1, NULL);
    nido_waitq_init(&world.queue, &never, NULL);
    cr_expect(eq(int, nido_limiter_init(&world.limiter, 1, NULL), 0));
    nido_mutex_init(&world.mutex, NULL);
    nido_once_init(&world.once, NULL);
    nido_rwlock_init(&world.rwlock, NULL);
    cr_expect(eq(int, nido_sem_init(&world.sem, 0, 2, NULL), 0));
    cr_expect(eq(int, nido_signal_open(&world.signal, &set), 0));
    cr_expect(eq(int, nido_watch_init(&world.watch, &world.value, sizeof world.value, NULL), 0));
    cr_expect(eq(int, nido_ticker_init(&world.ticker, NIDO_SEC(1), NIDO_SKIP), 0));
}

/* Objects are a runtime's while somebody waits for them or holds them. */
static int wait_for_event(void *arg)
{
    return nido_event_wait(arg);
}

static int wait_for_permit(void *arg)
{
    return nido_sem_acquire(arg);
}

static int wait_at_barrier(void *arg)
{
    return nido_barrier_wait(arg);
}

static int wait_in_queue(void *arg)
{
    return nido_waitq_wait(arg, NULL);
}

static int wait_for_latch(void *arg)
{
    return nido_latch_wait(arg);
}

static int wait_for_item(void *arg)
{
    return nido_chan_recv(arg, &(long){0});
}

static int wait_for_news(void *arg)
{
    return nido_broadcast_recv(arg, &(long){0});
}

static int wait_for_change(void *arg)
{
    return nido_watch_wait(arg, &(long){0}, &(uint64_t){1});
}

static int wait_for_place(void *arg)
{
    nido_limiter_token token = {0};

    return nido_limiter_acquire(arg, &token);
}

static int wait_for_notice(void *arg)
{
    int rc = nido_mutex_lock(&world.mutex);

    if (!rc) rc = nido_cond_wait(arg, &world.mutex);
    nido_mutex_unlock(&world.mutex);
    return rc;
}

static void use_objects(void)
{
    begin(&world.group, wait_for_event, &world.event);
    begin(&world.group, wait_for_permit, &world.sem);
    begin(&world.group, wait_at_barrier, &world.barrier);
    begin(&world.group, wait_for_latch, &world.latch);
    begin(&world.group, wait_in_queue, &world.queue);
    begin(&world.group, wait_for_item, world.chan);
    begin(&world.group, wait_for_news, &world.reader);
    begin(&world.group, wait_for_change, &world.watch);
    cr_expect(eq(int, nido_limiter_acquire(&world.limiter, &world.token), 0));
    begin(&world.group, wait_for_place, &world.limiter);
    begin(&world.group, wait_for_notice, &world.cond);
    nido_yield();
}

static void make_world(void)
{
    nido_proc_options options;

    world.rt = nido_rt_self();
    world.self = nido_self();
    cr_expect(eq(int, nido_pipe(world.ends), 0));
    cr_expect(eq(int, nido_waker_new(&world.waker), 0));
    cr_expect(eq(int, nido_xchan_new(sizeof(long), 1, NULL, NULL, &world.xchan), 0));
    cr_expect(eq(int, nido_xevent_new(&world.xevent), 0));
    cr_expect(eq(int, nido_xsem_new(1, &world.xsem), 0));
    nido_proc_options_init(&options);
    options.argv = (char *[]){"true", NULL};
    cr_expect(eq(int, nido_proc_spawn(&world.proc, &options), 0));
    cr_expect(eq(int, nido_opendir("/", &world.dir), 0));
    make_objects();
    nido_group_open(&world.group, NIDO_FAIL_FAST, NULL);
    use_objects();
}

static void end_world(void)
{
    nido_group_cancel(&world.group, 0, NULL);
    cr_expect(eq(int, nido_group_close(&world.group, 0), 0));
    cr_expect(eq(int, nido_limiter_release(&world.limiter, &world.token), 0));
    cr_expect(eq(int, nido_signal_close(&world.signal), 0));
    cr_expect(eq(int, nido_proc_wait(&world.proc, NULL), 0));
    cr_expect(eq(int, nido_proc_release(&world.proc), 0));
    cr_expect(eq(int, nido_closedir(world.dir), 0));
    nido_broadcast_free(world.broadcast);
    nido_chan_free(world.chan);
    nido_xchan_free(world.xchan);
    nido_xevent_free(world.xevent);
    nido_xsem_free(world.xsem);
    nido_waker_release(world.waker);
    nido_rt_release(world.rt);
    nido_close(world.ends[0]);
    nido_close(world.ends[1]);
}

INSIDE(fork_calls, in_the_child_every_call_is_refused)
{
    make_world();
    cr_expect(eq(int, in_child(call_everything, NULL), 0), "see stderr");
    end_world();
}

/* ---- A lock that another thread held ---- */

static struct held {
    nido_xsem *sem;
    pthread_barrier_t holds, forked;
} held;

static void *hold_the_lock(void *unused)
{
    (void)unused;
    pthread_mutex_lock((pthread_mutex_t *)held.sem); /* its first field */
    pthread_barrier_wait(&held.holds);
    pthread_barrier_wait(&held.forked);
    pthread_mutex_unlock((pthread_mutex_t *)held.sem);
    return NULL;
}

static int use_the_object(void *unused)
{
    (void)unused;
    return nido_xsem_acquire(held.sem) == -EPERM && nido_xsem_release(held.sem, 1) == -EPERM ? 0
                                                                                             : 1;
}

NIDO_TEST(fork_calls, a_lock_that_another_thread_held_is_not_waited_for)
{
    pthread_t thread;

    cr_assert(eq(int, nido_xsem_new(0, &held.sem), 0));
    pthread_barrier_init(&held.holds, NULL, 2);
    pthread_barrier_init(&held.forked, NULL, 2);
    pthread_create(&thread, NULL, hold_the_lock, NULL);
    pthread_barrier_wait(&held.holds);
    cr_expect(eq(int, in_child(use_the_object, NULL), 0));
    pthread_barrier_wait(&held.forked);
    pthread_join(thread, NULL);
    nido_xsem_free(held.sem);
}

/* ---- State of the process ---- */

static bool does(int number, void (*handler)(int))
{
    struct sigaction now;

    return sigaction(number, NULL, &now) == 0 && now.sa_handler == handler;
}

static ssize_t interruptible(void *arg)
{
    (void)arg;
    return 3;
}

static int interruptible_job(void *arg)
{
    nido_offload_options options;

    (void)arg;
    nido_offload_options_init(&options);
    options.mode = NIDO_OFFLOAD_INTERRUPT;
    return (int)nido_offload_with(interruptible, NULL, &options);
}

static int interrupt_anew(void *unused)
{
    (void)unused;
    if (!does(SIGURG, SIG_DFL)) return 1;
    if (nido_after_fork_reset()) return 2;
    return nido_run(interruptible_job, NULL, NULL) == 3 && does(SIGURG, SIG_DFL) ? 0 : 3;
}

INSIDE(fork_calls, the_child_may_interrupt_jobs_of_its_own)
{
    cr_expect(eq(int, interruptible_job(NULL), 3));
    cr_expect(eq(int, in_child(interrupt_anew, NULL), 0));
    cr_expect(eq(int, interruptible_job(NULL), 3), "the parent goes on");
}

static void on_urgent(int number)
{
    (void)number;
}

static int keeps_its_handler(void *number)
{
    return does(*(int *)number, on_urgent) ? 0 : 1;
}

INSIDE(fork_calls, a_handler_that_the_program_set_meanwhile_stays_in_the_child)
{
    nido_signal receiver;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    cr_expect(eq(int, interruptible_job(NULL), 3));
    cr_expect(eq(int, nido_signal_open(&receiver, &set), 0));
    signal(SIGURG, on_urgent);
    signal(SIGUSR1, on_urgent);
    cr_expect(eq(int, in_child(keeps_its_handler, &(int){SIGURG}), 0));
    cr_expect(eq(int, in_child(keeps_its_handler, &(int){SIGUSR1}), 0));
    nido_signal_close(&receiver);
}

static int first_shard_is_nobody(void *unused)
{
    (void)unused;
    return nido_shard_rt(0) ? 1 : 0;
}

static int fork_in_a_shard(unsigned number, void *arg)
{
    (void)arg;
    return number ? 0 : in_child(first_shard_is_nobody, NULL);
}

NIDO_TEST(fork_calls, a_shard_that_forks_is_none_in_the_child)
{
    cr_expect(eq(int, nido_shards(2, fork_in_a_shard, NULL, NULL), 0));
}

/* ---- Who comes back in the child ---- */

static int fork_once(void *unused)
{
    int status = 0;
    pid_t child = fork();

    (void)unused;
    if (child == 0) return 0;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) abort(); /* as it did, and with its words */
    return 0;
}

static ssize_t fork_in_a_job(void *arg)
{
    return fork_once(arg);
}

static int job_that_returns_twice(void *unused)
{
    (void)unused;
    return (int)nido_offload(fork_in_a_job, NULL);
}

NIDO_TEST(fork_calls, a_job_that_returns_in_the_child_ends_it_with_a_sentence)
{
    EXPECT_LAST_WORDS(job_that_returns_twice,
                      "nido: the function of a job has returned in a forked child");
}

static int post_that_returns_twice(void *unused)
{
    nido_rt *rt = nido_rt_self();

    (void)unused;
    nido_post(rt, fork_once, NULL);
    nido_rt_release(rt);
    return nido_sleep(NIDO_MS(1));
}

NIDO_TEST(fork_calls, a_posted_function_that_returns_in_the_child_ends_it_with_a_sentence)
{
    EXPECT_LAST_WORDS(post_that_returns_twice,
                      "nido: a function that the loop called has returned in a forked child");
}
