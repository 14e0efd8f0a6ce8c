"""Archives made on the spot for the service's tests: plain bytes in frames, and the index that tells where they lie."""

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from hashlib import md5
from zlib import crc32

from indexer.indexfile.writer import ArchiveFacts, write_index
from indexer.model import DEFAULT_ATTRIBUTES, Attributes, Codec, Extent, Frame, Member
from indexer.source.memory import MemorySource
from indexer.urls import index_url
from object_lambda.mounts import Mount
from object_lambda.service import Service
from object_lambda.wiring import ServiceSettings, new_service

MTIME_S = 1_700_000_000
ARCHIVE = "s3://archives/one.tar"


@dataclass(frozen=True)
class Made:
    """One member to be: its bytes and what is told of it."""

    data: bytes = b""
    mtime_s: int = MTIME_S
    etag: str | None = None
    attributes: Attributes = DEFAULT_ATTRIBUTES
    unreadable: str | None = None
    crc: bool = True


def put_archive(objects: MutableMapping[str, bytes], contents: Mapping[str, Made | bytes], url: str = ARCHIVE) -> None:
    """Writes an archive and its index into `objects`, each member in a stored frame of its own."""
    made = {name.encode(): one if isinstance(one, Made) else Made(one) for name, one in contents.items()}
    archive = b"archive of " + url.encode() + b"".join(one.data for one in made.values())
    objects[url] = archive
    index: list[bytes] = []
    facts = ArchiveFacts(md5(archive).hexdigest(), len(archive), "tar")
    write_index(_members(made, len(b"archive of ") + len(url.encode())), facts, index.append)
    objects[index_url(url)] = b"".join(index)


def _members(made: Mapping[bytes, Made], start: int) -> Iterator[Member]:
    starts = {}
    for name, one in made.items():
        starts[name] = start
        start += len(one.data)
    for name in sorted(made):
        one = made[name]
        frame = Frame(starts[name], len(one.data), len(one.data), Codec.STORED)
        yield Member(
            name=name,
            size=len(one.data),
            mtime_s=one.mtime_s,
            extents=(Extent(frame, 0, len(one.data)),) if one.data and one.unreadable is None else (),
            crc32=crc32(one.data) if one.crc else None,
            etag=one.etag,
            attributes=one.attributes,
            unreadable=one.unreadable,
        )


def mount(place: str, url: str = ARCHIVE) -> Mount:
    """A mount at `bucket` or `bucket/prefix`."""
    bucket, _, prefix = place.partition("/")
    return Mount(bucket, f"{prefix}/".encode() if prefix else b"", url, index_url(url))


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def service_over(*mounts: Mount, clock: Clock | None = None, freshness_s: float = 60) -> Service:
    """A service with nothing known yet."""
    return new_service(mounts, clock=clock or Clock(), settings=ServiceSettings(freshness_s=freshness_s))


def service_of(contents: Mapping[str, Made | bytes], place: str = "bucket") -> tuple[Service, MemorySource]:
    """A service over one archive, and the source it lies in."""
    objects: dict[str, bytes] = {}
    put_archive(objects, contents)
    return service_over(mount(place)), MemorySource(objects)
