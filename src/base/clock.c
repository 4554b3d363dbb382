#include "base/clock.h"

#include <time.h>

#include "base/assert.h"
#include "base/sys.h"

void nidoi_clock_init(struct nidoi_clock *clock, bool is_virtual)
{
    clock->is_virtual = is_virtual;
    clock->now = INT64_C(1000000000);
}

int64_t nidoi_clock_read(const struct nidoi_clock *clock)
{
    return clock->is_virtual ? clock->now : nidoi_sys_now();
}

void nidoi_clock_jump(struct nidoi_clock *clock, int64_t when)
{
    nidoi_assert(clock->is_virtual && when >= clock->now);
    clock->now = when;
}
