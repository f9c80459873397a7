#!/usr/bin/env python3
"""Plays one workload of eval.json: python3 workloads/play.py NAME [--build DIR]

Starts the program in a network namespace of its own, plays its clients and its backend, waits until the kernel shows what
the truth promises, says READY, and ends everything at the end of its input. Root, Python 3.9 or later; README.md has the rest.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True

import kernel  # noqa: E402
from backend import start_backend  # noqa: E402
from clients import play_clients  # noqa: E402
from stage import HERE, Program, wait_for_the_state  # noqa: E402

LIFE_SECONDS = 5 * 60


def workload(name: str) -> dict:
    with open(os.path.join(HERE, "eval.json"), encoding="utf-8") as file:
        found = [entry for entry in json.load(file) if entry["name"] == name]
    if not found:
        raise SystemExit(f"{name}: no such workload in eval.json")
    return found[0]


def play(entry: dict, build: str, scratch: str) -> dict:
    scene = entry["scene"]
    backends = [start_backend(one, build) for one in scene.get("backends", [])]
    program = Program(entry["run"], build, scratch)
    for port in scene.get("ports", []):
        program.wait_until_it_listens(port)
    for clients in scene.get("clients", []):
        play_clients(clients, program)
    for backend in backends:
        backend.finish()
    holder = wait_for_the_state(program, entry)
    return {
        "name": entry["name"], "pid": holder, "pids": program.tree(), "program": program.pid, "since": time.time(),
    }


def end_with_the_input() -> None:
    """Also of a play that has not got to its READY yet."""
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


def widen_receive_buffers() -> None:
    """A FIN arrives only behind all data, so that what nobody reads must fit. The namespace is ours alone."""
    with open("/proc/sys/net/ipv4/tcp_rmem", "w", encoding="ascii") as file:
        file.write("4096 2097152 6291456")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--build", default="", help="the folder in which compiled programs are")
    options = parser.parse_args()
    entry = workload(options.name)
    scratch = tempfile.mkdtemp(prefix="workload-")
    try:
        kernel.enter_new_netns()
        kernel.raise_fd_limit()
        widen_receive_buffers()
        threading.Thread(target=end_with_the_input, daemon=True).start()
        print("READY", json.dumps(play(entry, options.build, scratch)), flush=True)
        time.sleep(LIFE_SECONDS)
    finally:
        end_descendants()
        shutil.rmtree(scratch, ignore_errors=True)


def end_descendants() -> None:
    """Orphans become ours, so that after the last round there is nobody left."""
    while kernel.children_of(os.getpid()):
        for pid in kernel.children_of(os.getpid()):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


if __name__ == "__main__":
    kernel.adopt_orphans()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    main()
