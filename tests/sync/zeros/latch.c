#include "zeros.h"

#include "../latch.c"
