# SPDX-License-Identifier: MIT
"""Short of something: the Nth allocation, mapping, thread or file of the C library fails, or that and
all later ones (preload.c); walls of the system around descriptors, memory, mappings, threads and files
(prlimit), and a full disk."""

import errno
import os

from outside import in_turns

SHORT = {"malloc": "ENOMEM", "calloc": "ENOMEM", "realloc": "ENOMEM", "mmap": "ENOMEM", "pthread_create": "EAGAIN",
         "fopen": "EMFILE"}
MOST = 40  # positions of one call in one program
NOBODY = 61000  # user numbers that no account has: the limit counts all processes of a user


def by_preload(outside, program, counts):
    for line in counts.splitlines():
        call, count = line.split()
        if call not in SHORT:
            continue
        numbers = range(1, int(count) + 1)
        if len(numbers) > MOST:
            numbers = sorted(outside.random.sample(numbers, MOST))
        number = getattr(errno, SHORT[call])
        yield [(program, f"{call}:{n}{more}", {"env": {"OUTSIDE_ORDER": f"{call}:{number}:{n}{more}"}})
               for n in numbers for more in ("", "+")]


def wall(program, name, limits):
    return program, name, {"wrap": ["prlimit", *limits]}


def descriptors(program):
    """From too few for libc to enough for all."""
    return [wall(program, f"nofile={n}", [f"--nofile={n}:{n}"]) for n in range(3, 17)]


def memory(program):
    """Address space: from too little for libc to enough for all, in even ratios."""
    return [wall(program, f"as={size}K", [f"--as={size << 10}"])
            for size in (int(3000 * 1.15**n) for n in range(28))]


def mappings(program):
    """As many more as the program may make; the kernel's limit is 65530 if nobody has changed it."""
    return [(program, f"maps={n}", {"env": {"OUTSIDE_MAPS": str(n)}}) for n in range(0, 40, 2)]


def threads(outside, program):
    """As a user of few processes; only root can become one."""
    if os.getuid():
        return []
    user = NOBODY + outside.random.randrange(1000)
    become = ["setpriv", "--reuid", str(user), "--regid", str(user), "--clear-groups"]
    return [(program, f"nproc={n}", {"wrap": ["prlimit", f"--nproc={n}:{n}", *become]}) for n in range(0, 5)]


DISK = """mkdir disk && mount -t tmpfs -o size={} none disk || exit
"$@" >disk/out
code=$?
cat disk/out
exit $code"""


def disks():
    """A file system of so many pages, for the answer."""
    return [(f"disk={n}", {"wrap": ["unshare", "--mount", "sh", "-c", DISK.format(n * 4096), "sh"]})
            for n in (1, 2, 3, 100)] if os.getuid() == 0 else []


def files(program):
    """Bytes that a file may have; SIGXFSZ ignored, as a program does that wants the error. Programs that
    print by stdio do not look."""
    if program.stdio:
        return []
    walls = [(program, f"fsize={n}", {"wrap": ["env", "--ignore-signal=XFSZ", "prlimit", f"--fsize={n}:{n}"]})
             for n in (300, 1000, 2000)]
    full = [("full disk", {"disk": "/dev/full"}), *disks()]
    return walls + [(program, what, options) for what, options in full]


def trials_of(outside, program):
    folder = outside.new_folder()
    folder.mkdir()
    counts = folder / "counts"
    if not outside.quiet(program, env={"OUTSIDE_COUNTS": str(counts)}):
        return
    yield from by_preload(outside, program, counts.read_text())
    yield descriptors(program)
    yield memory(program)
    yield mappings(program)
    yield threads(outside, program)
    yield files(program)


def play(outside):
    lists = [group for program in outside.programs() for group in trials_of(outside, program)]
    outside.try_all(in_turns(outside.random, lists))
