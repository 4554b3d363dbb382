# SPDX-License-Identifier: MIT
"""Outside peers of nido::tls, on loopback: openssl s_client and s_server, curl, and nginx where it is.

    peers.py ECHO TALK HELLO    examples/tls_echo, and tests/tls/programs/talk and hello

Waits for lines and for the end of processes, none of them for ever."""

import contextlib
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

PATIENCE_S = 30
ECHO, TALK, HELLO = sys.argv[1:4]
# Installed, or where ./dev unpacks it.
UNPACKED = pathlib.Path(__file__).parents[2] / "build/bench/bench/peers/nginx/usr/sbin/nginx"
NGINX = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin") or shutil.which(UNPACKED)


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def wait_for_port(port):
    """Until it is listened at."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", int(port))).close()
            return
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


class Process:
    """A program whose output is read up to what is waited for."""

    def __init__(self, test, *command, env=None):
        self.test, self.seen = test, b""
        self.process = subprocess.Popen(("setpriv", "--pdeathsig", "KILL") + command, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        env={**os.environ, **(env or {})})
        test.addCleanup(self.close)

    def close(self):
        self.process.kill()
        self.process.wait()
        for pipe in self.process.stdin, self.process.stdout:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    def say(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def hear(self, pattern):
        """Reads until the output so far has it; takes it."""
        end = time.monotonic() + PATIENCE_S
        while not (match := re.search(pattern.encode(), self.seen)):
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            piece = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not piece:
                self.test.fail(f"no {pattern!r} in {self.seen.decode(errors='replace')}")
            self.seen += piece
        self.seen = self.seen[match.end():]
        return [group.decode() for group in match.groups()]

    def end(self, code=0):
        """Closes its input and waits; all that is left of its output."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.seen += self.process.stdout.read()
            status = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.test.fail("did not end")
        if code is not None:
            self.test.assertEqual(status, code, self.seen.decode(errors="replace"))
        return self.seen.decode(errors="replace")


