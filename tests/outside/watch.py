# SPDX-License-Identifier: MIT
"""Does a loop's thread sleep in another call than its wait for reports? A loop's thread is one that is
seen in that wait before and after the call. It is looked at every few milliseconds, from outside; a
thread has slept in between if it sleeps in the same call and was never switched away since the last
look. So a busy machine accuses nobody: a thread that waits for the processor does not sleep."""

import pathlib
import threading
import time

PERIOD_S, MOST_S = 0.003, 0.005
# The numbers of system calls on x86-64 and on arm64.
WAITS = {"x86_64": {"232", "281", "441"}, "aarch64": {"22", "441"}}
# poll and ppoll: the wait of another loop, in which nido lives.
FOREIGN_WAITS = {"x86_64": {"7", "271"}, "aarch64": {"73"}}
# A pause that the program makes itself (nanosleep and clock_nanosleep); a call that a stop has interrupted.
PAUSES = {"x86_64": {"35", "230", "219"}, "aarch64": {"101", "115", "128"}}


class Thread:
    """What was seen of one thread."""

    def __init__(self):
        self.waited, self.call, self.switches, self.since = False, None, None, 0
        self.suspect, self.slept = None, None

    def sees_wait(self):
        self.waited, self.call = True, None
        self.slept = self.slept or self.suspect

    def sees_sleep(self, call, switches, now):
        """Only what comes after a first wait, and before another, counts."""
        if (call, switches) != (self.call, self.switches):
            self.call, self.switches, self.since = call, switches, now
        elif self.waited and now - self.since > MOST_S:
            self.suspect = f"call {call.split()[0]} took {1000 * (now - self.since):.0f} ms on a loop's thread"


class Watch:
    """Of one process, until stop()."""

    def __init__(self, pid, machine, foreign=False):
        self.pid, self.threads, self.over = pid, {}, threading.Event()
        self.waits = WAITS.get(machine, set()) | (FOREIGN_WAITS.get(machine, set()) if foreign else set())
        self.pauses = PAUSES.get(machine, set())
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()

    def look(self):
        while not self.over.wait(PERIOD_S):
            try:
                for path in pathlib.Path(f"/proc/{self.pid}/task").iterdir():
                    self.look_at(path)
            except OSError:
                continue

    def look_at(self, path):
        """The state is read before and after the call, so that it is the state in that call."""
        before = status(path)
        call = (path / "syscall").read_text()
        thread = self.threads.setdefault(path.name, Thread())
        number = call.split()[0]
        if number in self.waits:
            thread.sees_wait()
        elif before != status(path) or not before.startswith("S") or number in self.pauses or number == "running":
            thread.call = None
        else:
            thread.sees_sleep(call, before, time.monotonic())

    def stop(self):
        """What has slept; None: nothing."""
        self.over.set()
        self.thread.join()
        return next((thread.slept for thread in self.threads.values() if thread.slept), None)


def status(path):
    """The state of a thread, and how often it was switched away."""
    lines = (path / "status").read_text().splitlines()
    words = [line.split()[1] for line in lines if line.startswith(("State:", "voluntary_", "nonvoluntary_"))]
    return " ".join(words)


def test_itself():
    thread = Thread()
    for now in (0.0, 0.006):
        thread.sees_sleep("202 0x1", "S 1 1", now)
    thread.sees_wait()
    assert thread.slept is None  # the first wait came only then
    for now in (1.0, 1.006):
        thread.sees_sleep("202 0x1", "S 2 1", now)
    assert thread.slept is None  # there may be no wait any more
    thread.sees_wait()
    assert thread.slept == "call 202 took 6 ms on a loop's thread"


test_itself()
