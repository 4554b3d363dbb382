/* SPDX-License-Identifier: MIT */
#include "coro/run/signals.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/sys.h"
#include "coro/run/fork.h"

enum { NUMBERS = 64 };

struct note {
    struct nidoi_post post;
    uint32_t sent; /* atomic: on its way */
};

struct listener {
    struct nidoi_extension extension;
    struct listener *next; /* atomic: handlers walk along it */
    nido_rt *remote;
    uint64_t wanted; /* atomic: by any receiver here */
    struct nidoi_link receivers;
    struct note notes[NUMBERS];
    uint32_t heard[NUMBERS]; /* the last arrival that its receivers were told of */
};

/* Process-wide. Handlers read; changes are made under the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct listener *listeners; /* atomic */
static uint32_t handlers_inside;   /* atomic: they walk along the list now */
static uint32_t users[NUMBERS];    /* atomic: receivers of the program */
static uint32_t roots[NUMBERS];    /* atomic: the others */
static struct sigaction before[NUMBERS];
static uint32_t defaulted[NUMBERS]; /* atomic: we have put the default in place of the handler */
static uint32_t arrivals[NUMBERS];  /* atomic: counted by the handler */
static uint32_t taken[NUMBERS];     /* the last arrival that a receiver has taken */

static uint64_t bit(int index)
{
    return UINT64_C(1) << index;
}

uint64_t nidoi_signal_bit(int number)
{
    if (number < 1 || number > NUMBERS) return 0;
    if (number == SIGKILL || number == SIGSTOP || number == SIGSEGV || number == SIGBUS ||
        number == SIGFPE || number == SIGILL)
        return 0;
    return bit(number - 1);
}

/* ---- In a signal handler ---- */

/* It asks a run to end, and no receiver of the program wants it. */
static bool is_for_roots_alone(int index)
{
    return __atomic_load_n(&roots[index], __ATOMIC_SEQ_CST) &&
           !__atomic_load_n(&users[index], __ATOMIC_SEQ_CST);
}

static void handler(int number);

/* A second signal ends the program, whatever the loop is doing. */
static void defaults_restore(void)
{
    const struct sigaction none = {.sa_handler = SIG_DFL};

    for (int i = 0; i < NUMBERS; i++) {
        if (!is_for_roots_alone(i) || !nidoi_sys_handled_by(i + 1, handler)) continue;
        __atomic_store_n(&defaulted[i], 1, __ATOMIC_SEQ_CST);
        nidoi_sys.sigaction(i + 1, &none, NULL);
    }
}

static void handler(int number)
{
    int index = number - 1, err = errno;
    struct listener *listener;

    __atomic_add_fetch(&handlers_inside, 1, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&arrivals[index], 1, __ATOMIC_SEQ_CST);
    if (is_for_roots_alone(index)) defaults_restore();
    for (listener = __atomic_load_n(&listeners, __ATOMIC_SEQ_CST); listener;
         listener = __atomic_load_n(&listener->next, __ATOMIC_SEQ_CST)) {
        struct note *note = &listener->notes[index];

        if (!(__atomic_load_n(&listener->wanted, __ATOMIC_SEQ_CST) & bit(index))) continue;
        if (!__atomic_exchange_n(&note->sent, 1, __ATOMIC_SEQ_CST))
            nidoi_remote_post(listener->remote, &note->post);
    }
    __atomic_sub_fetch(&handlers_inside, 1, __ATOMIC_SEQ_CST);
    errno = err;
}

/* ---- On the loop's thread ---- */

static bool is_wanted(int index)
{
    return __atomic_load_n(&users[index], __ATOMIC_SEQ_CST) ||
           __atomic_load_n(&roots[index], __ATOMIC_SEQ_CST);
}

/* The root's receivers are told only if the program has none. True: one was told. */
static bool receivers_tell(struct listener *listener, int index, bool root)
{
    bool told = false;
    struct nidoi_link *next;

    for (struct nidoi_link *link = listener->receivers.next; link != &listener->receivers;
         link = next) {
        struct nidoi_receiver *receiver = nidoi_container(link, struct nidoi_receiver, link);

        next = link->next;
        if (!(receiver->set & bit(index)) || receiver->root != root) continue;
        receiver->arrived(receiver, index + 1);
        told = true;
    }
    return told;
}

static struct listener *listener_of_extension(struct nidoi_extension *extension)
{
    return nidoi_container(extension, struct listener, extension);
}

