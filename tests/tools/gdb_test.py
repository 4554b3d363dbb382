#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tools/gdb/nido-gdb.py against living programs and their core files.

    gdb_test.py --gdb GDB --script SCRIPT --nido-ps TOOL PARKED...

What it says of the tree must be what nido-ps says, which is another program."""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

from tools_help import OBJECTS, check, check_transcript, dump_core, failures, masked, running, settled, wanted


class Debugger:
    def __init__(self, gdb, script):
        self.start = [gdb, "-nx", "-batch", "-ex", "set width 0", "-ex", "set confirm off", "-ex",
                      f"source {script}"]

    def says(self, where, *commands):
        """What the commands print, one after the other; `where`: a core file with its program, or a process."""
        asked = [word for command in commands for word in ("-ex", f"echo @@@\\n", "-ex", command)]
        done = subprocess.run([*self.start, *map(str, where), *asked, "-ex", "echo @@@\\n"], capture_output=True,
                              text=True, timeout=60, check=False, errors="replace")
        parts = done.stdout.split("@@@\n")[1:-1]
        check(len(parts) == len(commands), where, commands, done.stdout[-2000:], done.stderr[-2000:])
        return parts, done.stderr


def body(text):
    """Without its head, and without what only a process has: the peers of descriptors."""
    return masked(text)[1:]


def look(debugger, tool, where, path, reader):
    """The tree as another program sees it, and the frames of a task."""
    (tree, frames, everything), errors = debugger.says(where, "nido tree", "nido bt 3", "nido bt all")
    seen = subprocess.run([tool, "--tree", *map(str, reader)], capture_output=True, text=True, timeout=30,
                          check=False)
    if "stripped" in path: # where gdb and libdw name other places
        tree, seen.stdout = (re.sub(r"spawned at \S+", "", text) for text in (tree, seen.stdout))
    check(body(tree) == body(seen.stdout), path, tree, seen.stdout)
    check(everything.count("#1  ") >= 99, path, everything[:2000])
    if "stripped" not in path:
        check(frames.count(" descend (depth=") == 4 and " sleeper (" in frames, path, frames)
        check(everything.count("in wait_for_news ()") == 91, path, everything[:2000])
    check("Traceback" not in errors and "Error" not in errors, path, errors)


def living(debugger, tool, programs):
    for path in programs:
        with running(path) as program:
            settled(program)
            look(debugger, tool, ["-p", program.pid], path, [program.pid])
            if path == programs[0]:
                details(debugger, program.pid)
                errors(debugger, program.pid)
            state = pathlib.Path(f"/proc/{program.pid}/status").read_text()
            check("State:\tS" in state and "TracerPid:\t0" in state, path, state)


def details(debugger, pid):
    commands = ["info registers", "nido frame 3", "bt", "frame function descend", "print depth", "nido frame off",
                "bt", "info registers", "nido ps"]
    parts, _ = debugger.says(["-p", pid], *commands)
    said = dict(zip(commands, parts))
    check(parts[0] == parts[7], "registers are what they were", parts[0], parts[7])
    check(" descend (" in parts[2] and parts[2].startswith("#0"), parts[2])
    check(parts[4] in ("$1 = 0\n", "$1 = <optimized out>\n"), "a variable of a parked task", parts[4])
    check(" descend (" not in parts[6] and "nido_run" in parts[6], parts[6])
    check(said["nido ps"].count("\n#") == 100, said["nido ps"])
    printed, _ = debugger.says(["-p", pid], *(f"output 'parked.c'::{name}" for name in OBJECTS))
    check(printed == list(OBJECTS.values()), printed)
    (frames,), _ = debugger.says(["-p", pid], "nido bt 9")
    check_transcript("gdb -p 4711", "(gdb) nido bt 9\n" + frames)


def errors(debugger, pid):
    for command, words in (("nido bt x", '"x" is no number of a task'), ("nido bt 4000", "there is no task #4000"),
                           ("nido frame 4000", "there is no task #4000"), ("nido bt", "is no number of a task")):
        _, said = debugger.says(["-p", pid], command)
        check(words in said, command, said)


def cores(debugger, tool, programs):
    for path in programs:
        with tempfile.TemporaryDirectory() as folder:
            core = dump_core(path, folder)
            if not core:
                print("core files are not tested: kernel.core_pattern sends them elsewhere, or they are forbidden")
                return
            look(debugger, tool, [path, core], path, ["--core", core, path])
            (root, frame), _ = debugger.says([path, core], "nido bt 1", "nido frame 1")
            check("abort" in root and "#0 " in root, root, frame)
            if path == programs[0]:
                cut = core.with_name("cut")
                whole = core.read_bytes()
                for size in (len(whole) // 50, len(whole) // 3):
                    cut.write_bytes(whole[:size])
                    _, said = debugger.says([path, cut], "nido tree", "nido bt all")
                    check("Traceback" not in said, said)


def strangers(debugger):
    with running("/bin/sh", "-c", "echo; exec sleep 60") as program:
        settled(program)
        _, said = debugger.says(["-p", program.pid], "nido ps")
        check("no nido is found in this program" in said, said)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--gdb", required=True)
    parser.add_argument("--script", required=True)
    parser.add_argument("--nido-ps", required=True)
    parser.add_argument("--transcripts", action="append_const", const=True, dest="wanted")
    parser.add_argument("programs", nargs="+")
    arguments = parser.parse_args()
    wanted.extend(arguments.wanted or [])
    debugger = Debugger(arguments.gdb, arguments.script)
    living(debugger, arguments.nido_ps, arguments.programs)
    cores(debugger, arguments.nido_ps, arguments.programs)
    strangers(debugger)
    sys.exit(1 if failures else 0)


main()
