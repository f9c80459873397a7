#!/usr/bin/env python3
"""A server with one thread that asks a cache which never answers: python3 workloads/blocked.py [--count N]

It accepts one connection, asks the cache and waits for ever. Its N clients give up and close: the first one's connection is
held by the server, the others' are never accepted. READY with the truth once the kernel shows that, then until the end of
the input, as stuck.py does.
"""

import argparse
import json
import os
import socket
import sys

sys.dont_write_bytecode = True

import kernel  # noqa: E402
from children import end_children, spawn  # noqa: E402
from peer import close  # noqa: E402


def cache(link) -> None:
    """Accepts and says nothing."""
    server = socket.create_server(("127.0.0.1", 0))
    link.send(server.getsockname()[1])
    kept = server.accept()
    link.receive()
    del kept


def serve(link, cache_port: int) -> None:
    server = socket.create_server(("127.0.0.1", 0), backlog=64)
    link.send(server.getsockname()[1])
    client, _ = server.accept()
    client.recv(1000)
    answer = socket.create_connection(("127.0.0.1", cache_port))
    answer.sendall(b"GET cart:17\r\n")
    answer.recv(100)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=23)
    count = parser.parse_args().count
    the_cache = spawn(cache)
    cache_port = the_cache.link.receive()
    server = spawn(serve, cache_port)
    port = server.link.receive()
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
    for client in clients:
        client.sendall(b"GET /cart HTTP/1.1\r\n\r\n")
    kernel.wait_until(lambda: any(row.peer_port == cache_port for row in kernel.rows()), "a question to the cache")
    close(clients)
    kernel.wait_until(
        lambda: sum(row.state == kernel.CLOSE_WAIT and row.local_port == port for row in kernel.rows()) == count,
        f"{count} sockets in CLOSE_WAIT",
    )
    truth = {"case": "blocked", "pid": server.pid, "port": port, "cache_port": cache_port, "count": count}
    print("READY", json.dumps(truth), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    try:
        main()
    finally:
        end_children()
