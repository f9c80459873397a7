#!/usr/bin/env python3
"""Makes one exact kind of stuck TCP socket, says READY with the truth as JSON, and waits for the end of its input.

A case is one function below: it makes the state with real processes, waits until the kernel shows it, and returns the
truth. README.md has the table. Standard library only, Python 3.9 or later.
"""

import argparse
import json
import os
import signal
import socket
import sys
import time
from typing import List

sys.dont_write_bytecode = True  # no __pycache__ in the source tree

import kernel  # noqa: E402
from children import Link, end_children, spawn, wait_for_the_end  # noqa: E402
from churn import STAYS_SECONDS, churning_peer, closing_server  # noqa: E402
from kernel import ESTABLISHED, tcp_info, wait_until  # noqa: E402
from peer import (  # noqa: E402
    HOLDER_CONNECTS_TO, PEER_CONNECTS_TO, REQUEST,
    accepting_peer, connect, connecting_peer, knocking_peer, listen, port_of, visiting_peer,
)
from server import (  # noqa: E402
    KEEP, Server, accept_read_and_close, probe_every_second, queue, read_requests, read_to_the_end, somaxconn,
    take_sockets,
)
from truth import (  # noqa: E402
    ages_agree, close_wait, facts, inodes_in, stuck_rows, wait_for_age, wait_until_in_close_wait,
)

LIFE_SECONDS = 15 * 60
NASTY_NAME = b"x)\n\x1b]0;t\x07\x1b[31m"  # at most 15 bytes (TASK_COMM_LEN)
NASTY_ARGUMENT = "--label=two\nlines \x1b]0;new title\x07 \x1b[31mred\x1b[0m"

# The cases.


def missing_close(o):
    """The server reads the request and the end of every connection, and never closes."""
    server = Server(o)
    server.tell_peer("send")
    entered_at = server.tell_peer("close")
    read_to_the_end(server.sockets)
    return close_wait(o, server.port, server.sockets, entered_at, recv_queue=0)


def unread(o):
    """The server accepts and never reads: the request and the FIN lie in the receive queue."""
    server = Server(o)
    server.tell_peer("send")
    entered_at = server.tell_peer("close")
    return close_wait(o, server.port, server.sockets, entered_at, recv_queue=len(REQUEST) + 1)


def forgotten(o):
    """The server reads the request and never looks at the connection again: only the FIN is unread."""
    server = Server(o)
    server.tell_peer("send")
    read_requests(server.sockets)
    entered_at = server.tell_peer("close")
    return close_wait(o, server.port, server.sockets, entered_at, recv_queue=1)


def outbound(o):
    """A client keeps idle connections that the server has closed."""
    peer = spawn(accepting_peer, o.family, o.count)
    port = peer.link.receive()
    sockets = [connect(HOLDER_CONNECTS_TO[o.family], port) for _ in range(o.count)]
    KEEP.extend(sockets)
    peer.link.receive()
    entered_at = peer.link.ask("close")
    return close_wait(o, port, sockets, entered_at, recv_queue=1, side="peer", peer_pid=peer.pid)


def never_accepted(o):
    """The server never calls accept(); the clients sent a request and left. With --full there is no room for more."""
    limit = o.count - 1 if o.full else o.count + 9  # the kernel takes one more than the limit
    if limit > somaxconn():
        raise SystemExit(f"--count {o.count}: net.core.somaxconn allows a backlog of {somaxconn()} only")
    listener = listen(o.family, backlog=limit)
    KEEP.append(listener)
    port = port_of(listener)
    peer = spawn(connecting_peer, o.family, port, o.count, close=[listener])
    peer.link.receive()
    peer.link.ask("send")
    entered_at = peer.link.ask("close")
    if o.full:
        spawn(knocking_peer, o.family, port, close=[listener]).link.receive()
    wait_until(lambda: queue(listener) == (o.count, limit), f"an accept queue of {o.count} of {limit}")
    return close_wait(
        o, port, [], entered_at, recv_queue=len(REQUEST) + 1,
        queue=o.count, limit=limit, listener_inode=kernel.inode_of(listener),
    )


