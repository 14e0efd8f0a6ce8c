"""Scanners, one file a kind of archive; none knows another. `KINDS` is the one place where they are named."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Final, NamedTuple

from indexer.codecs import decoder
from indexer.errors import ArchiveUnsupported, MemberDamaged, MemberUnreadable
from indexer.limits import KIB
from indexer.model import Codec, Identity, Span
from indexer.scan import Scan
from indexer.source import Source
from indexer.zstdframes import MAGIC, SKIPPABLE_MAGICS

Scanner = Callable[[Identity], Scan]


Magics = tuple[tuple[int, bytes], ...]
"""Bytes that files of one sort have, each with its offset."""


class Inside(NamedTuple):
    """What the decoded bytes of a compressed archive begin with."""

    codec: Codec
    magics: Magics


class Kind(NamedTuple):
    """A kind of archive.

    Attributes:
        name: What it is called in indexes and options.
        suffixes: How names of such archives end, in lower case.
        magics: What they begin with, each with its offset.
        inside: What their decoded bytes begin with, where one compression holds several kinds.
        few_reads: Whether its members are told in one place, so that it is indexed without reading them.
    """

    name: str
    suffixes: tuple[str, ...]
    magics: Magics
    inside: Inside | None = None
    few_reads: bool = False

    @property
    def scan(self) -> Scanner:
        """Its scanner; the module is imported when it is first wanted."""
        scanner: Scanner = import_module(f"indexer.formats.{self.name.replace('.', '_')}").scan
        return scanner


ZSTD: Final[Magics] = ((0, MAGIC), *((0, magic) for magic in SKIPPABLE_MAGICS))
GZIP: Final[Magics] = ((0, b"\x1f\x8b\x08"),)
TAR: Final[Magics] = ((257, b"ustar"),)

KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind("tar.zst", (".tar.zst", ".tzst", ".tar.zstd"), ZSTD, Inside(Codec.ZSTD, TAR)),
        Kind("tar.gz", (".tar.gz", ".tgz", ".taz"), GZIP, Inside(Codec.GZIP, TAR)),
        Kind(
            "zip",
            (".zip", ".jar", ".war", ".whl", ".apk", ".epub", ".docx", ".xlsx"),
            ((0, b"PK\x03\x04"), (0, b"PK\x05\x06")),
            few_reads=True,
        ),
        Kind("squashfs", (".squashfs", ".sqfs", ".sqsh", ".snap"), ((0, b"hsqs"),), few_reads=True),
        Kind("tar", (".tar",), TAR),
        Kind("zst", (".zst", ".zstd"), ZSTD),
        Kind("gz", (".gz",), GZIP),
        Kind("bz2", (".bz2",), ((0, b"BZh"),)),
        Kind("xz", (".xz",), ((0, b"\xfd7zXZ\0"),)),
    )
}
"""Every kind that can be indexed where it lies; of several that an archive's first bytes fit, the first."""

HEAD_BYTES: Final = 132 * KIB
"""As much of an archive's beginning as tells its kind: a block of zstd, 128 KiB at most, and what stands before it."""


def by_name(url: str) -> Kind | None:
    """Tell the kind of an archive by the end of its name; the longest suffix wins."""
    name = url.lower()
    found = [(len(suffix), kind) for kind in KINDS.values() for suffix in kind.suffixes if name.endswith(suffix)]
    return max(found, key=lambda each: each[0])[1] if found else None


def by_magic(head: bytes) -> Kind | None:
    """Tell the kind of an archive by its first `HEAD_BYTES` (fewer when it is shorter)."""
    for kind in KINDS.values():
        if _begins(head, kind.magics) and (kind.inside is None or _begins(_opened(head, kind.inside), kind.inside.magics)):
            return kind
    return None


def _begins(head: bytes, magics: Magics) -> bool:
    return any(head.startswith(magic, offset) for offset, magic in magics)


def _opened(head: bytes, inside: Inside) -> bytes:
    """The first decoded bytes of an archive that begins with `head`: as many as tell what is inside, fewer if there are no more."""
    wanted = max(offset + len(magic) for offset, magic in inside.magics)
    found = b""
    try:
        for piece in decoder(inside.codec).feed(head):
            found += piece
            if len(found) >= wanted:
                break
    except (MemberDamaged, MemberUnreadable):
        return b""
    return found


def kind_of(archive: Identity, source: Source) -> Kind:
    """Tell the kind of an archive: by its name, or, if that tells nothing, by its first bytes (one request).

    Raises:
        ArchiveUnsupported: It is of no kind in `KINDS`.
    """
    kind = by_name(archive.url)
    if kind is None and archive.size:
        kind = by_magic(source.read(archive, (Span(0, min(HEAD_BYTES, archive.size)),))[0])
    if kind is None:
        raise ArchiveUnsupported(
            "neither its name nor its first bytes tell what kind of archive this is",
            hint=f"Supported are {', '.join(KINDS)}",
            archive=archive.url,
        )
    return kind


def scanner_for(archive: Identity, source: Source) -> Scanner:
    """The scanner for an archive. Raises and costs as `kind_of`."""
    return kind_of(archive, source).scan
