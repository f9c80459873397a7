#!/usr/bin/env python3
"""Holds one CLOSE_WAIT socket of each kind that the kernel can tell apart, says READY with the descriptor of each, and
waits for the end of its input: `plain`, `polled` (in an epoll set that a thread waits on) and `options` (SO_KEEPALIVE and
SO_LINGER are on).
"""

import json
import os
import select
import socket
import struct
import sys
import threading

sys.dont_write_bytecode = True

from kernel import wait_until  # noqa: E402

CLOSE_WAIT = 8
KINDS = ("plain", "polled", "options")


def state_of(connection):
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]


def main():
    listener = socket.create_server(("127.0.0.1", 0))
    held = {}
    for kind in KINDS:
        client = socket.create_connection(listener.getsockname())
        held[kind], _ = listener.accept()
        client.close()
    held["options"].setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    held["options"].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 5))
    poll = select.epoll()
    poll.register(held["polled"].fileno(), 0)  # no interest but errors: the loop sleeps on
    threading.Thread(target=poll.poll, daemon=True).start()
    wait_until(lambda: all(state_of(it) == CLOSE_WAIT for it in held.values()), "all in CLOSE_WAIT")
    port = listener.getsockname()[1]
    kinds = {kind: connection.fileno() for kind, connection in held.items()}
    print("READY " + json.dumps({"pid": os.getpid(), "pids": [os.getpid()], "port": port, "side": "local",
                                 "count": len(KINDS), "kinds": kinds}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
