#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""nido-ps against living programs and their core files.

    nido_ps.py --nido-ps TOOL --echo EXAMPLE_ECHO_SERVER PARKED...

The programs are tests/tools/parked.c, linked in different ways; the first is the one of which docs/ps.md has
transcripts, which are compared with what is printed: addresses, times, sizes and lines of code are masked."""

import argparse
import ctypes
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

from tools_help import check, check_transcript, dump_core, failures, masked, running, settled, wanted


class Tool:
    def __init__(self, path):
        self.path = path

    def run(self, *arguments, **options):
        return subprocess.run([self.path, *map(str, arguments)], capture_output=True, text=True, timeout=30,
                              errors="surrogateescape", **options)

    def shows(self, *arguments):
        done = self.run(*arguments)
        check(done.returncode == 0 and not done.stderr, arguments, done.returncode, done.stderr)
        return done.stdout

    def refuses(self, words, *arguments, **options):
        done = self.run(*arguments, **options)
        check(done.returncode > 0 and not done.stdout, arguments, done.returncode, done.stdout)
        check(done.stderr.startswith("nido-ps: ") and done.stderr.count("\n") == 1, arguments, done.stderr)
        check(words in done.stderr, arguments, "says", done.stderr, "and not", words)


# ---- What it shows ----

def functions(printed, task):
    """The functions of parked.c in a task's stack, as --json --stacks has it."""
    tasks = {entry["name"]: entry for entry in json.loads(printed)["tasks"]}
    return [frame["function"] for frame in tasks[task]["stack"]["frames"]]


def living(tool, programs):
    for path in programs:
        with running(path) as program:
            settled(program)
            pid = program.pid
            tree, object_ = tool.shows("--tree", pid), json.loads(tool.shows("--json", pid))
            check(len(object_["tasks"]) == 100 and len(object_["groups"]) == 3, path, object_)
            check('"locker" waits for mutex "ledger" of #4' in " ".join(tree.split()), path, tree)
            check("90 more like #9" in tree, path, tree)
            if "stripped" not in path:
                stacks = tool.shows("--json", "--stacks", pid)
                check("wait_for_news" in functions(stacks, "conn"), path, functions(stacks, "conn"))
                check(functions(stacks, "sleeper").count("descend") == 4, path, functions(stacks, "sleeper"))
            if path == programs[0]:
                living_transcripts(tool, pid)


def comparable(task):
    """Without times and without names, of which nido-ps knows more."""
    copy = json.loads(json.dumps(task))
    for times in copy.get("wait", {}), copy.get("deadline", {}):
        times.pop("for_ns", None)
        times.pop("in_ns", None)
    copy.pop("spawned_at")
    frames = [(frame["address"], frame["object_offset"]) for frame in copy["stack"]["frames"]]
    del copy["stack"]["frames"]
    return copy, frames


def twins(tool, path):
    """What a program says of itself is what is seen from outside."""
    with running(path, "json") as program:
        own = ""
        while not own.endswith("]}\n"):
            own += program.stdout.readline()
        settled(program)
        own, seen = json.loads(own), json.loads(tool.shows("--json", "--stacks", program.pid))
        check(own["groups"] == seen["groups"], own["groups"], seen["groups"])
        heads = [{key: head[key] for key in ("thread", "thread_name", "watches", "out")} for head in (own, seen)]
        check(heads[0] == heads[1] and seen["up_ns"] >= own["up_ns"] > 0, *heads)
        check(len(own["tasks"]) == len(seen["tasks"]) == 100, own, seen)
        for mine, theirs in zip(own["tasks"][1:], seen["tasks"][1:]): # without the root, which ran
            (mine, frames), (theirs, outer) = comparable(mine), comparable(theirs)
            check(("shielded" in theirs) == (theirs["name"] == "stubborn"), theirs)
            # Outside nothing is shown below the call; inside, what of it is the library's.
            check(mine == theirs and outer and frames[-len(outer):] == outer, mine, frames, theirs, outer)


