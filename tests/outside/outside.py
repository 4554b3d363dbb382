# SPDX-License-Identifier: MIT
"""What the players share: the programs, a run with its judge, and the log."""

import concurrent.futures
import contextlib
import fnmatch
import os
import pathlib
import platform
import random
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

from watch import Watch

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PATIENCE_S = 20  # only what hangs uses it up
ANSWER_S = 6  # for an answer of a server that lives
AT_ONCE = 2
TRIES = 3  # of a run whose loop seems to have slept elsewhere
LINES = "".join(f"{n}\n" for n in range(1, 801))
HOUR_MS = "3600000"


# ---- Programs ----


class Program:
    """An example, and how its answer is judged. `want` is its output (a set of lines if their order is
    free, or a pattern), `code` how it ends, `told` what its error messages say. `stdio`: it prints by
    stdio, and does not look whether that failed. `silent`: it says nothing of a connection that broke,
    or of a run that could not begin."""

    def __init__(self, name, *args, want="", code=0, feed="", told="", stdio=True, silent=False):
        self.name, self.args, self.want, self.code = name, args, want, code
        self.feed, self.told, self.stdio, self.silent = feed, told, stdio, silent

    must = False  # be right in every run: nothing fails that is its own
    keeps = 0  # descriptors, to its end

    @property
    def guest(self):
        """libuv and GLib give up, leave things open, or abort, at many a failure of their own."""
        return "libuv" in self.name or "glib" in self.name

    def path(self, build):
        return build / f"examples/example_{self.name}"

    def right(self, run):
        out = set(run.out.splitlines()) if isinstance(self.want, set) else run.out
        if hasattr(self.want, "fullmatch"):
            return bool(self.want.fullmatch(out))
        return out == self.want and self.told in run.err

    def start(self, run):
        """The arguments of this run."""
        return self.args

    def streams(self, run):
        """Its standard input and output."""
        return run.keep(open(run.folder / "in")), run.keep(open(run.disk or run.folder / "out", "w"))

    def talk(self, run):
        """What a peer does while the program runs."""


class Server(Program):
    """A program that says its port, serves `clients` connections, and ends."""

    def port(self, run):
        """None: it ended, or hangs, before it said so."""
        match = run.wait_for(r"listening on port (\d+)\n")
        return match and int(match[1])

    def right(self, run):
        return run.answers == run.wanted

    def talk(self, run):
        run.wanted = [bytes([65 + i]) * 5000 for i in range(2)]
        port = self.port(run)
        if port:
            run.answers = [ask(port, question) for question in run.wanted]


class App(Program):
    """A program of apps/, which is a player itself: it prints "right", or what is not."""

    must = True

    def __init__(self, name, *args, want="right\n", **options):
        super().__init__(name, *args, want=want, **options)

    def path(self, build):
        return build / "outside/apps" / self.name


class Sharded(Server):
    def start(self, run):
        with socket.socket() as probe:  # a port that was free a moment ago
            probe.bind(("127.0.0.1", 0))
            return [str(probe.getsockname()[1]), "2"]

    def port(self, run):
        match = run.wait_for(r"(\d+)\n")
        return match and int(match[1])

    def talk(self, run):
        super().talk(run)
        run.signal(signal.SIGTERM)


class Forwarder(Server):
    def start(self, run):
        self.target = run.keep(Target(lambda data: data))
        return ["0", "127.0.0.1", str(self.target.port), "2"]


class Fetch(Program):
    """Against a server of HTTP/1.0 in a thread."""

    def start(self, run):
        target = run.keep(Target(lambda data: b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 100000, b"\r\n\r\n"))
        return ["127.0.0.1", str(target.port), "10000", "/one", "/two"]


class Checksums(Program):
    files = {f"{n}": f"{n}".encode() * n * 500 for n in range(12)}

    def start(self, run):
        tree = run.folder / "tree"
        tree.mkdir()
        for name, content in self.files.items():
            (tree / name).write_bytes(content)
        return ["tree", "2"]


class HappyEyeballs(Program):
    def start(self, run):
        target = run.keep(Target(lambda data: b""))
        return [self.args[0], str(target.port), "127.0.0.9", "127.0.0.1"]


class Supervisor(Program):
    def talk(self, run):
        if run.wait_for(r"started\n"):
            run.signal(signal.SIGTERM)


