/* SPDX-License-Identifier: MIT */
/* base/printable.h: names are the program's, and a terminal obeys control characters. */
#ifndef NIDOI_PRINTABLE_H
#define NIDOI_PRINTABLE_H

/* Each control character becomes "?"; `stays` is one that does not, or 0. */
static inline void nidoi_make_printable(char *text, char stays)
{
    for (; *text; text++)
        if (((unsigned char)*text < ' ' || *text == 127) && *text != stays) *text = '?';
}

#endif
