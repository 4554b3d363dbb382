/* SPDX-License-Identifier: MIT */
#include "zeros.h"

#include "../latch.c"
