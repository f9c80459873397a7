"""Servers on asyncio: python3 loop.py CASE"""

import asyncio
import sys

CASE = sys.argv[1]
ONLINE = set()  # writers of everybody who is logged in


async def rpc(reader, writer):
    """Requests until the end of the connection; /report is the one that is not cleaned up."""
    ONLINE.add(writer)
    while True:
        head = await reader.read(4096)
        if not head:
            break
        path = head.split(b" ")[1].partition(b"?")[0]
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n")
        await writer.drain()
        if path == b"/report" and not await reader.read(4096):
            return  # early, past the cleaning up
    ONLINE.discard(writer)
    writer.close()


async def export(reader, writer):
    """Reads the whole question, as of `nc -N`, and answers row by row."""
    await reader.read()
    for row in range(100_000):
        writer.write(b"row %d,%s\n" % (row, b"x" * 60))
        await writer.drain()
        await asyncio.sleep(0.05)
    writer.close()


class Upload(asyncio.Protocol):
    """Takes uploads and sends previews; reading is off while the disk is slow, and then for ever."""

    def connection_made(self, transport):
        self.transport = transport
        self.taken = 0

    def data_received(self, data):
        self.taken += len(data)
        if self.taken > 20_000:
            self.transport.pause_reading()  # nobody calls resume_reading()
            ONLINE.add(self.transport)
            asyncio.get_running_loop().create_task(self.send_previews())

    async def send_previews(self):
        while True:
            self.transport.write(b"preview " + b"." * 200_000 + b"\r\n")
            await asyncio.sleep(0.005 if self.transport.get_write_buffer_size() < 100_000 else 1000)


async def websocket(reader, writer):
    """Long connections with a message now and then."""
    while data := await reader.read(4096):
        writer.write(data)
        await writer.drain()
    writer.close()


async def main():
    loop = asyncio.get_running_loop()
    if CASE == "not-reading":
        server = await loop.create_server(Upload, "127.0.0.1", 8000)
    else:
        handler = {"missing-close": rpc, "half-close": export, "healthy": websocket}[CASE]
        server = await asyncio.start_server(handler, "127.0.0.1", 8000, backlog=256)
    await server.serve_forever()


asyncio.run(main())
