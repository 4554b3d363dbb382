#include "zeros.h"

#include "../cond.c"
