"""Builds tar blocks by hand, for the entries that no tool at hand would write."""

from __future__ import annotations

END = bytes(1024)


def header(
    name: bytes,
    size: int | bytes = 0,
    flag: bytes = b"0",
    *,
    link: bytes = b"",
    mtime: bytes = b"00000000000\0",
    magic: bytes = b"ustar\x0000",
    prefix: bytes = b"",
    rest: dict[int, bytes] | None = None,
    signed: bool = False,
) -> bytes:
    block = bytearray(512)

    def put(at: int, value: bytes) -> None:
        block[at : at + len(value)] = value

    put(0, name)
    put(100, b"0000644\0" + b"0000000\0" * 2)
    put(124, size if isinstance(size, bytes) else b"%011o\0" % size)
    put(136, mtime)
    put(156, flag)
    put(157, link)
    put(257, magic)
    put(345, prefix)
    for at, value in (rest or {}).items():
        put(at, value)
    put(148, b" " * 8)
    total = sum(byte - 256 if signed and byte > 127 else byte for byte in block)
    put(148, b"%06o\0 " % total)
    return bytes(block)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def entry(name: bytes, data: bytes = b"", flag: bytes = b"0", *, link: bytes = b"") -> bytes:
    return header(name, len(data), flag, link=link) + padded(data)


def record(key: bytes, value: bytes) -> bytes:
    length = len(key) + len(value) + 3
    while len(str(length)) + len(key) + len(value) + 3 != length:
        length = len(str(length)) + len(key) + len(value) + 3
    return b"%d %s=%s\n" % (length, key, value)


def told(flag: bytes, *records: tuple[bytes, bytes]) -> bytes:
    """An extended header with these records."""
    return entry(b"PaxHeaders/0", b"".join(record(key, value) for key, value in records), flag)
