/* SPDX-License-Identifier: MIT */
#include "base/ticks.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

/* "Invariant TSC": AMD64 Architecture Programmer's Manual, volume 3, appendix E.4.7. */
bool nidoi_ticks_known(void)
{
    unsigned eax, ebx, ecx, edx;

    return __get_cpuid(0x80000007, &eax, &ebx, &ecx, &edx) && edx & 1u << 8;
}

#elif defined(__aarch64__)

bool nidoi_ticks_known(void)
{
    return true; /* Arm Architecture Reference Manual: the generic timer */
}

#else

bool nidoi_ticks_known(void)
{
    return false;
}

#endif