def inherited(o):
    """The server forked two children, which now hold copies of its connections. --parent-closes: it closed its own."""
    server = Server(o)
    children = [spawn(wait_for_the_end) for _ in range(2)]
    server.tell_peer("send")
    entered_at = server.tell_peer("close")
    read_to_the_end(server.sockets)
    truth = close_wait(o, server.port, server.sockets, entered_at, recv_queue=0)
    pids = [child.pid for child in children]
    if o.parent_closes:
        for sock in server.sockets:
            sock.close()
        wait_until_in_close_wait(server.port, truth["inodes"], recv_queue=0)
    else:
        pids.insert(0, os.getpid())
    return {**truth, "pid": pids[0], "pids": pids, "parent_pid": os.getpid()}


def passed(o):
    """A server hands its connections to an unrelated process (SCM_RIGHTS) and closes its own copies; nobody reads."""
    ours, theirs = socket.socketpair()
    taker = spawn(take_sockets, theirs, o.count, close=[ours])
    giver = spawn(give_sockets, o, ours, close=[theirs])
    ours.close()
    theirs.close()
    story = giver.link.receive()
    taken = taker.link.receive()
    wait_until_in_close_wait(story["port"], taken["inodes"], recv_queue=len(REQUEST) + 1)
    return {**story, **taken, "pid": taker.pid, "pids": [taker.pid], "giver_pid": giver.pid}


def closed_but_held(o):
    """The peers half-closed, later sent a reset: the sockets have left every TCP table, the descriptors stay."""
    server = Server(o)
    server.tell_peer("send")
    entered_at = server.tell_peer("half_close")
    truth = close_wait(o, server.port, server.sockets, entered_at, recv_queue=len(REQUEST) + 1)
    reset_at = server.tell_peer("reset")
    inodes = set(truth["inodes"])
    wait_until(lambda: not any(row.inode in inodes for row in kernel.rows()), "the sockets gone from /proc/net/tcp")
    return {**truth, "recv_queue": None, "reset_at": reset_at}


def stopped(o):
    """Like unread, and the whole server is stopped (SIGSTOP)."""
    holder = spawn(tell_and_stop, o)
    truth = holder.link.receive()
    wait_until(lambda: kernel.process_state(holder.pid) == "T", "the holder stopped")
    return truth


def late_ack(o):
    """The peers only half-closed, and acknowledge what the server writes long after their FIN."""
    server = Server(o)
    server.tell_peer("send")
    entered_at = server.tell_peer("half_close")
    read_to_the_end(server.sockets)
    truth = close_wait(o, server.port, server.sockets, entered_at, recv_queue=0)
    seconds = o.seconds_before or 1.0
    wait_for_age(entered_at, seconds)
    acknowledged_at = time.time()
    for sock in server.sockets:
        sock.sendall(b"late")
    younger = seconds * 1000 / 2
    wait_until(lambda: all(tcp_info(s).last_ack_recv_ms < younger for s in server.sockets), "late data acknowledged")
    return {**truth, "acknowledged_at": acknowledged_at}


def exact(o):
    """Request and FIN came in one segment, and one recv() took both: nothing is left to read, both ages agree."""
    server = Server(o)
    entered_at = server.tell_peer("send_with_fin")
    read_requests(server.sockets)
    truth = close_wait(o, server.port, server.sockets, entered_at, recv_queue=0)
    wait_until(lambda: all(ages_agree(tcp_info(sock)) for sock in server.sockets), "both ages the same")
    return truth


def keepalive(o):
    """The server probes (SO_KEEPALIVE, each second) peers that only half-closed, and they answer."""
    server = Server(o)
    for sock in server.sockets:
        probe_every_second(sock)
    server.tell_peer("send")
    entered_at = server.tell_peer("half_close")
    read_to_the_end(server.sockets)
    truth = close_wait(o, server.port, server.sockets, entered_at, recv_queue=0)
    wait_for_age(entered_at, 1.5)
    wait_until(lambda: all(tcp_info(s).last_ack_recv_ms < 1000 for s in server.sockets), "every probe answered")
    wait_until(lambda: all(row.timer == 2 for row in stuck_rows(server.port)), "the keepalive timer")
    return {**truth, "timer": 2}


def churn(o):
    """A correct server: it closes each connection 0.3 s after its end, so that some are always in CLOSE_WAIT."""
    o.count = min(o.count, 20)
    server = spawn(closing_server, o.family)
    port = server.link.receive()
    spawn(churning_peer, PEER_CONNECTS_TO[o.family], port, o.count)
    wait_until(lambda: len(stuck_rows(port)) >= min(3, o.count), "a few connections in CLOSE_WAIT")
    return facts(o, port, [], [], pid=server.pid, pids=[server.pid], recv_queue=0, at_most=o.count, stays_seconds=STAYS_SECONDS)


