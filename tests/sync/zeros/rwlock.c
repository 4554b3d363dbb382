/* SPDX-License-Identifier: MIT */
#include "zeros.h"

#include "../rwlock.c"