class Parser(Server):
    keeps = 1  # the way to the fork server

    def talk(self, run):
        run.wanted = [b"5\n", b"9\n"]
        port = self.port(run)
        if port:
            run.answers = [ask(port, question, b"\n") for question in (b"sum 2 3\n", b"sum 4 5\n")]


class Target:
    """A peer in a thread: answers each connection when its question is whole."""

    def __init__(self, answer, until=None):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.answer, self.until = answer, until
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.reply, args=(connection,), daemon=True).start()

    def reply(self, connection):
        with connection, contextlib.suppress(OSError):
            connection.settimeout(ANSWER_S)
            connection.sendall(self.answer(receive(connection, self.until)))

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def receive(sock, until=None):
    data = b""
    while not (until and data.endswith(until)) and (piece := sock.recv(65536)):
        data += piece
    return data


def ask(port, question, until=None):
    """The answer; an error's name if the connection breaks, "silence" if nothing comes."""
    try:
        with socket.create_connection(("127.0.0.1", port), ANSWER_S) as client:
            client.sendall(question)
            if not until:
                client.shutdown(socket.SHUT_WR)
            return receive(client, until)
    except TimeoutError:
        return "silence"
    except OSError as error:
        return type(error).__name__


def programs():
    lines = {f"{n}: {line}" for n, line in enumerate(LINES.splitlines(), 1) if "7" in line}
    tree = {f"{fnv1a(content)}  tree/{name}" for name, content in Checksums.files.items()}
    return [
        Program("hello", "ada", "grace", want="hello, ada\nhello, grace\ngoodbye, ada\ngoodbye, grace\n"),
        Program("fan_out", "27", "97", want="27: 111 steps, highest 9232\n97: 118 steps, highest 9232\n"),
        Program("deadline", HOUR_MS, "20", want=re.compile("(?s).*weather: ETIMEDOUT.*page: done\n.*")),
        Program("worker_pool", "3", "91", "65536",
                want={"91 = 7 13", "65536 =" + " 2" * 16}),
        Program("pipeline", "7", feed=LINES, want=lines, stdio=False),
        Program("rate_limiter", "2", "1", "3", want={"request 1", "request 2", "request 3", "a new token"}),
        Program("phases", "90", "2", "....#....", want="....#....\n...#.#...\n..#...#..\n"),
        Checksums("checksums", want=tree),
        Program("deadlock", code=1, told="DEADLOCK: 3 tasks"),
        Program("failures", code=1, told="ECONNREFUSED", silent=True),
        Server("echo_server", "0", HOUR_MS, "2"),
        Sharded("sharded_echo", silent=True),
        Fetch("fetch", want={"/one: 100000 bytes", "/two: 100000 bytes"}),
        HappyEyeballs("happy_eyeballs", "any", want=re.compile("(?s).*127.0.0.1: connected\n")),
        HappyEyeballs("happy_eyeballs", "by-hand", want=re.compile("(?s).*127.0.0.1: connected\n")),
        Forwarder("forwarder"),
        Supervisor("supervisor", "-g", "200", "sleep", "1000",
                   want=re.compile(r"(?s).*stopping: signal 15\nsleep \(\d+\): ended by signal 15\n")),
        Parser("isolated_parser", "0", "2", silent=True),
        Program("inside_libuv", "2", want="ring 1\nring 2\n"),
        Program("inside_glib", "2", want="ring 1\nring 2\n"),
        Program("libuv_inside", "2", HOUR_MS, want="ring 1: 1\nring 2: 4\n"),
    ]


def fnv1a(content):
    value = 0xcbf29ce484222325
    for byte in content:
        value = (value ^ byte) * 0x100000001b3 & 0xffffffffffffffff
    return f"{value:016x}"


# ---- A run ----


