"""A correct server with a steady flow of short connections, each for a moment in CLOSE_WAIT."""

import collections
import select
import socket
import time
from typing import Deque, List, Tuple

from children import Link
from peer import connect, listen, port_of

STAYS_SECONDS = 0.3
PER_SECOND = 33  # about ten at once


def closing_server(link: Link, family: str) -> None:
    """Reads each connection to its end and closes it STAYS_SECONDS later."""
    listener = listen(family)
    link.send(port_of(listener))
    waiting: Deque[Tuple[float, socket.socket]] = collections.deque()
    while True:
        if select.select([listener], [], [], 0.01)[0]:
            sock = listener.accept()[0]
            while sock.recv(65536):
                pass
            waiting.append((time.monotonic() + STAYS_SECONDS, sock))
        while waiting and waiting[0][0] <= time.monotonic():
            waiting.popleft()[1].close()


def churning_peer(_link: Link, to, port: int, at_most: int) -> None:
    """Half-closes each connection at once and waits for the server's end, so that it knows how many are open."""
    connections: List[socket.socket] = []
    while True:
        if len(connections) < at_most:
            sock = connect(to, port)
            sock.shutdown(socket.SHUT_WR)
            connections.append(sock)
        for sock in select.select(connections, [], [], 1 / PER_SECOND)[0]:
            connections.remove(sock)
            sock.close()
