# SPDX-License-Identifier: MIT
"""Runs one example on loopback, in its good and its bad cases.

    drive.py NAME COMMAND...     for instance: drive.py hello build/examples/example_hello

Nothing here sleeps or measures time: it waits for lines of output, for bytes and for the end of
processes, none of them for ever. Whatever is still alive at the end of a test is killed, also if
this script dies.
"""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

HOUR_MS = "3600000"  # a time limit that never matters
PATIENCE_S = 30  # for anything that should happen soon: only what hangs ever uses it up
COMMAND = ()  # the example, with the emulator before it if there is one


class Example(unittest.TestCase):
    def start(self, *command, **options):
        """A process that is gone when the test is over."""
        process = subprocess.Popen(("setpriv", "--pdeathsig", "KILL") + command, **options)
        self.addCleanup(self.finish, process)
        self.addCleanup(process.kill)
        return process

    @staticmethod
    def finish(process):
        """Does not read to the end of its pipes: what it has left behind may hold them."""
        process.wait()
        for pipe in filter(None, (process.stdin, process.stdout, process.stderr)):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    def expect(self, process, code):
        """Waits for the end of the process; its output. One that does not end has failed."""
        try:
            out, err = process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired as expired:
            process.kill()
            self.fail(f"did not end\nstdout:\n{expired.stdout}\nstderr:\n{expired.stderr}")
        self.assertEqual(process.returncode, code, f"\nstdout:\n{out}\nstderr:\n{err}")
        return out, err

    def start_example(self, *args):
        return self.start(*COMMAND, *args, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)

    def run_example(self, *args, code=0):
        return self.expect(self.start_example(*args), code)

    def start_server(self, *args):
        """An example that prints its port first; it and the port."""
        process = self.start_example(*args)
        line = process.stdout.readline()
        match = re.fullmatch(r"listening on port (\d+)\n", line)
        self.assertTrue(match, line)
        return process, int(match[1])

    def bind(self, host="127.0.0.1", port=0, listen=True):
        """A socket of our own. Bound without listening, its port refuses."""
        sock = socket.socket()
        self.addCleanup(sock.close)
        sock.bind((host, port))
        if listen:
            sock.listen()
        return sock, sock.getsockname()[1]

    def connect(self, port):
        client = socket.create_connection(("127.0.0.1", port))
        self.addCleanup(client.close)
        return client

    def test_usage(self):
        _, err = self.run_example(code=2)
        self.assertTrue(err.startswith("usage: "), err)


def receive(sock, size):
    """`size` bytes, fewer only at the end of the stream."""
    data = b""
    while len(data) < size and (piece := sock.recv(size - len(data))):
        data += piece
    return data


def receive_all(sock):
    return b"".join(iter(lambda: sock.recv(65536), b""))


class Hello(Example):
    def test_tasks_take_turns(self):
        out, _ = self.run_example("ada", "grace")
        self.assertEqual(out.splitlines(), [
            "hello, ada", "hello, grace", "goodbye, ada", "goodbye, grace"])


class FanOut(Example):
    def test_results_are_in_the_structs(self):
        out, _ = self.run_example("27", "97", "871")
        self.assertEqual(out.splitlines(), [
            "27: 111 steps, highest 9232",
            "97: 118 steps, highest 9232",
            "871: 178 steps, highest 190996"])

    def test_a_failure_cancels_the_others_and_is_named(self):
        out, err = self.run_example("27", "many", "871", code=1)
        self.assertEqual(out.splitlines(), [
            "27: not finished", "many: not finished", "871: not finished"])
        self.assertIn("many: not a number", err)
        self.assertIn("EINVAL", err)

    def test_what_is_done_stays_done(self):
        largest = str(2**64 - 1)
        out, err = self.run_example("1", largest, code=1)
        self.assertEqual(out.splitlines(), [
            "1: 0 steps, highest 1", f"{largest}: not finished"])
        self.assertIn(f"{largest}: leaves 64 bits", err)

    def test_too_large(self):
        _, err = self.run_example(str(2**64), code=1)
        self.assertIn(f"{2**64}: too large", err)