class Run:
    """One life of a program in a folder of its own: run(), then verdict()."""

    def __init__(self, outside, program, folder, wrap=(), env=None, disk=None, inside=False):
        self.outside, self.program, self.folder = outside, program, folder
        self.wrap, self.env, self.disk, self.inside = wrap, env or {}, disk, inside
        self.kept, self.answers, self.wanted, self.sent = [], None, (), set()
        self.code, self.hung, self.left, self.slept, self.process = None, False, [], None, None

    def keep(self, peer):
        self.kept.append(peer)
        return peer

    def text(self, name):
        return (self.folder / name).read_text(errors="replace")

    @property
    def out(self):
        return self.text("out")

    @property
    def err(self):
        return self.text("err")

    def wait_for(self, pattern):
        """A match in the output; None at the end of the process, or when it never comes."""
        limit = time.monotonic() + PATIENCE_S
        while time.monotonic() < limit:
            ended = self.process.poll() is not None
            if match := re.search(pattern, self.out):
                return match
            if ended:
                return None
            time.sleep(0.002)
        return None

    def signal(self, number):
        if self.process.poll() is None:
            self.sent.add(number)
            os.kill(self.pid, number)

    @property
    def pid(self):
        """The program's; `inside`: it is a child of what it was started by."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return int(children.read_text().split()[0]) if self.inside else self.process.pid

    def run(self):
        self.folder.mkdir(parents=True)
        (self.folder / "in").write_text(self.program.feed)
        (self.folder / "out").touch()
        env = dict(os.environ, NIDO_DEBUG="strict", LC_ALL="C", **self.env)
        try:
            args = self.program.start(self)
            with open(self.folder / "err", "w") as err:
                feed, out = self.program.streams(self)
                self.process = subprocess.Popen(
                    [*self.wrap, *self.outside.preloaded(), self.outside.path(self.program), *args],
                    stdin=feed, stdout=out, stderr=err, cwd=self.folder, env=env, start_new_session=True)
            watch = Watch(self.process.pid, platform.machine(), self.program.guest)
            self.program.talk(self)
            self.await_end()
        finally:
            if self.process:
                self.slept = watch.stop()
                self.left = end_session(self.process.pid)
                self.process.wait()
            for peer in self.kept:
                peer.close()
        return self

    def await_end(self):
        """A server whose clients were not served waits for more: it is told to end."""
        if self.code is not None or self.hung:
            return
        unserved = isinstance(self.program, Server) and self.answers != self.wanted
        try:
            self.code = self.process.wait(2 if unserved else PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.hung = not unserved
            if unserved:
                self.signal(signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(PATIENCE_S)
                    self.code = self.program.code
                self.hung = self.code is None

    @property
    def words(self):
        """What it says of a failure."""
        lines = [line for line in self.err.splitlines() if not line.startswith("outside: ")]
        return lines + re.findall(r"\bE[A-Z0-9]{3,}:", self.out)

    @property
    def books(self):
        """What is left at its end, as preload.c has it."""
        return [line for line in self.err.splitlines() if line.startswith("outside: ")]

    def verdict(self):
        """"" if all is as promised, else what is not."""
        right = self.kind == "right"
        if self.hung:
            return "does not end"
        if "silence" in (self.answers or ()) and not self.words:
            return "leaves a client without an answer"
        if "internal error" in self.err:
            return "internal error"
        if self.program.guest and not right:
            return ""
        if self.program.must and not right:
            return f"answers {self.answers}, ends with {self.code}"
        return self.verdict_of_end(right) or self.verdict_of_books() or self.slept or ""

    def verdict_of_end(self, right):
        if self.code == -signal.SIGABRT and "nido: " not in self.err:
            return "aborts without a sentence"
        if -self.code in self.sent and self.words:
            return ""  # it was on its way to its end, and signals had their defaults again
        if self.code < 0 and self.code not in (-signal.SIGABRT, self.program.code):
            return f"ended by {signal.Signals(-self.code).name}"
        if self.words or self.program.silent:
            return ""
        if self.code != self.program.code:
            return f"fails ({self.code}) without a word"
        return "" if right else "a wrong answer in silence"

    def verdict_of_books(self):
        if self.left:
            return f"leaves processes: {self.left}"
        open_ = [line for line in self.books if "descriptor" in line]
        others = [line for line in self.books if "descriptor" not in line]
        return "" if self.program.guest else next(iter(others + open_[self.program.keeps:]), "")

    @property
    def kind(self):
        """For the log: how the run went."""
        right = self.code == self.program.code and self.program.right(self)
        return "right" if right else "abort" if self.code == -signal.SIGABRT else "error"


def session(leader):
    """Living processes of a session: (pid, name)."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):  # it may end at any moment; a glob of pathlib's would fail then
            name, rest = pathlib.Path("/proc", pid, "stat").read_text().rsplit(") ", 1)
            fields = rest.split()
            if int(fields[3]) == leader and fields[0] not in "ZX":
                found.append((int(pid), name.split("(", 1)[1]))
    return found