class Peers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.certificate, cls.key = str(cls.folder / "cert.pem"), str(cls.folder / "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", cls.key, "-out", cls.certificate, "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)


class Clients(Peers):
    """s_client and curl, of our servers."""

    def setUp(self):
        self.server = Process(self, ECHO, "0", self.certificate, self.key)
        self.port, = self.server.hear(r"listening on port (\d+)\n")

    def client(self, *args):
        return Process(self, "openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-CAfile", self.certificate,
                       "-verify_return_error", "-verify_hostname", "localhost", *args)

    def echo(self, client, text):
        client.say(text + "\n")
        client.hear(rf"(?m)^{text}\r?\n")

    def stop(self):
        self.server.process.send_signal(signal.SIGTERM)
        return self.server.end()

    def test_both_versions(self):
        for version in "-tls1_2", "-tls1_3":
            with self.subTest(version=version):
                client = self.client(version)
                client.hear("Verify return code: 0")
                self.echo(client, "one")
                self.echo(client, "two" * 1000)
                client.say("Q\n")
                client.end()
        self.assertEqual(self.stop(), "")

    def test_updates_of_keys(self):
        client = self.client("-tls1_3")
        self.echo(client, "before")
        for command in "k", "K", "k", "K":
            client.say(command + "\n")
            client.hear("KEYUPDATE")
            self.echo(client, "after " + command)
        client.say("Q\n")
        client.end()
        self.assertEqual(self.stop(), "")

    def test_a_renegotiation_is_refused_and_others_go_on(self):
        other, client = self.client("-tls1_2"), self.client("-tls1_2")
        self.echo(other, "one")
        self.echo(client, "before")
        client.say("R\n")
        client.hear("RENEGOTIATING")
        client.hear("no renegotiation")
        self.echo(other, "two")
        other.say("Q\n")
        other.end()

    def test_a_session_is_resumed(self):
        for version in "-tls1_2", "-tls1_3":
            with self.subTest(version=version):
                kept = str(self.folder / f"session{version}")
                for option, words in ("-sess_out", "New, "), ("-sess_in", "Reused, "):
                    client = self.client(version, option, kept)
                    client.hear(words)
                    self.echo(client, "one")
                    client.say("Q\n")
                    client.end()

    def test_a_client_that_vanishes(self):
        client = self.client()
        self.echo(client, "one")
        client.process.kill()
        self.server.hear("the connection ended without close_notify.*EPIPE")
        self.stop()

    def test_an_old_version_is_refused(self):
        client = self.client("-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0")
        client.hear("alert protocol version")
        self.server.hear("TLS with 127.0.0.1:.*: unsupported protocol .EPROTO")

    def test_protocols(self):
        server = Process(self, HELLO, self.certificate, self.key)
        self.port, = server.hear(r"listening on port (\d+)\n")
        self.client("-alpn", "h2,http/1.1").hear("ALPN protocol: http/1.1")
        self.client("-alpn", "h2").hear("no application protocol")

    @unittest.skipUnless(shutil.which("curl"), "no curl")
    def test_curl(self):
        server = Process(self, HELLO, self.certificate, self.key)
        port, = server.hear(r"listening on port (\d+)\n")
        for version in "--tls-max 1.2", "--tlsv1.3":
            with self.subTest(version=version):
                base = f"https://localhost:{port}"
                out = subprocess.run(["curl", "-sS", *version.split(), "--cacert", self.certificate, "--resolve",
                                      f"localhost:{port}:127.0.0.1", f"{base}/", f"{base}/1000000", f"{base}/"],
                                     capture_output=True, timeout=PATIENCE_S)
                self.assertEqual((out.returncode, out.stderr), (0, b""))
                self.assertTrue(out.stdout == b"hello\n" + b"x" * 1000000 + b"hello\n", len(out.stdout))
        out = subprocess.run(["curl", "-sS", f"https://localhost:{port}/"], capture_output=True, timeout=PATIENCE_S)
        self.assertEqual(out.returncode, 60, "it does not know our root")
        server.hear("the peer refuses: unknown CA")


class Servers(Peers):
    """s_server, of our client."""

    def server(self, *args):
        server = Process(self, "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", self.certificate, "-key",
                         self.key, *args)
        self.port, = server.hear(r"ACCEPT .*:(\d+)\n")
        return server

    def talk(self, *args, host="localhost", roots=None, **options):
        return Process(self, TALK, host, self.port, roots or self.certificate, *(args or ("1",)), **options)

    def test_both_versions_and_resumption(self):
        for version, name in ("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3"):
            with self.subTest(version=version):
                server = self.server(version, "-rev", "-alpn", "other,talk")
                client = self.talk("2")
                for how in "new", "resumed":
                    client.hear(f"{name} {how} talk\n")
                    client.say("abc\n")
                    client.hear("cba\n")
                    client.say(".\n")
                client.end()
                server.close()

    def test_updates_of_keys(self):
        server = self.server("-tls1_3")
        client = self.talk()
        client.hear("TLSv1.3 new -\n")
        for command in "k", "K", "k", "K":
            server.say(command + "\n")
            client.say("heard\n")
            server.hear("heard")  # and it has read the command before, alone
            server.say("after " + command + "\n")
            client.hear("after " + command)
            client.say("heard " + command + "\n")
            server.hear("heard " + command)
        server.say("Q\n")  # which ends without close_notify
        client.end(code=None)

    def test_a_renegotiation_is_refused(self):
        server = self.server("-tls1_2")
        client = self.talk()
        client.hear("TLSv1.2 new -\n")
        server.say("before\n")
        client.hear("before")
        server.say("r\n")
        client.say("after\n")  # on which the server finds the refusal
        server.hear("after|no renegotiation")
        client.end(code=None)

    def test_a_server_that_vanishes(self):
        server = self.server()
        client = self.talk()
        client.hear("new -\n")
        client.say("one\n")
        server.hear("one")  # nothing is left unread, which would be a reset
        server.process.kill()
        client.hear("TLS with localhost: the connection ended without close_notify")
        client.end(code=1)

    def test_certificates(self):
        self.server("-rev")
        self.assertIn("TLS with 127.0.0.1: IP address mismatch (EACCES", self.talk(host="127.0.0.1").end(code=1))
        self.assertIn("TLS with localhost: self-signed certificate (EACCES",
                      self.talk(roots="/etc/ssl/certs/ca-certificates.crt").end(code=1))

    def test_a_certificate_of_ours_is_asked_for(self):
        self.server("-rev", "-Verify", "1", "-verify_return_error", "-CAfile", self.certificate)
        self.assertIn("TLS with localhost: the peer refuses: ", self.talk().end(code=1))
        identity = str(self.folder / "identity.pem")
        pathlib.Path(identity).write_text(pathlib.Path(self.certificate).read_text() + pathlib.Path(self.key).read_text())
        client = self.talk("1", identity)
        client.say("abc\n")
        client.hear("cba\n")
        client.say(".\n")
        client.end()

    def test_keys_are_logged_where_the_environment_says(self):
        self.server("-rev")
        log = self.folder / "keys"
        client = self.talk(env={"SSLKEYLOGFILE": str(log)})
        client.say(".\n")
        client.end()
        self.assertIn("CLIENT_TRAFFIC_SECRET_0 ", log.read_text())
        self.assertEqual(log.stat().st_mode & 0o777, 0o600)

    @unittest.skipUnless(NGINX, "no nginx")
    def test_nginx(self):
        (self.folder / "page").write_text(("x" * 99 + "\n") * 3000)
        for version in "TLSv1.2", "TLSv1.3":
            with self.subTest(version=version):
                self.port = str(free_port())
                conf = self.folder / "nginx.conf"
                conf.write_text(f"""daemon off; master_process off; pid {self.folder}/pid; error_log stderr;
                    events {{}}
                    http {{ access_log off; server {{ listen 127.0.0.1:{self.port} ssl; root {self.folder};
                        client_body_temp_path {self.folder}/a; proxy_temp_path {self.folder}/b;
                        fastcgi_temp_path {self.folder}/c; uwsgi_temp_path {self.folder}/d; scgi_temp_path {self.folder}/e;
                        ssl_certificate {self.certificate}; ssl_certificate_key {self.key};
                        ssl_protocols {version}; }} }}""")
                server = Process(self, NGINX, "-c", str(conf), "-e", "stderr")
                wait_for_port(self.port)
                client = self.talk("2")
                for how in "new", "resumed":
                    client.hear(f"{version} {how} http/1.1\n")
                    client.say("GET /page HTTP/1.1\nHost: localhost\nConnection: close\n\n")
                    client.hear("(?s:200 OK.*\n(x{99}\n){3000})")
                    client.say(".\n")
                client.end()
                server.close()


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
