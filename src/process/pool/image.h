/* SPDX-License-Identifier: MIT */
/* process/pool/image.h: the address of a function, with what another process needs to check it. */
#ifndef NIDOI_IMAGE_H
#define NIDOI_IMAGE_H

#include <stdint.h>

/* Where a function lies: the object that holds it, and what that begins with. Two processes in
 * which both are equal have the same code there. */
struct nidoi_image {
    uint64_t fn; /* 0: none */
    uint64_t base;
    uint64_t mark;
};

/* Where the function at this address lies in this process. */
struct nidoi_image nidoi_image_of(uintptr_t fn);

#endif