def processor_time(tool, path):
    """Counted if that is asked for, shown in every form, and no more than the system says of the process."""
    os.environ["NIDO_DEBUG"] = "cpu"
    try:
        twins(tool, path)
        with running(path) as program:
            settled(program)
            times = [task["cpu_ns"] for task in json.loads(tool.shows("--json", program.pid))["tasks"]]
            threads = pathlib.Path(f"/proc/{program.pid}/task").iterdir()
            spent = sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads)
            check(0 < sum(times) <= spent, times, spent)
            tree = tool.shows("--tree", program.pid)
            check("90 more like #9" in tree and tree.count("  cpu ") == 10, tree)
            lines = tool.shows("--sort", "cpu", program.pid).splitlines()[2:]
            listed = [float(line.split(" ms  ")[0].split()[-1]) for line in lines]
            check(len(listed) == 100 and listed == sorted(listed, reverse=True), listed)
    finally:
        del os.environ["NIDO_DEBUG"]
    with running(path) as program:
        settled(program)
        check("CPU" not in tool.shows(program.pid) and "cpu_ns" not in tool.shows("--json", program.pid))
        lines = tool.shows("--sort", "stack", program.pid).splitlines()[2:]
        sizes = [int(line.split(" KiB  ")[0].split()[-1]) for line in lines]
        check(sizes == sorted(sizes, reverse=True), sizes)


def named_job(tool, path):
    with running(path, "job") as program:
        settled(program)
        for _ in range(100):
            tree = tool.shows("--tree", program.pid)
            if "waits for job" in tree:
                break
            time.sleep(0.05)
        check('waits for job "books", ' in tree, tree)
        check(json.loads(tool.shows("--json", program.pid))["tasks"][0]["wait"]["object"] == "books")


def living_transcripts(tool, pid):
    check_transcript("nido-ps 4711", tool.shows(pid))
    check_transcript("nido-ps --tree --stacks 4711", tool.shows("--tree", "--stacks", pid))
    timing = tool.run("--timing", pid).stderr
    check(masked(timing) == ["nido-ps: read in T ms; the process was held for T ms"], timing)
    check("held for 0.00 ms" in timing, "a program that sleeps is not held", timing)
    watched = tool.shows("--watch", "--count", 2, "--interval", 0.05, pid)
    check(watched.count("\n     1 ") == 2 and "not held" in watched, watched)


def computing(tool, path):
    """A task that never parks: the process is held, its registers are seen, and it goes on."""
    with running(path, "busy") as program:
        time.sleep(0.05)
        root = json.loads(tool.shows("--json", "--stacks", program.pid))["tasks"][0]
        check(root["state"] == "running", root)
        frames = [frame["function"] for frame in root["stack"]["frames"]]
        check(frames[:2] == ["compute", "root"], root)
        state = pathlib.Path(f"/proc/{program.pid}/status").read_text()
        check("TracerPid:\t0" in state and "State:\tR" in state, state)
        several(tool, program.pid)


