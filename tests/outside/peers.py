# SPDX-License-Identifier: MIT
"""Hostile peers of the servers, and of a pipeline: after each of them an ordinary client must be answered,
and SIGTERM end the server with nothing left."""

import contextlib
import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

from outside import ANSWER_S, HOUR_MS, Forwarder, Parser, Program, Server, Sharded, Target, ask

FEW, MANY = 20, 300
TIME_S = 0.4  # of an attack
F_SETPIPE_SZ = 1031


# ---- Attacks: each has some connections and does its worst for a moment ----


def connected(port, n):
    sockets = []
    for _ in range(n):
        with contextlib.suppress(OSError):
            sockets.append(socket.create_connection(("127.0.0.1", port), ANSWER_S))
            sockets[-1].setblocking(False)
    return sockets


def each(sockets, action):
    """The action on each, whatever the server has done to it."""
    for sock in sockets:
        with contextlib.suppress(OSError):
            action(sock)


def close_all(sockets):
    each(sockets, socket.socket.close)


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def silent(port, run):
    return connected(port, FEW)


def slow(port, run):
    sockets = connected(port, FEW)
    for byte in run.program.question[:8]:
        each(sockets, lambda sock, byte=byte: sock.send(bytes([byte])))
        time.sleep(TIME_S / 8)
    return sockets


def resetting(port, run):
    sockets = connected(port, FEW)
    each(sockets[::2], lambda sock: sock.send(run.program.question))
    time.sleep(run.random.random() * 0.01)
    each(sockets, reset)
    return []


def half_closed(port, run):
    sockets = connected(port, FEW)
    each(sockets, lambda sock: sock.send(run.program.question[:3]))
    each(sockets, lambda sock: sock.shutdown(socket.SHUT_WR))
    time.sleep(TIME_S / 2)
    return sockets


def deaf(port, run):
    """Shuts its reading side: what the server writes is answered by resets."""
    sockets = connected(port, FEW)
    each(sockets, lambda sock: sock.shutdown(socket.SHUT_RD))
    each(sockets, lambda sock: sock.send(run.program.question * 10))
    time.sleep(TIME_S / 2)
    return sockets


def urgent(port, run):
    sockets = connected(port, FEW)
    for _ in range(5):
        each(sockets, lambda sock: sock.send(run.program.question[:2]))
        each(sockets, lambda sock: sock.send(b"!", socket.MSG_OOB))
        time.sleep(TIME_S / 10)
    return sockets


def never_reading(port, run):
    sockets = connected(port, FEW)
    end = time.monotonic() + TIME_S
    while time.monotonic() < end:
        each(sockets, lambda sock: sock.send(run.program.question * 500))
        time.sleep(0.01)
    return sockets


def never_reading_then_reset(port, run):
    each(never_reading(port, run), reset)
    return []


def crowd(port, run):
    sockets = connected(port, MANY)
    each(sockets, lambda sock: sock.send(run.program.question))
    return sockets


def coming_and_going(port, run):
    for _ in range(MANY):
        each(connected(port, 1), reset if run.random.random() < 0.5 else socket.socket.close)
    return []


def stopped_server(port, run):
    """What comes while it stands still is there when it goes on, with the resets."""
    sockets = connected(port, FEW)
    run.signal(signal.SIGSTOP)
    each(sockets, lambda sock: sock.send(run.program.question))
    each(sockets[::3], reset)
    more = connected(port, FEW)
    each(more, lambda sock: sock.send(run.program.question))
    time.sleep(TIME_S)
    run.signal(signal.SIGCONT)
    return sockets[1::3] + sockets[2::3] + more


CLIENT = """import socket, sys, time
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.settimeout(1)
while True:
    s.sendall(sys.argv[2].encode() * 50)
    try: s.recv(65536)
    except TimeoutError: pass"""


def stopped_clients(port, run):
    """Other processes, which stand still in the middle, go on, and are killed."""
    clients = [subprocess.Popen([sys.executable, "-S", "-c", CLIENT, str(port), run.program.question.decode()],
                                stderr=subprocess.DEVNULL) for _ in range(3)]
    for number in (signal.SIGSTOP, signal.SIGCONT, signal.SIGSTOP, signal.SIGKILL):
        time.sleep(TIME_S / 2)
        for client in clients:
            client.send_signal(number)
    for client in clients:
        client.wait()
    return []