def healthy(o):
    """Connections in use, none of them closed by anybody."""
    server = Server(o)
    expected = sorted(kernel.inode_of(sock) for sock in server.sockets)
    wait_until(lambda: inodes_in(ESTABLISHED, server.port) == expected, f"{o.count} established connections")
    return facts(o, server.port, server.sockets, [], recv_queue=0)


def nasty_name(o):
    """Like missing-close, in a process whose name and arguments try to take over the reader's terminal."""
    if NASTY_ARGUMENT not in sys.argv:
        os.execv(sys.executable, [sys.executable, *sys.argv, NASTY_ARGUMENT])
    kernel.set_process_name(NASTY_NAME)
    return {**missing_close(o), "name": NASTY_NAME.decode(), "argument": NASTY_ARGUMENT}


def reuseport(o):
    """Two workers share one port (SO_REUSEPORT): one accepts and closes, the other never accepts."""
    listener = listen(o.family, reuse_port=True)
    KEEP.append(listener)
    port = port_of(listener)
    worker = spawn(accept_read_and_close, o.family, port, close=[listener])
    worker.link.receive()
    peer = spawn(visiting_peer, o.family, port, close=[listener])
    entered_at: List[float] = []
    while len(entered_at) < o.count:
        left_at = peer.link.ask("visit")
        wait_until(lambda: queue(listener)[0] > len(entered_at) or worker.link.has_news(), "a visitor at a worker")
        if worker.link.has_news():
            worker.link.receive()
        else:
            entered_at.append(left_at)
    return close_wait(
        o, port, [], entered_at, recv_queue=len(REQUEST) + 1, queue=o.count, limit=queue(listener)[1],
        listener_inode=kernel.inode_of(listener), worker_pid=worker.pid,
    )


# What other processes of a case do.


def tell_and_stop(link: Link, o) -> None:
    link.send(unread(o))
    os.kill(os.getpid(), signal.SIGSTOP)
    link.receive()


def give_sockets(link: Link, o, channel: socket.socket) -> None:
    server = Server(o)
    for start in range(0, o.count, 200):  # SCM_MAX_FD is 253
        batch = server.sockets[start:start + 200]
        socket.send_fds(channel, [b"x"], [sock.fileno() for sock in batch])
    for sock in server.sockets:
        sock.close()
    server.tell_peer("send")
    link.send(facts(o, server.port, [], server.tell_peer("close"), recv_queue=len(REQUEST) + 1))
    link.receive()


CASES = {
    f.__name__.replace("_", "-"): f
    for f in (
        missing_close, unread, forgotten, outbound, never_accepted, inherited, passed, closed_but_held, stopped,
        late_ack, exact, keepalive, churn, healthy, nasty_name, reuseport,
    )
}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case", choices=sorted(CASES))
    parser.add_argument("--count", type=int, help="connections (default 23; healthy 50)")
    parser.add_argument("--family", choices=["4", "6", "mapped"], default="4", help="mapped: IPv4 on an IPv6 socket")
    parser.add_argument("--seconds-before", type=float, default=0, help="age of the state before READY is printed")
    parser.add_argument("--netns", help="enter this namespace first (ip netns add NAME; its lo must be up)")
    parser.add_argument("--full", action="store_true", help="never-accepted: the accept queue is full")
    parser.add_argument("--parent-closes", action="store_true", help="inherited: only the children hold")
    parser.add_argument("--label", help=argparse.SUPPRESS)
    o = parser.parse_args()
    if o.count is None:
        o.count = 50 if o.case == "healthy" else 23
    if o.count < 1:
        parser.error("--count must be at least 1")
    return o


def main() -> None:
    o = parse_arguments()
    signal.alarm(LIFE_SECONDS)
    kernel.adopt_orphans()
    kernel.raise_fd_limit()
    if o.netns:
        kernel.enter_netns(o.netns)
    try:
        truth = CASES[o.case](o)
        if truth["entered_at"]:
            wait_for_age(truth["entered_at"], o.seconds_before)
        print("READY " + json.dumps(truth), flush=True)
        sys.stdin.buffer.read()
    except KeyboardInterrupt:
        pass
    finally:
        end_children()


if __name__ == "__main__":
    main()
