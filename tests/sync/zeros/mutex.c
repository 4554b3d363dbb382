/* SPDX-License-Identifier: MIT */
#include "zeros.h"

#include "../mutex.c"
