#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The stacks that a program dumps itself are those that gdb sees: stacks_test.py --gdb GDB --script SCRIPT PROGRAM...

SCRIPT makes gdb find the frames of parked tasks, by its own unwinder and from the registers that the switch has saved."""

import argparse
import re
import subprocess
import sys

from tools_help import check, failures, running, settled


def addresses(text):
    return [int(found, 16) for found in re.findall(r"(?:at|^#\d+ +)(?: *)(0x[0-9a-f]+)", text, re.MULTILINE)]


def dumped(program):
    """{number of a task: its return addresses}"""
    text = program.first
    while not text.endswith("end\n"):
        text += program.stdout.readline() or sys.exit("it has ended")
    parts = re.split(r"#(\d+) \"", text)
    return {int(number): addresses(part) for number, part in zip(parts[1::2], parts[2::2])}


def compare(gdb, script, path):
    with running(path) as program:
        own = dumped(program)
        settled(program)
        done = subprocess.run([gdb, "-nx", "-batch", "-ex", "set width 0", "-ex", f"source {script}", "-p",
                               str(program.pid), "-ex", "echo @@@\\n", "-ex", "bt", "-ex", "echo @@@\\n", "-ex", "nido bt 2"],
                              capture_output=True, text=True, timeout=120, check=False)
    running_task, parked_task = (addresses(part) for part in done.stdout.split("@@@\n")[1:3])
    # The innermost frames are the calls of the dump, which are over, and the switch, which is left out.
    check(len(own[1]) >= 3 and own[1][1:] == running_task[-len(own[1]) + 1:], path, own[1], done.stdout)
    check(len(own[2]) >= 4 and own[2] == parked_task[-len(own[2]):], path, own[2], done.stdout)


parser = argparse.ArgumentParser()
parser.add_argument("--gdb", required=True)
parser.add_argument("--script", required=True)
parser.add_argument("programs", nargs="+")
asked = parser.parse_args()
for each in asked.programs:
    compare(asked.gdb, asked.script, each)
sys.exit(bool(failures))
