"""What a page says of its members beside name, size and place: checksums, ETags, attributes, reasons."""

from __future__ import annotations

import enum
import struct
import sys
from array import array
from collections.abc import Sequence
from typing import Any, Final

from indexer import attributes
from indexer.indexfile.block import Block
from indexer.indexfile.columns import Column, ColumnDamaged, ColumnUnknown, decode_ints, decode_texts, encode_ints, encode_texts
from indexer.model import DEFAULT_ATTRIBUTES, Attributes


class EtagKind(enum.IntEnum):
    """How a member's ETag is stored."""

    ABSENT = 0
    MD5 = 1
    MULTIPART = 2
    """32 hex digits and `-N`."""
    TEXT = 3


HEX: Final = frozenset("0123456789abcdef")
MD5_DIGITS: Final = 32


def encode_crcs(crcs: Sequence[int | None]) -> dict[int, bytes]:
    """Write checksums; no columns when no member has one."""
    # As they are: checksums do not compress.
    if None not in crcs:
        return {Column.CRC32: struct.pack(f"<{len(crcs)}I", *crcs)}
    absent = [int(crc is None) for crc in crcs]
    if all(absent):
        return {}
    return {Column.CRC32: struct.pack(f"<{len(crcs)}I", *[crc or 0 for crc in crcs]), Column.CRC32_ABSENT: encode_ints(absent)}


def decode_crcs(block: Block, members: int) -> Sequence[int | None]:
    """Read what `encode_crcs` wrote. Raises `ColumnDamaged`."""
    if Column.CRC32 not in block:
        return [None] * members
    raw = block[Column.CRC32]
    if len(raw) != 4 * members:
        raise ColumnDamaged("the checksums do not fit the members")
    crcs = array("I", raw)
    if sys.byteorder == "big":
        crcs.byteswap()
    if Column.CRC32_ABSENT not in block:
        return crcs
    absent = decode_ints(block[Column.CRC32_ABSENT], members)
    return [None if gone else crc for crc, gone in zip(crcs, absent, strict=True)]


def _etag_kind(etag: str | None) -> EtagKind:
    if etag is None:
        return EtagKind.ABSENT
    digest, dash, parts = etag.partition("-")
    if len(digest) != MD5_DIGITS or not HEX.issuperset(digest):
        return EtagKind.TEXT
    if not dash:
        return EtagKind.MD5
    whole = parts.isascii() and parts.isdigit() and len(parts) <= 9 and str(int(parts)) == parts
    return EtagKind.MULTIPART if whole else EtagKind.TEXT


def encode_etags(etags: Sequence[str | None]) -> dict[int, bytes]:
    """Write ETags: MD5s as 16 bytes, others as text; no columns when no member has one."""
    if etags.count(None) == len(etags):
        return {}
    kinds = [_etag_kind(etag) for etag in etags]
    columns: dict[int, bytes] = {Column.ETAG_KIND: encode_ints(kinds)}
    told = list(zip(kinds, etags, strict=True))
    hexes = [etag[:MD5_DIGITS] for kind, etag in told if etag and kind in (EtagKind.MD5, EtagKind.MULTIPART)]
    parts = [int(etag[MD5_DIGITS + 1 :]) for kind, etag in told if etag and kind == EtagKind.MULTIPART]
    texts = [etag.encode() for kind, etag in told if etag is not None and kind == EtagKind.TEXT]
    if hexes:
        columns[Column.ETAG_MD5] = bytes.fromhex("".join(hexes))
    if parts:
        columns[Column.ETAG_PARTS] = encode_ints(parts)
    if texts:
        columns[Column.ETAG_TEXT] = encode_texts(texts)
    return columns


