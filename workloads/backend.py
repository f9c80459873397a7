"""What a program asks: a cache, a database or another service, played by threads."""

import os
import socket
import ssl
import struct
import threading
import time
from typing import List, Optional

from peer import close


def start_backend(options: dict, build: str) -> "Backend":
    return Backend(options, build)


class Backend:
    """Listens at once. `kind` says how it treats a connection: one of the functions below."""

    def __init__(self, options: dict, build: str):
        self.options = options
        self.connections: List[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", options.get("port", 9000)), backlog=512)
        self.context: Optional[ssl.SSLContext] = None
        if options.get("tls"):
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(os.path.join(build, "tls.pem"))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            sock = self.listener.accept()[0]
            self.connections.append(sock)
            threading.Thread(target=self.treat, args=(sock,), daemon=True).start()

    def treat(self, sock: socket.socket) -> None:
        try:
            if self.context:
                sock = self.context.wrap_socket(sock, server_side=True)
            KINDS[self.options["kind"]](sock, self.options)
        except OSError:
            pass  # the program closed first

    def finish(self) -> None:
        """What the service does when all clients have played their part: it may restart."""
        time.sleep(self.options.get("restarts_after", 0))
        if "restarts_after" in self.options:
            self.listener.close()
            close(self.connections)


def http(sock: socket.socket, options: dict) -> None:
    """Answers with `body` bytes, and closes what has been idle for `idle` seconds, or after `requests` of them."""
    left = options.get("requests", 1 << 30)
    sock.settimeout(options.get("idle"))
    while left > 0:
        try:
            data = read_head(sock)
        except socket.timeout:
            break
        if not data:
            return sock.close()
        left -= 1
        time.sleep(options.get("thinks", 0))
        sock.settimeout(None)
        sock.sendall(answer(options, last=left == 0))
        sock.settimeout(options.get("idle"))
    end(sock, options)


def end(sock: socket.socket, options: dict) -> None:
    if options.get("ends") == "reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return sock.close()
    if options.get("ends") == "half-close":
        sock.shutdown(socket.SHUT_WR)
        return swallow(sock, options)
    if isinstance(sock, ssl.SSLSocket):
        sock.settimeout(0)
        try:
            sock.unwrap()  # sends close_notify, and would wait for the other's
        except OSError:
            pass
    close([sock])


def read_head(sock: socket.socket) -> bytes:
    data = sock.recv(65536)
    while data and b"\r\n\r\n" not in data:
        data += sock.recv(65536)
    return data


def answer(options: dict, last: bool) -> bytes:
    body = b"y" * options.get("body", 200)
    return b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: %s\r\n\r\n" % (
        options.get("status", "200 OK").encode(), len(body), b"close" if last else b"keep-alive",
    ) + body


def silent(sock: socket.socket, options: dict) -> None:
    """Reads nothing, answers nothing, closes nothing."""
    threading.Event().wait()


def swallow(sock: socket.socket, options: dict) -> None:
    """Reads all there is, answers nothing, and stays when the program is done."""
    sock.settimeout(None)
    while sock.recv(65536):
        pass
    threading.Event().wait()


def greeting(sock: socket.socket, options: dict) -> None:
    """Says hello once, then is like swallow: a program with nothing to tell."""
    sock.sendall(b"220 ready\r\n")
    swallow(sock, options)


def echo(sock: socket.socket, options: dict) -> None:
    while data := sock.recv(65536):
        sock.sendall(data)
    sock.close()


KINDS = {f.__name__: f for f in (http, silent, swallow, greeting, echo)}
