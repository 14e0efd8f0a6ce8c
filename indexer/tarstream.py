"""A tar read as a stream: fed decoded bytes in any cut, it tells the entries, where their bytes lie, and their checksums.

It knows nothing of compression or of archives on a store: `formats/tar.py` feeds it the bytes as they are, `formats/tar_zst.py`
what its frames decode to. Memory: one block, one extended header, one sparse map.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from indexer.attributes import decode as decode_attributes
from indexer.attributes import decode_etag
from indexer.limits import MTIME_S_MOST, OBJECT_BYTES, SPARSE_RUNS, TAR_RECORDS_BYTES
from indexer.model import DEFAULT_ATTRIBUTES, Attributes
from indexer.names import shown
from indexer.tarheaders import (
    BLOCK,
    TYPES,
    WITHOUT_BYTES,
    EntryType,
    Header,
    Runs,
    check_runs,
    old_gnu_runs,
    pax_number,
    pax_records,
    read_header,
    sparse_runs,
)

ZEROS: Final = bytes(64 * 1024)

EXTENDED: Final = frozenset((b"x", b"X", b"g", b"L", b"K"))
"""Types whose bytes tell of other entries; `X` is Solaris's `x`."""

SKIP_ALL: Final = 2 * OBJECT_BYTES
"""Longer than any stream."""

END_MARK_BLOCKS: Final = 2
"""Zero blocks that end an archive (POSIX); another may follow them."""


class TarFault(Exception):
    """The stream contradicts the format.

    Args:
        why: What is wrong, for a person.
        at: Where in the decoded stream.
    """

    def __init__(self, why: str, at: int) -> None:
        super().__init__(why)
        self.why = why
        self.at = at


class Entry(NamedTuple):
    """One entry of a tar, told once its last byte went by.

    Attributes:
        name: As the archive has it.
        type: What it stands for.
        size: Length of the file.
        mtime_s: Modification time.
        start: Where its bytes begin in the decoded stream.
        stored_bytes: How many there are: `size`, less for a sparse file.
        link: What a link points to, as the archive has it.
        runs: Of a sparse file: where its stored bytes belong.
        crc32: CRC-32 of the file; None for a sparse one.
        etag: ETag of the object it was, if the archive tells.
        attributes: Attributes of the object it was.
        is_object: Whether a directory stands for an object.
        fault: Why its bytes cannot be had; empty when they can.
    """

    name: bytes
    type: EntryType
    size: int
    mtime_s: int
    start: int
    stored_bytes: int
    link: bytes = b""
    runs: Runs | None = None
    crc32: int | None = None
    etag: str | None = None
    attributes: Attributes = DEFAULT_ATTRIBUTES
    is_object: bool = False
    fault: str = ""


Records = dict[bytes, bytes]


