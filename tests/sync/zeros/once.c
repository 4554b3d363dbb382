/* SPDX-License-Identifier: MIT */
#include "zeros.h"

#include "../once.c"
