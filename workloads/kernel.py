"""What the kernel shows of a socket, and the few system calls that Python 3.9 has no name for."""

import ctypes
import fcntl
import os
import resource
import signal
import socket
import struct
import time
from typing import Callable, List, NamedTuple

# enum in include/net/tcp_states.h
ESTABLISHED = 1
FIN_WAIT1 = 4
CLOSE_WAIT = 8

CLONE_NEWNET = 0x40000000  # include/uapi/linux/sched.h
SIOCSIFFLAGS = 0x8914  # include/uapi/linux/sockios.h
IFF_UP = 1  # include/uapi/linux/if.h
PR_SET_PDEATHSIG = 1  # include/uapi/linux/prctl.h
PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36

LIBC = ctypes.CDLL(None, use_errno=True)


class Row(NamedTuple):
    """The columns of /proc/net/tcp that we need (Documentation/networking/proc_net_tcp.rst)."""

    local_port: int
    peer_port: int
    state: int
    recv_queue: int
    timer: int
    inode: int


class TcpInfo(NamedTuple):
    """From struct tcp_info (include/uapi/linux/tcp.h); for a listener, unacked and sacked are its queue and limit."""

    state: int
    unacked: int
    sacked: int
    last_data_recv_ms: int
    last_ack_recv_ms: int


def rows() -> List[Row]:
    """Every TCP socket in our network namespace."""
    found = []
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        if os.path.exists(path):
            with open(path, encoding="ascii") as file:
                found += [parse_row(line) for line in file.readlines()[1:]]
    return found


def parse_row(line: str) -> Row:
    column = line.split()
    return Row(
        local_port=int(column[1].split(":")[1], 16),
        peer_port=int(column[2].split(":")[1], 16),
        state=int(column[3], 16),
        recv_queue=int(column[4].split(":")[1], 16),
        timer=int(column[5].split(":")[0], 16),
        inode=int(column[9]),
    )


def tcp_info(sock: socket.socket) -> TcpInfo:
    data = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 60)
    words = struct.unpack_from("=13I", data, 8)
    return TcpInfo(data[0], words[4], words[5], words[11], words[12])


def inode_of(sock: socket.socket) -> int:
    return os.fstat(sock.fileno()).st_ino


def process_state(pid: int) -> str:
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().rpartition(")")[2].split()[0]


def children_of(pid: int) -> List[int]:
    """Of all its threads; a thread may have a child that its process forked."""
    found = []
    try:
        for tid in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{tid}/children", encoding="ascii") as file:
                found += [int(word) for word in file.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


def wait_until(
    holds: Callable[[], bool], what: str, seconds: float = 15, instead: Callable[[], str] = lambda: ""
) -> None:
    """Asks again and again; the time only bounds how long we ask."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"not seen within {seconds:g} s: {what}; {instead()}")
        time.sleep(0.005)


def call(name: str, *args) -> None:
    if getattr(LIBC, name)(*args) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def enter_netns(name: str) -> None:
    """Enters a namespace made by `ip netns add`; os.setns exists only from Python 3.12 on."""
    fd = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
    call("setns", fd, CLONE_NEWNET)
    os.close(fd)


def enter_new_netns() -> None:
    """A namespace of our own, with its loopback up; it lives as long as we do."""
    call("unshare", CLONE_NEWNET)
    name_and_flags = struct.pack("16sh14x", b"lo", IFF_UP)
    with socket.socket() as sock:
        fcntl.ioctl(sock, SIOCSIFFLAGS, name_and_flags)


def set_process_name(name: bytes) -> None:
    call("prctl", PR_SET_NAME, ctypes.c_char_p(name), 0, 0, 0)


def die_with_parent(parent: int) -> None:
    call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the call
        os._exit(1)


def adopt_orphans() -> None:
    """Makes grandchildren ours to wait for when their parent ends."""
    call("prctl", PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def raise_fd_limit(wanted: int = 0) -> int:
    """To the hard limit, and beyond it to what is wanted where we may (CAP_SYS_RESOURCE); returns the limit we got."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    try:
        limit = max(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    except ValueError:
        limit = hard
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    return limit
