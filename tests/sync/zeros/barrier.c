/* SPDX-License-Identifier: MIT */
#include "zeros.h"

#include "../barrier.c"
