# SPDX-License-Identifier: MIT
"""PORT COUNT WAY: opens so many connections, has each answered, and leaves them as WAY says."""

import select
import socket
import struct
import sys
import time

ADDRESSES, AT_ONCE, PATIENCE_S = 4, 500, 60


def connect_some(port, count, at):
    sockets = []
    for _ in range(count):
        sock = socket.socket()
        sock.bind((f"127.0.0.{2 + at}", 0))
        sock.connect(("127.0.0.1", port))
        sock.sendall(b"hello\n")
        sockets.append(sock)
    return sockets


def collect(sockets):
    """How many are answered rightly."""
    poll, by_number, answered = select.epoll(), {sock.fileno(): sock for sock in sockets}, 0
    for number in by_number:
        poll.register(number, select.EPOLLIN)
    end = time.monotonic() + PATIENCE_S
    while by_number and time.monotonic() < end:
        for number, _ in poll.poll(1):
            answered += by_number.pop(number).recv(100) == b"hello\n"
            poll.unregister(number)
    return answered


def main():
    port, count, way = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    sockets = []
    while len(sockets) < count:
        sockets += connect_some(port, min(AT_ONCE, count - len(sockets)), len(sockets) // AT_ONCE % ADDRESSES)
    print(collect(sockets), "answered")
    sys.stdout.flush()
    for sock in sockets if way != "stay" else []:
        if way == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()


main()
