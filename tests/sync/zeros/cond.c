/* SPDX-License-Identifier: MIT */
#include "zeros.h"

#include "../cond.c"
