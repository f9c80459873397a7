"""The clients of a program: what they ask, whether they read the answer, and how they leave."""

import socket
import ssl
import struct
import threading
import time
from typing import Callable, Dict, List

from peer import close

# Everything that stays open for the life of the workload.
KEPT: List[socket.socket] = []

SMALL_BUFFER = 4096  # of clients that do not read, so that the program's writes stop soon


def play_clients(group: dict, program) -> None:
    """One group of clients; those that play on `always` go on beside the next groups."""
    if "signal" in group:
        program.signal(group["signal"])
    elif group.get("all_leave"):
        leave(KEPT, {})
    elif "pause" in group:
        time.sleep(group["pause"])
    elif group.get("always"):
        threading.Thread(target=come_and_go, args=(group,), daemon=True).start()
    elif group.get("together"):
        leave([arrive(group, i) for i in range(group["count"])], group)
    else:
        for i in range(group["count"]):
            leave([arrive(group, i)], group)
            time.sleep(group.get("every", 0))


def come_and_go(group: dict) -> None:
    """Well-behaved traffic without an end: ask, read the answer, leave."""
    while True:
        try:
            with arrive(group, 0) as sock:
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(65536):
                    pass
        except OSError:
            pass  # a program may turn one away
        time.sleep(group.get("every", 0.1))


def arrive(group: dict, number: int) -> socket.socket:
    sock = socket.socket()
    if group.get("then") == "deaf":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
    sock.connect(("127.0.0.1", group.get("port", 8000)))
    if group.get("tls"):
        sock = tls_client().wrap_socket(sock, do_handshake_on_connect=group["tls"] != "hello")
        if group["tls"] == "hello":
            say_hello(sock)
            return sock
    sock.sendall(request(group, number))
    READING[group.get("reads", "answer")](sock)
    sock.sendall(b"z" * group.get("adds", 0))
    return sock


def tls_client() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def say_hello(sock: ssl.SSLSocket) -> None:
    """Sends its ClientHello and does not wait for the answer."""
    sock.settimeout(0)
    try:
        sock.do_handshake()
    except ssl.SSLWantReadError:
        pass
    sock.settimeout(None)


def request(group: dict, number: int) -> bytes:
    if "says" in group:
        return group["says"].encode()
    path = group.get("path", "/")
    head = [
        f"{group.get('method', 'GET')} {path}?order={1000 + number} HTTP/1.1", "Host: shop.example:8000",
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        "Accept: application/json, text/plain, */*", "Accept-Language: en-US,en;q=0.5",
    ]
    body = b"x" * group.get("body", 0)
    if body:
        head.append(f"Content-Length: {group.get('promises', len(body))}")
    head += group.get("headers", [])
    return "\r\n".join([*head, "", ""]).encode() + body


def read_answer(sock: socket.socket) -> None:
    """Head and body of one answer; a body without a length ends after its first piece."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += more(sock)
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while len(body) < int(lengths[0] if lengths else 0):
        body += more(sock)


READING: Dict[str, Callable[[socket.socket], object]] = {
    "answer": lambda sock: read_answer(sock), "some": lambda sock: more(sock), "nothing": lambda sock: None,
}


def more(sock: socket.socket) -> bytes:
    data = sock.recv(65536)
    if not data:
        raise EOFError("the program closed before it answered")
    return data


def leave(sockets: List[socket.socket], group: dict) -> None:
    time.sleep(group.get("patience", 0))
    LEAVING[group.get("then", "close")](sockets)


def part(sockets: List[socket.socket]) -> None:
    """Says goodbye as TLS does, then closes."""
    close([goodbye(sock) for sock in sockets])


def goodbye(sock: socket.socket) -> socket.socket:
    if isinstance(sock, ssl.SSLSocket):
        sock.settimeout(0)
        try:
            sock.unwrap()  # sends close_notify
        except OSError:
            pass  # and would wait for the other's
    return sock


def half_close(sockets: List[socket.socket]) -> None:
    """No more questions, and no more reading either."""
    for sock in sockets:
        sock.shutdown(socket.SHUT_WR)
    KEPT.extend(sockets)


def listen_on(sockets: List[socket.socket]) -> None:
    """A legal half-close: no more questions, but every answer is read."""
    half_close(sockets)
    for sock in sockets:
        threading.Thread(target=read_on, args=(sock,), daemon=True).start()


def read_on(sock: socket.socket) -> None:
    try:
        while sock.recv(65536):
            pass
    except OSError:
        pass


def chat(sockets: List[socket.socket]) -> None:
    """A long connection in use: a short message now and then, the answer read."""
    KEPT.extend(sockets)
    for sock in sockets:
        threading.Thread(target=say_something, args=(sock,), daemon=True).start()


def say_something(sock: socket.socket) -> None:
    try:
        while sock.send(b"ping\r\n") and sock.recv(65536):
            time.sleep(0.5)
    except OSError:
        pass


def reset(sockets: List[socket.socket]) -> None:
    for sock in sockets:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()


LEAVING: Dict[str, Callable[[List[socket.socket]], object]] = {
    "close": part, "hang-up": close, "half-close": half_close, "deaf": half_close, "listen": listen_on, "stay": KEPT.extend,
    "chat": chat, "reset": reset,
}
