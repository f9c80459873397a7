"""A server with a pool of worker threads and blocking sockets: python3 workers.py CASE

/report is the request whose path has the fault; everything else is served and closed as it should be.
"""

import queue
import socket
import ssl
import os
import sys
import threading
import time

CASE = sys.argv[1]
WORKERS = 4 if CASE in ("stalled", "locked") else 12
SESSIONS = {}  # by user, for the page "who is online"
LOCK_OF_ORDERS, LOCK_OF_STOCK = threading.Lock(), threading.Lock()


class ReportError(Exception):
    pass


def read_request(conn):
    data = b""
    while b"\r\n\r\n" not in data:
        piece = conn.recv(4096)
        if not piece:
            return None
        data += piece
    return data.split(b" ")[1].decode().partition("?")[0]


def reply(conn, body):
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def handle(conn, address):
    path = read_request(conn)
    while path is not None:
        if CASE == "stalled":
            ask_the_cache()
        if CASE == "locked":
            book_an_order()
        reply(conn, b"ok\n")
        SESSIONS[address] = conn
        if path == "/report":
            if CASE == "forgotten":
                return  # an early return: only the table still knows it
            path = read_request(conn)
            raise ReportError("the client went away")
        path = read_request(conn)
    if CASE == "churn":
        time.sleep(0.25)  # the access log goes to a slow disk
    SESSIONS.pop(address, None)
    conn.close()


def ask_the_cache():
    with socket.create_connection(("127.0.0.1", 9000)) as cache:
        cache.sendall(b"GET cart:17\r\n")
        cache.recv(100)


def book_an_order():
    with LOCK_OF_ORDERS:
        time.sleep(0.05)
        with LOCK_OF_STOCK:
            pass


def refill_the_stock():
    """Takes the two locks in the other order."""
    LOCK_OF_STOCK.acquire()
    time.sleep(0.3)
    LOCK_OF_ORDERS.acquire()


def work(accepted):
    while True:
        conn, address = accepted.get()
        try:
            handle(conn, address)
        except (ReportError, OSError) as error:
            print(f"{address}: {error}", file=sys.stderr)  # and nobody closes it
        del conn


def accept_from(listener, accepted, context):
    while True:
        conn, address = listener.accept()
        accepted.put((context.wrap_socket(conn, server_side=True) if context else conn, address))


def main():
    context = None
    if "--tls" in sys.argv:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(os.environ["BUILD"], "tls.pem"))
    accepted = queue.Queue()
    for _ in range(WORKERS):
        threading.Thread(target=work, args=(accepted,), daemon=True).start()
    if CASE == "locked":
        threading.Thread(target=refill_the_stock, daemon=True).start()
    admin = socket.create_server(("127.0.0.1", 8001))
    threading.Thread(target=accept_from, args=(admin, accepted, None), daemon=True).start()
    accept_from(socket.create_server(("127.0.0.1", 8000), backlog=256), accepted, context)


if __name__ == "__main__":
    main()