def end_session(leader):
    """What is left of it after a moment, apart from the leader and strace; it is ended."""
    limit = time.monotonic() + 3
    with contextlib.suppress(OSError):
        os.waitid(os.P_PID, leader, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    while True:
        members = session(leader)
        others = [member for member in members if member[0] != leader and member[1] != "strace"]
        if not members or time.monotonic() > limit or any(pid == leader for pid, _ in members):
            break
        time.sleep(0.01)
    for pid, _ in members:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    return [name for pid, name in others]


# ---- A player ----


class Outside:
    """Its programs, its folder, its log, its time, its seed."""

    def __init__(self, player, build, seed, seconds, only=None):
        self.player, self.build, self.seed = player, pathlib.Path(build).resolve(), seed
        self.end, self.only = time.monotonic() + seconds, only
        self.random = random.Random(f"{seed} {player}")
        self.folder = self.build / "outside" / player
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.log = open(self.folder / "log", "w")
        self.log.write(f"seed {seed}\n")
        lines = (ROOT / "tests/outside/found.txt").read_text().splitlines()
        self.found = [line.split(" ", 1)[1] for line in lines if line.startswith(player + " ")]
        self.lock, self.number = threading.Lock(), 0
        self.kinds, self.faults, self.unseen = {}, [], 0

    def programs(self):
        return [program for program in programs() if self.path(program).exists()]

    def path(self, program):
        return program.path(self.build)

    def preloaded(self):
        return ["env", f"LD_PRELOAD={self.build}/outside/preload.so"]

    def was_found(self, title):
        return any(fnmatch.fnmatchcase(title, pattern) for pattern in self.found)

    def rounds(self):
        """As many as there is time for; one, if only one run is wanted."""
        yield
        while not self.only and time.monotonic() < self.end:
            yield

    def new_folder(self):
        with self.lock:
            self.number += 1
            return self.folder / str(self.number)

    def title(self, program, what):
        return f"{program.name} {' '.join(program.args[:1])} {what}" if program.name == "happy_eyeballs" \
            else f"{program.name} {what}"

    def run(self, program, options):
        """A lock's owner may have been without a processor while the loop waited for it: what sleeps
        because of nido does so again."""
        for _ in range(TRIES):
            run = Run(self, program, self.new_folder(), **options).run()
            if not run.slept or run.verdict() != run.slept:
                break
        return run

    def quiet(self, program, **options):
        """A run that nobody disturbs must be right. It; None if it is not."""
        run = self.run(program, options)
        fault = run.verdict() or ("" if run.kind == "right" else "wrong when nobody disturbs it")
        self.note(self.title(program, "quiet"), run, fault)
        return None if fault else run

    def try_one(self, program, what, **options):
        title = self.title(program, what)
        if self.only and self.only != title:
            return
        if not self.only and time.monotonic() > self.end:
            self.unseen += 1
            return
        run = self.run(program, options)
        self.note(title, run, run.verdict())

    def try_all(self, trials):
        """(program, what, options) in this order, but first those in which once was a fault."""
        trials = sorted(trials, key=lambda trial: not self.was_found(self.title(*trial[:2])))
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            jobs = [pool.submit(self.try_one, program, what, **options) for program, what, options in trials]
            for job in jobs:
                job.result()

    def note(self, title, run, fault):
        with self.lock:
            kind = "FAULT" if fault else run.kind
            self.kinds[kind] = self.kinds.get(kind, 0) + 1
            last = (run.err.strip().splitlines() or [""])[-1][:150]
            self.log.write(f"{kind:5} {title}: {fault or run.code}  [{run.folder.name}] {last}\n")
            self.log.flush()
            if fault:
                self.faults.append(title)
                print(f"FAULT {self.player}: {title}: {fault}; {run.folder}\n      {last}", flush=True)
            else:
                shutil.rmtree(run.folder, ignore_errors=True)

    def finish(self):
        kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(self.kinds.items()))
        print(f"{self.player}: {sum(self.kinds.values())} runs ({kinds}), {self.unseen} left for more time; "
              f"seed {self.seed}, {self.folder}/log", flush=True)
        return sum(self.kinds.values()) - len(self.faults), len(self.faults)


def in_turns(random_, groups):
    """The items of many lists, one of each list in turn; the lists and their items shuffled."""
    groups = [random_.sample(group, len(group)) for group in groups if group]
    random_.shuffle(groups)
    while groups:
        yield from (group.pop() for group in groups)
        groups = [group for group in groups if group]
