/* SPDX-License-Identifier: MIT */
#include "coro/run/dump_signal.h"

#include <signal.h>

#include "base/debug_words.h"
#include "debug/dump.h"

static void dump_is_asked(struct nidoi_receiver *receiver, int number)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    (void)receiver;
    nidoi_signal_taken(loop, number);
    nidoi_dump_to_stderr(loop);
}

static bool is_asked_for(const nido_options *options)
{
    return options->flags & NIDO_RUN_DUMP || nidoi_debug_asks("dump");
}

int nidoi_dump_on_signal(struct nidoi_loop *loop, struct nidoi_receiver *receiver)
{
    if (!is_asked_for(&loop->options) || !nidoi_signal_is_default(SIGQUIT)) return 0;
    receiver->arrived = dump_is_asked;
    receiver->set = nidoi_signal_bit(SIGQUIT);
    return nidoi_receiver_open(loop, receiver);
}
