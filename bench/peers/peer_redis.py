#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Peer of nido-bench: redis-server, with nothing kept on a disk, in a folder of its own beside this
program. A bound socket keeps its port free for it. Debian's redis-tools has the server under another
name: it looks at how it was called."""

import os
import re
import shutil
import subprocess
import sys

import peer

FOLDER = os.path.join(os.path.dirname(os.path.realpath(__file__)), "redis-run")


def find():
    return shutil.which("redis-server") or shutil.which("redis-check-rdb")


def version():
    about = subprocess.run(["redis-server", "--version"], executable=find(), capture_output=True, text=True,
                           check=True).stdout
    return re.search(r"v=([0-9.]+)", about).group(1)


def serve():
    """Becomes the server: what watches or kills this process watches or kills that."""
    port = peer.keep_port()
    os.makedirs(FOLDER, exist_ok=True)
    peer.say_port_when_ready(port)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.execv(find(), ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no",
                      "--dir", FOLDER])


def main():
    if not find():
        sys.exit("redis-server is not installed")
    if sys.argv[1:] == ["--about"]:
        peer.say(version=version(), cases=["redis_set_get", "redis_pipelined"])
    elif len(sys.argv) == 4 and sys.argv[1] in ("redis_set_get", "redis_pipelined"):
        serve()
    else:
        sys.exit(f"usage: {sys.argv[0]} --about | redis_set_get ROUNDS COUNT")


if __name__ == "__main__":
    main()
