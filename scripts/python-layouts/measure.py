"""Prints where a running CPython has fields of types that are in no header, as JSON. See scripts/python-layouts.ts."""

import asyncio
import collections
import ctypes
import json
import socket
import sys

WORD = 8
NAMED = sys.version_info >= (3, 8)


def words(address, count):
    return list((ctypes.c_uint64 * count).from_address(address))


def where(address, size, value):
    """Offset of the one word that has this value."""
    [offset] = [i * WORD for i, word in enumerate(words(address, size // WORD)) if word == value]
    return offset


def changed(address, size, change, before, after):
    """Offsets of 32-bit words that had one value and then the other."""
    read = lambda: list((ctypes.c_uint32 * (size // 4)).from_address(address))
    old = read()
    change()
    return [i * 4 for i, (a, b) in enumerate(zip(old, read())) if (a, b) == (before, after)]


async def wait():
    await asyncio.sleep(1000)


async def task():
    loop = asyncio.get_event_loop()
    coroutine = wait()
    made = loop.create_task(coroutine)
    size = type(made).__basicsize__
    measured = {"size": size, "coroutine": where(id(made), size, id(coroutine))}
    if NAMED:
        measured["name"] = where(id(made), size, id(made.get_name()))
    await asyncio.sleep(0)
    future = loop.create_future()
    states = changed(id(future), type(future).__basicsize__, lambda: future.set_result(None), 0, 2)
    measured["state"] = states[-1]  # the count of references, which grew with the result, comes before
    made.cancel()
    return measured


def deque():
    many = collections.deque(range(1000, 1100))
    first = words(id(many), type(many).__basicsize__ // WORD)
    block = first[3]
    items = words(block, 66)
    start = items.index(id(many[0])) - 1
    return {"leftBlock": 3 * WORD, "leftIndex": first.index(start, 4) * WORD, "blockItems": WORD}


def socket_fd():
    one = socket.socket()
    [offset] = [i * 4 for i in range(2, 12) if ctypes.c_int32.from_address(id(one) + i * 4).value == one.fileno()][:1]
    return {"fd": offset}


def keys():
    """A table for eight entries without texts: the count of entries, eight indices of a byte each, then hash, key, value."""
    one = {("a", i): object() for i in range(5)}
    table = words(id(one), 6)[4]
    first = next(i for i in range(256) if ctypes.c_uint64.from_address(table + i).value == id(next(iter(one))))
    return {"entries": where(table, 64, 5), "indices": first - WORD - 8}


loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
print(json.dumps({
    "task": loop.run_until_complete(task()),
    "deque": deque(),
    "socket": socket_fd(),
    "keys": keys(),
}))
