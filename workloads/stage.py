"""The program under judgement, and what the kernel must show of it."""

import os
import resource
import shlex
import signal
import subprocess
import sys
from typing import Dict, List, Optional, Set

import kernel
from kernel import CLOSE_WAIT, ESTABLISHED, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
LISTEN = 10  # include/net/tcp_states.h
FD_LIMIT = 1024  # what most services get
READY_SECONDS = 20


class Program:
    """Started with the descriptor limit of a usual service; it and its children die with us."""

    def __init__(self, run: List[str], build: str, scratch: str):
        words = [word.format(here=HERE, build=build, scratch=scratch) for word in run]
        if words[0] == "python3":
            words[0] = sys.executable
        self.command = shlex.join(words)
        parent = os.getpid()

        def prepare() -> None:
            kernel.die_with_parent(parent)
            resource.setrlimit(resource.RLIMIT_NOFILE, (FD_LIMIT, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

        environment = {**os.environ, "SCRATCH": scratch, "BUILD": build, "PYTHONDONTWRITEBYTECODE": "1"}
        self.process = subprocess.Popen(
            words, cwd=scratch, env=environment, preexec_fn=prepare,
            stdin=subprocess.DEVNULL, stdout=sys.stderr.fileno(),
        )
        self.pid = self.process.pid

    def wait_until_it_listens(self, port: int) -> None:
        wait_until(
            lambda: self.lives() and any(row.local_port == port and row.state == LISTEN for row in kernel.rows()),
            f"port {port} of {self.command}", READY_SECONDS,
        )

    def lives(self) -> bool:
        code = self.process.poll()
        if code is not None:
            raise SystemExit(f"{self.command} ended with {code}")
        return True

    def signal(self, name: str) -> None:
        os.kill(self.pid, getattr(signal, name))

    def tree(self) -> List[int]:
        """The program and all its descendants, oldest first."""
        pids = [self.pid]
        for pid in pids:
            pids.extend(kernel.children_of(pid))
        return pids


def wait_for_the_state(program: Program, entry: dict) -> int:
    """Returns the process that the verdict is about."""
    scene, truth = entry["scene"], entry["truth"]
    if "count" not in scene.get("expect", {}):
        program.lives()
        return program.pid
    expect = scene["expect"]
    wait_until(
        lambda: program.lives() and stands(program, expect),
        f"{expect} in {entry['name']}", READY_SECONDS, told(program, expect),
    )
    return the_holder(program, expect, truth["holder"], truth.get("sockets", 0))


def stands(program: Program, expect: dict) -> bool:
    if expect.get("state") == "closed":
        return len(closed_sockets(program.pid)) == expect["count"]
    found = the_rows(expect)
    least, most = expect.get("recv_queue", [0, 1 << 30])
    count, more = expect["count"], expect.get("more", 0)
    return count <= len(found) <= count + more and all(least <= row.recv_queue <= most for row in found)


def told(program: Program, expect: dict):
    """What is there instead, for whoever has to mend the workload."""
    return lambda: f"there are {sorted((row.state, row.recv_queue) for row in the_rows(expect, None))}" + (
        f", closed: {len(closed_sockets(program.pid))}" if expect.get("state") == "closed" else ""
    )


STATES = {"CLOSE_WAIT": CLOSE_WAIT, "ESTABLISHED": ESTABLISHED}


def the_rows(expect: dict, state: Optional[str] = "CLOSE_WAIT") -> List[kernel.Row]:
    """The sockets at one end of the connections to a port: `local` is the server's, `peer` the client's."""
    wanted = state and STATES[expect.get("state", state)]
    return [
        row for row in kernel.rows()
        if getattr(row, f"{expect['side']}_port") == expect["port"] and row.state != LISTEN and wanted in (None, row.state)
    ]


def sockets_of(pid: int) -> Dict[int, int]:
    """Inodes of a process's sockets, by descriptor."""
    found = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            found[int(fd)] = int(target[8:-1])
    return found


def closed_sockets(pid: int) -> Set[int]:
    """Inodes of TCP sockets that stand in no table."""
    listed = {row.inode for row in kernel.rows()}
    sockets = {inode: fd for fd, inode in sockets_of(pid).items() if inode not in listed}
    return {inode for inode, fd in sockets.items() if protocol(pid, fd) == b"TCP"}


def protocol(pid: int, fd: int) -> bytes:
    try:
        return os.getxattr(f"/proc/{pid}/fd/{fd}", "system.sockprotoname").rstrip(b"\0").removesuffix(b"v6")
    except OSError:
        return b""


def the_holder(program: Program, expect: dict, who: str, sockets: int) -> int:
    if expect.get("state") == "closed":
        return program.pid
    rows = the_rows(expect)
    if who == "nobody":
        unaccepted = sum(row.inode == 0 for row in rows)
        assert unaccepted == sockets, f"{unaccepted} of {len(rows)} are not accepted"
        return program.pid
    inodes = {row.inode for row in rows}
    holding = {pid: len(inodes & set(sockets_of(pid).values())) for pid in program.tree()}
    first = max(holding, key=lambda pid: holding[pid])
    if who == "program":
        first = program.pid
    assert who in ("program", "worker") or first != program.pid, f"{who} should hold them: {holding}"
    assert holding[first] >= expect["count"], f"pid {first} should hold all: {holding}"
    return first
