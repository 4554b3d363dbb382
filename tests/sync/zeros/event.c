/* SPDX-License-Identifier: MIT */
#include "zeros.h"

#include "../event.c"
