#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tools/gdb/nido_lldb.py against living programs and their core files.

    lldb_test.py --lldb LLDB --script SCRIPT --nido-ps TOOL PARKED...

What it says of the tree must be what nido-ps says, which is another program. Exit status 77: not here."""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from tools_help import OBJECTS, check, dump_core, failures, masked, running, settled


def python_paths():
    """Debian's lldb looks for its own module in a folder that no package fills."""
    found = pathlib.Path("/usr/lib").glob("llvm-*/lib/python3.*/dist-packages")
    return ":".join([*map(str, found), "/usr/lib/python3/dist-packages"])


class Debugger:
    def __init__(self, lldb, script):
        self.start = [lldb, "--no-lldbinit", "--batch"]
        self.first = f"command script import {script}"

    def says(self, where, *commands):
        """What the commands print, one after the other, and what they complain of."""
        asked = [word for command in (self.first, *commands) for word in ("--one-line", command)]
        done = subprocess.run([*self.start, *map(str, where), *asked], capture_output=True, text=True, timeout=120,
                              check=False, errors="replace", stdin=subprocess.DEVNULL,
                              env={**os.environ, "PYTHONPATH": python_paths()})
        parts = [part.partition("\n")[2] for part in re.split(r"^\(lldb\) ", done.stdout, flags=re.MULTILINE)]
        return parts[-len(commands):], done.stderr + done.stdout


def body(text):
    """Without its head, without what only a process has, the peers of descriptors, and what each calls a place."""
    return masked(re.sub(r"spawned at \S+", "", text))[1:]


def look(debugger, tool, where, path, reader):
    (tree, frames, everything), said = debugger.says(where, "nido tree", "nido bt 3", "nido bt all")
    if "Operation not permitted" in said or "attach failed" in said:
        print("lldb may not attach here: ptrace is denied")
        sys.exit(77)
    seen = subprocess.run([tool, "--tree", *map(str, reader)], capture_output=True, text=True, timeout=30, check=False)
    check(body(tree) == body(seen.stdout), path, tree, seen.stdout, said[-2000:])
    check(everything.count("frame #1: ") >= 99, path, everything[:2000])
    if "stripped" not in path:
        check(frames.count("`descend(") == 4 and "`sleeper(" in frames, path, frames)
        check(everything.count("`wait_for_news") == 91, path, everything[:2000])
    check("Traceback" not in said, path, said[-2000:])


def details(debugger, pid):
    """A task as the thread that all commands see, and back; what types look like."""
    commands = ["nido frame 3", "bt", "thread list", "nido frame 4", "nido frame off", "bt", "thread list"]
    parts, said = debugger.says(["-p", pid], *commands)
    check("frame #0: " in parts[0] and parts[1].count("`descend(") == 4 and "`sleeper(" in parts[1], parts[:2], said)
    check("name = 'task #3'" in parts[2], parts[2])
    check("`descend(" not in parts[5] and "`nido_run" in parts[5] and "task #" not in parts[6], parts[5:])
    printed, said = debugger.says(["-p", pid], *(f"target variable --file parked.c {name}" for name in OBJECTS))
    for (name, words), text in zip(OBJECTS.items(), printed):
        check(f"{name} = {words} {{" in text, name, words, text, said[-2000:])


def errors(debugger, pid):
    for command, words in (("nido bt x", '"x" is no number of a task'), ("nido bt 4000", "there is no task #4000"),
                           ("nido what", "nido ps, nido tree, nido bt N, nido bt all, nido frame N, nido frame off"),
                           ("nido frame 4000", "there is no task #4000")):
        _, said = debugger.says(["-p", pid], command)
        check(words in said and "Traceback" not in said, command, said)


def living(debugger, tool, programs):
    for path in programs:
        with running(path) as program:
            settled(program)
            look(debugger, tool, ["-p", program.pid], path, [program.pid])
            if path == programs[0]:
                details(debugger, program.pid)
                errors(debugger, program.pid)
            state = pathlib.Path(f"/proc/{program.pid}/status").read_text()
            check("TracerPid:\t0" in state, path, state)


def cores(debugger, tool, programs):
    for path in programs:
        with tempfile.TemporaryDirectory() as folder:
            core = dump_core(path, folder)
            if not core:
                print("core files are not tested: kernel.core_pattern sends them elsewhere, or they are forbidden")
                return
            look(debugger, tool, ["-c", core, path], path, ["--core", core, path])


def strangers(debugger):
    with running("/bin/sh", "-c", "echo; exec sleep 60") as program:
        settled(program)
        _, said = debugger.says(["-p", program.pid], "nido ps")
        check("no nido is found in this program" in said, said)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lldb", required=True)
    parser.add_argument("--script", required=True)
    parser.add_argument("--nido-ps", required=True)
    parser.add_argument("programs", nargs="+")
    arguments = parser.parse_args()
    debugger = Debugger(arguments.lldb, arguments.script)
    _, said = debugger.says([], "script print('scripts run')")
    if "\nscripts run" not in said:
        print(f"lldb runs no scripts here:\n{said}")
        sys.exit(77)
    living(debugger, arguments.nido_ps, arguments.programs)
    cores(debugger, arguments.nido_ps, arguments.programs)
    strangers(debugger)
    sys.exit(1 if failures else 0)


main()