class WorkerPool(Example):
    def test_every_job_is_done_once(self):
        numbers = {"91": "7 13", "2": "2", "65536": " ".join(["2"] * 16),
                   "1000003": "1000003", "999999999989": "999999999989"}
        for workers in "1", "3", "100":
            out, _ = self.run_example(workers, *numbers)
            self.assertEqual(sorted(out.splitlines()),
                             sorted(f"{number} = {factors}" for number, factors in numbers.items()))

    def test_more_jobs_than_workers_and_room(self):
        numbers = [str(n) for n in range(2, 500)]
        out, _ = self.run_example("2", *numbers)
        self.assertEqual(sorted(line.split(" =")[0] for line in out.splitlines()), sorted(numbers))

    def test_a_failure_sends_everybody_home_and_is_named(self):
        prime = "18446744073709551557"  # would take hours
        out, err = self.run_example("2", prime, "many", "4", code=1)
        self.assertNotIn(prime, out)
        self.assertIn("many: not a number", err)
        self.assertIn("EINVAL", err)


class Pipeline(Example):
    def pipe(self, text, *args, code=0):
        process = self.start(*COMMAND, *args, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
        out, err = process.communicate(text, timeout=PATIENCE_S)
        self.assertEqual(process.returncode, code, err)
        return out

    def test_lines_are_chosen_and_keep_their_order(self):
        lines = [f"line {n}" for n in range(1, 20001)]
        out = self.pipe("\n".join(lines), "7")  # the last line has no end
        expected = [f"{n}: {line}" for n, line in enumerate(lines, 1) if "7" in line]
        self.assertTrue(out.splitlines() == expected)  # to show the difference would take hours

    def test_nothing_in_nothing_out(self):
        self.assertEqual(self.pipe("", "x"), "")
        self.assertEqual(self.pipe("a\n\nb\n", "x"), "")

    def test_a_line_that_is_too_long_is_cut(self):
        self.assertEqual(self.pipe("x" * 5000 + "\n", "x"), f"1: {'x' * 4096}\n2: {'x' * 904}\n")

    def test_input_from_a_file(self):
        with open(__file__, encoding="utf-8") as file:
            process = self.start(*COMMAND, "test_input_from_a_file", stdin=file, text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            out, _ = self.expect(process, 0)
        self.assertRegex(out, r"^\d+:     def test_input_from_a_file")

    def test_a_broken_output_ends_all_stages(self):
        read, write = os.pipe()
        process = self.start(*COMMAND, "x", stdin=subprocess.PIPE, stdout=write,
                             stderr=subprocess.PIPE, text=True)
        os.close(write)
        os.close(read)
        process.stdin.write("x\n" * 100)
        process.stdin.flush()  # and is not closed: the reader waits for more
        try:
            process.wait(PATIENCE_S)
        finally:
            process.kill()
        self.assertEqual(process.returncode, 1)
        err = process.stderr.read()
        self.assertIn("standard output", err)
        self.assertIn("EPIPE", err)


class Deadline(Example):
    def test_the_inner_one_fires(self):
        out, _ = self.run_example(HOUR_MS, "20")
        self.assertRegex(out, r"(?m)^weather: ETIMEDOUT((?!outside).)*$")
        for line in "news: done", "parts: done", "layout: done", "page: done":
            self.assertIn(line + "\n", out)
        self.assertIn("page: the deadline did not fire\n", out)

    def test_the_outer_one_fires(self):
        out, err = self.run_example("300", HOUR_MS, code=1)
        for task in "weather", "parts", "layout":
            self.assertRegex(out, rf"(?m)^{task}: ECANCELED.*, by a deadline outside$")
        self.assertIn("page: the deadline fired\n", out)
        self.assertRegex(out, r"(?m)^page: ETIMEDOUT")
        self.assertIn("ETIMEDOUT", err)

    def test_one_that_has_expired_at_once(self):
        out, _ = self.run_example("0", HOUR_MS, code=1)
        self.assertIn("page: the deadline fired\n", out)


class RateLimiter(Example):
    def test_a_burst_needs_no_new_token(self):
        out, _ = self.run_example("3", HOUR_MS, "3")
        self.assertEqual(out.splitlines(), ["request 1", "request 2", "request 3"])

    def test_after_the_burst_each_needs_a_token(self):
        out, _ = self.run_example("2", "1", "5")
        lines = out.splitlines()
        self.assertEqual([line for line in lines if line != "a new token"],
                         [f"request {i}" for i in range(1, 6)])
        tokens = 2
        for line in lines:
            tokens += 1 if line == "a new token" else -1
            self.assertGreaterEqual(tokens, 0)

    def test_without_a_bucket_nothing_runs(self):
        out, err = self.run_example("0", "1", "5", code=1)
        self.assertEqual(out, "")
        self.assertIn("EINVAL", err)

    def test_a_bad_interval_ends_all(self):
        _, err = self.run_example("1", "0", "5", code=1)
        self.assertIn("EINVAL", err)


class Phases(Example):
    def test_all_look_before_any_changes(self):
        out, _ = self.run_example("90", "4", "....#....")
        self.assertEqual(out.splitlines(), [
            "....#....", "...#.#...", "..#...#..", ".#.#.#.#.", "#.......#"])

    def test_a_lone_cell(self):
        out, _ = self.run_example("1", "3", "#")
        self.assertEqual(out.splitlines(), ["#", ".", "#", "."])

    def test_what_is_no_row(self):
        for row in "..x..", "":
            _, err = self.run_example("90", "4", row, code=1)
            self.assertIn("EINVAL", err)


class Phaser(Example):
    def test_parties_come_and_go(self):
        out, _ = self.run_example("3")
        self.assertEqual(out.splitlines(), ["phase 0: 3 of them", "phase 1: 2 of them", "phase 2: 1 of them"])

    def test_too_many(self):
        self.run_example("101", code=2)


def fnv1a(content):
    value = 0xcbf29ce484222325
    for byte in content:
        value = (value ^ byte) * 0x100000001b3 & 0xffffffffffffffff
    return f"{value:016x}"


class Checksums(Example):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)
        self.content = {"a": b"", "b": b"abc", "large": bytes(range(256)) * 1000}
        for i in range(40):
            self.content[f"deep/er/{i}"] = str(i).encode() * i
        for name, content in self.content.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def expected(self):
        return sorted(f"{fnv1a(content)}  {self.root}/{name}" for name, content in self.content.items())

    def test_every_file_below_the_directory_is_shown(self):
        for limit in ("1", "16"):
            out, _ = self.run_example(str(self.root), limit)
            self.assertEqual(sorted(out.splitlines()), self.expected())

    def test_what_is_no_file_is_passed_over(self):
        (self.root / "link").symlink_to("a")
        out, _ = self.run_example(str(self.root))
        self.assertEqual(sorted(out.splitlines()), self.expected())

    def test_a_directory_that_is_not_there_is_named(self):
        _, err = self.run_example(str(self.root / "none"), code=1)
        self.assertIn(f"{self.root}/none: ENOENT", err)
        self.assertIn("1 could not be read", err)


class ShardedEcho(Example):
    def test_every_connection_is_answered_and_a_signal_ends_all_shards(self):
        with socket.socket() as probe:  # a port that was free a moment ago
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = self.start_example(str(port), "3")
        self.assertEqual(server.stdout.readline().strip(), str(port))
        connections = [socket.create_connection(("127.0.0.1", port), PATIENCE_S) for _ in range(20)]
        for i, connection in enumerate(connections):
            connection.sendall(b"%d" % i)
        for i, connection in enumerate(connections):
            self.assertEqual(connection.recv(10), b"%d" % i)
        server.send_signal(signal.SIGTERM)
        self.expect(server, 0)
        for connection in connections:
            connection.close()

    def test_a_shard_that_cannot_listen_ends_the_others(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            _, err = self.run_example(str(taken.getsockname()[1]), "2", code=1)
        self.assertIn("EADDRINUSE", err)


class InsideLibuv(Example):
    def test_tasks_and_callbacks_share_the_loop(self):
        out, _ = self.run_example("3")
        self.assertEqual(out, "ring 1\nring 2\nring 3\n")


class InsideGlib(InsideLibuv):
    pass


class LibuvInside(Example):
    def test_tasks_and_callbacks_share_the_thread(self):
        out, _ = self.run_example("3", HOUR_MS)
        self.assertEqual(out, "ring 1: 1\nring 2: 4\nring 3: 9\n")

    def test_a_cancel_takes_the_loop_down(self):
        _, err = self.run_example("1000000000", "20", code=1)
        self.assertRegex(err, r"\Anido: the root task failed: ETIMEDOUT.*\nout of time\n\Z")

    def test_without_a_task_that_needs_it_the_loop_ends(self):
        self.assertEqual(self.run_example("0", HOUR_MS), ("", ""))


class Deadlock(Example):
    test_usage = None  # it takes no arguments

    def test_each_task_is_listed_with_what_it_waits_for(self):
        _, err = self.run_example(code=1)
        self.assertIn("DEADLOCK: 3 tasks", err)
        self.assertRegex(err, r'#2 "producer"  waits for event "emptied", .*  spawned at ')
        self.assertRegex(err, r'#3 "consumer"  waits for event "filled", .*  spawned at ')
        self.assertIn("EDEADLK", err)


class Failures(Example):
    test_usage = None  # it takes no arguments

    def test_the_tree_has_all_failures(self):
        _, err = self.run_example(code=1)
        told = [re.sub(r"  task .*", "", line) for line in err.splitlines()]
        self.assertEqual(told, [
            'nido: the root task failed: group "nightly jobs": 2 failures',
            "  1. mail server (ECONNREFUSED: connection refused)",
            '  2. group "disks": 2 failures',
            "    1. disk 3 does not answer (EIO: input/output error)",
            "    2. disk 5 does not answer (EIO: input/output error)"])


class Metrics(Example):
    def get(self, port, path):
        """By curl: status, type, body."""
        done = subprocess.run(
            ["curl", "-sS", "-m", str(PATIENCE_S), "-w", "\n%{http_code} %{content_type}",
             f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=True)
        body, _, last = done.stdout.rpartition("\n")
        return last.split(" ", 1) + [body]

    @unittest.skipUnless(shutil.which("curl"), "curl is the client")
    def test_what_is_served(self):
        server, port = self.start_server("0", "7", "3")
        self.assertEqual(self.get(port, "/else")[0], "404")
        first, second = self.get(port, "/metrics"), self.get(port, "/metrics")
        self.expect(server, 0)
        self.assertEqual(first[:2], ["200", "text/plain; version=0.0.4"])
        self.judge(first[2])
        before, after = self.values(first[2]), self.values(second[2])
        self.assertEqual(before["nido_ready_seconds_count"], before['nido_ready_seconds_bucket{le="+Inf"}'])
        self.assertGreaterEqual(before["nido_ready_seconds_count"], 8)
        self.assertGreaterEqual(before["nido_turn_seconds_count"], 1)
        waiting = 'nido_group_seconds_total{group="workers",state="waiting"}'
        self.assertGreater(after[waiting], before[waiting])
        self.assertEqual((before["nido_tasks"], before["nido_runtimes"]), (8, 1))
        # The sleeps, and the deadline of the client if it has waited.
        self.assertIn(before["nido_timers"], (7, 8))
        for name in before:
            if re.search("_(total|count|sum|bucket)($|{)", name):
                self.assertGreaterEqual(after[name], before[name], name)
        self.assertGreater(after["nido_resumes_total"], before["nido_resumes_total"])

    def values(self, body):
        """Strictly as the format has it: HELP, TYPE and the samples of each metric, one of each kind."""
        self.assertTrue(body.endswith("\n"))
        values, seen = {}, set()
        for part in body[:-1].split("# HELP ")[1:]:
            help_line, type_line, *samples = part.splitlines()
            name = help_line.split(" ")[0]
            self.assertRegex(help_line, "^[a-z_]+ .+[.]$")
            self.assertNotIn(name, seen)
            seen.add(name)
            kind = ("histogram" if name.endswith("_seconds") else "counter" if name.endswith("_total") else "gauge")
            self.assertEqual(type_line, f"# TYPE {name} {kind}")
            own = self.samples(samples)
            if kind == "histogram":
                self.check_histogram(name, own)
            else:
                self.assertEqual({key.split("{")[0] for key in own}, {name})
            values.update(own)
        return values

    def samples(self, lines):
        values = {}
        for line in lines:
            sample = re.fullmatch(r'([a-z_]+(?:{(?:[a-z]+="(?:[^"\\\n]|\\[\\"n])*",?)+})?) ([0-9.]+)', line)
            self.assertTrue(sample, line)
            self.assertNotIn(sample[1], values)
            values[sample[1]] = float(sample[2])
        return values

    def check_histogram(self, name, values):
        """Its buckets grow, and the last one holds all."""
        ends = [re.fullmatch(rf'{name}_bucket{{le="(.+)"}}', key) for key in values]
        buckets = [(float(end[1].replace("+Inf", "inf")), values[end[0]]) for end in ends if end]
        self.assertEqual(buckets, sorted(buckets))
        self.assertEqual([count for _, count in buckets], sorted(count for _, count in buckets))
        self.assertEqual(buckets[-1], (float("inf"), values[f"{name}_count"]))
        self.assertEqual(len(values), len(buckets) + 2)
        self.assertLessEqual(values[f"{name}_sum"], values[f"{name}_count"] * 60)

    def judge(self, body):
        """Prometheus's own tool, where it is installed."""
        if shutil.which("promtool"):
            done = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))


class EchoServer(Example):
    def test_clients_at_once(self):
        server, port = self.start_server("0", HOUR_MS, "3")
        clients = [self.connect(port) for _ in range(3)]
        for i, client in enumerate(clients):
            client.sendall(bytes([i]) * 10000)
        for i, client in reversed(list(enumerate(clients))):
            self.assertEqual(receive(client, 10000), bytes([i]) * 10000)
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(client.recv(1), b"")
        out, err = self.expect(server, 0)
        self.assertEqual((out, err), ("stopped: all connections served\n", ""))

    def test_an_idle_client_is_let_go(self):
        server, port = self.start_server("0", "20", "1")
        self.assertEqual(self.connect(port).recv(1), b"")
        _, err = self.expect(server, 0)
        self.assertIn("ETIMEDOUT", err)

    def stop_by(self, number):
        server, port = self.start_server("0")
        clients = [self.connect(port) for _ in range(2)]
        for client in clients:
            client.sendall(b"x")
            self.assertEqual(client.recv(1), b"x")
        server.send_signal(number)
        for client in clients:
            self.assertEqual(client.recv(1), b"")
        self.assertEqual(self.expect(server, 0), ("stopped: all connections served\n", ""))

    def test_sigterm(self):
        self.stop_by(signal.SIGTERM)

    def test_sigint(self):
        self.stop_by(signal.SIGINT)

    def test_a_port_that_is_taken(self):
        _, port = self.bind()
        _, err = self.run_example(str(port), code=1)
        self.assertIn(f"listen on 127.0.0.1 port {port} ", err)
        self.assertIn("EADDRINUSE", err)


class Fetch(Example):
    def start_http_server(self):
        """lighttpd on a socket that listens already: connections wait until it is up. One script
        hangs until this test ends, one answers 404 as soon as that hangs."""
        program = shutil.which("lighttpd", path=os.environ["PATH"] + ":/usr/sbin")
        self.assertTrue(program, "this test needs lighttpd (Debian package lighttpd)")
        root = pathlib.Path(self.enterTemporaryDirectory())
        (root / "small").write_bytes(b"s" * 10)
        (root / "large").write_bytes(b"l" * 300000)
        (root / "hang.sh").write_text(f"echo > {root}/hanging; read line < {root}/hold\n")
        (root / "late.sh").write_text(
            f"read line < {root}/hanging; printf 'Status: 404 Not Found\\r\\n\\r\\n'\n")
        for name in "hanging", "hold":
            os.mkfifo(root / name)
            fd = os.open(root / name, os.O_RDWR)  # a reader waits until this is closed
            self.addCleanup(os.close, fd)
        (root / "lighttpd.conf").write_text(
            'server.bind = "/dev/stdin"\n'
            f'server.document-root = "{root}"\n'
            'server.modules = ("mod_cgi")\n'
            'cgi.assign = (".sh" => "/bin/sh")\n')
        listener, port = self.bind()
        self.start(program, "-D", "-f", str(root / "lighttpd.conf"), stdin=listener)
        return str(port)

    def enterTemporaryDirectory(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        return directory.name

    def test_all_good(self):
        port = self.start_http_server()
        out, err = self.run_example("127.0.0.1", port, HOUR_MS, "/small", "/large")
        self.assertEqual(sorted(out.splitlines()), ["/large: 300000 bytes", "/small: 10 bytes"])
        self.assertEqual(err, "")

    def test_a_failure_cancels_the_slow_one_and_is_named(self):
        port = self.start_http_server()
        out, err = self.run_example("127.0.0.1", port, HOUR_MS, "/hang.sh", "/late.sh", code=1)
        self.assertEqual(out, "")
        self.assertIn("/late.sh: HTTP/1.0 404 Not Found", err)

    def test_the_deadline_ends_a_hanging_one(self):
        port = self.start_http_server()
        _, err = self.run_example("127.0.0.1", port, "50", "/hang.sh", code=1)
        self.assertIn("not all pages came in time", err)
        self.assertIn("ETIMEDOUT", err)

    def test_nobody_listens(self):
        _, port = self.bind(listen=False)
        _, err = self.run_example("127.0.0.1", str(port), HOUR_MS, "/small", code=1)
        self.assertIn("/small: no connection", err)
        self.assertIn("ECONNREFUSED", err)

    def test_no_web_server(self):
        for answer in b"", b"HTTP/1.0 200 OK\r\n", b"220 mail.example\r\n\r\n", b"x" * 10000:
            with self.subTest(answer=answer[:20]):
                listener, port = self.bind()
                process = self.start_example("127.0.0.1", str(port), HOUR_MS, "/page")
                connection, _ = listener.accept()
                with connection:
                    self.assertTrue(connection.recv(1024).startswith(b"GET /page HTTP/1.0\r\n"))
                    connection.sendall(answer)
                _, err = self.expect(process, 1)
                self.assertIn("/page: ", err)


class HappyEyeballs(Example):
    MODES = "any", "by-hand"

    def bind_pair(self):
        """A port that refuses on 127.0.0.1 and listens on 127.0.0.2."""
        while True:
            _, port = self.bind("127.0.0.1", listen=False)
            try:
                self.bind("127.0.0.2", port)
                return str(port)
            except OSError:  # another program has this port: try the next
                pass

    def test_the_first_refuses_and_the_second_answers(self):
        port = self.bind_pair()
        for mode in self.MODES:
            with self.subTest(mode=mode):
                out, _ = self.run_example(mode, port, "127.0.0.1", "127.0.0.2")
                self.assertEqual(out.splitlines()[-1], "127.0.0.2: connected")
                if mode == "by-hand":
                    self.assertRegex(out, r"^127\.0\.0\.1: ECONNREFUSED")

    def test_the_first_hangs_and_the_second_answers(self):
        full, port = self.bind("127.0.0.1", listen=False)
        full.listen(0)
        self.connect(port)  # fills the queue of one: the kernel ignores the next connection
        self.bind("127.0.0.2", port)
        for mode in self.MODES:
            with self.subTest(mode=mode):
                out, _ = self.run_example(mode, str(port), "127.0.0.1", "127.0.0.2")
                self.assertEqual(out.splitlines()[-1], "127.0.0.2: connected")
                if mode == "by-hand":
                    self.assertRegex(out, r"^127\.0\.0\.1: ECANCELED")

    def test_all_refuse(self):
        _, port = self.bind("0.0.0.0", listen=False)
        for mode in self.MODES:
            with self.subTest(mode=mode):
                out, err = self.run_example(mode, str(port), "127.0.0.1", "127.0.0.2", code=1)
                self.assertNotIn("connected", out)
                self.assertGreaterEqual(err.count("ECONNREFUSED"), 2, err)

    def test_not_an_address(self):
        for mode in self.MODES:
            with self.subTest(mode=mode):
                _, err = self.run_example(mode, "80", "localhost", code=1)
                self.assertIn("localhost port 80: ", err)


class Forwarder(Example):
    def test_bytes_are_equal_and_a_half_close_is_passed_on(self):
        target, target_port = self.bind()
        server, port = self.start_server("0", "127.0.0.1", str(target_port), "3")
        clients = [self.connect(port) for _ in range(3)]
        sent = [os.urandom(1 << 20) for _ in clients]

        def answer():  # the question, when it has come to its end
            connection, _ = target.accept()
            with connection:
                connection.sendall(receive_all(connection))

        for _ in clients:
            threading.Thread(target=answer, daemon=True).start()
        for client, data in zip(clients, sent):
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
        for client, data in zip(clients, sent):
            self.assertEqual(receive_all(client), data)
        self.assertEqual(self.expect(server, 0), ("", ""))

    def test_a_target_that_refuses(self):
        _, target_port = self.bind(listen=False)
        server, port = self.start_server("0", "127.0.0.1", str(target_port), "1")
        self.assertEqual(self.connect(port).recv(1), b"")
        _, err = self.expect(server, 0)
        self.assertIn(f"connect to 127.0.0.1 port {target_port} ", err)
        self.assertIn("ECONNREFUSED", err)

    def test_a_broken_direction_ends_the_other(self):
        target, target_port = self.bind()
        server, port = self.start_server("0", "127.0.0.1", str(target_port), "1")
        client = self.connect(port)
        connection, _ = target.accept()
        client.sendall(b"x")
        self.assertEqual(connection.recv(1), b"x")  # now both directions are at work
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()  # with a reset
        self.assertEqual(client.recv(1), b"")
        _, err = self.expect(server, 0)
        self.assertIn("to the client ", err)
        self.assertIn("ECONNRESET", err)

    def test_not_a_port(self):
        _, err = self.run_example("70000", "127.0.0.1", "80", code=1)
        self.assertIn("listen on 127.0.0.1 port 70000", err)


class Supervisor(Example):
    def expect_lines(self, process, *patterns):
        """Reads lines until each pattern, in this order, has matched one; the matches."""
        matches = []
        for pattern in patterns:
            while not (match := re.fullmatch(pattern, line := process.stdout.readline().rstrip())):
                self.assertTrue(line, f"no line for {pattern}")
            matches.append(match)
        return matches

    def test_programs_are_started_again(self):
        supervisor = self.start_example("-b", "1", "sh", "-c", "exit 3")
        first, second = (match[1] for match in self.expect_lines(
            supervisor, r"sh \((\d+)\): started", r"sh \(\d+\): ended with 3",
            r"sh: again in 1 ms", r"sh \((\d+)\): started", r"sh \(\d+\): ended with 3",
            r"sh: again in 2 ms")[::3])
        self.assertNotEqual(first, second)
        supervisor.terminate()
        self.expect_lines(supervisor, r"stopping: signal 15")
        self.expect(supervisor, 0)

    def test_all_are_stopped_and_who_does_not_heed_it_is_killed(self):
        stubborn = "trap '' TERM; echo ready; while :; do sleep 1000; done"
        supervisor = self.start_example("-g", "20", "sleep", "1000", "--", "sh", "-c", stubborn)
        self.expect_lines(supervisor, "ready")
        supervisor.send_signal(signal.SIGINT)
        out, _ = self.expect(supervisor, 0)
        self.assertRegex(out, r"(?m)^stopping: signal 2$")
        ends = dict(re.findall(r"(?m)^(\w+) \(\d+\): ended by signal (\d+)$", out))
        self.assertEqual(ends, {"sleep": "15", "sh": "9"})
        for pid in re.findall(r"\((\d+)\)", out):
            with self.assertRaises(ProcessLookupError):
                os.kill(int(pid), 0)

    def test_what_cannot_be_started_is_named(self):
        if len(COMMAND) > 1:
            self.skipTest("not seen under an emulator: tests/emulated/skip.txt")
        _, err = self.run_example("sleep", "1000", "--", "no-such-program", code=1)
        self.assertIn("start no-such-program", err)
        self.assertIn("ENOENT", err)


class Testing(Example):
    test_usage = None  # it takes no arguments

    def test_all_is_well(self):
        out, err = self.run_example()
        self.assertEqual(out, "all is well\n")
        self.assertIn("sweep of copy_hello: cancels of the run: 5 points, ", err)
        self.assertNotIn("BROKEN", err)

    def test_it_prints_what_the_document_shows(self):
        document = pathlib.Path(__file__).parents[2].joinpath("docs/testing.md").read_text()
        shown = re.search(r"^```\n(nido: sweep of .*?)^```$", document, re.MULTILINE | re.DOTALL)[1]
        _, err = self.run_example()
        told = [re.sub(r"\S+\(\+0x\w+\)", "PLACE", line) for line in (shown + err).splitlines()]
        if "nido_read at " not in err:  # a libc without backtrace(3): calls have no names
            told = [re.sub(r"\w+ at PLACE$", "", line) for line in told]
        n = len(shown.splitlines())
        self.assertGreater(n, 3)
        self.assertLessEqual(set(told[:n]), set(told[n:]))


class IsolatedParser(Example):
    @staticmethod
    def ask(client, line):
        client.sendall(line.encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n") and (piece := client.recv(4096)):
            answer += piece
        return answer.decode()

    def test_a_crash_is_the_answer_to_one_line(self):
        server, port = self.start_server("0", "2")
        first, second = self.connect(port), self.connect(port)
        self.assertEqual(self.ask(first, "sum 2 3"), "5\n")
        # A sanitizer ends the worker by its own exit.
        self.assertRegex(self.ask(first, "sum 2"),
                         r'^crashed: job "parse" .* (killed by signal 11|exited with status 1)')
        self.assertEqual(self.ask(second, "sum 40 2"), "42\n")
        self.assertRegex(self.ask(first, "product 2 3"), '^failed: job "parse" .* failed\n$')
        self.assertEqual(self.ask(first, "sum 4 5"), "9\n")
        first.close()
        second.close()
        out, _ = self.expect(server, 0)  # what a sanitizer says of the crash is on stderr
        self.assertEqual(out, "")

    def test_lines_at_once_and_in_pieces(self):
        server, port = self.start_server("0", "1")
        client = self.connect(port)
        client.sendall(b"sum 1 1\nsum 1 2\nsum")
        self.assertEqual(receive(client, 4), b"2\n3\n")
        self.assertEqual(self.ask(client, " 1 3"), "4\n")
        client.sendall(b"x" * 4096)
        self.assertEqual(receive_all(client), b"failed: the line is too long\n")
        self.expect(server, 0)

    def test_a_port_that_is_taken(self):
        _, port = self.bind()
        _, err = self.run_example(str(port), code=1)
        self.assertIn("EADDRINUSE", err)


class Tls(Example):
    """With a certificate for localhost, in a folder of the test's own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.certificate, self.key = f"{folder.name}/cert.pem", f"{folder.name}/key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", self.key, "-out", self.certificate, "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)

    def client(self, port, *certificate):
        context = ssl.create_default_context(cafile=self.certificate)
        if certificate:
            context.load_cert_chain(*certificate)
        return context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost")


class TlsEcho(Tls):
    def test_lines_come_back(self):
        server, port = self.start_server("0", self.certificate, self.key)
        clients = [self.client(port) for _ in range(3)]
        for number, client in enumerate(clients):
            client.sendall(b"%d" % number * 50000)
        for number, client in enumerate(clients):
            self.assertEqual(receive(client, 50000), b"%d" % number * 50000)
            client.unwrap().close()
        server.send_signal(signal.SIGTERM)
        self.assertEqual(self.expect(server, 0), ("", ""))

    def test_a_stranger_is_reported_and_others_are_served(self):
        server, port = self.start_server("0", self.certificate, self.key)
        with self.client(port) as client:
            client.sendall(b"one")
            with socket.create_connection(("127.0.0.1", port)) as stranger:
                stranger.sendall(b"GET / HTTP/1.0\r\n\r\n")
                receive_all(stranger)
            self.assertEqual(receive(client, 3), b"one")
            client.unwrap().close()
        server.send_signal(signal.SIGTERM)
        _, err = self.expect(server, 0)
        self.assertRegex(err, r"^nido: connection: TLS with 127.0.0.1:\d+: http request \(EPROTO.*\)\n$")

    def test_clients_have_to_show_a_certificate(self):
        server, port = self.start_server("0", self.certificate, self.key, self.certificate)
        with self.client(port, self.certificate, self.key) as client:
            client.sendall(b"one")
            self.assertEqual(receive(client, 3), b"one")
            client.unwrap().close()
        with self.client(port) as client, self.assertRaisesRegex(ssl.SSLError, "(?i)certificate.required"):
            client.recv(1)
        server.send_signal(signal.SIGTERM)
        _, err = self.expect(server, 0)
        self.assertIn("peer did not return a certificate (EACCES", err)

    def test_what_cannot_be_read_is_named(self):
        _, err = self.run_example("0", "/nowhere/cert.pem", self.key, code=1)
        self.assertIn("nido_tls_new: certificate /nowhere/cert.pem: ENOENT", err)


class TlsFetch(Tls):
    def serve(self, answer, close_notify=True):
        """Answers one request; its port."""
        listener, port = self.bind()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        context.set_alpn_protocols(["http/1.1"])

        def run():
            with contextlib.suppress(OSError), context.wrap_socket(listener.accept()[0], server_side=True) as client:
                client.recv(4096)
                client.sendall(answer)
                if close_notify:
                    client.unwrap()
                else:
                    client.shutdown(socket.SHUT_RDWR)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self.addCleanup(thread.join, PATIENCE_S)
        return str(port)

    def test_a_page(self):
        page = "HTTP/1.1 200 OK\r\n\r\n" + "x" * 100000
        out, err = self.run_example("localhost", self.serve(page.encode()), "/", HOUR_MS, self.certificate)
        self.assertEqual((out.encode(), err), (page.encode().replace(b"\r\n", b"\n"), "localhost by TLSv1.3\n"))

    def test_a_server_that_is_not_known(self):
        _, err = self.run_example("localhost", self.serve(b""), "/", HOUR_MS, code=1)
        self.assertIn("TLS with localhost: self-signed certificate (EACCES", err)

    def test_a_page_that_is_cut_short(self):
        out, err = self.run_example("localhost", self.serve(b"half", close_notify=False), "/", HOUR_MS,
                                    self.certificate, code=1)
        self.assertEqual(out, "half")
        self.assertIn("TLS with localhost: the connection ended without close_notify", err)

    def test_a_server_that_is_silent(self):
        _, port = self.bind()
        _, err = self.run_example("localhost", str(port), "/", "100", self.certificate, code=1)
        self.assertIn("ETIMEDOUT", err)


if __name__ == "__main__":
    name, *COMMAND = sys.argv[1:]
    socket.setdefaulttimeout(PATIENCE_S)
    suite = name.title().replace("_", "")
    unittest.main(argv=[sys.argv[0], "-v", suite])
