"""A program to look into: python3 inside.py CASE [COUNT]. It says READY when all is as the case wants it; 3.7 or later.

Lines with a mark (#: name) are those where something waits; inside-python tests find them by it.
"""

import asyncio
import ctypes
import gc
import queue
import socket
import sys
import threading
import time

SESSIONS = {}
JOBS = queue.Queue()
WAITING = queue.Queue()
SILENT = threading.Lock()
NEVER = threading.Event()

LISTENER = socket.socket()
LISTENER.bind(("127.0.0.1", 0))
LISTENER.listen(1000)


def stuck():
    """A connection whose other side has closed."""
    client = socket.create_connection(LISTENER.getsockname())
    conn, _ = LISTENER.accept()
    client.close()
    return conn


class Server:
    by_port = {}

    def __init__(self):
        self.clients = []

    def serve(self, conn):
        self.clients.append(conn)
        self.book()

    def book(self):
        SILENT.acquire()  #: lock


def take_jobs():
    WAITING.get()  #: queue


def hold():
    conn = stuck()
    NEVER.wait()  #: local


async def handle(conn):
    await asyncio.sleep(10_000)  #: task


async def outer():
    await handle(stuck())  #: outer


async def rows():
    await outer()  #: generator
    yield 1


async def iterate():
    async for _ in rows():  #: iterating
        pass


def many_ways():
    SILENT.acquire()
    SESSIONS["one"] = stuck()
    gc.freeze()  # what is there is no longer collected
    JOBS.put(stuck())
    Server.by_port[7] = stuck()
    server = Server()
    threading.Thread(target=server.serve, args=(stuck(),), name="worker", daemon=True).start()
    threading.Thread(target=take_jobs, name="jobs", daemon=True).start()
    threading.Thread(target=hold, name="holder", daemon=True).start()

    async def main():
        loop = asyncio.get_event_loop()
        tasks = [loop.create_task(outer()), loop.create_task(iterate())]
        for _ in range(3):
            await asyncio.sleep(0)
        while len(server.clients) == 0 or threading.active_count() < 4:
            await asyncio.sleep(0.01)
        loop.call_later(0.2, lambda: print("READY", flush=True))
        await asyncio.gather(*tasks)

    asyncio.run(main())


ARRIVED = []


def deep(depth):
    if depth:
        return deep(depth - 1)
    ARRIVED.append(depth)
    return NEVER.wait()


def threads(count):
    kept = [stuck() for _ in range(5)]
    for _ in range(count):
        threading.Thread(target=deep, args=(20,), daemon=True).start()
    while len(ARRIVED) < count:
        time.sleep(0.01)
    time.sleep(0.2)  # the last ones still have a step to go
    print("READY", flush=True)
    NEVER.wait()


def objects(count):
    kept = [stuck() for _ in range(5)]
    many = [[i] for i in range(count)]
    print("READY", flush=True)
    NEVER.wait()


class Busy:
    def outer(self):
        for i in range(100):
            self.middle(i)  #: outer-middle

    def middle(self, i):
        a = self.inner(i)  #: middle-inner
        b = other(i)  #: middle-other
        return a + b

    def inner(self, i):
        return i * 2 + helper(i)  #: inner-helper


def other(i):
    return sum(x for x in range(3))  #: other-genexpr


def helper(i):
    return i + 1


def spin(busy):
    while True:
        busy.outer()  #: spin-outer


def busy(count):
    kept = [stuck() for _ in range(5)]
    for _ in range(count):
        threading.Thread(target=spin, args=(Busy(),), daemon=True).start()
    print("READY", flush=True)
    NEVER.wait()


def churn(count):
    """Makes and drops objects all the time."""
    kept = [stuck() for _ in range(20)]
    many = [[i] for i in range(count)]
    print("READY", flush=True)
    while True:
        dropped = [{"key": [i]} for i in range(500)]
        socket.socket().close()


def interpreter(_count):
    """A second interpreter in the process, from 3.8 on."""
    kept = [stuck()]
    sleeper = "import time\ndef waits():\n    time.sleep(1000)\nwaits()"
    try:
        import _interpreters as module
        run = module.exec
    except ImportError:
        import _xxsubinterpreters as module
        run = module.run_string
    threading.Thread(target=run, args=(module.create(), sleeper), daemon=True).start()
    time.sleep(0.3)
    print("READY", flush=True)
    NEVER.wait()


def foreign(library):
    """Loads a library that makes connections itself."""
    kept = [stuck()]
    loaded = ctypes.CDLL(library)
    print("READY", flush=True)
    NEVER.wait()


def detached(_count):
    """Descriptors that no object stands for, and one that a file does."""
    kept = [stuck()]
    numbers = [stuck().detach() for _ in range(3)]
    file = open(stuck().detach(), "rb", buffering=0)
    print("READY", flush=True)
    NEVER.wait()


if sys.argv[1] == "ways":
    many_ways()
elif sys.argv[1] == "foreign":
    foreign(sys.argv[2])
else:
    cases = [threads, objects, busy, churn, detached, interpreter]
    {case.__name__: case for case in cases}[sys.argv[1]](int(sys.argv[2]))
