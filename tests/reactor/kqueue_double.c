/* SPDX-License-Identifier: MIT */
/* tests/kqueue: the double, against what the manual page of kqueue(2) says. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/event.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nido_test.h"

static int kq, fds[2];
static struct kevent events[8];
static int mark; /* its address is udata */

static void begin(void)
{
    kq = kqueue();
    cr_assert(ge(int, kq, 0));
    cr_assert(eq(int, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0));
}

static void end(void)
{
    close(fds[0]);
    close(fds[1]);
    close(kq);
}

/* 0, or a negated errno. */
static int change(int ident, int filter, unsigned flags)
{
    struct kevent entry = {.ident = (uintptr_t)ident,
                           .filter = (short)filter,
                           .flags = (unsigned short)flags,
                           .udata = &mark};

    return kevent(kq, &entry, 1, NULL, 0, NULL) < 0 ? -errno : 0;
}

static int trigger(int ident)
{
    struct kevent entry = {
        .ident = (uintptr_t)ident, .filter = EVFILT_USER, .fflags = NOTE_TRIGGER, .udata = &mark};

    return kevent(kq, &entry, 1, NULL, 0, NULL) < 0 ? -errno : 0;
}

static int fetch(void)
{
    static const struct timespec at_once;

    return kevent(kq, NULL, 0, events, 8, &at_once);
}

static bool readable(void)
{
    struct pollfd ask = {.fd = kq, .events = POLLIN};

    return poll(&ask, 1, 0) == 1;
}

static void put_byte(void)
{
    cr_assert(eq(int, (int)write(fds[1], "x", 1), 1));
}

static void take_byte(void)
{
    char byte;

    cr_assert(eq(int, (int)read(fds[0], &byte, 1), 1));
}

/* ---- Reading and writing ---- */

NIDO_TEST(kqueue_double, an_event_says_what_and_how_much)
{
    begin();
    cr_expect(eq(int, change(fds[0], EVFILT_READ, EV_ADD), 0));
    cr_expect(eq(int, fetch(), 0));
    put_byte();
    put_byte();
    cr_expect(eq(int, fetch(), 1));
    cr_expect(events[0].ident == (uintptr_t)fds[0] && events[0].filter == EVFILT_READ);
    cr_expect(events[0].udata == &mark && events[0].data == 2);
    cr_expect(events[0].fflags == 0 && !(events[0].flags & (EV_EOF | EV_ERROR)));
    end();
}

NIDO_TEST(kqueue_double, an_entry_without_modes_is_reported_while_it_holds)
{
    begin();
    put_byte();
    cr_expect(eq(int, change(fds[0], EVFILT_READ, EV_ADD), 0), "what is there already counts");
    cr_expect(eq(int, fetch(), 1));
    cr_expect(eq(int, fetch(), 1));
    take_byte();
    cr_expect(eq(int, fetch(), 0));
    put_byte();
    cr_expect(eq(int, fetch(), 1));
    end();
}

NIDO_TEST(kqueue_double, with_clear_each_change_is_reported_once)
{
    begin();
    cr_expect(eq(int, change(fds[0], EVFILT_READ, EV_ADD | EV_CLEAR), 0));
    cr_expect(eq(int, change(fds[0], EVFILT_WRITE, EV_ADD | EV_CLEAR), 0));
    cr_expect(eq(int, fetch(), 1));
    cr_expect(eq(int, events[0].filter, EVFILT_WRITE));
    for (int i = 0; i < 2; i++) {
        put_byte();
        cr_expect(eq(int, fetch(), 1), "bytes are no news for a writer");
        cr_expect(eq(int, events[0].filter, EVFILT_READ));
        cr_expect(eq(int, fetch(), 0));
    }
    end();
}

NIDO_TEST(kqueue_double, what_no_longer_holds_is_not_reported)
{
    begin();
    cr_expect(eq(int, change(fds[0], EVFILT_READ, EV_ADD | EV_CLEAR), 0));
    put_byte();
    take_byte();
    cr_expect(eq(int, fetch(), 0));
    end();
}

NIDO_TEST(kqueue_double, with_oneshot_the_entry_is_gone_after_a_report)
{
    begin();
    put_byte();
    cr_expect(eq(int, change(fds[0], EVFILT_READ, EV_ADD | EV_ONESHOT), 0));
    cr_expect(eq(int, fetch(), 1));
    cr_expect(eq(int, fetch(), 0));
    cr_expect(eq(int, change(fds[0], EVFILT_READ, EV_ENABLE), -ENOENT));
    end();
}

