/* SPDX-License-Identifier: MIT */
/* base/place.h: a code address in words. */
#ifndef NIDOI_PLACE_H
#define NIDOI_PLACE_H

/* Room for the text of one place. */
struct nidoi_place {
    char text[160];
};

/* "program(function+0x1f)", or "program(+0x1234)", which addr2line -e program 0x1234 turns into a
 * line; "?" for NULL. Returns place->text. */
const char *nidoi_place(struct nidoi_place *place, void *address);

#endif
