/* SPDX-License-Identifier: MIT */
/* snapshot.h: the runtimes, groups and tasks of a target, as they were at one moment.
 *
 * 1. Of a process: it is read without being held, and counts if every runtime slept in its loop all the
 *    time, by its counters. Else, after three tries, its threads are held while it is read again; and
 *    again, if that was in the middle of a spawn or of an end.
 * 2. A task is kept if its record and the slot that leads to it agree; the others are counted as `torn`.
 * 3. Each walk ends: rings, chains and tables have a most. */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include "target.h"

enum { NAME = 96 };

struct cancel {
    bool is_felt;     /* the rest is valid */
    bool is_shielded; /* one is above, behind a shield */
    int32_t code;
    uint64_t by;
    char reason[200], by_name[33];
};

struct wait {
    bool waits;
    bool is_fd;
    bool has_name, has_object;
    int fd;
    uint64_t object, owner;
    int64_t since;
    char kind[NAME], name[NAME];
};

struct task {
    uint64_t address, id, group, spawned_at, sp;
    uint32_t state;
    bool is_running, is_service, has_name;
    bool owns_deadline;
    int64_t due; /* INT64_MAX: none */
    uint64_t stack_bottom, stack_top, stack_used;
    uint64_t cpu_ns; /* if the runtime counts it */
    char name[NAME];
    struct wait wait;
    struct cancel cancel;
    char place[160]; /* of the spawn */
};

struct group {
    uint64_t address, opened_by; /* id of a task */
    uint32_t policy, live, services, limit;
    int32_t failure;
    uint64_t winner;
    bool has_name;
    char name[NAME];
    struct cancel cancel;
};

struct runtime {
    uint64_t loop; /* its address */
    uint32_t number, live, ready;
    int64_t now;
    bool counts_cpu;
    bool has_head; /* the target tells this too: */
    int64_t up;
    int thread;           /* the system's number */
    char thread_name[32]; /* empty: not known */
    uint64_t watches;
    uint32_t out;       /* jobs and children */
    struct task *tasks; /* by id */
    size_t task_count;
    struct group *groups; /* those of a task one after the other, the outermost first */
    size_t group_count;
    size_t torn;
};

struct snapshot {
    struct runtime *runtimes;
    size_t count;
    int64_t held_ns; /* how long the process was held; 0: it was not */
    int64_t read_ns; /* how long reading took, in all */
};

/* `stacks`: also what is needed to unwind. Says why not. */
bool snapshot_take(struct snapshot *snapshot, struct target *target, bool stacks);
void snapshot_free(struct snapshot *snapshot);

const char *policy_name(const struct group *group);

#endif