def decode_etags(block: Block, members: int) -> Sequence[str | None]:
    """Read what `encode_etags` wrote. Raises `ColumnDamaged`."""
    if Column.ETAG_KIND not in block:
        return [None] * members
    kinds = decode_ints(block[Column.ETAG_KIND], members)
    multipart = sum([kind == EtagKind.MULTIPART for kind in kinds])
    raw = block[Column.ETAG_MD5]
    if len(raw) != 16 * (multipart + sum([kind == EtagKind.MD5 for kind in kinds])):
        raise ColumnDamaged("the ETags do not fit the members")
    digits = raw.hex()
    hexes = [digits[at : at + MD5_DIGITS] for at in range(0, len(digits), MD5_DIGITS)]
    if len(digits) == MD5_DIGITS * members and max(kinds) == EtagKind.MD5 == min(kinds):
        return hexes
    each_hex = iter(hexes)
    parts = decode_ints(block[Column.ETAG_PARTS], multipart)
    texts = decode_texts(block[Column.ETAG_TEXT], members)
    if min(parts, default=0) < 0 or len(texts) != sum([kind == EtagKind.TEXT for kind in kinds]):
        raise ColumnDamaged("the ETags do not fit the members")
    each_part, each_text = iter(parts), iter(texts)
    etags: list[str | None] = []
    for kind in kinds:
        match kind:
            case EtagKind.ABSENT:
                etags.append(None)
            case EtagKind.MD5:
                etags.append(next(each_hex))
            case EtagKind.MULTIPART:
                etags.append(f"{next(each_hex)}-{next(each_part)}")
            case EtagKind.TEXT:
                etags.append(next(each_text).decode())
            case _:
                raise ColumnUnknown(f"an ETag of kind {kind}")
    return etags


def _encode_table(values: Sequence[bytes], ordinals: Column, texts: Column) -> dict[int, bytes]:
    """Tell each distinct value once; 0 stands for the empty one."""
    places: dict[bytes, int] = {b"": 0}
    for value in values:
        places.setdefault(value, len(places))
    return {ordinals: encode_ints([places[value] for value in values]), texts: encode_texts(list(places)[1:])}


def _decode_table(block: Block, members: int, ordinals: Column, texts: Column) -> tuple[Sequence[int], list[bytes]]:
    places = decode_ints(block[ordinals], members)
    values = [b"", *decode_texts(block[texts], members)]
    if min(places) < 0 or max(places) >= len(values):
        raise ColumnDamaged("a text is missing")
    return places, values


def decode_attributes(block: Block, members: int) -> Sequence[Attributes]:
    """Read what `encode_attributes` wrote. Raises `ColumnDamaged`."""
    if Column.ATTRIBUTES not in block:
        return [DEFAULT_ATTRIBUTES] * members
    places, values = _decode_table(block, members, Column.ATTRIBUTES, Column.ATTRIBUTE_TEXTS)
    try:
        known = [attributes.decode(value) for value in values]
    except ValueError as fault:
        raise ColumnDamaged(str(fault)) from None
    return [known[place] for place in places]


def decode_unreadables(block: Block, members: int) -> Sequence[str | None]:
    """Read what `encode_unreadables` wrote. Raises `ColumnDamaged`."""
    if Column.UNREADABLE not in block:
        return [None] * members
    places, values = _decode_table(block, members, Column.UNREADABLE, Column.UNREADABLE_TEXTS)
    reasons = [None, *[value.decode() for value in values[1:]]]
    return [reasons[place] for place in places]


def encode_attributes(all_attributes: Sequence[tuple[Any, ...] | None]) -> dict[int, bytes]:
    """Write attributes, each distinct one once; no columns when all are None, which stands for the default."""
    if not any(all_attributes):
        return {}
    spelled = {told: b"" if told is None else attributes.encode(Attributes._make(told)) for told in set(all_attributes)}
    return _encode_table([spelled[told] for told in all_attributes], Column.ATTRIBUTES, Column.ATTRIBUTE_TEXTS)


def encode_unreadables(unreadables: Sequence[str | None]) -> dict[int, bytes]:
    """Write the reasons why members cannot be read; no columns when all can."""
    if not any(unreadables):
        return {}
    reasons = [(reason or "").encode() for reason in unreadables]
    return _encode_table(reasons, Column.UNREADABLE, Column.UNREADABLE_TEXTS)
