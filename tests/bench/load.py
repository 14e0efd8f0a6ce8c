"""A client that keeps a server busy: `python tests/bench/load.py HOST PORT CONNECTIONS REQUESTS PATHS_FILE`.

Keep-alive connections on one event loop, nothing but what a request needs, so that the server is what is measured. Prints one line
of JSON: answers, those that were not 200, bytes, and the times of the answers.
"""

import asyncio
import json
import sys
import time
from itertools import count, cycle
from pathlib import Path


class Load:
    """What is under way."""

    def __init__(self, host: str, port: int, paths: list[str], requests: int) -> None:
        self.host, self.port = host, port
        self.heads = cycle([f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode() for path in paths])
        self.numbers = count()
        self.requests = requests
        self.answers = self.failed = self.bytes = 0
        self.took_s: list[float] = []

    async def connection(self) -> None:
        """One connection: asks until all was asked."""
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            while next(self.numbers) < self.requests:
                began_s = time.perf_counter()
                writer.write(next(self.heads))
                head = await reader.readuntil(b"\r\n\r\n")
                self.failed += not head.startswith(b"HTTP/1.1 200")
                length = await _body(reader, head.lower())
                self.took_s.append(time.perf_counter() - began_s)
                self.bytes += length
                self.answers += 1
        finally:
            writer.close()


async def _body(reader: asyncio.StreamReader, head: bytes) -> int:
    """Read one body; returns its length."""
    _, found, rest = head.partition(b"content-length:")
    if found:
        length = int(rest.split(b"\r\n", 1)[0])
        await reader.readexactly(length)
        return length
    length = 0
    while size := int(await reader.readline(), 16):
        await reader.readexactly(size + 2)
        length += size
    await reader.readline()
    return length


async def _run(load: Load, connections: int) -> None:
    await asyncio.gather(*(load.connection() for _ in range(connections)))


def main(host: str, port: str, connections: str, requests: str, paths: str) -> None:
    """Put the load on the server and tell how it went."""
    load = Load(host, int(port), Path(paths).read_text().splitlines(), int(requests))
    asyncio.run(_run(load, int(connections)))
    times = sorted(load.took_s)
    told = {
        "answers": load.answers,
        "failed": load.failed,
        "bytes": load.bytes,
        "p50_ms": times[len(times) // 2] * 1000,
        "p99_ms": times[len(times) * 99 // 100] * 1000,
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
