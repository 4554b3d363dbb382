#include <errno.h>
#include <string.h>

#include "testkit/kit.h"

static struct nidoi_faults by_hand;
static bool tapping;

static void begin_by_hand(void)
{
    if (tapping) return;
    tapping = true;
    nidoi_taps_begin(&by_hand);
    nidoi_watch_begin(NULL, NULL);
}

int nido_test_disturb(const char *call, unsigned nth, int result)
{
    enum nidoi_tap tap = nidoi_tap_find(call);

    if (tap == NIDOI_TAPS || !nth || !result) return -EINVAL;
    if (result > 0 && !nidoi_tap_is_partial(tap)) return -EINVAL;
    begin_by_hand();
    by_hand.of[tap].strike = by_hand.of[tap].count + nth;
    by_hand.of[tap].result = result;
    by_hand.of[tap].done = false;
    return 0;
}

int64_t nido_test_count(const char *call)
{
    enum nidoi_tap tap = nidoi_tap_find(call);

    if (tap == NIDOI_TAPS) return -EINVAL;
    begin_by_hand();
    return (int64_t)by_hand.of[tap].count;
}

bool nidoi_taps_by_hand(void)
{
    return tapping;
}

void nido_test_forget(void)
{
    if (!tapping) return;
    nidoi_watch_end(NULL);
    nidoi_taps_end(&by_hand);
    memset(&by_hand, 0, sizeof by_hand);
    tapping = false;
}
