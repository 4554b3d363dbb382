#include "zeros.h"

#include "../rwlock.c"
