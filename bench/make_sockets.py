#!/usr/bin/env python3
"""Makes many sockets, processes or namespaces, says READY when the kernel shows them, and waits for the end of input.

    --stuck N --in P      N sockets in CLOSE_WAIT, spread over P processes
    --established M       M established connections, all in the first of these processes; where RLIMIT_NOFILE cannot be
                          raised that far, in as few processes as it allows. Other processes have the other ends
    --files F             F descriptors of /dev/null, spread over these processes
    --idle E              E processes that do nothing
    --namespaces N        N network namespaces of one process each, with one listener and one socket in CLOSE_WAIT

All in a network namespace of its own: `nsenter --net=/proc/PID/ns/net` leads there (root). It ends after 15 minutes by
itself, and its processes with it. Standard library only, Python 3.9 or later.
"""

import argparse
import collections
import itertools
import json
import os
import signal
import socket
import sys
import time
from typing import Counter, List, Tuple

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "workloads"))

import kernel  # noqa: E402
from children import Link, end_children, spawn  # noqa: E402
from peer import close  # noqa: E402

LIFE_SECONDS = 15 * 60
AGE_SECONDS = 2  # younger is never stuck, whatever the tool is told
PER_ADDRESS = 10_000  # connections to one address; each needs a port of its own
FIRST_PEER_PORT = 10_000
BATCH = 500
SPARE_FDS = BATCH + 100
LEAVING = (4, 5, 6)  # FIN_WAIT1, FIN_WAIT2, TIME_WAIT: what the other ends leave behind for tcp_fin_timeout

IDLE: List[int] = []


def hold(link: Link, number: int, stuck: int, established: int, files: int) -> None:
    """A process with `established` connections in use, `stuck` ones that it never closes, and `files` other descriptors."""
    kernel.raise_fd_limit(stuck + established + files + SPARE_FDS)
    for _ in range(files):
        os.open(os.devnull, os.O_RDONLY)
    busy = [(listen(number, 100 + index), count) for index, count in enumerate(shares(established))]
    for listener, count in busy:  # before the first accept(), so that no other process inherits a connection
        spawn(connect_and_stay, listener.getsockname(), count, close=[listener for listener, _ in busy])
    for listener, count in busy:
        for _ in range(count):
            listener.accept()[0].detach()
    for index, count in enumerate(shares(stuck)):
        listener = listen(number, index)
        for done in range(0, count, BATCH):
            first = FIRST_PEER_PORT + done
            ports = range(first, first + min(BATCH, count - done))
            be_left(listener, [(f"127.1.{number}.{index + 1}", port) for port in ports])
    link.send("holding")
    link.receive()


def listen(number: int, index: int) -> socket.socket:
    return socket.create_server((f"127.0.{number}.{index + 1}", 0), backlog=4096)


def be_left(listener: socket.socket, peers) -> None:
    """Connections whose peers close. detach() keeps a descriptor without a Python object around it.

    The peers' ports are chosen by us: the kernel would use a port again once its FIN_WAIT2 is over, and a SYN from the
    port of a socket in CLOSE_WAIT ends in a reset of that socket.
    """
    sockets = []
    for peer in peers:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(peer)
        sock.connect(listener.getsockname())
        listener.accept()[0].detach()
        sockets.append(sock)
    close(sockets)


def connect_and_stay(link: Link, address, count: int) -> None:
    for _ in range(count):
        socket.create_connection(address).detach()
    link.receive()


def live_in_a_namespace(link: Link) -> None:
    kernel.enter_new_netns()
    listener = socket.create_server(("127.0.0.1", 0))
    be_left(listener, [("127.0.0.1", 0)])
    kernel.wait_until(lambda: states()[kernel.CLOSE_WAIT] == 1, "one socket in CLOSE_WAIT")
    link.send("holding")
    link.receive()


def set_parameter(name: str, value: str) -> None:
    with open(f"/proc/sys/net/ipv4/{name}", "w", encoding="ascii") as file:
        file.write(value)


def start_idle(count: int) -> None:
    """`sleep` is the smallest program at hand: about 0.2 MB each."""
    for _ in range(count):
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            try:
                kernel.die_with_parent(parent)
                os.execlp("sleep", "sleep", str(LIFE_SECONDS))
            finally:
                os._exit(1)
        IDLE.append(pid)


def shares(total: int) -> List[int]:
    return [min(PER_ADDRESS, total - start) for start in range(0, total, PER_ADDRESS)]


def states() -> Counter[int]:
    return collections.Counter(row.state for row in kernel.rows())


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("stuck", 0), ("in", 1), ("established", 0), ("files", 0), ("idle", 0), ("namespaces", 0)):
        parser.add_argument("--" + name, type=int, default=default, dest=name if name != "in" else "processes")
    return parser.parse_args()


def make(o: argparse.Namespace) -> dict:
    start_idle(o.idle)
    shares = plan(o)
    files = o.files // max(1, len(shares))
    holders = [spawn(hold, number + 1, *share, files) for number, share in enumerate(shares)]
    namespaces = [spawn(live_in_a_namespace) for _ in range(o.namespaces)]
    for child in [*holders, *namespaces]:
        child.link.receive()
    made = time.monotonic()
    kernel.wait_until(lambda: settled(o.stuck), f"{o.stuck} sockets in CLOSE_WAIT and nothing on its way out", 60)
    kernel.wait_until(lambda: time.monotonic() - made > AGE_SECONDS, f"an age of {AGE_SECONDS} s")
    return {
        "pid": os.getpid(),
        "close_wait": o.stuck,
        "established": o.established,
        "holders": [child.pid for child in holders],
        "idle": len(IDLE),
        "namespaces": [child.pid for child in namespaces],
    }


def plan(o: argparse.Namespace) -> List[Tuple[int, int]]:
    """How many stuck and established sockets each holder has."""
    stuck = [o.stuck // o.processes + (i < o.stuck % o.processes) for i in range(o.processes if o.stuck else 0)]
    most = kernel.raise_fd_limit(o.established + max(stuck, default=0) + SPARE_FDS) - SPARE_FDS
    established: List[int] = []
    while sum(established) < o.established:
        room = most - (stuck[len(established)] if len(established) < len(stuck) else 0)
        established.append(min(room, o.established - sum(established)))
    return list(itertools.zip_longest(stuck, established, fillvalue=0))


def settled(stuck: int) -> bool:
    now = states()
    return now[kernel.CLOSE_WAIT] == stuck and not any(now[state] for state in LEAVING)


def main() -> None:
    o = parse_arguments()
    signal.alarm(LIFE_SECONDS)
    kernel.adopt_orphans()
    kernel.raise_fd_limit()
    try:
        kernel.enter_new_netns()
        set_parameter("tcp_fin_timeout", "1")
        set_parameter("ip_local_port_range", "1024 65535")
        print("READY " + json.dumps(make(o)), flush=True)
        sys.stdin.buffer.read()
    except KeyboardInterrupt:
        pass
    finally:
        for pid in IDLE:
            os.kill(pid, signal.SIGKILL)
        end_children()


if __name__ == "__main__":
    main()
