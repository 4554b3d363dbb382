# SPDX-License-Identifier: MIT
"""Calls that a filter denies, from main on: each that the program makes, with ENOSYS and with EPERM, and
some at once, whether it makes them or not."""

import re

from outside import ROOT, in_turns
from calls import own_calls

ERRORS = {"ENOSYS": 38, "EPERM": 1}
AT_ONCE = 4  # of the runs with several calls, at most
SEVERAL = 40  # such runs of each program


def known():
    """The table of preload.c."""
    return sorted(re.findall(r"NUMBER\((\w+)\)", (ROOT / "tests/outside/preload.c").read_text().split("denied[]")[1]))


def trial(program, choice):
    what = "+".join(f"{call}={error}" for call, error in choice)
    return program, what, {"env": {"OUTSIDE_DENY": ",".join(f"{call}:{ERRORS[error]}" for call, error in choice)}}


def one_by_one(outside, program):
    made = own_calls(outside, program) or ()
    return [trial(program, [(call, error)]) for call in known() if call in made for error in ERRORS]


def some_at_once(outside, program):
    for _ in range(SEVERAL):
        calls = outside.random.sample(known(), outside.random.randint(2, AT_ONCE))
        yield trial(program, [(call, outside.random.choice(list(ERRORS))) for call in calls])


def play(outside):
    programs = outside.programs()
    single = [one_by_one(outside, program) for program in programs]
    several = [list(some_at_once(outside, program)) for program in programs]
    outside.try_all([*in_turns(outside.random, single), *in_turns(outside.random, several)])
