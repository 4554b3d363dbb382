/* SPDX-License-Identifier: MIT */
/* debug/quote.h: a text between the quotes of JSON (RFC 8259, section 7). */
#ifndef NIDOI_QUOTE_H
#define NIDOI_QUOTE_H

#include <stddef.h>

enum { NIDOI_QUOTED = 8 };

/* The next character of *text, which is not at its end, as it stands there; for a byte that is no UTF-8,
 * U+FFFD. Returns how many bytes it is, and advances *text. */
size_t nidoi_quote_next(char out[NIDOI_QUOTED], const char **text);

#endif
