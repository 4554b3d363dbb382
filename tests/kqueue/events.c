/* SPDX-License-Identifier: MIT */
/* events.c: how events are taken from a queue and what they say. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "queue.h"

enum { BATCH = 64 };

/* After a report: what happens to the note, as its modes say. */
static void spend(struct note *note)
{
    if (note->modes & EV_DISPATCH) note->enabled = false;
    if (note->modes & EV_CLEAR) note->triggered = false;
    if (note->modes & EV_ONESHOT) note->used = note->enabled = note->triggered = false;
}

static int64_t bytes_to_read(int fd)
{
    int listens = 0, bytes = 0;
    socklen_t length = sizeof listens;

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 && listens) return 1;
    return ioctl(fd, FIONREAD, &bytes) < 0 ? 1 : bytes;
}

static bool is_socket(int fd)
{
    struct stat status;

    return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

static bool ended(int fd, int filter, uint32_t events)
{
    if (events & EPOLLHUP || (events & EPOLLERR && !is_socket(fd))) return true;
    return filter == EVFILT_READ && events & EPOLLRDHUP;
}

static int report_number(struct queue *queue, int fd, int filter, uint32_t events,
                         struct kevent *out)
{
    struct number *number = (size_t)fd < queue->number_count ? &queue->numbers[fd] : NULL;
    struct note *note = !number                 ? NULL
                        : filter == EVFILT_READ ? &number->reading
                                                : &number->writing;

    if (!note || !note->used || !note->enabled) return 0;
    *out = (struct kevent){.ident = (uintptr_t)fd,
                           .filter = (short)filter,
                           .flags = (unsigned short)note->modes,
                           .data = filter == EVFILT_READ ? bytes_to_read(fd) : 1,
                           .udata = note->udata};
    if (ended(fd, filter, events)) out->flags |= EV_EOF;
    if (events & EPOLLERR && is_socket(fd)) out->fflags = EIO;
    spend(note);
    if (!note->used) {
        queue_settle(queue, fd, filter, note);
        *note = (struct note){0};
    } else if (!note->modes) {
        queue_settle(queue, fd, filter, note);
    }
    return 1;
}

static int report_writes(struct queue *queue, struct kevent *out, int room)
{
    struct epoll_event events[BATCH];
    int got = epoll_wait(queue->writes, events, room < BATCH ? room : BATCH, 0);
    int count = 0;

    for (int i = 0; i < got; i++)
        count +=
            report_number(queue, events[i].data.fd, EVFILT_WRITE, events[i].events, out + count);
    return count;
}

static int report_users(struct queue *queue, struct kevent *out, int room)
{
    eventfd_t rung;
    bool pending = false;
    int count = 0;

    eventfd_read(queue->wakeup, &rung);
    for (struct user **at = &queue->users; *at;) {
        struct user *user = *at;

        if (user->note.triggered && user->note.enabled && count < room) {
            out[count++] = (struct kevent){.ident = user->ident,
                                           .filter = EVFILT_USER,
                                           .flags = (unsigned short)user->note.modes,
                                           .udata = user->note.udata};
            spend(&user->note);
        }
        pending |= user->note.triggered && user->note.enabled;
        if (user->note.used) {
            at = &user->next;
        } else {
            *at = user->next;
            free(user);
        }
    }
    if (pending) eventfd_write(queue->wakeup, 1);
    return count;
}

static int report_process(struct queue *queue, struct kevent *out)
{
    *out = (struct kevent){.ident = queue->pid,
                           .filter = EVFILT_PROC,
                           .flags = EV_EOF,
                           .fflags = NOTE_EXIT,
                           .udata = queue->process_udata};
    epoll_ctl(queue->fd, EPOLL_CTL_DEL, queue->process, NULL);
    return 1;
}

int queue_report(struct queue *queue, struct kevent *out, int room)
{
    struct epoll_event events[BATCH];
    int got = epoll_wait(queue->fd, events, room < BATCH ? room : BATCH, 0);
    int count = 0;

    for (int i = 0; i < got; i++) {
        int fd = events[i].data.fd;

        if (fd == WRITES)
            count += report_writes(queue, out + count, room - count - (got - 1 - i));
        else if (fd == PROCESS)
            count += report_process(queue, out + count);
        else if (fd == USERS)
            count += report_users(queue, out + count, room - count - (got - 1 - i));
        else
            count += report_number(queue, fd, EVFILT_READ, events[i].events, out + count);
    }
    return count;
}
