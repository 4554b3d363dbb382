/* SPDX-License-Identifier: MIT */
/* words.h: what is said of a task or a group, as nido_dump says it. Control characters become "?". */
#ifndef WORDS_H
#define WORDS_H

#include "snapshot.h"

struct words {
    char text[1024];
    size_t used;
};

void words_add(struct words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "waits for input on descriptor 7 (192.0.2.1:80)"; "runs"; "is ready". */
void words_state(struct words *words, const struct target *target, const struct task *task);

/* "1.2 s" */
void words_seconds(struct words *words, int64_t ns);

/* For how long it has been waiting; 0: it does not. */
int64_t waited(const struct runtime *runtime, const struct task *task);

void words_task(struct words *words, const struct target *target, const struct runtime *runtime,
                const struct task *task);
void words_group(struct words *words, const struct group *group);

#endif