/* The lock is held. Counters wrap: the later one is ahead by less than half of them. */
static bool arrival_is_taken(const struct listener *listener, int index)
{
    return (int32_t)(taken[index] - listener->heard[index]) >= 0;
}

/* For the handler that was there before ours. */
static void arrival_raise_again(const struct listener *listener, int index)
{
    bool lost;

    pthread_mutex_lock(&lock);
    lost = !is_wanted(index) && !arrival_is_taken(listener, index);
    if (lost) taken[index] = listener->heard[index]; /* by that handler */
    pthread_mutex_unlock(&lock);
    if (lost) raise(index + 1);
}

void nidoi_signal_taken(struct nidoi_loop *loop, int number)
{
    const struct listener *listener =
        listener_of_extension(loop->extensions[NIDOI_EXTENSION_SIGNALS]);
    int index = number - 1;

    pthread_mutex_lock(&lock);
    if (!arrival_is_taken(listener, index)) taken[index] = listener->heard[index];
    pthread_mutex_unlock(&lock);
}

static void arrival_deliver(struct nidoi_loop *loop, struct nidoi_post *post)
{
    struct listener *listener = listener_of_extension(loop->extensions[NIDOI_EXTENSION_SIGNALS]);
    struct note *note = nidoi_container(post, struct note, post);
    int index = (int)(note - listener->notes);

    __atomic_store_n(&note->sent, 0, __ATOMIC_SEQ_CST);
    listener->heard[index] = __atomic_load_n(&arrivals[index], __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&users[index], __ATOMIC_SEQ_CST))
        receivers_tell(listener, index, false);
    else if (receivers_tell(listener, index, true))
        nidoi_signal_taken(loop, index + 1);
    else
        arrival_raise_again(listener, index);
}

/* ---- Dispositions; the lock is held ---- */

/* What nido has put there, if the program has not changed it. */
static void (*ours(int index))(int)
{
    return __atomic_load_n(&defaulted[index], __ATOMIC_SEQ_CST) ? SIG_DFL : handler;
}

bool nidoi_signal_is_default(int number)
{
    struct sigaction now;
    bool is_default;

    if (nidoi_sys.sigaction(number, NULL, &now)) return true;
    if (now.sa_handler == SIG_DFL) return true;
    pthread_mutex_lock(&lock);
    is_default = nidoi_sys_handled_by(number, handler) && is_wanted(number - 1) &&
                 before[number - 1].sa_handler == SIG_DFL;
    pthread_mutex_unlock(&lock);
    return is_default;
}

/* ---- Threads that began together ---- */

static _Thread_local const struct nidoi_arrivals *together_since;

void nidoi_arrivals_read(struct nidoi_arrivals *out)
{
    for (int i = 0; i < NUMBERS; i++)
        out->counts[i] = __atomic_load_n(&arrivals[i], __ATOMIC_SEQ_CST);
}

void nidoi_signals_together(const struct nidoi_arrivals *since)
{
    together_since = since;
}

bool nidoi_signal_missed(int number)
{
    if (!together_since) return false;
    return __atomic_load_n(&arrivals[number - 1], __ATOMIC_SEQ_CST) !=
           together_since->counts[number - 1];
}

/* A handler that the program has set since the last time is what comes back in the end. */
static int signal_take_over(int index)
{
    const struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    struct sigaction now;
    bool again = is_wanted(index) && nidoi_sys_handled_by(index + 1, ours(index));
    int err = nidoi_sys.sigaction(index + 1, &action, &now);

    if (err) return err;
    if (!again) before[index] = now;
    __atomic_store_n(&defaulted[index], 0, __ATOMIC_SEQ_CST);
    return 0;
}

static void signal_give_back(int index)
{
    if (is_wanted(index)) return;
    nidoi_sys_restore_handler(index + 1, ours(index), &before[index]);
    __atomic_store_n(&defaulted[index], 0, __ATOMIC_SEQ_CST);
}

static void wanted_count(const struct nidoi_receiver *receiver, int index, int change)
{
    uint32_t *counter = receiver->root ? &roots[index] : &users[index];

    __atomic_add_fetch(counter, (uint32_t)change, __ATOMIC_SEQ_CST);
}

/* All of the set's numbers below `end`. */
static void receiver_leave(const struct nidoi_receiver *receiver, int end)
{
    for (int i = 0; i < end; i++) {
        if (!(receiver->set & bit(i))) continue;
        wanted_count(receiver, i, -1);
        signal_give_back(i);
    }
}

