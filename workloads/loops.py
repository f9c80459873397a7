#!/usr/bin/env python3
"""An event loop with epoll, and what it does with its connections: python3 workloads/loops.py MODE [--count N]

blocked     it sleeps inside of a handler; the requests of all others stay unread
spinning    it computes inside of a handler, without end
write-only  it has read the requests and watches for room to write alone (EPOLLOUT, edge-triggered)
obedient    like write-only, and it closes each that it is told of to have hung up
dropped     it has read the requests, taken the sockets out of the set, and waits for others

The clients send a request and leave. READY with the truth once the kernel shows that, then until the end of the input.
"""

import argparse
import json
import select
import socket
import sys
import time

sys.dont_write_bytecode = True

import kernel  # noqa: E402
from children import end_children, spawn  # noqa: E402
from peer import REQUEST, close  # noqa: E402


def serve(link, mode: str, count: int) -> None:
    server = socket.create_server(("127.0.0.1", 0), backlog=64)
    loop = select.epoll()
    loop.register(server, select.EPOLLIN)
    link.send(server.getsockname()[1])
    clients = [server.accept()[0] for _ in range(count)]
    for client in clients:
        loop.register(client, select.EPOLLIN)
    if mode in ("write-only", "obedient", "dropped"):
        for client in clients:
            client.recv(len(REQUEST), socket.MSG_WAITALL)
            if mode == "dropped":
                loop.unregister(client)
            else:
                loop.modify(client, select.EPOLLOUT | select.EPOLLET)
        loop.poll(0)
        told = loop.poll()
        while mode == "obedient":
            hung_up = {fd for fd, events in told if events & select.EPOLLHUP}
            for client in clients:
                if client.fileno() in hung_up:
                    client.close()
            told = loop.poll()
    while mode == "spinning":
        pass
    time.sleep(900)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=["blocked", "spinning", "write-only", "obedient", "dropped"])
    parser.add_argument("--count", type=int, default=23)
    o = parser.parse_args()
    server = spawn(serve, o.mode, o.count)
    port = server.link.receive()
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(o.count)]
    for client in clients:
        client.sendall(REQUEST)
    unread = 0 if o.mode in ("write-only", "obedient", "dropped") else len(REQUEST)
    kernel.wait_until(lambda: queues(port, kernel.ESTABLISHED) == [unread] * o.count, "what the server reads")
    close(clients)
    kernel.wait_until(lambda: queues(port, kernel.CLOSE_WAIT) == [unread + 1] * o.count, "the ends of all")
    truth = {"case": o.mode, "pid": server.pid, "port": port, "count": o.count}
    truth["inodes"] = [row.inode for row in rows(port, kernel.CLOSE_WAIT)]
    print("READY", json.dumps(truth), flush=True)
    sys.stdin.read()


def rows(port: int, state: int):
    return [row for row in kernel.rows() if row.state == state and row.local_port == port and row.inode]


def queues(port: int, state: int):
    return [row.recv_queue for row in rows(port, state)]


if __name__ == "__main__":
    try:
        main()
    finally:
        end_children()