NIDO_TEST(kqueue_double, with_dispatch_the_entry_is_disabled_after_a_report)
{
    begin();
    put_byte();
    cr_expect(eq(int, change(fds[0], EVFILT_READ, EV_ADD | EV_DISPATCH), 0));
    for (int i = 0; i < 2; i++) {
        cr_expect(eq(int, fetch(), 1));
        cr_expect(eq(int, fetch(), 0));
        cr_expect(eq(int, change(fds[0], EVFILT_READ, EV_ENABLE), 0));
    }
    end();
}

NIDO_TEST(kqueue_double, a_disabled_entry_is_silent_until_it_is_enabled)
{
    begin();
    cr_expect(eq(int, change(fds[0], EVFILT_READ, EV_ADD | EV_DISABLE | EV_CLEAR), 0));
    put_byte();
    cr_expect(eq(int, fetch(), 0));
    cr_expect(eq(int, change(fds[0], EVFILT_READ, EV_ENABLE), 0));
    cr_expect(eq(int, change(fds[0], EVFILT_READ, EV_DISABLE), 0));
    cr_expect(eq(int, fetch(), 0));
    cr_expect(eq(int, change(fds[0], EVFILT_READ, EV_ADD), 0), "adding enables too");
    cr_expect(eq(int, fetch(), 1));
    end();
}

NIDO_TEST(kqueue_double, adding_again_changes_the_entry)
{
    int other;
    struct kevent again = {.filter = EVFILT_READ, .flags = EV_ADD, .udata = &other};

    begin();
    put_byte();
    again.ident = (uintptr_t)fds[0];
    cr_expect(eq(int, change(fds[0], EVFILT_READ, EV_ADD), 0));
    cr_expect(eq(int, kevent(kq, &again, 1, NULL, 0, NULL), 0));
    cr_expect(eq(int, fetch(), 1));
    cr_expect(eq(ptr, events[0].udata, &other));
    end();
}

NIDO_TEST(kqueue_double, more_events_than_room_come_later)
{
    static const struct timespec at_once;

    begin();
    put_byte();
    cr_expect(eq(int, change(fds[0], EVFILT_READ, EV_ADD | EV_ONESHOT), 0));
    cr_expect(eq(int, change(fds[0], EVFILT_WRITE, EV_ADD | EV_ONESHOT), 0));
    cr_expect(eq(int, change(1, EVFILT_USER, EV_ADD | EV_ONESHOT), 0));
    cr_expect(eq(int, change(2, EVFILT_USER, EV_ADD | EV_ONESHOT), 0));
    cr_expect(trigger(1) == 0 && trigger(2) == 0);
    for (int i = 0; i < 4; i++)
        cr_expect(eq(int, kevent(kq, NULL, 0, events, 1, &at_once), 1), "event %d", i);
    cr_expect(eq(int, fetch(), 0));
    end();
}

/* ---- Ends ---- */

NIDO_TEST(kqueue_double, an_end_is_told_with_the_bytes_before_it)
{
    begin();
    cr_expect(eq(int, change(fds[0], EVFILT_READ, EV_ADD | EV_CLEAR), 0));
    put_byte();
    shutdown(fds[1], SHUT_WR);
    cr_expect(eq(int, fetch(), 1));
    cr_expect(events[0].flags & EV_EOF && events[0].data == 1 && events[0].fflags == 0);
    end();
}

/* A Unix peer that closes with unread bytes leaves an error. */
NIDO_TEST(kqueue_double, an_error_is_told_and_not_taken)
{
    char byte;

    begin();
    cr_assert(eq(int, (int)write(fds[0], "x", 1), 1));
    close(fds[1]);
    cr_expect(eq(int, change(fds[0], EVFILT_READ, EV_ADD), 0));
    cr_expect(eq(int, fetch(), 1));
    cr_expect(events[0].flags & EV_EOF && events[0].fflags != 0);
    cr_expect(read(fds[0], &byte, 1) == -1 && errno == ECONNRESET);
    end();
}

NIDO_TEST(kqueue_double, a_pipe_tells_each_end_that_the_other_is_gone)
{
    int ends[2];

    begin();
    for (int i = 0; i < 2; i++) {
        int filter = i ? EVFILT_WRITE : EVFILT_READ;

        cr_assert(eq(int, pipe(ends), 0));
        cr_expect(eq(int, change(ends[i], filter, EV_ADD | EV_CLEAR), 0));
        fetch();
        close(ends[!i]);
        cr_expect(eq(int, fetch(), 1));
        cr_expect(ne(int, events[0].flags &EV_EOF, 0));
        cr_expect(eq(int, change(ends[i], filter, EV_DELETE), 0));
        cr_expect(eq(int, change(ends[i], filter, EV_ADD), i ? -EPIPE : 0));
        close(ends[i]);
    }
    end();
}

/* ---- Errors ---- */

