#include "zeros.h"

#include "../once.c"
