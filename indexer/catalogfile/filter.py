"""Filters: tell of a key, without a request, that an archive does not have it. A Bloom filter over the archive's keys.

Its bits are numbered from the lowest of the first byte. A key sets (and needs) the bits `(a + i * b) mod bits` for i from 0 to 7,
where a and b are the first and the second 8 bytes of the key's SHA-256, little-endian, b made odd. With 12 bits a key, 3 in 1,000
keys that are not there pass (measured by tests/indexer/catalogfile/test_filter.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

BITS_A_KEY: Final = 12
PROBES: Final = 8


def filter_bytes(keys: int) -> int:
    """Length of the filter for so many keys."""
    return (keys * BITS_A_KEY + 7) // 8


def make_filter(keys: Iterable[bytes], count: int) -> bytes:
    """Make the filter of an archive.

    Args:
        keys: Its keys, with the prefix under which it is bound.
        count: How many they are, at least 1.
    """
    bits = bytearray(filter_bytes(count))
    length = 8 * len(bits)
    for key in keys:
        first, step = _seeds(key)
        for probe in range(PROBES):
            place = (first + probe * step) % length
            bits[place >> 3] |= 1 << (place & 7)
    return bytes(bits)


class Probe:
    """One key on its way through many filters; it is hashed once."""

    __slots__ = ("_first", "_step")

    def __init__(self, key: bytes) -> None:
        self._first, self._step = _seeds(key)

    def passes(self, bits: bytes) -> bool:
        """Whether an archive with this filter may have the key; False is certain."""
        length, at = 8 * len(bits), self._first
        for _ in range(PROBES):
            place = at % length
            if not bits[place >> 3] & 1 << (place & 7):
                return False
            at += self._step
        return True


def _seeds(key: bytes) -> tuple[int, int]:
    digest = hashlib.sha256(key).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:16], "little") | 1