def everybody(port, run):
    """Most of them at the same time."""
    attacks = run.random.sample([silent, slow, resetting, half_closed, deaf, urgent, never_reading, crowd,
                                 coming_and_going], 5)
    kept = []
    threads = [threading.Thread(target=lambda attack=attack: kept.extend(attack(port, run))) for attack in attacks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return kept


ATTACKS = [silent, slow, resetting, half_closed, deaf, urgent, never_reading, never_reading_then_reset, crowd,
           coming_and_going, stopped_server, stopped_clients, everybody]


# ---- Servers under attack ----


class Attacked(Server):
    """`kept`: the hostile connections are still there when the server is to end."""

    must = True

    def __init__(self, server, attack, kept, random):
        super().__init__(server.name, *server.args, code=server.code, silent=True)
        self.server, self.attack, self.kept, self.random = server, attack, kept, random
        self.keeps = server.keeps

    @property
    def question(self):
        return b"sum 2 3\n" if isinstance(self.server, Parser) else b"hello\n"

    def start(self, run):
        return self.server.start(run)

    def talk(self, run):
        run.random = self.random
        run.wanted = [b"5\n" if isinstance(self.server, Parser) else b"hello\n"]
        port = self.server.port(run)
        if not port:
            return
        sockets = self.attack(port, run)
        if not self.kept:
            close_all(sockets)
        run.answers = [ask(port, self.question, b"\n")]
        run.signal(signal.SIGTERM)
        if self.kept:
            with contextlib.suppress(subprocess.TimeoutExpired):
                run.process.wait(ANSWER_S)
            close_all(sockets)


class AnyNumber(Forwarder):
    def start(self, run):
        target = run.keep(Target(lambda data: data, b"\n"))
        return ["0", "127.0.0.1", str(target.port)]


def servers():
    return [Server("echo_server", "0", HOUR_MS), Sharded("sharded_echo"),
            AnyNumber("forwarder"), Parser("isolated_parser", "0", code=-signal.SIGTERM)]


# ---- The pipeline, between two pipes ----


class Piped(Program):
    """`way` is how the other ends behave."""

    lines = [f"line {n} {'x' * (n % 90)}" for n in range(3000)]

    def __init__(self, way, random):
        super().__init__("pipeline", "7", want="".join(f"{n}: {line}\n" for n, line in enumerate(self.lines, 1)
                                                       if "7" in line), stdio=False)
        self.way, self.random = way, random

    def streams(self, run):
        self.feed_end, self.answer_end = os.pipe(), os.pipe()
        if "tiny" in self.way:
            fcntl.fcntl(self.answer_end[1], F_SETPIPE_SZ, 4096)
        return self.feed_end[0], self.answer_end[1]

    def talk(self, run):
        os.close(self.feed_end[0])
        os.close(self.answer_end[1])
        writer = threading.Thread(target=self.write, args=(run,))
        writer.start()
        self.read(run)
        writer.join()

    def write(self, run):
        text = "\n".join(self.lines).encode() + b"\n"
        with open(self.feed_end[1], "wb", 0) as out, contextlib.suppress(BrokenPipeError):
            for at in range(0, len(text), 20000):
                piece = text[at:at + 20000]
                if "slow" in self.way:
                    time.sleep(self.random.random() * 0.03)
                if "stop" in self.way and self.random.random() < 0.5:
                    run.signal(signal.SIGSTOP)
                    threading.Timer(0.05, run.signal, [signal.SIGCONT]).start()
                out.write(piece)

    def read(self, run):
        with open(self.answer_end[0], "rb", 0) as answers:
            data = b""
            while piece := answers.read(4096 if "slow" in self.way else 65536):
                data += piece
                if "gone" in self.way:
                    break
                if "lazy" in self.way:
                    time.sleep(0.005)
        (run.folder / "out").write_bytes(data)


WAYS = ["slow", "stop", "lazy tiny", "slow stop tiny", "gone", "slow gone tiny"]


def play(outside):
    for server in servers():
        outside.quiet(Attacked(server, silent, False, outside.random))
    trials = [(Attacked(server, attack, kept, outside.random), f"{attack.__name__}{' kept' if kept else ''}", {})
              for server in servers() for attack in ATTACKS for kept in (False, True)]
    trials += [(Piped(way, outside.random), way, {}) for way in WAYS]
    for _ in outside.rounds():  # each with other numbers
        outside.try_all(outside.random.sample(trials, len(trials)))
