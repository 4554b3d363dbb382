/* SPDX-License-Identifier: MIT */
/* nido: structured concurrency for C. This header includes the others in reading order. */
#ifndef NIDO_H
#define NIDO_H

/* The order is for readers. */
/* clang-format off */
#include "nido/version.h"
#include "nido/types.h"
#include "nido/time.h"
#include "nido/run.h"
#include "nido/scope.h"
#include "nido/group.h"
#include "nido/task.h"
#include "nido/value.h"
#include "nido/error.h"
#include "nido/fd.h"
#include "nido/net.h"
#include "nido/offload.h"
#include "nido/parallel.h"
#include "nido/file.h"
#include "nido/stream.h"
#include "nido/proc.h"
#include "nido/signal.h"
#include "nido/serve.h"
#include "nido/procpool.h"
#include "nido/event.h"
#include "nido/sem.h"
#include "nido/limiter.h"
#include "nido/mutex.h"
#include "nido/rwlock.h"
#include "nido/cond.h"
#include "nido/barrier.h"
#include "nido/latch.h"
#include "nido/once.h"
#include "nido/chan.h"
#include "nido/broadcast.h"
#include "nido/watch.h"
#include "nido/select.h"
#include "nido/thread.h"
#include "nido/cross.h"
#include "nido/lowlevel.h"
#include "nido/memory.h"
#include "nido/debug.h"
#include "nido/trace.h"
#include "nido/stats.h"
/* clang-format on */

#endif
