/* SPDX-License-Identifier: MIT */
#include "debug/quote.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* The bytes of the UTF-8 character (RFC 3629) that begins here; 0: none does. */
static size_t utf8_length(const unsigned char *text)
{
    static const struct {
        unsigned char mask, lead;
        uint32_t least;
    } kinds[] = {{0x80, 0, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};

    for (size_t n = 0; n < sizeof kinds / sizeof *kinds; n++) {
        uint32_t code = text[0] & (unsigned char)~kinds[n].mask;

        if ((text[0] & kinds[n].mask) != kinds[n].lead) continue;
        for (size_t i = 1; i <= n; i++) {
            if ((text[i] & 0xc0) != 0x80) return 0;
            code = code << 6 | (text[i] & 0x3f);
        }
        return code < kinds[n].least || code > 0x10ffff || (code >> 11) == 0x1b ? 0 : n + 1;
    }
    return 0;
}

size_t nidoi_quote_next(char out[NIDOI_QUOTED], const char **text)
{
    const unsigned char *at = (const unsigned char *)*text;
    size_t length = utf8_length(at);

    *text += length ? length : 1;
    if (*at == '"' || *at == '\\') return (size_t)snprintf(out, NIDOI_QUOTED, "\\%c", *at);
    if (*at < 32) return (size_t)snprintf(out, NIDOI_QUOTED, "\\u%04x", *at);
    if (!length) return (size_t)snprintf(out, NIDOI_QUOTED, "\\ufffd");
    memcpy(out, at, length);
    return length;
}
