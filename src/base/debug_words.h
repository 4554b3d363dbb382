/* base/debug_words.h: what the environment asks for in NIDO_DEBUG: words, separated by commas or spaces. "1" or "all"
 * stands for every word but "strict", whose checks are expensive. */
#ifndef NIDOI_DEBUG_WORDS_H
#define NIDOI_DEBUG_WORDS_H

#include <stdbool.h>

/* Is the word in NIDO_DEBUG now? As getenv, not while another thread changes the environment. */
bool nidoi_debug_asks(const char *word);

#endif
