# SPDX-License-Identifier: MIT
"""What the peers in Python share: the command line and the one line they answer with."""

import json
import os
import random
import signal
import socket
import struct
import sys
import time


class Ask:
    def __init__(self, rounds, count):
        self.rounds = rounds
        self.count = count
        self.warm_up = rounds // 8 + 1  # rounds before the measured ones


class Watch:
    """Runs from its making on."""

    def __init__(self):
        self.cpu = time.process_time_ns()
        self.start = time.monotonic_ns()

    def ns(self):
        return time.monotonic_ns() - self.start

    def cpu_ns(self):
        return time.process_time_ns() - self.cpu


def say(**answer):
    """In one write, even if Python does not buffer: the reader may close the pipe after that."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def say_per_operation(ns, operations):
    say(ns=ns, values=[ns / operations])


def say_cpu_and_wall(watch):
    cpu, wall = watch.cpu_ns(), watch.ns()
    say(ns=wall, values=[cpu / 1e6, wall / 1e6])


def say_parked(ask):
    """All tasks of a memory case are parked; the rest is up to the killer of this process."""
    say(parked=ask.count)
    signal.pause()


def keep_port():
    """A free port, which a socket that is never closed keeps for the server that this process becomes."""
    keeper = socket.socket()
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    keeper.bind(("127.0.0.1", 0))
    keeper.set_inheritable(True)
    port = keeper.getsockname()[1]
    keeper.detach()
    return port


def listens(port):
    with socket.socket() as visitor:
        return visitor.connect_ex(("127.0.0.1", port)) == 0


def say_port_when_ready(port):
    """In a process of its own, for which the caller waits; it gives up in the end."""
    if os.fork():
        return
    for _ in range(500):
        if listens(port):
            say(port=port)
            break
        time.sleep(0.01)
    os._exit(0)


class Wakes:
    """How late it was at work after each stamp of the waker, in us, in order of coming."""

    def __init__(self):
        self.us = []

    def note(self, stamps):
        now = time.monotonic_ns()
        self.us += [(now - stamp) / 1000 for (stamp,) in struct.iter_unpack("=q", stamps)]

    def say(self):
        """The first fifth is the warm-up."""
        us = sorted(self.us[len(self.us) // 5 :])
        say(ns=0, values=[us[int(share * (len(us) - 1))] for share in (0.5, 0.99, 0.999)])


def work():
    """Computes for a microsecond."""
    end = time.monotonic_ns() + 1000
    while time.monotonic_ns() < end:
        pass


def draw_seconds():
    """A time to sleep: 1 to 1 000 ms."""
    return random.randint(1, 1000) / 1000


def main(version, cases, run):
    """`cases` are async functions of an Ask by name; run(function, ask) is the runtime's."""
    if sys.argv[1:] == ["--about"]:
        say(version=version, cases=list(cases))
    elif len(sys.argv) == 4 and sys.argv[1] in cases:
        run(cases[sys.argv[1]], Ask(int(sys.argv[2]), int(sys.argv[3])))
    else:
        sys.exit(f"usage: {sys.argv[0]} --about | CASE ROUNDS COUNT")
