# SPDX-License-Identifier: MIT
"""Where the program stands: as PID 1 of a namespace, as an adopter of orphans, with children that it did
not start, as another user, with signals blocked or ignored, without /proc, a directory, an environment
or a standard input, with little stack for its threads. Each is lawful, so the answer must be right."""

import copy
import os
import shutil
import subprocess
import sys

from outside import Program

NOBODY = "65534"
SOME = "64000"  # a number of a user that owns nothing

# Adopts orphans and has four children that it knows nothing of, two of which end while it runs and
# leave a child behind.
ADOPTER = """import ctypes, os, sys, time
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
for n in range(int(sys.argv[1])):
    if os.fork() == 0:
        if n % 2 and os.fork():
            time.sleep(0.01 * n); os._exit(n)
        time.sleep(0.02 * n); os._exit(n)
os.environ["OUTSIDE_ORPHANS"] = "1"
os.execvp(sys.argv[2], sys.argv[2:])"""


def sh(line):
    return ["sh", "-c", f'{line} && exec "$@"', "sh"]


def ways():
    python = [sys.executable, "-S", "-c", ADOPTER]
    root = {
        "as another user": ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"],
        "as a user without a name": ["setpriv", "--reuid", SOME, "--regid", SOME, "--clear-groups"],
        "without privileges": ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"],
    }
    own = [] if os.getuid() == 0 else ["--map-root-user"]
    spaces = {
        "as PID 1": ["unshare", *own, "--pid", "--fork", "--kill-child", "--mount-proc"],
        "as PID 1 that sees another /proc": ["unshare", *own, "--pid", "--fork", "--kill-child"],
        "without /proc": ["unshare", *own, "--mount", *sh("mount -t tmpfs none /proc")],
        "without /dev/null": ["unshare", *own, "--mount", *sh("mount -t tmpfs none /dev")],
    }
    everywhere = {
        "as an adopter of orphans": [*python, "0"],
        "with strange children": [*python, "6"],
        "with signals blocked": ["env", "--block-signal=CHLD", "--block-signal=PIPE", "--block-signal=URG",
                                 "--block-signal=USR1", "--block-signal=HUP"],
        "with signals ignored": ["env", "--ignore-signal=PIPE", "--ignore-signal=URG", "--ignore-signal=HUP",
                                 "--ignore-signal=INT", "--ignore-signal=QUIT"],
        "with dead children reaped by the kernel": ["env", "--ignore-signal=CHLD"],
        "with little stack": ["prlimit", "--stack=262144:262144"],
        "with any stack": ["prlimit", "--stack=unlimited"],
        "in a folder that is gone": sh('d=$(mktemp -d) && cd "$d" && rmdir "$d"'),
        "without an environment": ["env", "-i", f"PATH={os.environ['PATH']}", "NIDO_DEBUG=strict"],
        "at a low priority": ["nice", "-n", "19"],
        "on one processor": ["taskset", "-c", "0"],
        "without a standard input": sh("exec <&-"),
        "without standard streams": sh("exec <&- >&-"),
    }
    return {**everywhere, **spaces, **(root if os.getuid() == 0 else {})}


# What cannot be right there, but then has to be a clear error.
MAY_FAIL = {
    "with dead children reaped by the kernel": {"supervisor"},
    "without /dev/null": {"supervisor", "isolated_parser"},
    "without standard streams": None,  # nothing is heard of it
}
def is_deprived(program, way):
    """It would lack what it is about: its input, its folder, its way to say that it is ready."""
    return ("input" in way and program.feed or "folder" in way and program.name == "checksums" or
            "streams" in way and (program.feed or type(program) is not Program))


def is_possible(wrap):
    """Namespaces may be forbidden here, and a tool may be missing."""
    return shutil.which(wrap[0]) and subprocess.run([*wrap, "true"], stdin=subprocess.DEVNULL,
                                                    capture_output=True).returncode == 0


def trial(program, way, wrap):
    program = copy.copy(program)
    fails = MAY_FAIL.get(way, set())
    program.must = not program.guest and fails is not None and program.name not in fails
    if fails is None:
        program.silent = True
    return program, way, {"wrap": wrap, "inside": way.startswith("as PID 1")}


def play(outside):
    possible = {way: wrap for way, wrap in ways().items() if is_possible(wrap)}
    for way in ways().keys() - possible.keys():
        print(f"place: not possible here: {way}")
    trials = [trial(program, way, wrap) for program in outside.programs() for way, wrap in possible.items()
              if not is_deprived(program, way)]
    outside.try_all(outside.random.sample(trials, len(trials)))
