/* SPDX-License-Identifier: MIT */
#include "zeros.h"

#include "../sem.c"