static int receiver_enter(const struct nidoi_receiver *receiver)
{
    for (int i = 0; i < NUMBERS; i++) {
        int err = receiver->set & bit(i) ? signal_take_over(i) : 0;

        if (err) {
            receiver_leave(receiver, i);
            return err;
        }
        if (receiver->set & bit(i)) wanted_count(receiver, i, 1);
    }
    return 0;
}

/* ---- Listeners ---- */

static void listener_update_wanted(struct listener *listener)
{
    uint64_t wanted = 0;

    for (struct nidoi_link *link = listener->receivers.next; link != &listener->receivers;
         link = link->next)
        wanted |= nidoi_container(link, struct nidoi_receiver, link)->set;
    __atomic_store_n(&listener->wanted, wanted, __ATOMIC_SEQ_CST);
}

/* The run is over and so are its tasks, with their receivers. A handler on another thread may still
 * look at us. */
static void listener_end(struct nidoi_loop *loop, struct nidoi_extension *extension)
{
    struct listener *listener = listener_of_extension(extension);
    struct listener **at = &listeners;

    (void)loop;
    pthread_mutex_lock(&lock);
    while (*at != listener) at = &(*at)->next;
    __atomic_store_n(at, listener->next, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&lock);
    while (__atomic_load_n(&handlers_inside, __ATOMIC_SEQ_CST)) sched_yield();
    nidoi_remote_release(listener->remote);
    nidoi_mem.release(listener);
}

/* In a forked child signals do what they did before there were receivers; those are the parent's. */
static void forked(void)
{
    static const pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;

    listeners = NULL;
    handlers_inside = 0;
    lock = fresh;
    for (int i = 0; i < NUMBERS; i++) {
        if (is_wanted(i)) nidoi_sys_restore_handler(i + 1, ours(i), &before[i]);
        users[i] = roots[i] = defaulted[i] = 0;
    }
}

static struct nidoi_fork_handler at_fork = {.forked = forked};

static struct listener *listener_of(struct nidoi_loop *loop)
{
    struct listener *listener;

    if (loop->extensions[NIDOI_EXTENSION_SIGNALS])
        return listener_of_extension(loop->extensions[NIDOI_EXTENSION_SIGNALS]);
    listener = nidoi_mem_zeroed(sizeof *listener);
    if (!listener) return NULL;
    listener->extension.end = listener_end;
    listener->remote = nidoi_remote_retain(loop->remote);
    nidoi_list_init(&listener->receivers);
    for (int i = 0; i < NUMBERS; i++) listener->notes[i].post.call = arrival_deliver;
    loop->extensions[NIDOI_EXTENSION_SIGNALS] = &listener->extension;
    nidoi_fork_register(&at_fork);
    pthread_mutex_lock(&lock);
    listener->next = listeners;
    __atomic_store_n(&listeners, listener, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&lock);
    return listener;
}

/* ---- Receivers ---- */

int nidoi_receiver_open(struct nidoi_loop *loop, struct nidoi_receiver *receiver)
{
    struct listener *listener = listener_of(loop);
    int err;

    if (!listener) return -ENOMEM;
    nidoi_list_append(&listener->receivers, &receiver->link);
    listener_update_wanted(listener); /* before the first signal can come */
    pthread_mutex_lock(&lock);
    err = receiver_enter(receiver);
    pthread_mutex_unlock(&lock);
    if (!err) return 0;
    nidoi_list_remove(&receiver->link);
    listener_update_wanted(listener);
    return err;
}

/* It has arrived, and no turn has told of it yet. */
static bool arrival_is_on_its_way(struct listener *listener, int index)
{
    if (!__atomic_load_n(&listener->notes[index].sent, __ATOMIC_SEQ_CST)) return false;
    listener->heard[index] = __atomic_load_n(&arrivals[index], __ATOMIC_SEQ_CST);
    return true;
}

void nidoi_receiver_close(struct nidoi_loop *loop, struct nidoi_receiver *receiver,
                          uint64_t unclaimed)
{
    struct listener *listener = listener_of(loop);

    nidoi_list_remove(&receiver->link);
    pthread_mutex_lock(&lock);
    receiver_leave(receiver, NUMBERS);
    pthread_mutex_unlock(&lock);
    listener_update_wanted(listener);
    for (int i = 0; i < NUMBERS; i++) {
        bool coming = receiver->set & bit(i) && arrival_is_on_its_way(listener, i);

        if (coming || unclaimed & bit(i)) arrival_raise_again(listener, i);
    }
}
