"""Runs one program of ../apps with the real client or server, as drive.py runs an example.

    drive_apps.py NAME COMMAND...     for instance: drive_apps.py jobs build/examples/apps/app_jobs

A server that a test starts lives in a folder of its own, on loopback or a Unix socket.
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
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

    def run_tool(self, *command, text=None, code=0):
        """A program to its end; its output."""
        process = self.start(*map(str, command), text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        try:
            out, err = process.communicate(text, timeout=2 * PATIENCE_S)
        except subprocess.TimeoutExpired as expired:
            process.kill()
            self.fail(f"{command[0]} did not end: {expired.stdout} {expired.stderr}")
        self.assertEqual(process.returncode, code, out + err)
        return out, err

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
            ("GET", "ERR wrong number of arguments for 'GET' command\n"), ("NOPE", "ERR unknown command 'NOPE'\n"),
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
        while not path.exists() and server.poll() is None:
            os.sched_yield()
        self.assertEqual(self.run_tool(cli, "-s", path, "PING"), ("PONG\n", ""))
        self.stop(server)


if __name__ == "__main__":
    name, *drive.COMMAND = sys.argv[1:]
    socket.setdefaulttimeout(PATIENCE_S)
    suite = name.title().replace("_", "")
    unittest.main(argv=[sys.argv[0], "-v", suite])
