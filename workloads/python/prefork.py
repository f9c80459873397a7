"""A server of several processes: python3 prefork.py CASE"""

import os
import signal
import socket
import subprocess
import sys
import time

CASE = sys.argv[1]
WORKERS = 3


def serve_one(conn, at_the_end=lambda: None):
    """Requests of one client until it leaves."""
    with conn:
        while conn.recv(4096):
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n")
        at_the_end()


def worker(listener):
    """Takes a client, and asks a slow service on port 9000 without a time-out."""
    while True:
        conn, _ = listener.accept()
        conn.recv(4096)
        service = socket.create_connection(("127.0.0.1", 9000))
        service.sendall(b"GET /stock HTTP/1.1\r\n\r\n")
        service.recv(100)
        conn.close()


def converter(listener):
    """Serves clients by select, and starts a long conversion that gets copies of all descriptors."""
    import select
    clients = []
    started = None
    while True:
        for sock in select.select([listener, *clients], [], [])[0]:
            if sock is listener:
                conn, _ = listener.accept()
                conn.set_inheritable(True)  # as a library did
                clients.append(conn)
                continue
            data = sock.recv(4096)
            if data:
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n")
            else:
                clients.remove(sock)
                sock.close()
        if started is None and len(clients) >= 30:
            started = subprocess.Popen(["sleep", "600"], close_fds=False)


def main():
    listener = socket.create_server(("127.0.0.1", 8000), backlog=128)
    if CASE == "inherited":
        converter(listener)
    for _ in range(WORKERS):
        if os.fork() == 0:
            worker(listener)
    signal.pause()


main()
