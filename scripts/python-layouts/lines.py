"""Writes which line each instruction of some functions is of, with their line tables: python3.N lines.py > fixtures/python/lines-3.N.json"""

import dis
import json
import sys

SAMPLE = '''
def plain(conn, table):
    data = conn.recv(4096)
    while data:
        table[conn] = data
        data = conn.recv(
            4096,
            0,
        )
    return [
        x
        for x in table
        if x
    ]

def careful(path):
    try:
        with open(path) as file:
            for line in file:
                if not line:
                    continue
                yield line
    except OSError as error:
        raise ValueError(path) from error
    finally:
        print(
            "done",
        )

async def waits(reader):
    async for x in reader:
        await x(lambda y: y)
    async with reader:
        return await reader

def backwards(a):
    return (
        a.one(1)
        .two(2)
        .three(
            a,
            3)
    )

def far(a):
    b = 1
''' + "\n" * 400 + '''
    c = 2
    return b + c

def wide(a):
    x = [''' + ", ".join("a.b%d(%d)" % (i, i) for i in range(120)) + ''']
    return x
'''


def codes(code):
    yield code
    for const in code.co_consts:
        if hasattr(const, "co_code"):
            yield from codes(const)


def pieces(code):
    """Where a line begins, in bytes of the code, and which it is."""
    if hasattr(code, "co_lines"):
        return [[start, line] for start, _, line in code.co_lines()]
    starts = list(dis.findlinestarts(code))
    return [[start, line] for start, line in starts]


print(json.dumps({
    "version": sys.version.split()[0],
    "codes": [
        {
            "name": code.co_name,
            "firstLine": code.co_firstlineno,
            "length": len(code.co_code),
            "table": (code.co_linetable if hasattr(code, "co_linetable") else code.co_lnotab).hex(),
            "pieces": pieces(code),
        }
        for code in codes(compile(SAMPLE, "sample.py", "exec"))
    ],
}, separators=(",", ":")))
