# SPDX-License-Identifier: MIT
"""Runs one program of ../apps with the real client or server, as drive.py runs an example.

    drive_apps.py NAME COMMAND...     for instance: drive_apps.py jobs build/examples/apps/app_jobs

A server that a test starts lives in a folder of its own, on loopback or a Unix socket.
"""

import contextlib
import http.server
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import drive
from drive import PATIENCE_S, receive, receive_all


class App(drive.Example):
    def folder(self):
        """A folder of the test's own."""
        path = pathlib.Path(tempfile.mkdtemp(prefix="nido-"))
        self.addCleanup(shutil.rmtree, path, ignore_errors=True)
        return path

    def tool(self, *names):
        """The path of a program, the first of these that is here; else the test is skipped."""
        for name in names:
            if path := shutil.which(name):
                return path
        return self.skipTest(f"{names[0]} is not installed")

    def run_tool(self, *command, text=None, code=0, patience=2 * PATIENCE_S):
        """A program to its end; its output."""
        process = self.start(*map(str, command), text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        try:
            out, err = process.communicate(text, timeout=patience)
        except subprocess.TimeoutExpired as expired:
            process.kill()
            self.fail(f"{command[0]} did not end: {expired.stdout} {expired.stderr}")
        self.assertEqual(process.returncode, code, out + err)
        return out, err

    @staticmethod
    def wait_for_socket(path, server):
        while server.poll() is None:
            with socket.socket(socket.AF_UNIX) as client:
                if client.connect_ex(str(path)) == 0:
                    return
            time.sleep(0.005)

    def neighbour(self, name):
        """Another program of the same build."""
        return pathlib.Path(drive.COMMAND[-1]).with_name(name)

    def sweep(self, *args, least=6, patience=2 * PATIENCE_S):
        """Runs the program that cancels the adapter at each cancellation point, of which there are so many."""
        _, err = self.run_tool(*args, patience=patience)
        self.assertNotIn("BROKEN", err)
        self.assertGreaterEqual(int(re.search(r"cancels of the innermost scope: (\d+) points", err)[1]), least, err)

    def stop(self, server, out=""):
        """SIGTERM, and an end in good order."""
        server.terminate()
        self.assertEqual(self.expect(server, 0), (out, ""))


class RedisServer(App):
    def ask(self, client, request, answer):
        client.sendall(request)
        self.assertEqual(receive(client, len(answer)), answer)

    def test_redis_cli_gets_the_answers_of_redis(self):
        cli = self.tool("redis-cli")
        server, port = self.start_server("0")
        asked = [
            ("PING", "PONG"), ("echo hello", "hello"), ("SET a 1", "OK"), ("GET a", "1"), ("INCR a", "2"),
            ("INCRBY a 40", "42"), ("DECR a", "41"), ("get none", ""), ("MSET b x c y", "OK"), ("MGET a b none c",
            "41\nx\n\ny"), ("EXISTS a b none", "2"), ("TTL a", "-1"), ("TTL none", "-2"), ("EXPIRE a 100", "1"),
            ("TTL a", "100"), ("EXPIRE none 1", "0"), ("SET a 5", "OK"), ("TTL a", "-1"), ("EXPIRE a 0", "1"),
            ("GET a", ""), ("INCR b", "ERR value is not an integer or out of range\n"), ("DEL b c none", "2"),
            ("RPUSH l b c", "2"), ("LPUSH l a", "3"), ("LRANGE l 0 -1", "a\nb\nc"), ("LRANGE l -2 1", "b"),
            ("LLEN l", "3"), ("GET l", "WRONGTYPE Operation against a key holding the wrong kind of value\n"),
            ("LPOP l", "a"), ("RPOP l", "c"), ("RPOP l", "b"), ("RPOP l", ""), ("EXISTS l", "0"),
            ("SET n 9223372036854775807", "OK"), ("INCR n", "ERR increment or decrement would overflow\n"),
            ("GET", "ERR wrong number of arguments\n"), ("NOPE", "ERR unknown command\n"),
            ("CONFIG GET save", "save\n"), ("COMMAND", ""), ("SELECT 0", "OK"), ("FLUSHALL", "OK"), ("GET n", "")]
        out, _ = self.run_tool(cli, "-p", port, text="".join(f"{request}\n" for request, _ in asked))
        self.assertEqual(out, "".join(f"{answer}\n" for _, answer in asked))
        out, _ = self.run_tool(cli, "-p", port, "INFO")
        self.assertIn("connected_clients:1", out)
        self.stop(server)

    def test_redis_benchmark_runs_through(self):
        benchmark = self.tool("redis-benchmark")
        server, port = self.start_server("0")
        kinds = "ping,set,get,incr,lpush,rpush,lpop,rpop,lrange_100,mset"
        for pipeline in "1", "16":
            out, err = self.run_tool(benchmark, "-p", port, "-n", 2000, "-c", 20, "-r", 1000, "-P", pipeline, "--csv",
                                     "-t", kinds)
            self.assertEqual(err, "")
            self.assertEqual(len(out.splitlines()), 13, out)
        self.stop(server)

    def test_pieces_and_pipelines(self):
        server, port = self.start_server("0")
        client = self.connect(port)
        value = bytes(range(256)) * 100
        request = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%s\r\n" % (len(value), value)
        for at in range(0, len(request), 1000):
            client.sendall(request[at:at + 1000])
        self.assertEqual(receive(client, 5), b"+OK\r\n")
        answer = b"$%d\r\n%s\r\n" % (len(value), value)
        self.ask(client, b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n" * 50, answer * 50)
        self.ask(client, b"\r\n*0\r\nPING  \r\nGET none\r\nQUIT\r\nPING\r\n", b"+PONG\r\n$-1\r\n+OK\r\n")
        self.assertEqual(receive_all(client), b"")
        self.stop(server)

    def test_what_a_slow_reader_reads_may_be_gone(self):
        server, port = self.start_server("0")
        writer, slow = self.connect(port), self.connect(port)
        value = os.urandom(8 << 20)
        self.ask(writer, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%s\r\n" % (len(value), value), b"+OK\r\n")
        self.ask(writer, b"RPUSH l%s\r\n" % (b" item" * 1000), b":1000\r\n")
        slow.sendall(b"GET k\r\n" + b"LRANGE l 0 -1\r\n" * 1000)
        self.assertEqual(receive(slow, 10), b"$8388608\r\n")
        self.ask(writer, b"DEL k l\r\n", b":2\r\n")
        self.assertTrue(receive(slow, len(value) + 2) == value + b"\r\n")
        self.ask(slow, b"PING\r\n", b"*0\r\n" * 1000 + b"+PONG\r\n")
        self.stop(server)

    def test_what_is_no_request(self):
        server, port = self.start_server("0")
        for request, why in ((b"*x\r\n", b"invalid multibulk length"), (b"*1\r\n:4\r\n", b"expected '$'"),
                             (b"*1025\r\n", b"invalid multibulk length"), (b"*1\r\n$-1\r\n", b"invalid bulk length"),
                             (b"*1\r\n$999999999\r\n", b"invalid bulk length"), (b"a " * 1025 + b"\n", b"too many words"),
                             (b"x" * 65536 + b"\n", b"too big inline request")):
            with self.subTest(why=why, request=request[:20]):
                client = self.connect(port)
                self.ask(client, request, b"-ERR Protocol error: " + why + b"\r\n")
        self.stop(server)

    def test_above_the_limit_of_clients(self):
        server, port = self.start_server("0", "127.0.0.1", "1")
        first = self.connect(port)
        self.ask(first, b"PING\r\n", b"+PONG\r\n")
        self.assertEqual(receive_all(self.connect(port)), b"-ERR max number of clients reached\r\n")
        self.stop(server)

    def test_a_request_that_has_begun_is_answered_before_the_end(self):
        server, port = self.start_server("0")
        idle, busy = self.connect(port), self.connect(port)
        for client in idle, busy:
            self.ask(client, b"PING\r\n", b"+PONG\r\n")
        busy.sendall(b"*1\r\n$4\r\nPI")
        self.ask(self.connect(port), b"PING\r\n", b"+PONG\r\n")  # the server has had a turn
        server.terminate()
        self.assertEqual(receive_all(idle), b"")
        self.ask(busy, b"NG\r\n", b"+PONG\r\n")
        self.assertEqual(receive_all(busy), b"")
        self.assertEqual(self.expect(server, 0), ("", ""))

    def test_a_second_signal_cuts(self):
        server, port = self.start_server("0")
        client, other = self.connect(port), self.connect(port)
        client.sendall(b"*1\r\n$4\r\nPI")
        self.ask(other, b"PING\r\n", b"+PONG\r\n")
        server.terminate()
        self.assertEqual(receive_all(other), b"")
        server.terminate()
        out, _ = self.expect(server, 0)
        self.assertEqual(out, "stopped: 1 clients were cut\n")

    def test_at_a_unix_socket(self):
        cli, path = self.tool("redis-cli"), self.folder() / "redis"
        server = self.start_example("0", f"unix:{path}")
        self.wait_for_socket(path, server)
        self.assertEqual(self.run_tool(cli, "-s", path, "PING"), ("PONG\n", ""))
        self.stop(server)


class Jobs(App):
    PARROT = r"""case $1 in fail) exit 3;; stop) exit 255;; die) kill -9 $$;; esac; echo "<$1>" """

    def start_jobs(self, *args, **options):
        return self.start(*drive.COMMAND, *args, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def run_jobs(self, *args, text, code=0):
        return self.run_tool(*drive.COMMAND, *args, text=text, code=code)

    def test_usage(self):
        _, err = self.run_jobs("-x", text="", code=2)
        self.assertIn("usage: ", err)

    def test_it_does_what_xargs_does(self):
        xargs = self.tool("xargs")
        for text in ("", "a\nb\nc\n", "no end", "\n", "two words\n  'quoted' \\\\\n", "a\nfail\nb\nfail\n", "stop\n",
                     "die\n", "fail\nstop\n", "\xe4\u20ac\n" * 50, "x" * 100000 + "\n"):
            for limit in "1", "4", "0":
                with self.subTest(text=text[:20], limit=limit):
                    command = "-P", limit, "sh", "-c", self.PARROT, "sh"
                    judge = subprocess.run((xargs, "-r", "-d", "\n", "-n", "1", *command), input=text, text=True,
                                           capture_output=True, check=False, timeout=PATIENCE_S)
                    out, _ = self.run_jobs(*command, text=text, code=judge.returncode)
                    self.assertEqual(sorted(out.splitlines()), sorted(judge.stdout.splitlines()))

    def test_what_cannot_run(self):
        if len(drive.COMMAND) > 1:
            self.skipTest("an emulator's child shares no memory, by which it would tell that it cannot run")
        xargs = self.tool("xargs")
        for command, code in (("/nonesuch", 127), ("/", 126)):
            self.run_tool(xargs, command, text="x", code=code)
            _, err = self.run_jobs(command, text="x\ny\n", code=code)
            self.assertRegex(err, rf"\Ajobs: {command}: E\w+: .*\n\Z")

    def test_lines_are_commands(self):
        out, _ = self.run_jobs(text="echo 'a b'; echo c >&2\nexit 7\necho d", code=123)
        self.assertEqual(out, "a b\nd\n")

    def test_no_more_are_begun_after_255(self):
        process = self.start_jobs(stdin=subprocess.PIPE)
        process.stdin.write("exit 255\n")
        process.stdin.flush()  # and is not closed
        process.wait(PATIENCE_S)
        self.assertEqual((process.returncode, process.stdout.read()), (124, ""))

    def test_so_many_at_once(self):
        meet = 'touch $1; while [ "$(ls | wc -l)" -lt 3 ]; do sleep 0.01; done'
        process = self.start_jobs("-P", "3", "sh", "-c", meet, "sh", stdin=subprocess.PIPE, cwd=self.folder())
        out, err = process.communicate("1\n2\n3\n", PATIENCE_S)
        self.assertEqual((process.returncode, out, err), (0, "", ""))

    def test_output_is_not_mixed(self):
        job = 'for i in 1 2 3 4 5 6 7 8; do echo "$1"; sleep 0.001; done; printf %70000s "$1"; echo'
        out, _ = self.run_jobs("-P", "8", "sh", "-c", job, "sh", text="".join(f"{i}\n" for i in range(16)))
        lines = out.splitlines()
        self.assertEqual(len(lines), 16 * 9)
        for at in range(0, len(lines), 9):
            self.assertEqual([line.strip() for line in lines[at:at + 9]], [lines[at]] * 9)

    def test_input_from_a_file_and_from_nowhere(self):
        path = self.folder() / "lines"
        path.write_text("a\nb\n", encoding="utf-8")
        with path.open(encoding="utf-8") as file:
            self.assertEqual(self.expect(self.start_jobs("echo", stdin=file), 0), ("a\nb\n", ""))
        self.assertEqual(self.expect(self.start_jobs("echo", stdin=subprocess.DEVNULL), 0), ("", ""))
        process = self.start("sh", "-c", 'exec "$@" <&-', "sh", *drive.COMMAND, "echo", text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        _, err = self.expect(process, 1)
        self.assertIn("standard input (EBADF", err)

    def test_input_from_a_terminal(self):
        ours, theirs = os.openpty()
        self.addCleanup(os.close, ours)
        process = self.start_jobs("echo", stdin=theirs)
        os.close(theirs)
        os.write(ours, b"one\n")
        self.assertEqual(process.stdout.readline(), "one\n")
        os.write(ours, b"two\n\x04")
        self.assertEqual(self.expect(process, 0), ("two\n", ""))

    def test_a_signal_stops_all(self):
        stubborn = "echo begun; trap '' TERM; echo $$ >$1.new; mv $1.new $1; while :; do sleep 1000; done"
        for number in signal.SIGINT, signal.SIGTERM:
            with self.subTest(signal=number):
                folder = self.folder()
                process = self.start_jobs("-P", "2", "-g", "20", "sh", "-c", stubborn, "sh", cwd=folder,
                                          stdin=subprocess.PIPE)
                process.stdin.write("1\n2\n3\n")
                process.stdin.flush()
                while len(list(folder.glob("?"))) < 2 and process.poll() is None:
                    os.sched_yield()
                process.send_signal(number)
                process.wait(PATIENCE_S)
                self.assertEqual((process.returncode, process.stdout.read()), (128 + number, "begun\n" * 2))
                for file in folder.iterdir():
                    with self.assertRaises(ProcessLookupError):
                        os.kill(int(file.read_text(encoding="utf-8")), 0)

    def test_an_output_that_is_closed_stops_all(self):
        read, write = os.pipe()
        os.close(read)
        process = self.start(*drive.COMMAND, "-P", "2", text=True, stdin=subprocess.PIPE, stdout=write,
                             stderr=subprocess.PIPE)
        os.close(write)
        process.stdin.write("sleep 1000\necho x\n")
        process.stdin.flush()
        process.wait(PATIENCE_S)
        self.assertEqual(process.returncode, 1)
        self.assertIn("output of a job (EPIPE", process.stderr.read())


class PgPool(App):
    """One server for all tests: it is costly to make."""

    @classmethod
    def setUpClass(cls):
        found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        if not found and not shutil.which("postgres"):
            raise unittest.SkipTest("postgresql is not installed")
        cls.bin = found[-1].parent if found else pathlib.Path(shutil.which("postgres")).parent
        cls.root = pathlib.Path(tempfile.mkdtemp(prefix="nido-"))
        cls.addClassCleanup(shutil.rmtree, cls.root, ignore_errors=True)
        cls.user = []
        if os.getuid() == 0:  # for whom PostgreSQL does not run
            cls.user = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]
            shutil.chown(cls.root, "nobody", "nogroup")
        data = cls.root / "data"
        quiet = {"stdout": subprocess.DEVNULL, "cwd": cls.root}
        subprocess.run(cls.user + [cls.bin / "initdb", "-D", data, "-U", "nido", "--auth=trust", "--no-sync", "-E", "UTF8",
                                   "--locale=C"], check=True, timeout=300, **quiet)
        server = subprocess.Popen(["setpriv", "--pdeathsig", "INT"] + cls.user + [
            cls.bin / "postgres", "-D", data, "-F", "-k", cls.root, "-c", "listen_addresses=", "-c",
            "log_min_messages=panic"], stderr=subprocess.DEVNULL, **quiet)
        cls.addClassCleanup(server.wait)
        cls.addClassCleanup(server.send_signal, signal.SIGINT)  # it stops its sessions, and then itself
        cls.conninfo = f"host={cls.root} user=nido dbname=postgres"
        for _ in range(3000):
            if subprocess.run([cls.bin / "pg_isready", "-q", "-h", cls.root], check=False).returncode == 0:
                return
            if server.poll() is not None:
                raise unittest.SkipTest("PostgreSQL does not start")
            time.sleep(0.02)

    def query(self, *lines, connections=1, timeout_ms=drive.HOUR_MS, code=0):
        out, err = self.run_tool(*drive.COMMAND, self.conninfo, connections, timeout_ms,
                                 text="".join(f"{line}\n" for line in lines), code=code)
        self.assertEqual(err, "")
        return sorted(out.splitlines())

    def test_rows_commands_and_errors(self):
        self.assertEqual(self.query("select 1, 'x'", "create temp table t (a int)", "insert into t values (1), (2)",
                                    "select a from t", "no sql", "select a from t where false", code=1), [
            "1: 1|x", "2: CREATE TABLE", "3: INSERT 0 2", "4: 1", "4: 2",
            '5: query: ERROR:  syntax error at or near "no"', "6: SELECT 0"])

    def test_so_many_at_once(self):
        meet = ("do $$begin perform pg_advisory_lock_shared(7); while (select count(*) from pg_locks "
                "where locktype = 'advisory') < 3 loop perform pg_sleep(0.01); end loop; end$$")
        self.assertEqual(self.query(*[meet] * 3, connections=3), ["1: DO", "2: DO", "3: DO"])

    def test_more_queries_than_connections(self):
        self.assertEqual(self.query(*[f"select {i}" for i in range(1, 101)], connections=3),
                         sorted(f"{i}: {i}" for i in range(1, 101)))

    def test_a_late_query_is_stopped_and_its_connection_lives_on(self):
        before, late, after = self.query("select pg_backend_pid()", "select pg_sleep(1000)", "select pg_backend_pid()",
                                         timeout_ms=3000, code=1)
        self.assertRegex(late, "2: ETIMEDOUT")
        self.assertEqual(before.split()[1], after.split()[1])

    def test_a_broken_connection_is_replaced(self):
        before, broken, after = self.query("select pg_backend_pid()", "select pg_terminate_backend(pg_backend_pid())",
                                           "select pg_backend_pid()", code=1)
        self.assertRegex(broken, "2: (query|receive): .*terminat")
        self.assertNotEqual(before.split()[1], after.split()[1])

    def test_what_a_query_leaves_open_is_not_handed_on(self):
        self.assertEqual(self.query("begin", "select now() = statement_timestamp()", "copy pg_class to stdout",
                                    "select 1", code=1), ["1: BEGIN", "2: f", "3: COPY needs calls of its own", "4: 1"])

    def test_one_that_breaks_while_it_is_free_is_replaced(self):
        process = self.start(*drive.COMMAND, self.conninfo, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        process.stdin.write("select pg_backend_pid()\n")
        process.stdin.flush()
        pid = process.stdout.readline().split()[1]
        self.run_tool(self.bin / "psql", "-qAt", self.conninfo, "-c", f"select pg_terminate_backend({pid})")
        while os.path.exists(f"/proc/{pid}"):
            os.sched_yield()
        self.assertEqual(process.communicate("select 1\n", PATIENCE_S)[0], "2: 1\n")
        self.assertEqual(process.returncode, 0)

    def test_a_signal_stops_the_query_at_the_server(self):
        process = self.start(*drive.COMMAND, self.conninfo, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
        process.stdin.write("select pg_sleep(1000)\n")
        process.stdin.flush()
        sleeps = "select count(*) from pg_stat_activity where query like 'select pg_sleep%' and state = 'active'"

        def wait_for(count):
            while self.run_tool(self.bin / "psql", "-qAt", self.conninfo, "-c", sleeps)[0] != f"{count}\n":
                self.assertIsNone(process.poll() if count else None)

        wait_for(1)
        process.terminate()
        process.wait(PATIENCE_S)
        self.assertEqual(process.returncode, 128 + signal.SIGTERM)
        wait_for(0)

    def test_a_cancel_at_each_point(self):
        self.sweep(self.neighbour("swept_libpq"), self.conninfo)

    def test_no_server(self):
        out, _ = self.run_tool(*drive.COMMAND, "host=/nonesuch", text="select 1\n", code=1)
        self.assertRegex(out, "^1: connect: .*/nonesuch")


class RedisCount(App):
    def servers(self):
        """Ours and, if it is here, Redis itself: the process and the host to connect to."""
        path = self.folder() / "ours"
        ours = self.start(self.neighbour("app_redis_server"), "0", f"unix:{path}", stderr=subprocess.DEVNULL)
        self.wait_for_socket(path, ours)
        yield ours, f"unix:{path}"
        # Debian's redis-tools has the server under another name: it looks at how it was called.
        if redis := shutil.which("redis-server") or shutil.which("redis-check-rdb"):
            path = path.with_name("redis")
            real = self.start("bash", "-c", 'exec -a redis-server "$@"', "bash", redis, "--port", "0", "--unixsocket", path,
                              "--dir", path.parent, "--save", "", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.wait_for_socket(path, real)
            if real.poll() is None:
                yield real, f"unix:{path}"

    def test_all_is_counted_in_few_writes(self):
        for server, host in self.servers():
            with self.subTest(server=server.args):
                out, _ = self.run_example(host, "0", "50", "100")
                count, writes = map(int, re.fullmatch(r"count is (\d+), after (\d+) writes\n", out).groups())
                self.assertEqual(count, 5000)
                self.assertLess(writes, 2500)

    def test_an_error_of_the_server(self):
        for server, host in self.servers():
            with self.subTest(server=server.args), socket.socket(socket.AF_UNIX) as client:
                client.connect(host.removeprefix("unix:"))
                client.sendall(b"LPUSH count x\r\n")
                self.assertEqual(receive(client, 4), b":1\r\n")
                _, err = self.run_example(host, "0", "2", "2", code=1)
                self.assertIn("redis: WRONGTYPE", err)

    def test_a_server_that_goes_away_or_is_silent(self):
        for server, host in self.servers():
            with self.subTest(server=server.args):
                client = self.start_example(host, "0", "10", "100000000")
                self.run_example(host, "0", "1", "1")  # the server serves
                server.kill()
                _, err = self.expect(client, 1)
                self.assertRegex(err, "redis: Server closed the connection|redis: .*reset|redis: .*ipe")
        path = self.folder() / "silent"
        with socket.socket(socket.AF_UNIX) as silent:
            silent.bind(str(path))
            silent.listen()
            _, err = self.run_example(f"unix:{path}", "0", "10", "10", "50", code=1)
        self.assertIn("ETIMEDOUT", err)

    def test_a_cancel_at_each_point(self):
        for server, host in self.servers():
            with self.subTest(server=server.args):
                self.sweep(self.neighbour("swept_hiredis"), host, "0")


class SqliteLines(App):
    FOR_EVER = "with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c"

    def setUp(self):
        self.file = self.folder() / "test.db"

    def query(self, *lines, connections=1, timeout_ms=drive.HOUR_MS, code=0):
        out, err = self.run_tool(*drive.COMMAND, self.file, connections, timeout_ms,
                                 text="".join(f"{line}\n" for line in lines), code=code)
        self.assertEqual(err, "")
        return sorted(out.splitlines())

    def test_python_finds_what_was_written(self):
        self.assertEqual(self.query("create table t (a int, b text)", "insert into t values (1, 'x'), (2, 'y')", "no sql",
                                    "select * from t", code=1),
                         ['3: sqlite: near "no": syntax error', "4: 1|x", "4: 2|y"])
        self.query(*[f"insert into t values ({i}, '{i}')" for i in range(100)], connections=4)
        with sqlite3.connect(self.file) as judge:
            self.assertEqual(judge.execute("select count(*), sum(a) from t").fetchall(), [(102, 4953)])
        judge.close()

    def test_a_late_statement_is_interrupted(self):
        late, after = self.query(self.FOR_EVER, "select 1", timeout_ms=2000, code=1)
        self.assertRegex(late, "1: ETIMEDOUT")
        self.assertEqual(after, "2: 1")

    def test_statements_do_not_wait_for_each_other(self):
        process = self.start(*drive.COMMAND, self.file, "3", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        process.stdin.write(f"{self.FOR_EVER}\n{self.FOR_EVER}\nselect 3\n")
        process.stdin.flush()
        self.assertEqual(process.stdout.readline(), "3: 3\n")
        process.terminate()
        process.wait(PATIENCE_S)
        self.assertEqual(process.returncode, 128 + signal.SIGTERM)

    def test_what_is_left_open_is_rolled_back(self):
        self.assertEqual(self.query("create table t (a)", "begin", "insert into t values (1)", "select * from t"), ["4: 1"])

    def test_a_lock_of_another_process(self):
        judge = sqlite3.connect(self.file, isolation_level=None)
        self.addCleanup(judge.close)
        judge.execute("create table t (a)")
        judge.execute("begin exclusive")
        self.assertRegex(self.query("insert into t values (1)", timeout_ms=100, code=1)[0], "1: ETIMEDOUT")
        process = self.start(*drive.COMMAND, self.file, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        process.stdin.write("insert into t values (2)\n")
        process.stdin.close()
        with self.assertRaises(subprocess.TimeoutExpired):
            process.wait(0.1)
        judge.execute("commit")
        process.wait(PATIENCE_S)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(judge.execute("select * from t").fetchall(), [(2,)])

    def test_no_file(self):
        self.file = "/nonesuch/test.db"
        self.assertEqual(self.query("select 1", code=1), ["1: sqlite: unable to open database file"])

    def test_a_cancel_at_each_point(self):
        self.sweep(self.neighbour("swept_sqlite"), self.file, least=4)


class Site(http.server.BaseHTTPRequestHandler):
    """Page i leads to 2i + 1 and 2i + 2, up to 50; other paths do as they are called."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    meeting = threading.Barrier(3)
    asked, left = threading.Event(), threading.Event()  # by a client that gets no answer

    def do_GET(self):
        word = self.path.strip("/")
        links = []
        if word.isdigit() and int(word) <= 50:
            links = [f"{2 * int(word) + 1}", f"/{2 * int(word) + 2}#part", f"./{word}", "http://192.0.2.1/", "mailto:x"]
        elif word == "meet":
            links = ["meet1", "meet2", "meet3"]
        elif word.startswith("meet"):
            self.meeting.wait(PATIENCE_S)
        elif word == "bad":
            links = ["moved", "silent", "cut", "large", "1000"]
        elif word == "silent":
            self.asked.set()
            self.rfile.read()  # up to the end, that is for ever
            self.left.set()
            return
        elif word == "cut":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.close_connection = True
            return
        body = "".join(f'<a href="{link}">' for link in links).encode() or b"x"
        body = b"x" * (5 << 20) if word == "large" else body
        code = 301 if word == "moved" else 404 if word == "1000" else 200
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


class QuietServer(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        pass  # clients go away as they like


class Crawler(App):
    def setUp(self):
        server = QuietServer(("127.0.0.1", 0), Site)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_port}/"

    def crawl(self, start, *args, code=0):
        out, err = self.run_example(self.url + start, *args, code=code)
        self.assertEqual(err, "")
        return sorted(out.replace(self.url, "").splitlines())

    def test_each_page_is_fetched_once(self):
        for at_once in "1", "20":
            self.assertEqual(self.crawl("0", at_once), sorted(f"200 {i}" for i in range(103)))

    def test_so_many_at_once(self):
        self.assertEqual(self.crawl("meet", "3"), ["200 meet", "200 meet1", "200 meet2", "200 meet3"])

    def test_pages_that_fail_disturb_no_other(self):
        pages = self.crawl("bad", "10", "5000", code=1)
        self.assertEqual(sorted(re.sub("^(curl|ETIMEDOUT): .* ", r"\1 ", page) for page in pages),
                         ["200 bad", "301 moved", "404 1000", "ETIMEDOUT silent", "curl cut", "curl large"])

    def test_what_is_no_url_and_no_server(self):
        _, err = self.run_example("http://", code=1)
        self.assertIn("http:// is no URL", err)
        _, port = self.bind(listen=False)
        out, _ = self.run_example(f"http://127.0.0.1:{port}/", code=1)
        self.assertRegex(out, "^curl: Couldn't connect to server http://")

    def test_a_signal_closes_the_connections(self):
        Site.asked.clear()
        Site.left.clear()
        crawler = self.start_example(self.url + "bad", "10")
        self.assertTrue(Site.asked.wait(PATIENCE_S))
        crawler.send_signal(signal.SIGINT)
        self.expect(crawler, 128 + signal.SIGINT)
        self.assertTrue(Site.left.wait(PATIENCE_S))

    def test_progress_on_a_terminal(self):
        ours, theirs = os.openpty()
        self.addCleanup(os.close, ours)
        crawler = self.start(*drive.COMMAND, self.url + "0", stdout=subprocess.DEVNULL, stderr=theirs)
        os.close(theirs)
        text = b""
        with contextlib.suppress(OSError):  # that is the end of a terminal
            while piece := os.read(ours, 4096):
                text += piece
        self.assertEqual(crawler.wait(PATIENCE_S), 0)
        self.assertRegex(text, rb"^\r\d+ of \d+ pages.*\r\x1b\[K$")

    def test_a_cancel_at_each_point(self):
        self.sweep(self.neighbour("swept_curl"), self.url + "0")


class Http2Server(App):
    def test_h2load_runs_through(self):
        h2load = self.tool("h2load")
        server, port = self.start_server("0")
        for path, count in ("", 3000), ("bytes/100000", 300), ("nope", 100):
            out, _ = self.run_tool(h2load, "-n", count, "-c", "5", "-m", "20", f"http://127.0.0.1:{port}/{path}")
            self.assertIn(f"{count} done, {count if path != 'nope' else 0} succeeded", out)
            self.assertIn(f"{count if path == 'nope' else 0} 4xx, 0 5xx", out)
        self.stop(server)

    def test_bodies_there_and_back(self):
        nghttp, path = self.tool("nghttp"), self.folder() / "body"
        path.write_text("".join(f"{i}\n" for i in range(100000)), encoding="utf-8")
        server, port = self.start_server("0")
        out, _ = self.run_tool(nghttp, "-d", path, f"http://127.0.0.1:{port}/echo")
        self.assertTrue(out == path.read_text(encoding="utf-8"))  # to show the difference would take hours
        self.stop(server)

    def test_requests_do_not_wait_for_each_other(self):
        nghttp = self.tool("nghttp")
        server, port = self.start_server("0")
        out, _ = self.run_tool(nghttp, *(f"http://127.0.0.1:{port}/{path}" for path in ("sleep/300", "", "sleep/1")))
        self.assertEqual(out.splitlines(), ["hello", "slept", "slept"])
        self.stop(server)

    def test_a_request_is_answered_before_the_end(self):
        nghttp = self.tool("nghttp")
        server, port = self.start_server("0")
        client = self.start(nghttp, "-v", f"http://127.0.0.1:{port}/sleep/500", stdout=subprocess.PIPE, text=True)
        while "HEADERS" not in (line := client.stdout.readline()):
            self.assertTrue(line)
        self.run_tool(nghttp, f"http://127.0.0.1:{port}/")  # the server has had a turn
        server.terminate()
        self.assertIn("slept\n", client.communicate(timeout=PATIENCE_S)[0])
        self.assertEqual(self.expect(server, 0), ("", ""))

    def test_a_request_that_is_given_up_ends(self):
        nghttp = self.tool("nghttp")
        server, port = self.start_server("0")
        client = self.start(nghttp, "-v", f"http://127.0.0.1:{port}/sleep/{drive.HOUR_MS}", stdout=subprocess.PIPE, text=True)
        while "HEADERS" not in (line := client.stdout.readline()):
            self.assertTrue(line)
        client.kill()
        server.terminate()
        self.expect(server, 0)

    def test_what_is_not_http2(self):
        server, port = self.start_server("0")
        client = self.connect(port)
        client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        receive_all(client)
        server.terminate()
        _, err = self.expect(server, 0)
        self.assertIn("EPROTO", err)

    def test_a_cancel_at_each_point(self):
        self.sweep(self.neighbour("swept_nghttp2"))


class Names(threading.Thread):
    """A server of names: N.test is 127.0.0.N, wide.test has many addresses, others are not there; some get no answer."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(None)
        self.socket.bind(("127.0.0.1", 0))
        self.place = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.start()

    def run(self):
        while (packet := self.socket.recvfrom(512))[0] != b"end":
            query, client = packet
            labels, at = [], 12
            while length := query[at]:
                labels.append(query[at + 1:at + 1 + length].decode())
                at += length + 1
            question = query[12:at + 5]
            kind, = struct.unpack("!H", query[at + 1:at + 3])
            if labels[0] == "silent":
                continue
            if labels[0] == "77":
                time.sleep(0.005)  # so that there is something to wait for
            addresses = range(1, 20) if labels[0] == "wide" else [int(labels[0])] if labels[0].isdigit() else []
            code = 0 if addresses else 3
            answers = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + bytes((127, 0, 0, n))
                               for n in addresses) if kind == 1 else b""
            head = query[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, len(answers) // 16, 0, 0)
            self.socket.sendto(head + question + answers, client)
        self.socket.close()

    def end(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"end", self.socket.getsockname())
        self.join()


class Lookup(App):
    def setUp(self):
        server = Names()
        self.addCleanup(server.end)
        self.server = server.place

    def look_up(self, *names, timeout_ms=drive.HOUR_MS, code=0):
        out, err = self.run_example(self.server, timeout_ms, *names, code=code)
        self.assertEqual(err, "")
        return out.splitlines()

    def test_names_and_their_addresses(self):
        names = [f"{i}.test" for i in range(1, 101)]
        self.assertEqual(sorted(self.look_up(*names)), sorted(f"{i}.test: 127.0.0.{i}" for i in range(1, 101)))
        name, *addresses = self.look_up("wide.test")[0].split()
        self.assertEqual((name, sorted(addresses)), ("wide.test:", sorted(f"127.0.0.{i}" for i in range(1, 20))))

    def test_what_is_not_there_and_what_is_silent(self):
        self.assertEqual(self.look_up("silent.test", "none.test", "7.test", timeout_ms="2000", code=1)[-1:],
                         ["silent.test: no answer in time"])
        self.assertEqual(sorted(self.look_up("none.test", "7.test", code=1)), ["7.test: 127.0.0.7", "none.test: not found"])

    def test_no_server(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
            closed.bind(("127.0.0.1", 0))
            place = "127.0.0.1:%d" % closed.getsockname()[1]
        out, _ = self.run_example(place, drive.HOUR_MS, "7.test", code=1)
        self.assertRegex(out, "^7.test: Could not contact DNS servers")

    def test_a_signal_ends_all(self):
        lookup = self.start_example(self.server, drive.HOUR_MS, "7.test", "silent.test")
        self.assertTrue(lookup.stdout.readline())
        lookup.terminate()
        self.expect(lookup, 128 + signal.SIGTERM)

    def test_a_cancel_at_each_point(self):
        self.sweep(self.neighbour("swept_cares"), self.server, "77.test", least=2)


class HttpCount(App):
    def setUp(self):
        self.server, self.port = self.start_server("0")

    def ask(self, client, request, answer):
        """The body of the answer, which comes with its length."""
        client.sendall(request)
        head = b""
        while b"\r\n\r\n" not in head:
            piece = client.recv(1)
            self.assertTrue(piece, head)
            head += piece
        self.assertEqual(receive(client, int(re.search(rb"Content-Length: (\d+)", head)[1])), answer)

    def test_curl_gets_what_it_has_sent(self):
        curl, file = self.tool("curl"), self.folder() / "large"
        content = os.urandom(1 << 20)
        file.write_bytes(content)
        for how in ("-H", "X: y"), ("-H", "Transfer-Encoding: chunked"):
            out, _ = self.run_tool(curl, "-sS", *how, "-H", "Content-Type: a/b", "--data-binary", f"@{file}",
                                   f"http://127.0.0.1:{self.port}/some/where?q")
            self.assertEqual(out, f"POST /some/where?q, a/b: {len(content)} bytes, sum {sum(content)}\n")
        self.stop(self.server)

    def test_pieces_and_pipelines(self):
        client = self.connect(self.port)
        request = (b"PUT /p HTTP/1.1\r\nContent-Type: t\r\nEmpty:\r\nTransfer-Encoding: chunked\r\n\r\n"
                   b"1\r\nA\r\n2;x=y\r\nBC\r\n0\r\nLater: z\r\n\r\n")
        answer = b"PUT /p, t: 3 bytes, sum %d\n" % sum(b"ABC")
        for at in range(len(request) - 1):
            client.sendall(request[at:at + 1])
        self.ask(client, request[-1:], answer)
        client.sendall(request * 20)
        for _ in range(20):
            self.ask(client, b"", answer)
        self.ask(client, b"GET / HTTP/1.0\r\n\r\n", b"GET /, no type: 0 bytes, sum 0\n")
        self.assertEqual(receive_all(client), b"")
        self.stop(self.server)

    def test_what_is_no_request(self):
        for request in (b"rubbish\r\n\r\n", b"GET / HTTP/1.1\r\nA: %s\r\n\r\n" % (b"x" * 9000),
                        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"):
            with self.subTest(request=request[:20]):
                client = self.connect(self.port)
                client.sendall(request)
                self.assertEqual(receive(client, 12), b"HTTP/1.1 400")
        client = self.connect(self.port)
        client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab")
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(receive(client, 12), b"HTTP/1.1 400")
        self.stop(self.server)

    def test_a_cancel_at_each_point(self):
        _, err = self.run_tool(self.neighbour("swept_httpp"))
        self.assertNotIn("BROKEN", err)
        self.assertIn("cancels of the run: ", err)


class SshRun(App):
    """One server for all tests, as an ordinary process of an ordinary user who has a shell."""

    @classmethod
    def setUpClass(cls):
        unpacked = pathlib.Path(__file__).resolve().parents[2] / "build/sshd"
        path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", str(unpacked / "usr/sbin")))
        sshd, keygen = shutil.which("sshd", path=path), shutil.which("ssh-keygen")
        if not sshd or not keygen:
            raise unittest.SkipTest("sshd or ssh-keygen is not installed")
        user = cls.user_with_shell()
        cls.root = pathlib.Path(tempfile.mkdtemp(prefix="nido-"))
        cls.addClassCleanup(shutil.rmtree, cls.root, ignore_errors=True)
        for name in "host", "user":
            subprocess.run([keygen, "-q", "-t", "ecdsa", "-m", "PEM", "-N", "", "-f", cls.root / name], check=True,
                           timeout=2 * PATIENCE_S)
        with socket.socket() as probe:  # a port that was free a moment ago
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        (cls.root / "config").write_text(
            f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {cls.root}/host\nPidFile none\nMaxStartups 1000\n"
            f"AuthorizedKeysFile {cls.root}/user.pub\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            "UsePAM no\nStrictModes no\nLogLevel QUIET\n", encoding="utf-8")
        cls.know("host")
        become = []
        if os.getuid() == 0:  # who would need a user of sshd's own
            become = ["--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups"]
            for file in cls.root, *cls.root.iterdir():
                os.chown(file, user.pw_uid, user.pw_gid)
        environment = {"LD_LIBRARY_PATH": str(library.parent) for library in unpacked.glob("**/libwrap.so.0")}
        server = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *become, sshd, "-D", "-e", "-f", cls.root / "config"],
                                  stderr=subprocess.DEVNULL, cwd=cls.root, env=environment)
        cls.addClassCleanup(server.wait)
        cls.addClassCleanup(server.kill)
        cls.place = "127.0.0.1", str(port), user.pw_name
        for _ in range(3000):
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if server.poll() is not None:
                raise unittest.SkipTest("sshd does not start")
            time.sleep(0.02)
        judge = [shutil.which("ssh") or "ssh", "-F", "none", "-i", cls.root / "user", "-o", "StrictHostKeyChecking=no",
                 "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes", "-p", str(port),
                 f"{user.pw_name}@127.0.0.1", "true"]
        if subprocess.run(judge, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=2 * PATIENCE_S,
                          check=False).returncode:
            raise unittest.SkipTest(f"OpenSSH's own client cannot log in as {user.pw_name} here")

    @staticmethod
    def user_with_shell():
        """This process's; for root another one, for sshd of a user serves that user only."""
        shells = "/bin/sh", "/bin/bash", "/bin/dash", "/usr/bin/bash"
        for user in pwd.getpwall() if os.getuid() == 0 else [pwd.getpwuid(os.getuid())]:
            if user.pw_uid and user.pw_shell in shells:
                return user
        raise unittest.SkipTest("there is no user with a shell but root")

    @classmethod
    def know(cls, name):
        kind, key, *_ = (cls.root / f"{name}.pub").read_text(encoding="utf-8").split()
        (cls.root / "known").write_text(f"127.0.0.1 {kind} {key}\n", encoding="utf-8")

    def ssh(self, *commands, key="user", known="known", timeout_ms=drive.HOUR_MS, code=0):
        out, err = self.run_tool(*drive.COMMAND, *self.place, self.root / key, self.root / known, timeout_ms, *commands,
                                 code=code)
        self.assertEqual(err, "")
        return sorted(out.splitlines())

    def test_output_and_status(self):
        self.assertEqual(self.ssh("echo out; echo err >&2", "true", "yes | head -c 300000 | wc -c"), ["300000", "out"])
        self.assertEqual(self.ssh("exit 3", "echo x; exit 4", code=1),
                         ["echo x; exit 4: status 4", "exit 3: status 3", "x"])

    def test_a_late_command_disturbs_no_other(self):
        self.assertIn("sleep 1000: no end in time", self.ssh("sleep 1000", "echo x", timeout_ms="4000", code=1))

    def test_a_server_that_is_not_the_known_one(self):
        self.addCleanup(self.know, "host")
        self.know("user")
        self.assertEqual(self.ssh("true", code=1), ["true: ssh: 127.0.0.1 is another than it was"])
        self.assertEqual(self.ssh("true", known="none", code=1), ["true: ssh: 127.0.0.1 is not known"])

    def test_a_key_that_is_refused(self):
        out, = self.ssh("true", key="host", code=1)
        self.assertRegex(out, "^true: ssh: logging in: ")

    def test_a_signal_ends_all(self):
        process = self.start_example(*self.place, str(self.root / "user"), str(self.root / "known"), drive.HOUR_MS,
                                     "echo begun; sleep 1000")
        self.assertEqual(process.stdout.readline(), "begun\n")
        process.terminate()
        self.expect(process, 128 + signal.SIGTERM)

    def test_a_cancel_at_each_point(self):
        self.sweep(self.neighbour("swept_ssh2"), *self.place, self.root / "user", self.root / "known", least=8,
                   patience=240)


class HttpsServer(App, drive.Tls):
    def setUp(self):
        drive.Tls.setUp(self)
        self.root = self.folder()
        self.large = os.urandom(3 << 20)
        (self.root / "large").write_bytes(self.large)
        (self.root / "index.html").write_text("<h1>here</h1>", encoding="utf-8")
        (self.root / "empty").touch()
        (self.root / "a name").mkdir()
        self.server, port = self.start_server("0", self.certificate, self.key, str(self.root))
        self.url = f"https://localhost:{port}/"
        self.port = port

    def curl(self, *args, code=0):
        """The bytes that curl gets."""
        process = self.start(self.tool("curl"), "-sS", "--path-as-is", "--cacert", self.certificate, *args,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = process.communicate(timeout=2 * PATIENCE_S)
        self.assertEqual(process.returncode, code, err)
        return out

    def status(self, path, *args):
        return self.curl("-o", os.devnull, "-w", "%{http_code} %{size_download}", *args, self.url + path).decode()

    def test_files_and_ranges(self):
        self.assertEqual(self.curl(self.url), b"<h1>here</h1>")
        self.assertTrue(self.curl(self.url + "large") == self.large)
        self.assertEqual(self.curl("-r", "5-9", self.url + "large"), self.large[5:10])
        self.assertEqual(self.curl("-r", "-7", self.url + "large"), self.large[-7:])
        self.assertEqual(self.curl("-r", f"{len(self.large) - 3}-", self.url + "large"), self.large[-3:])
        self.assertEqual(self.status("large", "-r", "5-9"), "206 5")
        self.assertEqual(self.status("large", "-r", f"{len(self.large)}-")[:3], "416")
        self.assertEqual(self.status("empty"), "200 0")
        self.assertEqual(self.status("%6carge?query", "-I"), "200 0")
        self.stop(self.server)

    def test_what_is_not_there(self):
        (self.root.parent / "outside").mkdir(exist_ok=True)
        for path in "none", "a%20name", f"../{self.root.name}/large", "%2e%2e/large", "large/", "a%00b":
            self.assertEqual(self.status(path)[:3], "404", path)
        self.assertEqual(self.status("", "-X", "DELETE")[:3], "405")
        with self.client(self.port) as client:
            client.sendall(b"rubbish\r\n\r\n")
            self.assertEqual(receive(client, 24), b"HTTP/1.1 400 Bad Request")
        self.stop(self.server)

    def test_one_connection_serves_many(self):
        out = self.curl("-w", "%{num_connects}", *(part for i in range(20) for part in ("-o", os.devnull, self.url)))
        self.assertEqual(out, b"1" + b"0" * 19)
        self.stop(self.server)

    def test_what_is_passed_on(self):
        site = QuietServer(("127.0.0.1", 0), Site)
        self.addCleanup(site.server_close)
        self.addCleanup(site.shutdown)
        threading.Thread(target=site.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        server, port = self.start_server("0", self.certificate, self.key, str(self.root), "/api/", "127.0.0.1",
                                         str(site.server_port))
        self.url = f"https://localhost:{port}/"
        self.assertEqual(self.curl(self.url + "api/7"), b"x")
        self.assertTrue(self.curl("--data-binary", f"@{self.root}/large", self.url + "api/") == self.large)
        self.assertEqual(self.curl(self.url), b"<h1>here</h1>")
        self.stop(server)

    def test_a_server_behind_it_that_is_not_there(self):
        _, closed = self.bind(listen=False)
        server, port = self.start_server("0", self.certificate, self.key, str(self.root), "/", "127.0.0.1", str(closed))
        self.url = f"https://localhost:{port}/"
        self.assertEqual(self.status("")[:3], "502")
        self.stop(server)

    def test_wrk_runs_through(self):
        out, _ = self.run_tool(self.tool("wrk"), "-t", "1", "-c", "8", "-d", "1", self.url)
        self.assertNotIn("Non-2xx", out)
        self.assertNotIn("Socket errors", out)
        self.assertGreater(int(re.search(r"(\d+) requests in", out)[1]), 10)
        self.server.terminate()
        self.expect(self.server, 0)

    def test_an_answer_that_has_begun_comes_to_its_end(self):
        with self.client(self.port) as idle, self.client(self.port) as slow:
            slow.sendall(b"GET /large HTTP/1.1\r\n\r\n")
            begin = receive(slow, 1)
            self.server.terminate()
            self.assertEqual(receive_all(idle), b"")
            self.assertTrue((begin + receive_all(slow)).endswith(self.large))
        self.assertEqual(self.expect(self.server, 0), ("", ""))


if __name__ == "__main__":
    name, *drive.COMMAND = sys.argv[1:]
    socket.setdefaulttimeout(PATIENCE_S)
    suite = name.title().replace("_", "")
    unittest.main(argv=[sys.argv[0], "-v", suite])
