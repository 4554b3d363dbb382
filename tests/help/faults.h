/* SPDX-License-Identifier: MIT */
/* faults.h: counts the library's system calls and allocations, and makes chosen ones fail.
 *
 *     faults_begin();
 *     faults_fail(FAULT_read, 3, -ECONNRESET);      the third read from now on fails, once
 *     ... faults_count(FAULT_backend_wait) ...
 *     faults_end();
 *
 * Calls that are not told to fail go through to the real ones. Workers of the pool are counted too;
 * begin, end and orders belong to one thread, while no worker makes calls that are told to fail. */
#ifndef FAULTS_H
#define FAULTS_H

#include <limits.h>

#include "base/sys.h"

#define FAULT_NUMBER(result, name, parameters, arguments) FAULT_##name,
enum fault {
    NIDOI_SYSCALLS(FAULT_NUMBER) FAULT_memory, /* any allocation: new or grown */
    FAULT_KINDS
};
#undef FAULT_NUMBER

/* The backend's calls by what they are for: FAULT_backend_change, FAULT_backend_wait, the ones that
 * open descriptors; and how many changes enter a descriptor, or take it out. */
#ifdef NIDOI_KQUEUE
#define BACKEND_CHANGE      kevent_change
#define BACKEND_WAIT        kevent_wait
#define BACKEND_OPENINGS    FAULT_kqueue
#define FAULT_child_open    FAULT_kqueue
#define FAULT_child_signal  FAULT_kill
#define FAULT_eventfd_write FAULT_write /* not counted: a change like any other there */
typedef struct kevent backend_event;
enum { CHANGES_A_DESCRIPTOR = 2 };
#else
#define BACKEND_CHANGE     epoll_ctl
#define BACKEND_WAIT       epoll_wait
#define BACKEND_OPENINGS   FAULT_eventfd, FAULT_epoll_create
#define FAULT_child_open   FAULT_process_fd
#define FAULT_child_signal FAULT_pidfd_send_signal
typedef struct epoll_event backend_event;
enum { CHANGES_A_DESCRIPTOR = 1 };
#endif
#define FAULT_JOIN(name)     FAULT_##name
#define FAULT_OF(name)       FAULT_JOIN(name)
#define FAULT_backend_change FAULT_OF(BACKEND_CHANGE)
#define FAULT_backend_wait   FAULT_OF(BACKEND_WAIT)

enum { FAULT_ALWAYS = 0 };

void faults_begin(void);
void faults_end(void);

/* The nth call from now on (1 is the next; FAULT_ALWAYS every one) answers `code` without being
 * made. For FAULT_memory the code does not matter: the answer is NULL. One order a kind; the last
 * one counts. */
void faults_fail(enum fault kind, unsigned nth, int code);
void faults_forget(enum fault kind);
/* The order has not come to its turn. */
bool faults_left(enum fault kind);

/* Calls since faults_begin, failed ones too. */
unsigned long faults_count(enum fault kind);

#endif
