/* SPDX-License-Identifier: MIT */
/* base/debug_words.h: what the environment asks for in NIDO_DEBUG: words, separated by commas or spaces. "1" or "all"
 * stands for every word but "strict" and "cpu", which are expensive, and "deadlock", which may end a run. */
#ifndef NIDOI_DEBUG_WORDS_H
#define NIDOI_DEBUG_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/* Is the word in NIDO_DEBUG now? As getenv, not while another thread changes the environment. */
bool nidoi_debug_asks(const char *word);

/* The first word of NIDO_DEBUG that no report goes by, `length` bytes long; NULL: there is none. */
const char *nidoi_debug_unknown(size_t *length);

#endif