NIDO_TEST(kqueue_double, without_room_an_error_is_errno)
{
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), other = kqueue();

    begin();
    cr_expect(eq(int, change(fds[0], EVFILT_READ, EV_ENABLE), -ENOENT));
    cr_expect(eq(int, change(fds[0], EVFILT_READ, EV_DELETE), -ENOENT));
    cr_expect(eq(int, change(fds[0], EVFILT_READ, EV_ADD), 0));
    cr_expect(eq(int, change(fds[0], EVFILT_READ, EV_DELETE), 0));
    cr_expect(eq(int, change(fds[0], EVFILT_READ, EV_DELETE), -ENOENT));
    cr_expect(eq(int, change(-1, EVFILT_READ, EV_ADD), -EBADF));
    cr_expect(eq(int, change(file, EVFILT_READ, EV_ADD), -EINVAL));
    cr_expect(eq(int, change(other, EVFILT_WRITE, EV_ADD), -EINVAL));
    cr_expect(eq(int, change(0, 99, EV_ADD), -EINVAL));
    cr_expect(eq(int, trigger(1), -ENOENT));
    close(kq);
    cr_expect(eq(int, change(fds[0], EVFILT_READ, EV_ADD), -EBADF));
    cr_expect(fetch() == -1 && errno == EBADF);
    kq = other;
    end();
    close(file);
}

NIDO_TEST(kqueue_double, with_room_errors_and_receipts_are_events)
{
    struct kevent changes[3] = {{.filter = EVFILT_READ, .flags = EV_ADD | EV_RECEIPT},
                                {.filter = EVFILT_WRITE, .flags = EV_ENABLE},
                                {.filter = EVFILT_WRITE, .flags = EV_ADD}};

    begin();
    for (int i = 0; i < 3; i++) changes[i].ident = (uintptr_t)fds[0];
    cr_expect(eq(int, kevent(kq, changes, 3, events, 8, NULL), 2));
    cr_expect(events[0].flags == EV_ERROR && events[0].data == 0);
    cr_expect(events[1].flags == EV_ERROR && events[1].data == ENOENT);
    cr_expect(eq(int, fetch(), 1), "the third was made");
    end();
}

/* ---- User events ---- */

NIDO_TEST(kqueue_double, triggers_are_one_event)
{
    begin();
    cr_expect(eq(int, change(3, EVFILT_USER, EV_ADD | EV_CLEAR), 0));
    cr_expect(eq(int, fetch(), 0));
    for (int i = 0; i < 2; i++) {
        cr_expect(trigger(3) == 0 && trigger(3) == 0);
        cr_expect(eq(int, fetch(), 1));
        cr_expect(events[0].ident == 3 && events[0].filter == EVFILT_USER);
        cr_expect(eq(ptr, events[0].udata, &mark));
        cr_expect(eq(int, fetch(), 0));
    }
    cr_expect(eq(int, change(3, EVFILT_USER, EV_DISABLE), 0));
    cr_expect(zero(int, trigger(3)));
    cr_expect(eq(int, fetch(), 0));
    cr_expect(eq(int, change(3, EVFILT_USER, EV_ENABLE), 0));
    cr_expect(eq(int, fetch(), 1));
    cr_expect(eq(int, change(3, EVFILT_USER, EV_DELETE), 0));
    cr_expect(eq(int, trigger(3), -ENOENT));
    end();
}

static void *trigger_it(void *unused)
{
    (void)unused;
    trigger(0);
    return NULL;
}

NIDO_TEST(kqueue_double, another_thread_ends_a_wait)
{
    pthread_t thread;

    begin();
    cr_expect(eq(int, change(0, EVFILT_USER, EV_ADD | EV_CLEAR), 0));
    cr_assert(zero(int, pthread_create(&thread, NULL, trigger_it, NULL)));
    cr_expect(eq(int, kevent(kq, NULL, 0, events, 8, NULL), 1));
    pthread_join(thread, NULL);
    end();
}

static pthread_t waiting;

static void trigger_from_handler(int number)
{
    (void)number;
    trigger(0);
}

static void *interrupt(void *unused)
{
    (void)unused;
    pthread_kill(waiting, SIGUSR1);
    return NULL;
}

NIDO_TEST(kqueue_double, a_signal_handler_ends_a_wait)
{
    struct sigaction action = {.sa_handler = trigger_from_handler};
    pthread_t thread;
    int got;

    begin();
    sigaction(SIGUSR1, &action, NULL);
    waiting = pthread_self();
    cr_expect(eq(int, change(0, EVFILT_USER, EV_ADD | EV_CLEAR), 0));
    for (int i = 0; i < 100; i++) {
        cr_assert(zero(int, pthread_create(&thread, NULL, interrupt, NULL)));
        do got = kevent(kq, NULL, 0, events, 8, NULL);
        while (got < 0 && errno == EINTR);
        cr_expect(eq(int, got, 1));
        pthread_join(thread, NULL);
    }
    end();
}

