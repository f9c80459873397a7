"""The two ends of the connections: addresses, and the peer process that does what it is told."""

import socket
import struct
import time
from typing import List

from children import Link
from kernel import FIN_WAIT1, tcp_info, wait_until

# 262 bytes as a browser sends them; with the FIN it makes a Recv-Q of 263.
REQUEST = (b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: " + b"x" * 262)[:258] + b"\r\n\r\n"

LISTEN_ON = {
    "4": (socket.AF_INET, "127.0.0.1"),
    "6": (socket.AF_INET6, "::1"),
    "mapped": (socket.AF_INET6, "::"),
}
PEER_CONNECTS_TO = {
    "4": (socket.AF_INET, "127.0.0.1"),
    "6": (socket.AF_INET6, "::1"),
    "mapped": (socket.AF_INET, "127.0.0.1"),
}
HOLDER_CONNECTS_TO = {
    "4": (socket.AF_INET, "127.0.0.1"),
    "6": (socket.AF_INET6, "::1"),
    "mapped": (socket.AF_INET6, "::ffff:127.0.0.1"),
}


def listen(family: str, backlog: int = 4096, port: int = 0, reuse_port: bool = False) -> socket.socket:
    address_family, address = LISTEN_ON[family]
    listener = socket.socket(address_family)
    if address_family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if family == "mapped" else 1)
    if reuse_port:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((address, port))
    listener.listen(backlog)
    return listener


def port_of(listener: socket.socket) -> int:
    return listener.getsockname()[1]


def connect(to, port: int) -> socket.socket:
    address_family, address = to
    sock = socket.socket(address_family)
    sock.connect((address, port))
    return sock


def connecting_peer(link: Link, family: str, port: int, count: int) -> None:
    """A client: connects, then obeys."""
    obey(link, [connect(PEER_CONNECTS_TO[family], port) for _ in range(count)])


def accepting_peer(link: Link, family: str, count: int) -> None:
    """A server: tells its port, accepts, then obeys."""
    listener = listen("4" if family == "mapped" else family)
    link.send(port_of(listener))
    obey(link, [listener.accept()[0] for _ in range(count)])


def visiting_peer(link: Link, family: str, port: int) -> None:
    """A client that comes, sends a request and leaves, each time it is told to."""
    while True:
        link.receive()
        sock = connect(PEER_CONNECTS_TO[family], port)
        sock.sendall(REQUEST)
        link.send(close([sock])[0])


def knocking_peer(link: Link, family: str, port: int) -> None:
    """A client whose SYN the kernel drops, because the accept queue is full: it stays in SYN_SENT."""
    address_family, address = PEER_CONNECTS_TO[family]
    sock = socket.socket(address_family)
    sock.setblocking(False)
    sock.connect_ex((address, port))
    link.send("knocked")
    link.receive()


def obey(link: Link, sockets: List[socket.socket]) -> None:
    """Does each command to all sockets, and answers with the times at which it did."""
    link.send("connected")
    while True:
        link.send(COMMANDS[link.receive()](sockets))


def send(sockets: List[socket.socket]) -> List[float]:
    for sock in sockets:
        sock.sendall(REQUEST)
    return [time.time()] * len(sockets)


def half_close(sockets: List[socket.socket]) -> List[float]:
    times = []
    for sock in sockets:
        times.append(time.time())
        sock.shutdown(socket.SHUT_WR)
    return times


def close(sockets: List[socket.socket]) -> List[float]:
    """Sends the FINs, and closes when they are acknowledged.

    When the acknowledgement comes in the middle of close(), the kernel does not put the socket to rest in FIN_WAIT2 but
    resets it after tcp_fin_timeout (tcp_keepalive_timer; 9 of 100,000 on 6.18), and ours would leave CLOSE_WAIT.
    """
    times = half_close(sockets)
    for sock in sockets:
        wait_until(lambda: tcp_info(sock).state != FIN_WAIT1, "a FIN acknowledged")
        sock.close()
    return times


def send_with_fin(sockets: List[socket.socket]) -> List[float]:
    """MSG_MORE holds the data back until the FIN goes with it, in one segment."""
    for sock in sockets:
        sock.send(REQUEST, socket.MSG_MORE)
    return close(sockets)


def reset(sockets: List[socket.socket]) -> List[float]:
    times = []
    for sock in sockets:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        times.append(time.time())
        sock.close()
    return times


COMMANDS = {f.__name__: f for f in (send, half_close, close, send_with_fin, reset)}
