#include "coro/run/overflow.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <ucontext.h>

#include "base/debug_words.h"
#include "base/sys.h"
#include "coro/run/fork.h"
#include "coro/run/run.h"
#include "coro/stack/frames.h"
#include "debug/overflow.h"
#include "nido/debug.h"

enum { ROOM = 64 << 10, FRAMES = 8192 };

/* Of one run, mapped: pages that are not touched cost none. */
struct overflow_memory {
    void *frames[FRAMES];
    char stack[ROOM];
};

static const int numbers[] = {SIGSEGV, SIGBUS};
enum { NUMBERS = sizeof numbers / sizeof *numbers };

/* Process-wide, for the runs that ask for it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned users;
static bool handled[NUMBERS]; /* we have put our handler there */

/* ---- In a signal handler ---- */

/* Where the program was when it faulted; NULL: not known on this processor. */
static void *interrupted_at(const void *context)
{
    const ucontext_t *at = context;

    if (!at) return NULL;
#if defined(__linux__) && defined(__x86_64__)
    return (void *)(uintptr_t)at->uc_mcontext.gregs[REG_RIP];
#elif defined(__linux__) && defined(__i386__)
    return (void *)(uintptr_t)at->uc_mcontext.gregs[REG_EIP];
#elif defined(__linux__) && defined(__aarch64__)
    return (void *)(uintptr_t)at->uc_mcontext.pc;
#else
    return NULL;
#endif
}

int nido_report_overflow(const void *address, const void *context)
{
    const struct nidoi_task *task = nidoi_overflow_of(address);
    struct overflow_memory *memory;
    void *at = interrupted_at(context);
    int n = 0, own = 0;

    if (!task) return 0;
    memory = ((struct nidoi_run *)nidoi_loop_of(task->sched))->overflow.memory;
    if (memory) n = nidoi_frames_here(memory->frames, FRAMES);
    while (own < n && memory->frames[own] != at) own++;
    nidoi_overflow_tell(task, address, memory ? memory->frames + own : NULL, n - own, n == FRAMES);
    return 1;
}

/* The fault happens again when this returns, and then ends the program; a signal that another process
 * has sent, or raise, does not. A handler of the program that calls its predecessor calls us: the default
 * action is what it has found and wants. */
static void handler(int number, siginfo_t *info, void *context)
{
    const struct sigaction none = {.sa_handler = SIG_DFL};
    int err = errno;

    if (info->si_code > 0) nido_report_overflow(info->si_addr, context);
    nidoi_sys.sigaction(number, &none, NULL);
    if (info->si_code <= 0) raise(number);
    errno = err;
}

/* ---- Dispositions ---- */

static bool is_default(int number)
{
    struct sigaction now;

    return !nidoi_sys.sigaction(number, NULL, &now) && !(now.sa_flags & SA_SIGINFO) &&
           now.sa_handler == SIG_DFL;
}

static bool is_ours(int number)
{
    struct sigaction now;

    return !nidoi_sys.sigaction(number, NULL, &now) && now.sa_flags & SA_SIGINFO &&
           now.sa_sigaction == handler;
}

/* The lock is held, if there are threads. */
static void signals_give_back(void)
{
    const struct sigaction none = {.sa_handler = SIG_DFL};

    for (int i = 0; i < NUMBERS; i++) {
        if (handled[i] && is_ours(numbers[i])) nidoi_sys.sigaction(numbers[i], &none, NULL);
        handled[i] = false;
    }
}

static void signals_take(void)
{
    const struct sigaction ours = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    for (int i = 0; i < NUMBERS; i++)
        handled[i] = is_default(numbers[i]) && !nidoi_sys.sigaction(numbers[i], &ours, NULL);
}

/* In a forked child no task runs on. */
static void overflow_forked(void)
{
    static const pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;

    lock = fresh;
    if (users) signals_give_back();
    users = 0;
}

static struct nidoi_fork_handler at_fork = {.forked = overflow_forked};

static void users_count(int change)
{
    nidoi_fork_register(&at_fork);
    pthread_mutex_lock(&lock);
    if (change > 0 && !users) signals_take();
    users += (unsigned)change;
    if (!users) signals_give_back();
    pthread_mutex_unlock(&lock);
}

/* ---- The thread's alternate stack ---- */

static void stack_lend(struct overflow_memory *memory)
{
    const stack_t ours = {.ss_sp = memory->stack, .ss_size = sizeof memory->stack};
    stack_t now;

    if (!sigaltstack(NULL, &now) && now.ss_flags & SS_DISABLE) sigaltstack(&ours, NULL);
}

static void stack_take_back(struct overflow_memory *memory)
{
    const stack_t none = {.ss_flags = SS_DISABLE};
    stack_t now;

    if (!sigaltstack(NULL, &now) && now.ss_sp == memory->stack) sigaltstack(&none, NULL);
}

/* ---- A run ---- */

int nidoi_overflow_begin(struct nidoi_loop *loop, struct nidoi_overflow *overflow)
{
    void *mapped, *frame;
    int err;

    if (!(loop->options.flags & NIDO_RUN_OVERFLOW) && !nidoi_debug_asks("overflow")) return 0;
    err = nidoi_sys.map(sizeof *overflow->memory, &mapped);
    if (err) return err;
    overflow->memory = mapped;
    nidoi_frames_here(&frame, 1); /* the first call may load a library */
    stack_lend(overflow->memory);
    users_count(1);
    return 0;
}

void nidoi_overflow_end(struct nidoi_overflow *overflow)
{
    if (!overflow->memory) return;
    users_count(-1);
    stack_take_back(overflow->memory);
    nidoi_sys.unmap(overflow->memory, sizeof *overflow->memory);
    overflow->memory = NULL;
}
