# SPDX-License-Identifier: MIT
"""The system calls of a program: which it makes by itself, from main to its end, and the number of each."""

import re

LINE = re.compile(r"^(\d+) +(\w+)\((.*)")
MARK = "-1"


def positions(trace):
    """For each call: the set of its numbers, counted in each thread, that are the program's own, from
    main to the end. What other programs do that it has executed is not."""
    counts, found, inside, own, executed, early = {}, {}, None, None, set(), set()
    for line in trace.splitlines():
        match = LINE.match(line)
        if not match or match[1] in executed:
            continue
        thread, call, rest = match[1], match[2], match[3]
        own = own or thread
        if call == "execve" and thread != own:
            executed.add(thread)
        number = counts[thread, call] = counts.get((thread, call), 0) + 1
        if call == "close" and rest.startswith(MARK + ")") and thread == own:
            inside = inside is None
        elif inside:
            found.setdefault(call, {}).setdefault(number, []).append(rest)
        elif inside is None:
            early.add((call, number))
    return {call: {n: rests for n, rests in numbers.items() if (call, n) not in early}
            for call, numbers in found.items()}


def own_calls(outside, program, counts=None):
    """positions() of a run that nobody disturbs; None if that was not right. `counts`: where preload.c
    writes what it counts."""
    folder = outside.new_folder()
    folder.mkdir()
    trace = folder / "trace"
    options = {"wrap": ["strace", "-D", "-f", "-qqq", "-y", "-o", trace]}
    if counts:
        options["env"] = {"OUTSIDE_COUNTS": str(counts)}
    if not outside.quiet(program, **options):
        return None
    return positions(trace.read_text(errors="replace"))


def test_itself():
    trace = "\n".join(["7 read(3, 1) = 1", "7 close(-1) = -1", "7 read(4, 2) = 1", "8 read(5, 2) = 1",
                       "7 close(-1) = -1", "7 read(6, 2) = 1"])
    assert positions(trace) == {"read": {2: ["4, 2) = 1"]}}


test_itself()