class TarStream:
    """Reads the blocks of a tar. Concatenated archives are read as one; what follows the last one's end mark is passed over.

    Attributes:
        at: How much of the decoded stream was taken.
        entries: Headers of entries seen.
    """

    def __init__(self) -> None:
        self.at = 0
        self.entries = 0
        self._zero_blocks = 0
        self._junk = False
        # The bytes that are gathered before anything can be made of them: a header block, an extended header, a part of a map.
        self._gathered = bytearray()
        self._wanted = BLOCK
        self._then: Callable[[bytes], None] = self._header
        # The bytes that pass by: of the present entry, then padding.
        self._entry: Entry | None = None
        self._left = 0
        self._skip = 0
        self._crc32 = 0
        self._md5: Any = None
        # What extended headers told: of every entry, of the next one.
        self._md5_etags = False
        self._attributes = DEFAULT_ATTRIBUTES
        self._global: Records = {}
        self._local: Records = {}
        self._sparse_00: list[tuple[int, int]] = []
        # The sparse file whose map is being read.
        self._header_before_map = Header(b"", 0, 0, b"", b"", old_gnu=False)
        self._runs: list[tuple[int, int]] = []
        self._size = 0
        self._map = bytearray()
        self._map_lines = 0
        self._done: list[Entry] = []

    @property
    def holds_from(self) -> int:
        """Where in the decoded stream the bytes begin that entries not told yet may lie in."""
        return self._entry.start if self._entry is not None else self.at

    def feed(self, data: bytes) -> list[Entry]:
        """Take the next decoded bytes.

        Returns:
            The entries whose last byte is among them.

        Raises:
            TarFault: They contradict the format.
        """
        size = len(data)
        view = memoryview(data)
        begin = self.at
        while (at := self.at - begin) < size:
            if self._left:
                self._pass(view[at : at + self._left])
            elif self._skip:
                step = min(self._skip, size - at)
                self._skip -= step
                self.at += step
            elif self._zero_blocks and not self._gathered and data.startswith(ZEROS, at):
                self.at += len(ZEROS)
            elif not self._gathered and size - at >= self._wanted:
                self.at += self._wanted
                self._then(data[at : at + self._wanted])
            else:
                part = data[at : at + self._wanted - len(self._gathered)]
                self._gathered += part
                self.at += len(part)
                if len(self._gathered) == self._wanted:
                    block = bytes(self._gathered)
                    self._gathered.clear()
                    self._then(block)
        done, self._done = self._done, []
        return done

    def finish(self) -> None:
        """Say that the stream ended.

        Raises:
            TarFault: It ended inside an entry, or without a single block of its end mark: then members may be missing.
        """
        begun = self._left or (self._skip and not self._junk) or self._then != self._header
        if begun or (self._gathered and self._zero_blocks < END_MARK_BLOCKS):
            name = shown(self._entry.name) if self._entry else "a header"
            raise TarFault(f"the tar ends inside {name}", self.at)
        if not self._zero_blocks and not self._junk:
            raise TarFault("the tar ends without its end mark: it was cut short", self.at)

    def _pass(self, piece: memoryview) -> None:
        """Take bytes of the present entry."""
        length = len(piece)
        self.at += length
        self._left -= length
        self._crc32 = zlib.crc32(piece, self._crc32)
        if self._md5 is not None:
            self._md5.update(piece)
        if not self._left:
            self._finish_entry()

    def _finish_entry(self) -> None:
        """The present entry's last byte went by."""
        entry = self._entry
        if entry is None:
            return
        self._entry = None
        if entry.type is EntryType.FILE and entry.runs is None:
            etag = self._md5.hexdigest() if self._md5 is not None else entry.etag
            entry = entry._replace(crc32=self._crc32, etag=etag)
        self._done.append(entry)

    def _await(self, length: int, then: Callable[[bytes], None]) -> None:
        """Gather `length` bytes before going on."""
        self._wanted, self._then = length, then

    def _await_header(self) -> None:
        self._wanted, self._then = BLOCK, self._header

    def _header(self, block: bytes) -> None:
        """Take a block where a header stands, or the end mark."""
        at = self.at - BLOCK
        if not block[0] and block == ZEROS[:BLOCK]:
            self._zero_blocks += 1
            self._local, self._sparse_00 = {}, []
            return
        try:
            header = read_header(block)
        except ValueError as error:
            if self._zero_blocks >= END_MARK_BLOCKS:
                # What follows an archive is not its business: GNU tar and bsdtar pass over it too.
                self._skip, self._junk = SKIP_ALL, True
                return
            raise TarFault(str(error), at) from None
        if self._zero_blocks >= END_MARK_BLOCKS:  # another archive: what the first one said of all its entries is over
            self._global, self._attributes, self._md5_etags = {}, DEFAULT_ATTRIBUTES, False
        self._zero_blocks = 0
        if header.flag in EXTENDED:
            if header.size > TAR_RECORDS_BYTES:
                raise TarFault(f"an extended header of {header.size} bytes, the limit is {TAR_RECORDS_BYTES}", at)
            flag, length = header.flag, header.size
            self._await(padded(length), lambda data: self._extended(flag, data[:length]))
            if not length:
                self._extended(flag, b"")
            return
        self.entries += 1
        try:
            if self._global or self._local or self._sparse_00:
                self._begin_told(header, block)
            elif header.flag == b"S":
                self._begin_old_sparse(header, block)
            else:
                self._begin(header, header.size)
        except ValueError as error:
            raise TarFault(str(error), at) from None

    def _extended(self, flag: bytes, data: bytes) -> None:
        """Take what an extended header tells of the entries after it."""
        self._await_header()
        try:
            if flag == b"L":
                self._local.setdefault(b"path", data.partition(b"\0")[0])
            elif flag == b"K":
                self._local.setdefault(b"linkpath", data.partition(b"\0")[0])
            elif flag == b"g":
                self._global_records(pax_records(data))
            else:
                self._local_records(pax_records(data))
        except ValueError as error:
            raise TarFault(str(error), self.at - padded(len(data))) from None

    def _global_records(self, records: list[tuple[bytes, bytes]]) -> None:
        """What holds from here on."""
        for key, value in records:
            if key == b"BINDERY.etag":
                self._md5_etags = value == b"md5"
            elif key == b"BINDERY.attributes":
                try:
                    self._attributes = decode_attributes(value)
                except ValueError as error:
                    raise ValueError(f"the attributes in a pax header do not read: {error}") from None
            elif key in MATTERS:
                self._global.pop(key, None)
                if value:
                    self._global[key] = value

    def _local_records(self, records: list[tuple[bytes, bytes]]) -> None:
        """What holds for the next entry."""
        offset = -1
        for key, value in records:
            if key == b"GNU.sparse.offset":
                offset = pax_number(value)
            elif key == b"GNU.sparse.numbytes":
                self._sparse_00.append((offset, pax_number(value)))
            elif key in MATTERS:
                self._local[key] = value
        if len(self._sparse_00) > SPARSE_RUNS:
            raise ValueError(f"a sparse map has more than {SPARSE_RUNS} runs")

    def _begin_told(self, header: Header, block: bytes) -> None:
        """Begin an entry of which extended headers tell."""
        told = {**self._global, **self._local} if self._global else self._local
        runs_00, self._local, self._sparse_00 = self._sparse_00, {}, []
        changes: dict[str, Any] = {}
        if path := told.get(b"GNU.sparse.name") or told.get(b"path"):
            changes["name"] = path
        if link := told.get(b"linkpath"):
            changes["link"] = link
        if mtime := told.get(b"mtime"):
            changes["mtime_s"] = pax_number(mtime)
        if (size := told.get(b"size")) and header.flag not in WITHOUT_BYTES:
            changes["size"] = pax_number(size)
            if not 0 <= changes["size"] <= OBJECT_BYTES:
                raise ValueError(f"an entry cannot have {changes['size']} bytes")
        header = header._replace(**changes)
        etag = decode_etag(told[b"BINDERY.etag"]) if b"BINDERY.etag" in told else None
        is_object = told.get(b"BINDERY.object") == b"1"
        own = told.get(b"BINDERY.attributes")
        attributes = None if own is None else decode_attributes(own)
        true_size = told.get(b"GNU.sparse.realsize") or told.get(b"GNU.sparse.size")
        version = told.get(b"GNU.sparse.major", b"0")
        if version != b"0":
            if version != b"1" or true_size is None:
                raise ValueError("a sparse file of a kind that is not known")
            self._header_before_map, self._size = header, pax_number(true_size)
            self._map, self._map_lines = bytearray(), 0
            self._await(BLOCK, self._sparse_map)
        elif true_size is not None:
            self._begin_sparse(header, pax_number(true_size), runs_00 or listed_runs(told.get(b"GNU.sparse.map", b"")), header.size)
        elif header.flag == b"S":
            self._begin_old_sparse(header, block)
        else:
            self._begin(header, header.size, etag=etag, attributes=attributes, is_object=is_object)

    def _begin(
        self,
        header: Header,
        stored_bytes: int,
        *,
        etag: str | None = None,
        attributes: Attributes | None = None,
        is_object: bool = False,
    ) -> None:
        """Begin an entry whose bytes follow as they are; attributes of its own go before those of all."""
        name, size, mtime_s, flag, link, _ = header
        kind = TYPES.get(flag, EntryType.FILE)
        if kind is EntryType.FILE and name[-1:] == b"/":
            kind = EntryType.DIRECTORY  # as v7 tars had it
        with_md5 = self._md5_etags and etag is None
        self._md5 = hashlib.md5(usedforsecurity=False) if with_md5 and stored_bytes and kind is EntryType.FILE else None
        self._crc32 = 0
        self._entry = Entry(
            name,
            kind,
            size,
            min(max(0, mtime_s), MTIME_S_MOST),
            self.at,
            stored_bytes,
            link,
            None,
            None,
            etag,
            self._attributes if attributes is None else attributes,
            is_object,
        )
        if with_md5 and not stored_bytes:
            self._entry = self._entry._replace(etag=EMPTY_MD5)
        self._begin_bytes(stored_bytes)

    def _begin_bytes(self, stored_bytes: int) -> None:
        """Let the bytes of the present entry, and their padding, pass by."""
        self._await_header()
        self._left = stored_bytes
        self._skip = -stored_bytes % BLOCK
        if not stored_bytes:
            self._finish_entry()

    def _begin_sparse(self, header: Header, size: int, runs: list[tuple[int, int]], stored_bytes: int) -> None:
        """Begin a sparse file whose map is known; one whose map cannot be is listed as unreadable."""
        fault = ""
        try:
            checked: Runs = check_runs(runs, size, stored_bytes)
            if not 0 <= size <= OBJECT_BYTES:
                raise ValueError(f"a file cannot have {size} bytes")
        except ValueError as error:
            fault, checked, size = f"damaged: {error}", (), 0
        self._md5 = None
        self._entry = Entry(
            header.name,
            EntryType.FILE,
            size,
            min(max(0, header.mtime_s), MTIME_S_MOST),
            self.at,
            stored_bytes,
            runs=checked,
            attributes=self._attributes,
            fault=fault,
        )
        self._begin_bytes(stored_bytes)

    def _begin_old_sparse(self, header: Header, block: bytes) -> None:
        """Begin a sparse file of old GNU tar: the map stands in the header, and in blocks of its own after it."""
        self._runs, self._size, more = old_gnu_runs(block)
        self._header_before_map = header
        if more:
            self._await(BLOCK, self._old_sparse_map)
        else:
            self._begin_sparse(header, self._size, self._runs, header.size)

    def _old_sparse_map(self, block: bytes) -> None:
        """Take one more block of an old GNU sparse map: 21 runs, and whether another follows."""
        try:
            self._runs += sparse_runs(block[:504])
        except ValueError as error:
            raise TarFault(str(error), self.at - BLOCK) from None
        if len(self._runs) > SPARSE_RUNS:
            raise TarFault(f"a sparse map has more than {SPARSE_RUNS} runs", self.at - BLOCK)
        if not block[504]:
            self._begin_sparse(self._header_before_map, self._size, self._runs, self._header_before_map.size)

    def _sparse_map(self, block: bytes) -> None:
        """Take one more block of a sparse map 1.0: lines of decimal numbers before the bytes, their count first."""
        self._map += block
        self._map_lines += block.count(b"\n")
        try:
            runs = pax_number(bytes(self._map[: self._map.find(b"\n")]))
            if not 0 <= runs <= SPARSE_RUNS:
                raise ValueError(f"a sparse map has {runs} runs, the limit is {SPARSE_RUNS}")
            if len(self._map) > self._header_before_map.size:
                raise ValueError("a sparse map is longer than its file")
            if self._map_lines < 1 + 2 * runs:
                return
            numbers = [pax_number(line) for line in bytes(self._map).split(b"\n")[1 : 1 + 2 * runs]]
        except ValueError as error:
            raise TarFault(str(error), self.at - len(self._map)) from None
        pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
        self._begin_sparse(self._header_before_map, self._size, pairs, self._header_before_map.size - len(self._map))


EMPTY_MD5: Final = hashlib.md5(usedforsecurity=False).hexdigest()

MATTERS: Final = frozenset(
    (
        b"path",
        b"linkpath",
        b"size",
        b"mtime",
        b"BINDERY.attributes",
        b"BINDERY.etag",
        b"BINDERY.object",
        b"GNU.sparse.major",
        b"GNU.sparse.map",
        b"GNU.sparse.name",
        b"GNU.sparse.realsize",
        b"GNU.sparse.size",
    )
)
"""The keywords of pax headers that change what we serve."""


def listed_runs(value: bytes) -> list[tuple[int, int]]:
    """Read the runs of a sparse map 0.1: decimal numbers with commas between them, offset and length in turn."""
    numbers = [pax_number(text) for text in value.split(b",")] if value else []
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def padded(length: int) -> int:
    """The length of whole blocks that hold `length` bytes."""
    return -(-length // BLOCK) * BLOCK
