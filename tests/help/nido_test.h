/* SPDX-License-Identifier: MIT */
/* nido_test.h: what every test file includes.
 *
 *     NIDO_TEST(sem, a_cancelled_waiter_takes_no_permit) { ... }
 *
 * is a Criterion test with three promises more, checked when the body returns: as many descriptors
 * are open as before it, the library has as much memory, and the memory checker in use
 * (AddressSanitizer, Valgrind, or test_memory.h) has found nothing. A test that ends by a signal does not return; write it with Criterion's own
 * Test(suite, name, .signal = SIGABRT). */
#ifndef NIDO_TEST_H
#define NIDO_TEST_H

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "nido.h"
#include "nido/test.h"

/* Criterion's own gt holds for equal values too. */
#undef CRI_BINOP_T_GT
#define CRI_BINOP_T_GT(Tag, Actual, Ref) CRI_BINOP_LT_TAG(Tag, , Ref, Actual)

#define NIDO_TEST(suite, name) NIDO_TEST_OF(suite, name)

#define NIDO_TEST_OF(suite, name)                    \
    static void nido_test_##suite##_##name(void);    \
    Test(suite, name)                                \
    {                                                \
        nido_test_guard(nido_test_##suite##_##name); \
    }                                                \
    static void nido_test_##suite##_##name(void)

/* Calls the body and checks what it leaves behind. */
void nido_test_guard(void (*body)(void));

/* Options with the virtual clock, so that a test of hours takes no time. */
nido_options nido_test_virtual(void);

#endif
