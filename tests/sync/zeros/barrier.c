#include "zeros.h"

#include "../barrier.c"
