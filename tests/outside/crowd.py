# SPDX-License-Identifier: MIT
"""Twenty thousand peers of a server at the same time, in a network of their own: each has its answer, then
all go at once, and the server ends with nothing left. From several addresses, because one has
some 28 000 ports."""

import os
import resource
import subprocess
import sys

from outside import ROOT, HOUR_MS, Server, Sharded

WANTED = int(os.environ.get("OUTSIDE_PEERS", 20000))
SPARE = 200  # descriptors of a server beside its connections


def allowed():
    """Descriptors of a process: as many as are wanted, or as the limit allows that only some may raise."""
    for n in (WANTED + SPARE, resource.getrlimit(resource.RLIMIT_NOFILE)[1]):
        if subprocess.run(["prlimit", f"--nofile={n}:{n}", "true"], capture_output=True).returncode == 0:
            return n
    return SPARE


DESCRIPTORS = allowed()
PEERS = DESCRIPTORS - SPARE


class Crowded(Server):
    must = True

    def __init__(self, server, way):
        super().__init__(server.name, *server.args, code=server.code, silent=True)
        self.server, self.way = server, way

    def start(self, run):
        return self.server.start(run)

    def talk(self, run):
        """The peers live in the server's network."""
        run.wanted = [f"{PEERS} answered\n"]
        port = self.server.port(run)
        if not port:
            return
        peers = subprocess.run(["nsenter", "-t", str(run.pid), "--net", "prlimit", f"--nofile={DESCRIPTORS}",
                                sys.executable, "-S", ROOT / "tests/outside/crowd_peers.py", str(port), str(PEERS), self.way],
                               capture_output=True, text=True, timeout=120)
        run.answers = [peers.stdout]
        (run.folder / "peers").write_text(peers.stderr)
        run.signal(15)


def is_possible():
    return subprocess.run(["unshare", "--net", "ip", "link", "set", "lo", "up"], capture_output=True).returncode == 0


def play(outside):
    if not is_possible():
        print("crowd: no network of its own can be had here")
        return
    print(f"crowd: {PEERS} peers")
    wrap = ["prlimit", f"--nofile={DESCRIPTORS}", "unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    servers = [Server("echo_server", "0", HOUR_MS), Sharded("sharded_echo")]
    outside.try_all([(Crowded(server, way), way, {"wrap": wrap})
                     for server in servers for way in ("close", "reset", "stay")])