def several(tool, pid):
    """Two that must hold the same process take turns; who finds another tracer there is told of it."""
    looking = [subprocess.Popen([tool.path, str(pid)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
               for _ in range(4)]
    for one in looking:
        said = one.communicate(timeout=30)[0]
        check(one.returncode == 0, said)
    seize = 0x4206
    if ctypes.CDLL(None).ptrace(seize, pid, None, None) == 0:
        tool.refuses(f"process {os.getpid()} (", pid)
        tool.refuses("traces it already", pid)


def kernel_tells_peers():
    """Has it the module that answers questions about Unix sockets (sock_diag(7))?"""
    one, other = socket.socketpair()
    with one, other, socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as diag:
        diag.send(struct.pack("=IHHIIBBHIIIII", 40, 20, 1, 0, 0, socket.AF_UNIX, 0, 0, 0xffffffff,
                              os.fstat(one.fileno()).st_ino, 4, 0xffffffff, 0xffffffff))
        return struct.unpack("=IH", diag.recv(4096)[:6])[1] == 20


def unix_peers(tool, path):
    """The kernel says with whom a Unix socket is connected, and what that one is called."""
    if not kernel_tells_peers():
        print("peers of Unix sockets are not tested: the kernel does not tell them")
        return
    with tempfile.TemporaryDirectory() as folder:
        for name, shown in (os.path.join(folder, "news"), os.path.join(folder, "news")), ("\0nido news", "@nido news"):
            listener, client = (socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(2))
            with listener, client:
                listener.bind(f"{name}-{os.getpid()}")
                listener.listen()
                client.connect(listener.getsockname())
                with listener.accept()[0], running(path, "stdin", stdin=client) as program:
                    settled(program)
                    tree = " ".join(tool.shows("--tree", program.pid).split())
                    check(f"waits for input on descriptor 0 ({shown}-{os.getpid()})," in tree, shown, tree)
    mine, theirs = socket.socketpair()
    with mine, theirs, running(path, "stdin", stdin=theirs) as program:
        settled(program)
        check("waits for input on descriptor 0," in tool.shows("--tree", program.pid))


def under_load(tool, echo):
    """An echo server whose clients never pause: it is held for a moment, and loses no byte."""
    with running(echo, 0) as server:
        port = int(re.search(r"\d+", server.first)[0])
        stop, bad = threading.Event(), []

        def client():
            with socket.create_connection(("127.0.0.1", port), 10) as connection:
                while not stop.is_set():
                    connection.sendall(b"x" * 512)
                    got = b""
                    while len(got) < 512:
                        got += connection.recv(512) or bad.append("lost") or b"?" * 512
        clients = [threading.Thread(target=client) for _ in range(8)]
        for thread in clients:
            thread.start()
        try:
            for _ in range(10):
                tasks = json.loads(tool.shows("--json", server.pid))["tasks"]
                connections = [task for task in tasks if "connection_spawn" in task["spawned_at"]]
                check(len(connections) <= 8 and tasks[0]["id"] == 1, tasks)
                tool.shows("--tree", "--stacks", server.pid)
        finally:
            stop.set()
            for thread in clients:
                thread.join()
        check(not bad, bad)
        server.send_signal(signal.SIGTERM)
        check(server.wait(10) == 0, server.returncode)


def dying(tool, path):
    """A process that ends while it is looked at: a sentence or a picture, never a crash."""
    for wait_ms in range(0, 40, 2):
        with running(path) as program:
            timer = threading.Timer(wait_ms / 1000, program.kill)
            timer.start()
            while True:
                done = tool.run("--tree", "--stacks", program.pid)
                check(done.returncode in (0, 1), done.returncode, done.stderr)
                if done.returncode:
                    break
            timer.join()


# ---- Core files ----

def cores(tool, programs):
    for path in programs:
        with tempfile.TemporaryDirectory() as folder:
            core = dump_core(path, folder)
            if not core:
                print("core files are not tested: kernel.core_pattern sends them elsewhere, or they are "
                      "forbidden")
                return
            printed = tool.shows("--json", "--stacks", "--core", core)
            check(len(json.loads(printed)["tasks"]) == 100, path, printed)
            check(printed == tool.shows("--json", "--stacks", "--core", core, path))
            if "stripped" not in path:
                check("wait_for_news" in functions(printed, "conn"), path)
                check("abort" in functions(printed, ""), path, functions(printed, ""))
            if path == programs[0]:
                check_transcript("nido-ps --tree --core core", tool.shows("--tree", "--core", core))
                cut_short(tool, core)
                damaged(tool, core)
    overflowed(tool, programs[0])
    replaced(tool, programs[0], programs[1])


def cut_short(tool, core):
    """It is called so first, wherever it ends; nothing else is said to be the cause."""
    whole, cut = core.read_bytes(), core.with_name("cut")
    for size in 4000, 100000, 1000000, len(whole) // 2, len(whole) - 1:
        cut.write_bytes(whole[:size])
        done = tool.run("--tree", "--core", cut)
        lines = done.stderr.splitlines()
        check("is cut short: it has" in lines[0] and "is cut short: it has" not in "".join(lines[1:]), size, lines)
        check(not re.search("gcore|no runtime|no error", done.stderr), size, lines)
        check((done.returncode == 0) == ("100 tasks" in done.stdout), size, done)
    check("100 tasks" in done.stdout, "a byte is missing", done)
    cut.unlink()


def overflowed(tool, path):
    """The stack pointer of the task that runs lies in its guard."""
    with tempfile.TemporaryDirectory() as folder:
        core = dump_core(path, folder, "overflow")
        if core:
            printed = tool.shows("--json", "--stacks", "--core", core)
            check(functions(printed, "")[:2] == ["overflow", "overflow"], functions(printed, "")[:2])


def replaced(tool, path, other):
    """The file of the core's program is gone, or is another one now."""
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder, "program")
        shutil.copy(path, program)
        core = dump_core(program, folder)
        whole = tool.shows("--tree", "--core", core)
        program.unlink()
        done = tool.run("--tree", "--core", core)
        check("is not there" in done.stderr and done.returncode == 0 and "100 tasks" in done.stdout, done)
        shutil.copy(other, program)
        done = tool.run("--tree", "--core", core)
        check("is another file now" in done.stderr and done.returncode == 0 and "100 tasks" in done.stdout, done)
        done = tool.run("--tree", "--core", core, other)
        check("is not the program of which" in done.stderr, done.stderr)
        check(whole.replace("program(", "parked(") == tool.shows("--tree", "--core", core, path))


def damaged(tool, core):
    """Cut short anywhere, or with wrong bytes anywhere: it ends, with 0 or 1."""
    draw, whole = random.Random(1), core.read_bytes()
    copy = core.with_name("damaged")
    for n in range(24):
        if n % 2:
            copy.write_bytes(whole[:draw.randrange(len(whole))] if n % 4 == 1
                             else whole[:draw.randrange(1 << 16)])
        else:
            wrong = bytearray(whole)
            for _ in range(draw.randrange(1, 5000)):
                wrong[draw.randrange(len(wrong) if n % 4 else 1 << 20)] = draw.randrange(256)
            copy.write_bytes(wrong)
        done = tool.run("--tree", "--stacks", "--core", copy)
        check(done.returncode in (0, 1), "damaged core", n, done.returncode, done.stderr[-300:])
        check(done.returncode == 0 or done.stderr.splitlines()[-1].startswith("nido-ps: "), done.stderr)
    copy.unlink()


# ---- What it cannot do ----

def refusals(tool, path):
    tool.refuses("which process?")
    tool.refuses("is no number of a process", "x1")
    tool.refuses("is no number of a process", "0")
    tool.refuses("is no number of a process", "0x10")
    tool.refuses("is no number of a process", "1e3")
    tool.refuses("only one of", "--tree", "--json", "1")
    tool.refuses("are for --watch", "--interval", "1", "1")
    tool.refuses("are for --watch", "--count", "1", "--core", "x")
    tool.refuses("--count takes a number", "--watch", "--count", "many", "1")
    tool.refuses("--interval takes seconds", "--watch", "--interval", "0", "1")
    tool.refuses("--watch is for processes", "--watch", "--core", "x")
    tool.refuses("takes one program", "--core", "x", "y", "z")
    tool.refuses("there is no process", 4194305)
    tool.refuses("--sort takes id, wait, cpu or stack, not name", "--sort", "name", 1)
    tool.refuses("--sort is for the list", "--sort", "cpu", "--tree", 1)
    tool.refuses("no nido is found in it", os.getpid())
    tool.refuses("cannot be opened", "--core", "/nonexistent")
    tool.refuses("is no core file", "--core", __file__)
    tool.refuses("is a program, no core file", "--core", path)
    with tempfile.TemporaryDirectory() as folder:
        core = dump_core(path, folder)
        if core:
            tool.refuses("cannot be read", "--core", core, "/nonexistent")
    check("usage:" in tool.shows("--help"), "--help")
    with open("/dev/full", "w", encoding="utf-8") as full, running(path) as program:
        done = subprocess.run([tool.path, str(program.pid)], stdout=full, stderr=subprocess.PIPE, text=True,
                              timeout=30, check=False)
        check(done.returncode == 1 and "takes no more" in done.stderr, done)
    forbidden(tool, path)


def forbidden(tool, path):
    """As another user, if this is root; a program that has no runtime yet, or another version's."""
    if os.geteuid() == 0:
        with tempfile.TemporaryDirectory() as folder, running(path) as program:
            os.chmod(folder, 0o755)
            copy = pathlib.Path(folder, "nido-ps")
            copy.write_bytes(pathlib.Path(tool.path).read_bytes())
            copy.chmod(0o755)
            Tool(copy).refuses("belongs to user root", program.pid, user=65534, group=65534)
    with tempfile.TemporaryDirectory() as folder:
        other = pathlib.Path(folder, "other")
        image = bytearray(pathlib.Path(path).read_bytes())
        at = image.index(b"nido-lay")
        image[at + 8] = 99
        other.write_bytes(image)
        other.chmod(0o755)
        with running(other) as program:
            tool.refuses("version 99", program.pid)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nido-ps", required=True)
    parser.add_argument("--echo", required=True)
    parser.add_argument("--transcripts", action="append_const", const=True, dest="wanted")
    parser.add_argument("programs", nargs="+")
    arguments = parser.parse_args()
    wanted.extend(arguments.wanted or [])
    tool = Tool(arguments.nido_ps)
    living(tool, arguments.programs)
    twins(tool, arguments.programs[0])
    processor_time(tool, arguments.programs[0])
    named_job(tool, arguments.programs[0])
    computing(tool, arguments.programs[0])
    unix_peers(tool, arguments.programs[0])
    under_load(tool, arguments.echo)
    dying(tool, arguments.programs[0])
    cores(tool, arguments.programs)
    refusals(tool, arguments.programs[0])
    sys.exit(1 if failures else 0)


main()
