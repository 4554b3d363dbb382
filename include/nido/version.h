/* SPDX-License-Identifier: MIT */
/* nido/version.h: which nido a program is compiled with, and which it runs with.
 *
 * Until 1.0 a minor version may change the interface, and a program runs with the minor version
 * that it was compiled with: the shared library's name has both numbers (libnido.so.0.1). A patch
 * version never changes the interface. */
#ifndef NIDO_VERSION_H
#define NIDO_VERSION_H

#include "nido/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NIDO_VERSION_MAJOR 0
#define NIDO_VERSION_MINOR 1
#define NIDO_VERSION_PATCH 0

/* A version as a number that grows with it, also for #if:
 *
 *     #if NIDO_VERSION_NUMBER >= NIDO_VERSION_OF(0, 2, 0) */
#define NIDO_VERSION_OF(major, minor, patch) ((major)*1000000 + (minor)*1000 + (patch))

/* That of the headers. */
#define NIDO_VERSION_NUMBER \
    NIDO_VERSION_OF(NIDO_VERSION_MAJOR, NIDO_VERSION_MINOR, NIDO_VERSION_PATCH)

/* That of the headers as text: "0.1.0". */
#define NIDO_VERSION                             NIDOI_VERSION_TEXT(NIDO_VERSION_MAJOR, NIDO_VERSION_MINOR, NIDO_VERSION_PATCH)
#define NIDOI_VERSION_TEXT(major, minor, patch)  NIDOI_VERSION_TEXT_(major, minor, patch)
#define NIDOI_VERSION_TEXT_(major, minor, patch) #major "." #minor "." #patch

/* The NIDO_VERSION of the library that the program runs with: a static string. Any thread. Cannot
 * fail. Not a cancellation point. */
NIDO_API const char *nido_version(void);

/* Its NIDO_VERSION_NUMBER. Any thread. Cannot fail. Not a cancellation point. */
NIDO_API int nido_version_number(void);

#ifdef __cplusplus
}
#endif

#endif
