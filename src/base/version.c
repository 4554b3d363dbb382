/* SPDX-License-Identifier: MIT */
#include "nido/version.h"

const char *nido_version(void)
{
    return NIDO_VERSION;
}

int nido_version_number(void)
{
    return NIDO_VERSION_NUMBER;
}
