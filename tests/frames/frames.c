/* SPDX-License-Identifier: MIT */
/* Functions that return with a scope or a group open, as a user's own program does it: compiled by
 * tests/frames/run with each compiler at each level. Every call that may wait, and every end, has to
 * die with the sentence that names the function, whatever has been written over its frame. */
#include <errno.h>
#include <nido.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define APART         __attribute__((noinline, noclone))
#define TOUCH(memory) __asm__ volatile("" : : "r"(memory) : "memory")

#ifdef __clang__
#undef APART
#define APART __attribute__((noinline))
#endif

static int nap(void *unused)
{
    (void)unused;
    return nido_sleep(NIDO_MS(20));
}

static ssize_t job(void *unused)
{
    (void)unused;
    return 0;
}

/* ---- What is left open ---- */

APART int leave_scope(void)
{
    nido_scope scope;

    nido_scope_open(&scope);
    return -EIO;
}

APART int leave_timeout(void)
{
    nido_scope scope;

    nido_timeout_open(&scope, NIDO_SEC(1));
    return -EIO;
}

APART int leave_group(void)
{
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, "forgotten");
    return -EIO;
}

APART int leave_child(void)
{
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, "forgotten");
    return nido_spawn(&group, nap, NULL) ? 0 : -EIO;
}

/* Above and below the scope lies what is written over later. */
APART int leave_deep(void)
{
    char above[2000];
    nido_scope scope;
    char below[2000];

    nido_timeout_open(&scope, NIDO_SEC(5));
    memset(above, 1, sizeof above);
    memset(below, 1, sizeof below);
    TOUCH(above);
    TOUCH(below);
    return -EIO;
}

typedef int leave_fn(void);
static leave_fn *const leaves[] = {leave_scope, leave_timeout, leave_group, leave_child,
                                   leave_deep};

/* ---- What comes next: its result does not matter, for it must not return ---- */

static leave_fn *leave;
static nido_event gate;
static nido_mutex mutex;
static nido_rwlock rwlock;
static nido_sem sem;
static nido_latch latch;
static nido_chan *chan;
static nido_arm arm;
static nido_scope outer;
static nido_group family;
static int ends[2], item;
static struct stat status;
static struct pollfd ask = {.events = POLLIN};

APART static int scribble(void)
{
    char memory[8192];

    memset(memory, 0x41, sizeof memory);
    TOUCH(memory);
    return 0;
}

APART static int scribble_and_sleep(void)
{
    char memory[8192];

    memset(memory, 0x41, sizeof memory);
    TOUCH(memory);
    nido_sleep(1);
    TOUCH(memory);
    return 0;
}

/* One call behind the forgotten scope: each row becomes a function. */
#define CALLS(X)                                                   \
    X(end, 0)                                                      \
    X(scribbled_end, scribble())                                   \
    X(print, printf("%s\n", nido_strerror(-EIO)) && nido_sleep(1)) \
    X(covered, scribble_and_sleep())                               \
    X(sleep, nido_sleep(1))                                        \
    X(scribbled_sleep, scribble() || nido_sleep(1))                \
    X(yield, nido_yield())                                         \
    X(check, nido_check())                                         \
    X(with_timeout, nido_with_timeout(1, nap, NULL))               \
    X(with_deadline, nido_with_deadline(NIDO_NEVER, nap, NULL))    \
    X(with_shield, nido_with_shield(1, nap, NULL))                 \
    X(with_group, nido_with_group(NIDO_RACE, NULL, NULL))          \
    X(event, nido_event_wait(&gate))                               \
    X(lock, nido_mutex_lock(&mutex))                               \
    X(read_lock, nido_rwlock_read_lock(&rwlock))                   \
    X(acquire, nido_sem_acquire(&sem))                             \
    X(latch, nido_latch_wait(&latch))                              \
    X(send, nido_chan_send(chan, &item))                           \
    X(recv, nido_chan_recv(chan, &item))                           \
    X(select, nido_select(&arm, 1, 0))                             \
    X(offload, nido_offload(job, NULL))                            \
    X(stat, nido_stat("/", &status))                               \
    X(read, nido_read(ends[0], &item, 1))                          \
    X(read_full, nido_read_full(ends[0], &item, 1, NULL))          \
    X(write, nido_write(ends[1], &item, 1))                        \
    X(write_all, nido_write_all(ends[1], &item, 1, NULL))          \
    X(accept, nido_accept(ends[0], NULL, NULL))                    \
    X(dial, nido_dial("127.0.0.1", "1", NULL))                     \
    X(wait_fd, nido_wait_fd(ends[0], NIDO_IN))                     \
    X(poll, nido_poll(&ask, 1))                                    \
    X(scope, (nido_scope_open(&inner), 0))                         \
    X(shield, (nido_shield_open(&inner, 1), 0))                    \
    X(group, (nido_group_open(&group, NIDO_RACE, NULL), 0))        \
    X(close, nido_scope_close(&outer, 0))                          \
    X(scribbled_close, scribble() || nido_scope_close(&outer, 0))  \
    X(spawn, nido_spawn(&family, nap, NULL))                       \
    X(spawn_wait, nido_spawn_wait(&family, nap, NULL))             \
    X(start, nido_start(&family, nap, NULL, NULL))                 \
    X(close_group, nido_group_close(&family, 0))                   \
    X(cancel_group, nido_group_cancel(&family, 0, NULL))           \
    X(round, leave())

