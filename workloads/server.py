"""The side that holds: a server with its connections, and the steps a case is told in."""

import argparse
import os
import socket
from typing import Any, List

from children import Link, spawn
from kernel import tcp_info
from peer import REQUEST, connecting_peer, listen, port_of

KEEP: List[Any] = []  # what must stay open after its case has returned


class Server:
    """A listener of ours, the connections it accepted, and the process with the other ends."""

    def __init__(self, o: argparse.Namespace):
        self.listener = listen(o.family)
        self.port = port_of(self.listener)
        self.peer = spawn(connecting_peer, o.family, self.port, o.count, close=[self.listener])
        self.sockets = [self.listener.accept()[0] for _ in range(o.count)]
        self.peer.link.receive()
        KEEP.append(self)

    def tell_peer(self, command: str) -> List[float]:
        return self.peer.link.ask(command)


def read_to_the_end(sockets: List[socket.socket]) -> None:
    for sock in sockets:
        while sock.recv(65536):
            pass


def read_requests(sockets: List[socket.socket]) -> None:
    for sock in sockets:
        if len(sock.recv(len(REQUEST), socket.MSG_WAITALL)) != len(REQUEST):
            raise EOFError("a connection ended inside its request")


def probe_every_second(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)


def queue(listener: socket.socket):
    """Length and limit of a listener's accept queue."""
    info = tcp_info(listener)
    return info.unacked, info.sacked


def somaxconn() -> int:
    with open("/proc/sys/net/core/somaxconn", encoding="ascii") as file:
        return int(file.read())


def take_sockets(link: Link, channel: socket.socket, count: int) -> None:
    fds: List[int] = []
    while len(fds) < count:
        fds += socket.recv_fds(channel, 1, 253)[1]
    fds.sort()
    link.send({"fds": fds, "inodes": [os.fstat(fd).st_ino for fd in fds]})
    link.receive()


def accept_read_and_close(link: Link, family: str, port: int) -> None:
    listener = listen(family, port=port, reuse_port=True)
    link.send("listening")
    while True:
        sock = listener.accept()[0]
        read_to_the_end([sock])
        sock.close()
        link.send("closed")
