/* SPDX-License-Identifier: MIT */
/* changes.c: how the entries of a queue are made, modified and removed. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "queue.h"

/* Creates, modifies, enables and disables, as the flags say. 0, or an errno. */
static int modify(struct note *note, const struct kevent *change)
{
    if (!note->used && !(change->flags & EV_ADD)) return ENOENT;
    if (!note->used) note->modes = change->flags & MODES;
    note->used = true;
    note->udata = change->udata;
    if (change->flags & (EV_ADD | EV_ENABLE)) note->enabled = true;
    if (change->flags & EV_DISABLE) note->enabled = false;
    return 0;
}

static int room_for(struct queue *queue, int fd)
{
    size_t count = queue->number_count ? queue->number_count : 64;
    struct number *numbers;

    if ((size_t)fd < queue->number_count) return 0;
    while (count <= (size_t)fd) count *= 2;
    numbers = realloc(queue->numbers, count * sizeof *numbers);
    if (!numbers) return ENOMEM;
    memset(numbers + queue->number_count, 0, (count - queue->number_count) * sizeof *numbers);
    queue->numbers = numbers;
    queue->number_count = count;
    return 0;
}

static int set_of(const struct queue *queue, int filter)
{
    return filter == EVFILT_READ ? queue->fd : queue->writes;
}

static int control(struct queue *queue, int op, int fd, int filter, const struct note *note)
{
    bool edges = (note->modes & MODES) == EV_CLEAR;
    struct epoll_event event = {.data.fd = fd};

    event.events = filter == EVFILT_READ ? EPOLLIN | EPOLLRDHUP : EPOLLOUT;
    event.events |= edges ? (uint32_t)EPOLLET : (uint32_t)EPOLLONESHOT;
    if (epoll_ctl(set_of(queue, filter), op, fd, &event) == 0) return 0;
    return errno == EPERM ? EINVAL : errno;
}

int queue_settle(struct queue *queue, int fd, int filter, struct note *note)
{
    int err = 0;

    if (note->enabled)
        err = control(queue, note->entered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, filter, note);
    else if (note->entered)
        epoll_ctl(set_of(queue, filter), EPOLL_CTL_DEL, fd, NULL);
    note->entered = note->enabled;
    return err;
}

static bool peer_is_gone(int fd)
{
    struct pollfd ask = {.fd = fd, .events = POLLOUT};
    struct stat status;

    return fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode) && poll(&ask, 1, 0) > 0 &&
           ask.revents & POLLERR;
}

static int refused(int fd, int filter)
{
    struct stat status;

    if (fstat(fd, &status) < 0) return EBADF;
    if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)) return EINVAL;
    if (filter == EVFILT_WRITE && queue_find(fd)) return EINVAL;
    return filter == EVFILT_WRITE && peer_is_gone(fd) ? EPIPE : 0;
}

static int change_number(struct queue *queue, const struct kevent *change)
{
    int fd = change->ident > INT_MAX ? -1 : (int)change->ident;
    struct note *note;
    int err;

    if (fcntl(fd, F_GETFD) < 0) return EBADF;
    err = room_for(queue, fd);
    if (err) return err;
    note =
        change->filter == EVFILT_READ ? &queue->numbers[fd].reading : &queue->numbers[fd].writing;
    if (change->flags & EV_DELETE) {
        if (!note->used) return ENOENT;
        note->enabled = false;
        queue_settle(queue, fd, change->filter, note);
        *note = (struct note){0};
        return 0;
    }
    if (!note->used && change->flags & EV_ADD && (err = refused(fd, change->filter))) return err;
    err = modify(note, change);
    if (err) return err;
    err = queue_settle(queue, fd, change->filter, note);
    if (err) *note = (struct note){0};
    /* Closed unseen: what was entered is gone. */
    if (err == ENOENT && change->flags & EV_ADD) return change_number(queue, change);
    return err;
}

static int change_user(struct queue *queue, const struct kevent *change)
{
    struct user **at = &queue->users, *user;
    int err;

    while (*at && (*at)->ident != change->ident) at = &(*at)->next;
    user = *at;
    if (change->flags & EV_DELETE) {
        if (!user) return ENOENT;
        *at = user->next;
        free(user);
        return 0;
    }
    if (!user && change->flags & EV_ADD) {
        user = calloc(1, sizeof *user);
        if (!user) return ENOMEM;
        user->ident = change->ident;
        *at = user;
    }
    if (!user) return ENOENT;
    err = modify(&user->note, change);
    if (change->fflags & NOTE_TRIGGER) user->note.triggered = true;
    if (user->note.triggered && user->note.enabled) eventfd_write(queue->wakeup, 1);
    return err;
}

/* The end of one process: level-triggered until it is reported. */
static int change_process(struct queue *queue, const struct kevent *change)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = PROCESS};

    if (change->flags != EV_ADD || change->fflags != NOTE_EXIT || queue->process) return EINVAL;
    queue->process = (int)syscall(SYS_pidfd_open, change->ident, 0);
    if (queue->process < 0) {
        queue->process = 0;
        return errno;
    }
    queue->pid = change->ident;
    queue->process_udata = change->udata;
    return epoll_ctl(queue->fd, EPOLL_CTL_ADD, queue->process, &event) < 0 ? errno : 0;
}

int queue_change(struct queue *queue, const struct kevent *change)
{
    if (change->filter == EVFILT_PROC) return change_process(queue, change);
    if (change->filter == EVFILT_USER) return change_user(queue, change);
    if (change->filter == EVFILT_READ || change->filter == EVFILT_WRITE)
        return change_number(queue, change);
    return EINVAL;
}