#define FUNCTION(name, call)        \
    static void next_##name(void)   \
    {                               \
        nido_scope inner;           \
        nido_group group;           \
                                    \
        (void)&inner, (void)&group; \
        leave();                    \
        (void)!(call);              \
    }
CALLS(FUNCTION)

#define ROW(name, call) {#name, next_##name},
static const struct next {
    const char *name;
    void (*fn)(void);
} nexts[] = {CALLS(ROW)};

/* ---- One pair in a process of its own ---- */

static const struct next *next;

static int task(void *unused)
{
    (void)unused;
    nido_group_open(&family, NIDO_FAIL_FAST, NULL);
    nido_timeout_open(&outer, NIDO_SEC(5));
    next->fn();
    return 0;
}

static int app(void *unused)
{
    nido_group group;
    int rc = nido_pipe(ends);

    ask.fd = ends[0];
    nido_arm_event(&arm, &gate);
    (void)unused;
    nido_event_init(&gate, "gate");
    nido_mutex_init(&mutex, "mutex");
    nido_rwlock_init(&rwlock, "rwlock");
    nido_sem_init(&sem, 0, 1, "sem");
    nido_latch_init(&latch, 1, "latch");
    if (!rc) rc = nido_chan_new(sizeof(int), 0, NULL, NULL, &chan);
    nido_group_open(&group, NIDO_FAIL_FAST, "around");
    if (!rc) rc = nido_spawn(&group, task, NULL);
    return nido_group_close(&group, rc);
}

static void do_it(int err)
{
    dup2(err, STDERR_FILENO);
    if (!freopen("/dev/null", "w", stdout)) _exit(3);
    alarm(20);
    _exit(nido_run(app, NULL, NULL) < 0 ? 1 : 2);
}

/* What it says; the status in *ended. */
static const char *words(int *ended)
{
    static char text[65536];
    size_t used = 0;
    ssize_t n;
    int said[2];
    pid_t child;

    fflush(stdout);
    if (pipe(said) || (child = fork()) < 0) exit(3);
    if (child == 0) do_it(said[1]);
    close(said[1]);
    while ((n = read(said[0], text + used, sizeof text - 1 - used)) > 0) used += (size_t)n;
    close(said[0]);
    waitpid(child, ended, 0);
    text[used] = '\0';
    return text;
}

static const char *const names[] = {"leave_scope+", "leave_timeout+", "leave_group+",
                                    "leave_child+", "leave_deep+"};

int main(void)
{
    int failures = 0;

    for (size_t i = 0; i < sizeof leaves / sizeof *leaves; i++)
        for (next = nexts; next < nexts + sizeof nexts / sizeof *nexts; next++) {
            const char *text;
            int ended;

            leave = leaves[i];
            text = words(&ended);
            if (WIFSIGNALED(ended) && WTERMSIG(ended) == SIGABRT && strstr(text, names[i]) &&
                (strstr(text, "was never closed") || strstr(text, "without closing")))
                continue;
            failures++;
            printf("%s then %s: status %#x, \"%.600s\"\n", names[i], next->name, (unsigned)ended,
                   text);
        }
    return failures != 0;
}
