"""The kernel's view of a case, and the truth that READY tells."""

import os
import socket
import time
from typing import Any, Dict, List

import kernel
from kernel import CLOSE_WAIT, wait_until

Truth = Dict[str, Any]


def stuck_rows(port: int, side: str = "local") -> List[kernel.Row]:
    return [row for row in kernel.rows() if row.state == CLOSE_WAIT and getattr(row, side + "_port") == port]


def inodes_in(state: int, port: int) -> List[int]:
    return sorted(row.inode for row in kernel.rows() if row.state == state and row.local_port == port)


def wait_until_in_close_wait(port: int, inodes: List[int], recv_queue: int, side: str = "local") -> None:
    expected = sorted((inode, recv_queue) for inode in inodes)
    wait_until(
        lambda: sorted((row.inode, row.recv_queue) for row in stuck_rows(port, side)) == expected,
        f"{len(inodes)} sockets of port {port} in CLOSE_WAIT with Recv-Q {recv_queue}",
    )


def wait_for_age(entered_at: List[float], seconds: float) -> None:
    wait_until(lambda: time.time() - max(entered_at) >= seconds, f"an age of {seconds:g} s", seconds + 15)


def ages_agree(info: kernel.TcpInfo) -> bool:
    """The two bounds of the age are the same, but for one tick of the slowest kernel clock (HZ=100)."""
    return abs(info.last_data_recv_ms - info.last_ack_recv_ms) <= 10


def close_wait(
    o, port: int, sockets: List[socket.socket], entered_at: List[float], recv_queue: int, side: str = "local", **more
) -> Truth:
    """The truth about stuck sockets, once the kernel shows them; no sockets means that nobody accepted them."""
    truth = facts(o, port, sockets, entered_at, recv_queue=recv_queue, side=side, **more)
    wait_until_in_close_wait(port, truth["inodes"] or [0] * o.count, recv_queue, side)
    return truth


def facts(o, port: int, sockets: List[socket.socket], entered_at: List[float], **more) -> Truth:
    """entered_at follows the order of fds: connections are accepted in the order in which they were made."""
    fds = [sock.fileno() for sock in sockets]
    if fds != sorted(fds):
        raise AssertionError("descriptors are not in the order of the connections")
    return {
        "case": o.case, "family": o.family, "port": port, "side": "local", "count": o.count,
        "pid": os.getpid(), "pids": [os.getpid()],
        "fds": fds, "inodes": [kernel.inode_of(sock) for sock in sockets], "entered_at": entered_at, **more,
    }
