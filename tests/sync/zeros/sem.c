#include "zeros.h"

#include "../sem.c"
