"""An event feed on the selectors module: python3 events.py CASE"""

import selectors
import socket
import sys
import time

CASE = sys.argv[1]
MOST = 6  # clients at once, in accept-backlog
SELECTOR = selectors.DefaultSelector()
CLIENTS = {}
EVENT = b"data: " + b"p" * 2000 + b"\n\n"


def accept(listener, _mask):
    conn, _ = listener.accept()
    conn.setblocking(False)
    CLIENTS[conn.fileno()] = {"conn": conn, "out": b""}
    SELECTOR.register(conn, selectors.EVENT_READ, greet)
    if CASE == "accept-backlog" and len(CLIENTS) >= MOST:
        SELECTOR.unregister(listener)  # until one leaves; whoever leaves does not tell


def greet(conn, _mask):
    data = conn.recv(4096)
    if not data:
        return leave(conn)
    path = data.split(b" ")[1].partition(b"?")[0]
    if path == b"/feed":
        CLIENTS[conn.fileno()]["out"] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + EVENT
        SELECTOR.modify(conn, selectors.EVENT_WRITE, push)  # from now on it only writes
    elif path == b"/report" and CASE == "forgotten":
        conn.send(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")
        SELECTOR.unregister(conn)  # an error: no more of this client
    else:
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n")


def push(conn, _mask):
    client = CLIENTS[conn.fileno()]
    try:
        client["out"] = client["out"][conn.send(client["out"] or EVENT):] or EVENT
    except BlockingIOError:
        pass
    except OSError:
        leave(conn)


def leave(conn):
    SELECTOR.unregister(conn)
    CLIENTS.pop(conn.fileno())
    conn.close()


def spin():
    """Looks for the end of a list that is a ring."""
    here = ring = {}
    ring["next"] = ring
    while here.get("next"):
        here = here["next"]


def main():
    listener = socket.create_server(("127.0.0.1", 8000), backlog=128)
    listener.setblocking(False)
    SELECTOR.register(listener, selectors.EVENT_READ, accept)
    began = time.monotonic()
    while True:
        for key, mask in SELECTOR.select(0.2):
            key.data(key.fileobj, mask)
        if CASE == "spin" and len(CLIENTS) >= 20 and time.monotonic() - began > 1:
            spin()


main()
