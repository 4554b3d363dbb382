/* SPDX-License-Identifier: MIT */
/* watch.h: a screen that is drawn anew again and again, until a key, or `count` times. */
#ifndef WATCH_H
#define WATCH_H

#include "list.h"

/* 0: until Ctrl-C, or the process has ended. False: it says why. */
bool watch(struct target *target, int count, int interval_ms, enum list_order order, bool stacks);

#endif
