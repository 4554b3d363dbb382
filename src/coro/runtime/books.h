/* SPDX-License-Identifier: MIT */
/* coro/runtime/books.h: a check at the end of a run: is everything back that the run has counted? What
 * is out there (a wait that is still counted, a timer that is still set) no later run would notice,
 * though it has already kept this one from seeing a deadlock, or a task from its descriptor. The
 * check is done in strict runs and in those of the test kit. */
#ifndef NIDOI_BOOKS_H
#define NIDOI_BOOKS_H

#include "base/assert.h"
#include "coro/runtime/loop.h"

/* No task lives and nothing more can be posted. Panics with a sentence that names what is out. */
void nidoi_books_check_tasks(const struct nidoi_loop *loop);

/* The extensions have ended too. */
void nidoi_books_check_all(const struct nidoi_loop *loop);

#endif
