#include "zeros.h"

#include "../mutex.c"
