# SPDX-License-Identifier: MIT
"""The program stands still and goes on (SIGSTOP, SIGCONT) at moments drawn at random, and gets signals
that mean nothing to it. Nothing of that may change its answer. Its threads and what it has started are
stopped too, one by one and for longer than its shortest times."""

import contextlib
import os
import signal
import threading
import time

from outside import session

MEANINGLESS = [signal.SIGWINCH, signal.SIGURG, signal.SIGCHLD, signal.SIGCONT]
PAUSE_S = 0.04


class Disturbed:
    """A program whose run is disturbed from its first moment to its last. `way`: a function of the run."""

    def __init__(self, program, way, random):
        self.program, self.way, self.random, self.must = program, way, random, not program.guest

    def __getattr__(self, name):
        return getattr(self.program, name)

    @property
    def __class__(self):  # a server stays one for the judge
        return self.program.__class__

    def talk(self, run):
        over = threading.Event()
        player = threading.Thread(target=self.disturb, args=(run, over))
        player.start()
        try:
            self.program.talk(run)
            run.await_end()
        finally:
            over.set()
            player.join()

    def disturb(self, run, over):
        while not over.wait(self.random.random() * 0.02) and run.process.poll() is None:
            self.way(run, self.random)


def kill(pid, number):
    with contextlib.suppress(OSError):
        os.kill(pid, number)


def pause(pid, seconds):
    kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    kill(pid, signal.SIGCONT)


def stops(run, random):
    pause(run.process.pid, random.random() * PAUSE_S)


def a_long_stop(run, random):
    pause(run.process.pid, 10 * PAUSE_S)
    time.sleep(0.3)


def stops_of_what_it_started(run, random):
    others = [pid for pid, _ in session(run.process.pid) if pid != run.process.pid]
    if others:
        pause(random.choice(others), random.random() * PAUSE_S)


def meaningless(run, random):
    for _ in range(20):
        kill(run.process.pid, random.choice(MEANINGLESS))


def everything(run, random):
    random.choice([stops, stops_of_what_it_started, meaningless])(run, random)


WAYS = [stops, a_long_stop, stops_of_what_it_started, meaningless, everything]


def play(outside):
    trials = [(Disturbed(program, way, outside.random), way.__name__, {})
              for program in outside.programs() for way in WAYS]
    for _ in outside.rounds():
        outside.try_all(outside.random.sample(trials, len(trials)))
