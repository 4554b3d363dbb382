# SPDX-License-Identifier: MIT
"""What the tests of the tools share: programs that run, core files, transcripts."""

import contextlib
import pathlib
import re
import resource
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MASKS = [
    (r"\bprocess \d+", "process PID"),
    (r"\d+\.\d+ s\b", "T s"),
    (r"in \d+\.\d+ ms", "in T ms"),
    (r"for \d+\.\d+ ms", "for T ms"),
    (r"stack \d+ of", "stack N of"),
    (r"\b\d+ KiB", "N KiB"),
    (r"the core file [^,]*", "the core file"),
    (r"\d+\.\d+ to", "T to"),
    (r"\+0x[0-9a-f]+", "+0xN"),
    (r"0x[0-9a-f]{6,}", "0xN"),
    (r"at \S+/(src|tests)/", r"at \1/"),
    (r"(\w\.[ch]):\d+", r"\1:N"),
    (r"nido \d+\.\d+\.\d+", "nido V"),
    (r"thread \d+ \S+:", "thread N:"),
    (r"thread \d+:", "thread N:"),
    (r" +", " "),
]
# What debuggers say of the objects of parked.c, which a library may have names like.
OBJECTS = {
    "lock": 'mutex "ledger", held by #4, 1 waiter',
    "work": 'channel "work", 0 of 4 items, 1 waiter to receive',
    "news": 'event "news", 92 waiters',
    "table": 'rwlock "table", free',
    "permits": 'semaphore "permits", 2 of 3 free',
    "lenders": 'limiter "lenders", 0 of 5 borrowed',
    "changed": 'condition "changed"',
    "start": 'barrier "start", 0 of 3 tasks',
    "setup": 'once "setup"',
    "pieces": 'latch "pieces", 2 to be done',
    "pieces.queue": 'queue "pieces"',
    "bells": 'broadcast "bells", 0 sent',
    "level": 'watch "level", version 1',
    "hangups": 'signals without a name',
}
failures = []
wanted = []  # "transcripts": of a build whose frames are those of the document


def check(condition, *what):
    if not condition:
        failures.append(what)
        print("FAILED:", *what, sep="\n", file=sys.stderr)


def masked(text):
    for pattern, instead in MASKS:
        text = re.sub(pattern, instead, text)
    return [line.rstrip() for line in text.strip().splitlines()]


@contextlib.contextmanager
def running(*command, **options):
    """A program that has said its first line."""
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True, **options) as program:
        try:
            program.first = program.stdout.readline()
            yield program
        finally:
            program.kill()


def settled(program):
    """Has it gone to sleep after its first line? Waits for that."""
    for _ in range(500):
        if pathlib.Path(f"/proc/{program.pid}/stat").read_text().rpartition(")")[2].split()[0] == "S":
            return
        time.sleep(0.01)


def transcripts():
    """{command: what docs/ps.md says it prints}"""
    blocks = re.findall(r"^    \$ ((?:nido-ps|gdb) [^\n]*)\n((?:    [^\n]*\n|\n(?=    [^$\s]))*)",
                        (ROOT / "docs/ps.md").read_text(), re.MULTILINE)
    return {command: re.sub(r"^    ", "", text, flags=re.MULTILINE) for command, text in blocks}


def check_transcript(command, printed):
    """`...` in a transcript stands for lines that are left out."""
    if not wanted:
        return
    expected, lines = masked(transcripts()[command]), masked(printed)
    while "..." in expected:
        at = expected.index("...")
        head, tail = expected[:at], expected[at + 1:]
        rest = len(tail) if "..." not in tail else tail.index("...")
        check(lines[:at] == head, command, lines[:at], head)
        lines = lines[-rest:] if rest and "..." not in tail else lines[at:]
        expected = tail
    check(lines == expected, command, "\n".join(lines), "expected", "\n".join(expected))


def dump_core(path, folder, mode="abort"):
    """The kernel's own, in `folder`; None: this machine sends cores elsewhere."""
    pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if "/" in pattern or pattern.startswith("|"):
        return None
    subprocess.run([path, mode], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   check=False, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (-1, -1)))
    cores = list(pathlib.Path(folder).glob("core*"))
    return cores[0] if cores else None
