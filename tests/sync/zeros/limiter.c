#include "zeros.h"

#include "../limiter.c"
