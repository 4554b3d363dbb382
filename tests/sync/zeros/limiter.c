/* SPDX-License-Identifier: MIT */
#include "zeros.h"

#include "../limiter.c"
