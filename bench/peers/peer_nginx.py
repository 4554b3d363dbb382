#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Peer of nido-bench: nginx, one process of it, with a configuration and files of its own in a
folder beside this program. A bound socket keeps its port free for it. Certificate and file of the
cases with TLS are those of nido-bench."""

import os
import re
import shutil
import subprocess
import sys

import peer

FOLDER = os.path.dirname(os.path.realpath(__file__))
PREFIX = os.path.join(FOLDER, "nginx-run")
TLS = os.path.join(FOLDER, "../tls")
PLACES = [os.path.join(FOLDER, "nginx/usr/sbin"), "/usr/sbin", os.environ.get("PATH", "")]

CONFIGURATION = """
daemon off;
master_process off;
worker_processes 1;
pid nginx.pid;
error_log stderr;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    server_tokens off;
    default_type text/plain;
    keepalive_requests 1000000000;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{
        listen 127.0.0.1:{port} reuseport{tls};
        location / {{ {answer} }}
    }}
}}
"""

FIXED = 'return 200 "Hello, world!\\n";'
CERTIFICATE = f""" ssl;
        ssl_protocols TLSv1.3;
        ssl_certificate {TLS}/certificate.pem;
        ssl_certificate_key {TLS}/key.pem"""

# What is behind `listen`, and how a request is answered.
CASES = {
    "http_hello": ("", FIXED),
    "tls_handshakes": (CERTIFICATE, FIXED),
    "tls_hello": (CERTIFICATE, FIXED),
    "https_hello": (CERTIFICATE, f"root {TLS}/public; index index.html;"),
}


def find():
    return shutil.which("nginx", path=":".join(PLACES))


def version():
    about = subprocess.run([find(), "-v"], capture_output=True, text=True, check=True).stderr
    return re.search(r"nginx/([0-9.]+)", about).group(1)


def serve(name):
    """Becomes nginx: what watches or kills this process watches or kills that."""
    port = peer.keep_port()
    os.makedirs(PREFIX, exist_ok=True)
    with open(os.path.join(PREFIX, "nginx.conf"), "w", encoding="utf-8") as file:
        tls, answer = CASES[name]
        file.write(CONFIGURATION.format(port=port, tls=tls, answer=answer))
    peer.say_port_when_ready(port)
    os.execv(find(), ["nginx", "-p", PREFIX, "-e", "stderr", "-c", "nginx.conf"])


def main():
    if not find():
        sys.exit("nginx is not installed")
    if sys.argv[1:] == ["--about"]:
        peer.say(version=version(), cases=list(CASES))
    elif len(sys.argv) == 4 and sys.argv[1] in CASES:
        serve(sys.argv[1])
    else:
        sys.exit(f"usage: {sys.argv[0]} --about | CASE ROUNDS COUNT")


if __name__ == "__main__":
    main()
