/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "testkit/kit.h"

static struct nidoi_faults faults;
static bool disturbed;

static void disturb_begin(void)
{
    if (disturbed) return;
    disturbed = true;
    nidoi_taps_begin(&faults);
    nidoi_watch_begin(NULL, NULL);
}

int nido_test_disturb(const char *call, unsigned nth, int result)
{
    enum nidoi_tap tap = nidoi_tap_find(call);

    if (tap == NIDOI_TAPS || !nth || !result) return -EINVAL;
    if (result > 0 && !nidoi_tap_is_partial(tap)) return -EINVAL;
    disturb_begin();
    faults.of[tap].at = faults.of[tap].count + nth;
    faults.of[tap].result = result;
    faults.of[tap].done = false;
    return 0;
}

int64_t nido_test_count(const char *call)
{
    enum nidoi_tap tap = nidoi_tap_find(call);

    if (tap == NIDOI_TAPS) return -EINVAL;
    disturb_begin();
    return (int64_t)faults.of[tap].count;
}

bool nidoi_disturbed(void)
{
    return disturbed;
}

void nido_test_forget(void)
{
    if (!disturbed) return;
    nidoi_watch_end(NULL);
    nidoi_taps_end(&faults);
    memset(&faults, 0, sizeof faults);
    disturbed = false;
}
