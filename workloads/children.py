"""Forked processes that talk with their parent in JSON lines."""

import json
import os
import select
import signal
import socket
import traceback
from typing import Any, List

import kernel


class Link:
    """One end of the conversation."""

    def __init__(self, sock: socket.socket):
        self.sock = sock
        self.file = sock.makefile("rw", encoding="utf-8")

    def send(self, value: Any) -> None:
        self.file.write(json.dumps(value) + "\n")
        self.file.flush()

    def receive(self) -> Any:
        line = self.file.readline()
        if not line:
            raise EOFError("the process at the other end has ended")
        return json.loads(line)

    def ask(self, question: Any) -> Any:
        self.send(question)
        return self.receive()

    def has_news(self) -> bool:
        return bool(select.select([self.sock], [], [], 0)[0])

    def close(self) -> None:
        self.file.close()
        self.sock.close()


class Child:
    def __init__(self, pid: int, link: Link):
        self.pid = pid
        self.link = link


CHILDREN: List[Child] = []


def spawn(work, *args, close=()) -> Child:
    """Forks a process for work(link, *args); it inherits every open socket but those in `close`."""
    ours, theirs = socket.socketpair()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        ours.close()
        run_and_exit(parent, close, lambda: work(Link(theirs), *args))
    theirs.close()
    child = Child(pid, Link(ours))
    CHILDREN.append(child)
    return child


def run_and_exit(parent: int, close, work) -> None:
    """The life of a child: a parent that goes away is its end, anything else unexpected is told."""
    code = 1
    try:
        kernel.die_with_parent(parent)
        for sock in close:
            sock.close()
        for sibling in CHILDREN:
            sibling.link.close()
        CHILDREN.clear()
        work()
        code = 0
    except (EOFError, KeyboardInterrupt):
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def wait_for_the_end(link: Link) -> None:
    """Keeps what was inherited, and does nothing."""
    link.receive()


def end_children() -> None:
    """Kills our children; theirs are killed by the kernel (PR_SET_PDEATHSIG), become ours, and are waited for."""
    for child in CHILDREN:
        os.kill(child.pid, signal.SIGKILL)
    try:
        while True:
            os.wait()
    except ChildProcessError:
        pass
