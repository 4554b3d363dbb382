/* SPDX-License-Identifier: MIT */
#include "zeros.h"

#include "../select_more.c"