/* ---- Closing ---- */

NIDO_TEST(kqueue_double, closing_a_number_drops_its_entries_whoever_else_has_the_file)
{
    int second;

    begin();
    second = dup(fds[0]);
    cr_expect(eq(int, change(fds[0], EVFILT_READ, EV_ADD), 0));
    cr_expect(eq(int, change(fds[0], EVFILT_WRITE, EV_ADD | EV_DISABLE), 0));
    close(fds[0]);
    put_byte();
    cr_expect(eq(int, fetch(), 0));
    cr_expect(not(readable()));
    cr_assert(eq(int, dup2(second, fds[0]), fds[0]));
    cr_expect(eq(int, change(fds[0], EVFILT_READ, EV_ENABLE), -ENOENT));
    cr_expect(eq(int, change(fds[0], EVFILT_WRITE, EV_ENABLE), -ENOENT));
    close(second);
    end();
}

NIDO_TEST(kqueue_double, a_number_that_is_replaced_is_closed)
{
    begin();
    cr_expect(eq(int, change(fds[0], EVFILT_WRITE, EV_ADD), 0));
    cr_expect(dup2(-1, fds[0]) == -1 && errno == EBADF);
    cr_expect(eq(int, dup2(fds[0], fds[0]), fds[0]));
    cr_expect(eq(int, fetch(), 1), "nothing was replaced yet");
    cr_assert(eq(int, dup2(fds[1], fds[0]), fds[0]));
    cr_expect(eq(int, fetch(), 0));
    end();
}

NIDO_TEST(kqueue_double, an_entry_closed_unseen_is_found_out)
{
    FILE *file;
    int ends[2], number;

    begin();
    cr_assert(eq(int, pipe(ends), 0));
    number = ends[0];
    cr_expect(eq(int, change(number, EVFILT_READ, EV_ADD | EV_DISPATCH), 0));
    file = fdopen(number, "r");
    fclose(file);
    cr_assert(eq(int, dup2(fds[0], number), number));
    put_byte();
    cr_expect(eq(int, change(number, EVFILT_READ, EV_ENABLE), -ENOENT));
    cr_expect(eq(int, change(number, EVFILT_READ, EV_ADD), 0));
    cr_expect(eq(int, fetch(), 1));
    close(number);
    close(ends[1]);
    end();
}

NIDO_TEST(kqueue_double, a_child_has_no_queues)
{
    int status = -1;
    pid_t child;

    begin();
    child = fork();
    if (child == 0) _exit(fcntl(kq, F_GETFD) == -1 && change(0, EVFILT_USER, EV_ADD) == -EBADF);
    cr_assert(gt(int, child, 0));
    cr_expect(eq(int, waitpid(child, &status, 0), child));
    cr_expect(ne(int, WIFEXITED(status), 0));
    cr_expect(eq(int, WEXITSTATUS(status), 1));
    cr_expect(eq(int, change(0, EVFILT_USER, EV_ADD), 0), "the parent keeps its own");
    end();
}

/* ---- A queue is a descriptor ---- */

NIDO_TEST(kqueue_double, a_queue_is_readable_while_events_are_pending)
{
    begin();
    cr_expect(eq(int, change(fds[0], EVFILT_READ, EV_ADD | EV_CLEAR), 0));
    cr_expect(eq(int, change(0, EVFILT_USER, EV_ADD | EV_CLEAR), 0));
    cr_expect(not(readable()));
    put_byte();
    cr_expect(readable());
    fetch();
    cr_expect(not(readable()));
    trigger(0);
    cr_expect(readable());
    fetch();
    cr_expect(not(readable()));
    cr_expect(eq(int, change(fds[0], EVFILT_WRITE, EV_ADD | EV_CLEAR), 0));
    cr_expect(readable());
    fetch();
    cr_expect(not(readable()));
    end();
}

NIDO_TEST(kqueue_double, a_queue_can_be_watched_by_another)
{
    int watched, watcher = kqueue();

    begin();
    watched = kq;
    cr_expect(eq(int, change(fds[0], EVFILT_READ, EV_ADD | EV_CLEAR), 0));
    kq = watcher;
    cr_expect(eq(int, change(watched, EVFILT_READ, EV_ADD | EV_CLEAR), 0));
    cr_expect(eq(int, fetch(), 0));
    put_byte();
    cr_expect(eq(int, fetch(), 1));
    cr_expect(events[0].ident == (uintptr_t)watched);
    cr_expect(eq(int, fetch(), 0));
    kq = watched;
    cr_expect(eq(int, fetch(), 1));
    cr_expect(events[0].ident == (uintptr_t)fds[0]);
    end();
    close(watcher);
}
