#include "zeros.h"

#include "../event.c"
