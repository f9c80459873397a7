"""Clients of an HTTP service on port 9000, with a pool of connections: python3 pool.py CASE"""

import http.client
import os
import queue
import ssl
import sys
import threading
import time

CASE = sys.argv[1]
IDLE = queue.LifoQueue()
FAILED = []  # answers of failed calls, for the daily summary


def connect():
    if "--tls" in sys.argv:
        context = ssl.create_default_context(cafile=os.path.join(os.environ["BUILD"], "tls.pem"))
        context.check_hostname = False
        return http.client.HTTPSConnection("127.0.0.1", 9000, context=context)
    return http.client.HTTPConnection("127.0.0.1", 9000)


def call(connection, path="/prices"):
    connection.request("GET", path)
    response = connection.getresponse()
    return response, response.read()


def fill(count):
    """A busy minute: so many calls at once that the pool grows."""
    connections = [connect() for _ in range(count)]
    for connection in connections:
        call(connection)
    for connection in connections:
        IDLE.put(connection)


def use():
    """Quiet times: two connections are enough, and the last used is taken first."""
    while True:
        connections = [IDLE.get(), IDLE.get()]
        for connection in reversed(connections):
            call(connection)
            IDLE.put(connection)
        time.sleep(0.1)


def session_per_call():
    """Every job makes a client of its own and never ends it."""
    sessions = []
    for _ in range(130):
        sessions.append(connect())
        call(sessions[-1])
        time.sleep(0.015)
    threading.Event().wait()


def failing_calls():
    """The answers of errors are kept unread, and their connections with them."""
    good = connect()
    for number in range(60):
        connection = connect()
        connection.request("GET", f"/orders/{number}")
        response = connection.getresponse()
        if response.status != 200:
            FAILED.append((connection, response))
        time.sleep(0.01)
        del good
        good = connect()
    threading.Event().wait()


if CASE == "session-per-call":
    session_per_call()
elif CASE == "failing-calls":
    failing_calls()
else:
    fill(14)
    if CASE != "idle":
        threading.Thread(target=use, daemon=True).start()
    threading.Event().wait()
