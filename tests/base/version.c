/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "nido_test.h"

#if NIDO_VERSION_NUMBER < NIDO_VERSION_OF(0, 1, 0) || \
    NIDO_VERSION_NUMBER < NIDO_VERSION_OF(0, 0, 999)
#error "versions cannot be compared"
#endif

NIDO_TEST(version, headers_and_library_agree)
{
    char text[32];

    snprintf(text, sizeof text, "%d.%d.%d", NIDO_VERSION_MAJOR, NIDO_VERSION_MINOR,
             NIDO_VERSION_PATCH);
    cr_expect(eq(str, text, NIDO_VERSION));
    cr_expect(eq(str, (char *)nido_version(), NIDO_VERSION));
    cr_expect(eq(int, nido_version_number(), NIDO_VERSION_NUMBER));
}

NIDO_TEST(version, a_later_one_has_a_larger_number)
{
    cr_expect(lt(int, NIDO_VERSION_OF(0, 1, 0), NIDO_VERSION_OF(0, 1, 1)));
    cr_expect(lt(int, NIDO_VERSION_OF(0, 1, 999), NIDO_VERSION_OF(0, 2, 0)));
    cr_expect(lt(int, NIDO_VERSION_OF(0, 999, 999), NIDO_VERSION_OF(1, 0, 0)));
}
